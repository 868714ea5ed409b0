"""`bench figure crops | errors | curve | plane | stages` as a person types them, on small runs of three photographs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.figures.errors.request import coloured
from bench.figures.pictures import fitted
from bench.figures.sheet import cell_dots
from bench.imaging import read_image, write_png
from bench.imaging.difference import absolute_error

PLUGIN = Path(__file__).parents[2] / "methods" / "plugins" / "cascade.py"
RUN = ("run", "--datasets", "Photos", "--metrics", "psnr,ssim", "--workers", 0, "--out", "run")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def places(page: np.ndarray, part: np.ndarray) -> list[tuple[int, int]]:
    """(left, up) of every place of a page that holds exactly these pixels."""
    apart = cv2.matchTemplate(page, part, cv2.TM_SQDIFF)
    found = []
    for y, x in np.argwhere(apart <= 1e-4 * part.size * 255**2):
        if np.array_equal(page[y : y + part.shape[0], x : x + part.shape[1]], part):
            found.append((int(x), int(y)))
    return found


def stored(name: str, scale: int, image: str) -> np.ndarray:
    return read_image(Path("run", "images", name, "Photos", f"x{scale}-s0", f"{image}.png")).pixels


@pytest.fixture
def run(bench: Callable, photos: Path) -> Path:
    """A run folder: nearest, bicubic and lanczos at x2 and x4."""
    assert bench(*RUN, "--methods", "nearest,bicubic,lanczos", "--scales", "2,4").code == 0
    return Path("run")


def test_a_crop_is_the_stored_images_pixels_repeated_and_all_are_aligned(bench: Callable, run: Path) -> None:
    """Catches interpolated crops, crops of another place or image, and columns that are shifted against each other."""
    words = ("--image", "p1", "--box", "5,7,13,10", "--scales", 2)
    done = bench("figure", "crops", run, *words, "--out", "c.png")
    assert (done.code, done.err) == (0, "")
    page = read_image("c.png").pixels
    across = cell_dots(5, whole=True, smallest=13)
    seen = {}
    images = {name: stored(name, 2, "p1") for name in ("nearest", "bicubic", "lanczos")}
    images["hr"] = read_image("Photos/p1.png").pixels
    for name, image in images.items():
        seen[name] = places(page, fitted(np.ascontiguousarray(image[7:17, 5:18]), across))
    # the LR image enlarged without interpolation is what nearest makes of it
    assert {name: len(found) for name, found in seen.items()} == {"nearest": 2, "bicubic": 1, "lanczos": 1, "hr": 1}
    assert len({up for found in seen.values() for _, up in found}) == 1
    lefts = sorted(left for found in seen.values() for left, _ in found)
    assert len(set(np.diff(lefts))) == 1
    assert seen["nearest"][0][0] < seen["hr"][0][0] < seen["nearest"][1][0] < seen["bicubic"][0][0]


def test_a_figure_may_be_a_pdf_with_its_fonts_and_a_png_at_once(bench: Callable, run: Path) -> None:
    """Catches one file of two, and fonts that a journal refuses (type 3)."""
    for kind, words in (("crops", ()), ("errors", ()), ("curve", ()), ("plane", ("--y", "ssim"))):
        assert bench("figure", kind, run, *words, "--out", f"{kind}.pdf+png").code == 0
        text = Path(f"{kind}.pdf").read_bytes()
        assert text.startswith(b"%PDF")
        assert b"/FontFile2" in text
        assert b"/Type3" not in text
        assert read_image(f"{kind}.png").pixels.shape[1] <= 2100
        assert Path(f"{kind}.csv").is_file()
        assert not Path(f"{kind}.pdf+png").exists()


def test_the_values_are_those_of_the_records_and_the_caption_says_so(bench: Callable, run: Path) -> None:
    """Catches values of another image or scale, and those of the crop under the words `whole image`."""
    words = ("--image", "p2", "--image", "p0", "--metrics", "ssim,psnr", "--box", "0,0,16,16")
    done = bench("figure", "crops", run, *words, "--out", "c.png")
    assert "SSIM ↑, PSNR ↑ of the whole image" in done.out
    assert "Protocol: sample. Number of images: Photos 3." in done.out
    assert "psnr|rgb|shave:0" in done.out
    records = {
        (row["image"], row["scale"], row["method"], row["metric"]): float(row["value"])
        for row in rows_of(run / "records.csv")
    }
    rows = rows_of(Path("c.csv"))
    assert [row["image"] for row in rows[::6]] == ["p2", "p0"]
    for row in rows:
        for metric in ("psnr", "ssim"):
            assert float(row[metric]) == records[row["image"], row["scale"], row["method"], metric]


def test_values_of_crops_are_of_their_pixels_alone(bench: Callable, run: Path) -> None:
    words = ("--image", "p2", "--metrics", "psnr", "--box", "8,4,20,16", "--crop-values", "--scales", 4)
    done = bench("figure", "crops", run, *words, "--out", "c.png")
    assert "PSNR ↑ of the crop, no border left out" in done.out
    hr = read_image("Photos/p2.png").pixels[4:20, 8:28].astype(float)
    for row in rows_of(Path("c.csv")):
        error = stored(row["method"], 4, "p2")[4:20, 8:28] - hr
        assert float(row["psnr"]) == pytest.approx(10 * np.log10(255**2 / np.mean(error**2)), abs=1e-6)


def test_the_rule_takes_the_image_and_the_box_in_which_methods_are_furthest_apart(bench: Callable, run: Path) -> None:
    """Catches the first image, another statistic than the one that is said, and boxes of another scale."""
    done = bench("figure", "crops", run, "--size", 20, "--scales", 4, "--out", "c.png")
    assert "image of the largest disagreement at ×4" in done.out
    best = (-1.0, "", "")
    for image in ("p0", "p1", "p2"):
        results = [stored(name, 4, image).astype(float) for name in ("nearest", "bicubic", "lanczos")]
        apart = np.std(results, axis=0).mean(axis=-1)
        for y in range(apart.shape[0] - 19):
            for x in range(apart.shape[1] - 19):
                best = max(best, (apart[y : y + 20, x : x + 20].mean(), image, f"{x},{y},20,20"))
    row = rows_of(Path("c.csv"))[0]
    assert (row["image"], row["box"]) == best[1:]


def test_the_median_image_is_that_of_the_metric(bench: Callable, run: Path) -> None:
    done = bench("figure", "crops", run, "--rule", "median", "--by", "ssim", "--scales", 2, "--out", "c.png")
    assert "the median image by SSIM at ×2" in done.out
    values: dict[str, list[float]] = {}
    for row in rows_of(run / "records.csv"):
        if (row["metric"], row["scale"]) == ("ssim", "2"):
            values.setdefault(row["image"], []).append(float(row["value"]))
    order = sorted(values, key=lambda image: np.mean(values[image]))
    assert rows_of(Path("c.csv"))[0]["image"] == order[1]


def test_all_maps_of_errors_share_the_scale_of_colours_that_the_caption_names(bench: Callable, run: Path) -> None:
    """Catches maps that are each stretched to their own largest error, and signed or summed differences."""
    done = bench("figure", "errors", run, "--image", "p1", "--out", "e.png")
    assert done.code == 0
    largest = float(re.findall(r"which ends at (\d+)", done.out)[0])
    page = read_image("e.png").pixels
    across = cell_dots(4, whole=False, colours=True)
    hr = read_image("Photos/p1.png").pixels
    inside = []
    for scale in (2, 4):
        for name in ("nearest", "bicubic", "lanczos"):
            error = np.abs(stored(name, scale, "p1").astype(float) - hr).mean(axis=-1)
            inside.append(error)
            assert len(places(page, fitted(coloured(error.astype(np.float32), largest), across))) == 1
            (row,) = [r for r in rows_of(Path("e.csv")) if (r["scale"], r["method"]) == (str(scale), name)]
            assert float(row["mean_error"]) == pytest.approx(error.mean(), abs=1e-4)
    assert np.mean(np.array(inside) <= largest) >= 0.995


def test_an_error_of_16_bits_is_in_the_same_levels() -> None:
    hr = np.full((2, 2, 3), 100, np.uint8)
    assert np.allclose(absolute_error(np.full((2, 2, 3), 90 * 257, np.uint16), hr), 10)
    assert np.allclose(absolute_error(hr[..., 0] - 30, hr[..., 0]), 30)


def test_a_curve_has_the_means_of_the_table_and_cells_without_mean_have_no_point(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches means over the images that are there, where the table has none."""
    write_png(photos / "tiny.png", np.random.default_rng(0).integers(0, 255, (6, 6, 3), np.uint8))
    assert bench(*RUN, "--methods", "bicubic", "--scales", "2,3,8").code == 1
    done = bench("figure", "curve", "run", "--metrics", "psnr", "--out", "k.png")
    assert done.code == 0
    assert "Bicubic PSNR Photos ×8 3/4" in done.out
    summary = {row["scale"]: row["mean"] for row in rows_of(Path("run", "summary.csv")) if row["metric"] == "psnr"}
    for row in rows_of(Path("k.csv")):
        assert row["mean"] == summary[row["scale"]]
        if row["mean"]:
            assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])
    assert [row["note"] for row in rows_of(Path("k.csv"))] == ["", "", "3/4"]


def test_the_plane_marks_its_front(bench: Callable, run: Path) -> None:
    done = bench("figure", "plane", run, "--x", "psnr", "--y", "ssim", "--out", "p.png")
    assert (done.code, done.err) == (0, "")
    for scale in ("2", "4"):
        rows = [row for row in rows_of(Path("p.csv")) if row["scale"] == scale]
        points = {row["method"]: (float(row["psnr"]), float(row["ssim"])) for row in rows}
        for row in rows:
            own = points.pop(row["method"])
            beaten = any(a >= own[0] and b >= own[1] for a, b in points.values())
            assert row["front"] == str(not beaten).lower()
            points[row["method"]] = own


def test_two_protocols_in_one_folder_are_never_mixed(bench: Callable, run: Path) -> None:
    """Catches a figure that reads the records past the check of signatures."""
    assert bench(*RUN, "--methods", "nearest,bicubic,lanczos", "--scales", "2,4", "--protocol", "classic-y").code == 0
    for kind, words in (("crops", ()), ("errors", ()), ("curve", ()), ("plane", ("--y", "ssim"))):
        done = bench("figure", kind, run, *words, "--out", "f.png")
        assert (done.code, Path("f.png").exists()) == (2, False)
        assert "--protocol sample or --protocol classic-y" in done.err
    # gray images of the second protocol, which lie in a folder of their own
    done = bench("figure", "crops", run, "--protocol", "classic-y", "--image", "p0", "--scales", 4, "--out", "f.png")
    assert (done.code, done.err) == (0, "")
    page = read_image("f.png").pixels
    gray = (page[..., 0] == page[..., 1]) & (page[..., 0] == page[..., 2])
    assert gray.mean() > 0.99


def test_a_protocol_of_ones_own_is_that_of_the_run_even_when_its_file_has_gone(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches HR and LR by the preset that a file begins with, and a figure that needs the file again."""
    own = newcomer / "mine.yaml"
    own.write_text("base: sample\nhr_mod: 10\n", encoding="utf-8")
    assert bench(*RUN, "--methods", "bicubic", "--scales", 2, "--protocol", own).code == 0
    own.write_text("base: sample\nhr_mod: 3\n", encoding="utf-8")
    done = bench("figure", "crops", "run", "--image", "p1", "--box", "5,7,13,10", "--out", "c.png")
    assert (done.code, done.err) == (0, "")
    whole = read_image("Photos/p1.png").pixels
    height, width = (side - side % 10 for side in whole.shape[:2])
    assert read_image(Path("run", "images", "bicubic", "Photos", "x2-s0", "p1.png")).pixels.shape[:2] == (height, width)
    across = cell_dots(3, whole=True, smallest=13)
    crop = whole[7:17, 5:18].repeat(across // 13, 0).repeat(across // 13, 1)
    assert places(read_image("c.png").pixels, crop)


def test_a_set_without_hr_has_crops_and_one_view_at_every_scale(bench: Callable, photos: Path) -> None:
    """Catches a reference that is made up, and boxes that show another part at another scale."""
    words = ("--methods", "nearest,bicubic", "--scales", "2,4", "--metrics", "lr_psnr", "--workers", 0, "--out", "run")
    assert bench("run", "--datasets", "::Photos", *words).code == 0
    done = bench("figure", "crops", "run", "--image", "p0", "--box", "20,10,16,12", "--out", "c.png")
    assert (done.code, done.err) == (0, "")
    assert {(row["scale"], row["box"]) for row in rows_of(Path("c.csv"))} == {
        ("2", "20,10,16,12"),
        ("4", "40,20,32,24"),
    }
    refused = bench("figure", "errors", "run", "--out", "e.png")
    assert refused.code == 2
    assert "no HR images" in refused.err


def test_a_method_that_was_not_asked_for_a_scale_leaves_its_place_hatched(bench: Callable, photos: Path) -> None:
    assert bench(*RUN, "--methods", "bicubic", "--scales", "2,4").code == 0
    assert bench(*RUN, "--methods", "lanczos", "--scales", "2").code == 0
    done = bench("figure", "crops", "run", "--image", "p0", "--metrics", "psnr", "--out", "c.png")
    assert (done.code, done.err) == (0, "")
    absent = [row["psnr"] == "" for row in rows_of(Path("c.csv"))]
    assert absent == [False, False, False, True]


def test_source_images_that_moved_are_asked_for_and_others_are_not_taken(
    bench: Callable, run: Path, photos: Path, newcomer: Path
) -> None:
    """Catches HR of another image of that name."""
    photos.rename(newcomer / "Moved")
    done = bench("figure", "crops", run, "--out", "c.png")
    assert done.code == 2
    assert "--data" in done.err
    assert bench("figure", "crops", run, "--data", "Moved", "--out", "c.png").code == 0
    write_png(newcomer / "Moved" / "p0.png", np.zeros((48, 64, 3), np.uint8))
    done = bench("figure", "crops", run, "--data", "Moved", "--image", "p0", "--out", "c.png")
    assert done.code == 2
    assert "other ones now" in done.err


def test_a_stored_image_that_was_changed_or_deleted_is_not_shown(bench: Callable, run: Path) -> None:
    path = run / "images" / "bicubic" / "Photos" / "x2-s0" / "p1.png"
    write_png(path, stored("nearest", 2, "p1"))
    done = bench("figure", "crops", run, "--image", "p1", "--out", "c.png")
    assert done.code == 2
    assert "was changed after it was written; type the run's command again" in done.err
    path.unlink()
    assert bench("figure", "errors", run, "--image", "p1", "--out", "c.png").code == 2


def wide(page: np.ndarray, parts: Sequence[np.ndarray]) -> list[int]:
    return [len(places(page, part)) for part in parts]


def test_stages_are_those_of_the_method_and_lr_is_the_first(bench: Callable, photos: Path) -> None:
    """Catches a strip without its first or last image, and stages of another image."""
    words = ("--data", "Photos", "--scale", 4, "--image", "p2", "--plugin", PLUGIN, "--device", "cpu")
    done = bench("figure", "stages", "cascade,bicubic", *words, "--out", "s.png")
    assert (done.code, done.err) == (0, "")
    rows = rows_of(Path("s.csv"))
    assert [(row["method"], row["cycle"], row["width"], row["height"]) for row in rows] == [
        ("cascade", "0", "16", "12"),
        ("cascade", "1", "32", "24"),
        ("cascade", "2", "64", "48"),
        ("bicubic", "0", "16", "12"),
        ("bicubic", "1", "64", "48"),
    ]
    page, across = read_image("s.png").pixels, cell_dots(4, whole=False, smallest=64)
    assert wide(page, [fitted(read_image(photos / "p2.png").pixels, across)]) == [2]
    assert bench(*RUN, "--methods", "nearest,bicubic", "--scales", "4").code == 0
    # nearest at a whole scale is LR enlarged without interpolation; the result is that of a run
    assert wide(page, [fitted(stored(name, 4, "p2"), across) for name in ("nearest", "bicubic")]) == [2, 1]
    bicubic = next(
        row for row in rows_of(Path("run", "records.csv")) if row["image"] == "p2" and "bicubic" in row["method"]
    )
    assert float(rows[-1]["psnr"]) == pytest.approx(float(bicubic["value"]), abs=1e-6)


def test_training_ranges_travel_with_the_run(bench: Callable, photos: Path) -> None:
    """Catches ranges that are looked up by name when the figure is drawn, or left out."""
    assert bench(*RUN, "--methods", "bicubic", "--scales", "2,4").code == 0
    path = Path("run", "run.json")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    assert manifest["rows"][0]["train_scales"] is None
    manifest["rows"][0]["train_scales"] = [1, 3]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    done = bench("figure", "curve", "run", "--out", "k.png")
    assert "scales of the training" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("crops", "--image", "p9"), "it holds p0, p1, p2"),
        (("crops", "--image", "p1", "--box", "60,0,16,16"), "64 px wide and 48 px high"),
        (("crops", "--image", "p1", "--box", "1,2,3"), "expected x,y,w,h"),
        (("crops", "--image", "p1", "--box", "1,2,0,4"), "at least 1"),
        (("crops", "--box", "0,0,8,8"), "--image NAME"),
        (
            ("crops", "--image", "p0", "--image", "p1", "--image", "p2", "--box", "0,0,8,8", "--box", "1,1,8,8"),
            "2 boxes",
        ),
        (("crops", "--metrics", "niqe"), "repeat its command with the same --out and --metrics"),
        (("crops", "--metrics", "pnsr"), "Did you mean 'psnr'"),
        (("crops", "--rule", "best"), "disagreement or median"),
        (("crops", "--methods", "bicubik"), "Did you mean 'bicubic'"),
        (("crops", "--scales", "3"), "it holds 2, 4"),
        (("crops", "--out", "c.jpg"), ".png, .pdf, .svg"),
        (("crops", "--out", "c.pdf+jpg"), ".pdf+png"),
        (("errors", "--image", "p9"), "it holds p0, p1, p2"),
        (("curve", "--scales", "2"), "at least two scales"),
        (("curve", "--metrics", "lpips"), "repeat its command"),
        (("plane",), "repeat its command"),
        (("plane", "--y", "psnr"), "give two metrics"),
        (("stages", "--image", "p9"), "it has p0, p1, p2"),
        (("stages", "--box", "60,0,16,16"), "64 px wide"),
    ],
)
def test_wrong_requests_are_told_what_to_type(words: tuple[str, ...], said: str, bench: Callable, run: Path) -> None:
    kind, *more = words
    what = ("bicubic", "--data", "Photos", "--scale", 4) if kind == "stages" else (run,)
    out = () if "--out" in more else ("--out", "c.png")
    done = bench("figure", kind, *what, *more, *out)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not list(Path().glob("c*"))
