"""Kernel figures: what is compared has one colour scale and the right place, and every word can be read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from bench.api import RequestError
from bench.figures.files import save_figure
from bench.figures.kernels.drawing import KernelColumn, KernelPair, StudyModel, StudyRow, draw_recovery, draw_study


def bump(width: float, *, peak: float = 1.0, size: int = 21) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    kernel = np.exp(-(x**2 + y**2) / 2 / width**2)
    return peak * kernel / kernel.max()


def column(index: int = 0, **fields) -> KernelColumn:
    """The longest words that a column can have, unless told otherwise."""
    made = KernelColumn(
        image=np.full((9, 12, 3), 10 * index, dtype=np.uint8),
        true=bump(1.5, peak=0.1 * (index + 1)),
        estimated=bump(2, peak=0.07),
        scale=3.25,
        shrinker="bilinear",
        sigmas=(3.99, 3.98),
        theta=np.radians(178),
        reblur_error=99.0,
        true_reblur_error=0.994,
    )
    return replace(made, **fields)


def study(models: int = 2) -> Figure:
    pair = KernelPair(true=bump(1.5), estimated=bump(2, peak=0.5), kernel_l1=1.234, reblur_psnr=100.0)
    rows = [
        StudyRow(scale=s, image=np.zeros((30, 20, 3), np.uint8), pairs=(pair,) * models) for s in (1.1, 2.2, 3.33, 10)
    ]
    about = [
        StudyModel(
            title=f"trained for the {where} kernel",
            space=index,
            l1=(1.234, 0.456),
            psnr=(100.0, 10.0),
            estimate_spread=1.23,
            true_spread=0.0,
        )
        for where, index in (("LR-space", "l"), ("HR-space", "h"))
    ]
    return draw_study(
        rows,
        about[:models],
        note="Shown: some $long_{name$ that ends in…, of 100 images that the numbers are means over.",
    )


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def kernels(figure: Figure) -> list:
    """The drawn kernels (images of one channel), with the axes they are in."""
    return [(axes, image) for axes in figure.axes for image in axes.images if image.get_array().ndim == 2]


@pytest.mark.parametrize("peak", [0.01, 5.0])
def test_the_two_kernels_of_a_column_share_a_scale_that_holds_both(peak: float) -> None:
    found = kernels(draw_recovery([column(0), column(3, estimated=bump(2, peak=peak))]))
    scales = [image.get_clim() for _, image in found]
    assert scales[0] == scales[1]
    assert scales[2] == scales[3]
    assert scales[0] != scales[2]
    highest = max(float(image.get_array().max()) for _, image in found[2:])
    assert scales[2] == (0.0, pytest.approx(highest))


def test_negative_taps_are_not_shown_as_positive_ones() -> None:
    negative = bump(2) - 0.2
    _, (_, image) = kernels(draw_recovery([column(estimated=negative)]))
    shown = np.asarray(image.get_array())
    assert image.get_clim()[0] == pytest.approx(shown.min())
    assert shown.min() < 0
    assert (np.sign(shown) == np.sign(negative[-shown.shape[0] :, -shown.shape[1] :])).mean() > 0.3
    assert np.all(np.diff(shown[shown.shape[0] // 2][: shown.shape[1] // 2]) >= 0)


def test_true_is_above_estimated_and_neither_is_turned() -> None:
    corner = bump(1.5)
    corner[8, 13] = 5.0  # above the centre and right of it
    figure = draw_recovery([column(true=corner, estimated=bump(1.5))])
    (upper, image), (lower, _) = kernels(figure)
    assert upper.get_position().y0 > lower.get_position().y1
    assert image.get_array().max() == pytest.approx(np.sqrt(5))
    figure.set_dpi(100)
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float).sum(axis=-1)
    box = upper.get_window_extent()
    part = drawn[int(drawn.shape[0] - box.y1) + 2 : int(drawn.shape[0] - box.y0) - 1, int(box.x0) + 2 : int(box.x1) - 1]
    y, x = np.unravel_index(part.argmax(), part.shape)
    assert y < 0.5 * part.shape[0]
    assert x > 0.5 * part.shape[1]


def test_kernels_are_cut_to_the_same_odd_middle_and_nothing_of_them_is_lost() -> None:
    wide = bump(1.0)
    wide[3, 10] = 0.05  # seven pixels from the centre, 0.8 % of all: as much as the noise of an estimate
    found = [image.get_array() for _, image in kernels(draw_recovery([column(), column(true=wide)]))]
    assert {array.shape for array in found} == {(15, 15)}
    assert found[2][0, 7] == pytest.approx(np.sqrt(0.05))
    wide[3, 10] = 0.2
    assert kernels(draw_recovery([column(estimated=wide)]))[0][1].get_array().shape == (15, 15)
    small = [
        image.get_array().shape for _, image in kernels(draw_recovery([column(true=bump(0.1), estimated=bump(0.1))]))
    ]
    assert set(small) == {(9, 9)}
    assert "9 LR pixels" in words(draw_recovery([column(true=bump(0.1), estimated=bump(0.1))]))


def test_every_column_says_what_was_done_and_how_well() -> None:
    said = words(draw_recovery([column(reblur_error=0.456, true_reblur_error=0.123), column(scale=2.0, theta=3.14159)]))
    first, second = (text for text in said if text.startswith("×"))
    for part in ("×3.25", "bilinear", "4.0, 4.0", "178°", "re-blur 0.46", "0.12"):
        assert part in first
    assert "×2 " in second
    assert " 0°" in second
    assert "re-blur > 10" in second


def test_a_ninth_degradation_starts_a_new_band() -> None:
    eight, nine = (draw_recovery([column(i) for i in range(count)]) for count in (8, 9))
    assert nine.get_figwidth() == eight.get_figwidth()
    assert nine.get_figheight() > 1.8 * eight.get_figheight()
    boxes = [axes.get_position().bounds for axes in nine.axes if axes.images[0].get_array().ndim == 3]
    assert boxes[8][0] == pytest.approx(boxes[0][0])
    assert boxes[8][1] < boxes[0][1]


@pytest.mark.parametrize("make", [lambda: draw_recovery([column(i) for i in range(9)]), study, lambda: study(1)])
def test_no_word_lies_over_another_or_over_a_picture_or_off_the_page(make) -> None:
    figure = make()
    with matplotlib.rc_context({"figure.dpi": 100}):
        figure.canvas.draw()
        texts = [(text.get_text(), text.get_window_extent()) for text in figure.texts]
    page = figure.bbox
    for text, box in texts:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
        assert not any(box.overlaps(axes.bbox) for axes in figure.axes), text
    for (first, one), (second, other) in combinations(texts, 2):
        assert not one.overlaps(other), (first, second)
    for one, other in combinations(figure.axes, 2):
        assert not one.bbox.overlaps(other.bbox)


def test_axes_are_square_pixels() -> None:
    for figure in (draw_recovery([column(i) for i in range(9)]), study()):
        for axes in figure.axes:
            assert axes.bbox.width == pytest.approx(axes.bbox.height)
            height, width = axes.images[0].get_array().shape[:2]
            assert height == width


def test_the_study_names_scales_models_and_figures() -> None:
    said = "\n".join(words(study()))
    for part in ("×1.1", "×2.2", "×10", "LR-space", "HR-space", "k_l", "k_h", "L1 1.23", "100.0 dB", "± 0.46", "Shown"):
        assert part in said
    found = kernels(study())
    assert len(found) == 4 * 2 * 2
    assert found[0][1].get_clim() == found[1][1].get_clim()
    assert found[0][0].get_position().x1 < found[1][0].get_position().x0


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(RequestError, match="at least one"):
        draw_recovery([])
    with pytest.raises(RequestError, match="one pair of kernels per model"):
        draw_study([StudyRow(scale=2.0, image=np.zeros((9, 9, 3), np.uint8), pairs=())], [])


@pytest.mark.parametrize(("name", "head"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_files_are_of_their_suffix_and_the_same_every_time(name: str, head: bytes, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        save_figure(draw_recovery([column()]), tmp_path / name)
        found.append((tmp_path / name).read_bytes())
    assert found[0].startswith(head)
    assert found[0] == found[1]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.jpg", "a", "none/a.png", "folder.png"])
def test_a_place_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RequestError, match=r"--out .*" + Path(name).name):
        save_figure(draw_recovery([column()]), tmp_path / name)


def test_a_figure_that_breaks_halfway_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    figure = draw_recovery([column()])

    def broken(file, **_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="No space"):
        save_figure(figure, tmp_path / "a.png")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"old"}


def test_settings_of_the_user_change_nothing_and_are_left_alone(tmp_path: Path) -> None:
    save_figure(draw_recovery([column()]), tmp_path / "a.png")
    theirs = {"font.size": 33.0, "axes.linewidth": 9.0, "image.cmap": "jet", "savefig.bbox": "tight"}
    with matplotlib.rc_context(theirs):
        save_figure(draw_recovery([column()]), tmp_path / "b.png")
        assert {key: matplotlib.rcParams[key] for key in theirs} == theirs
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_neither_pyplot_nor_torch_is_imported() -> None:
    code = "import sys, bench.figures.kernels.drawing; print({'matplotlib.pyplot', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
