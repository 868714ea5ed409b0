"""Pictures of runs on the page: HR and LR as the run had them, whatever its protocol and wherever its LR came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bench
import bench.engine.stored as stored
from bench.imaging import write_png
from bench.imaging.io import read_png_exact
from bench.leaderboard import write_leaderboard
from tests.leaderboard.conftest import photo

METHODS = "nearest,bilinear,bicubic"
_OPTIONS = {"metrics": "psnr", "workers": 0, "device": "cpu"}


def photos(folder: Path) -> Path:
    """A folder of two photographs."""
    folder.mkdir()
    for index in range(2):
        write_png(folder / f"image{index}.png", photo(index))
    return folder


def place(page: Path, dataset: str, scale: int, image: str = "image0") -> Path:
    """The folder of a scene's pictures."""
    (folder,) = (page / "images" / dataset / image).glob(f"x{scale}-*")
    return folder


def test_hr_and_lr_of_a_protocol_of_ones_own_are_shown(tmp_path: Path) -> None:
    """Catches a page that knows presets alone, and one that reads the protocol's file again, which has gone."""
    own = tmp_path / "mine.yaml"
    own.write_text("base: sample\nhr_mod: 6\ndownsampler: pillow-bicubic\n", encoding="utf-8")
    run = tmp_path / "run"
    bench.run(METHODS, 2, datasets=str(photos(tmp_path / "Photos")), protocol=str(own), out=run, **_OPTIONS)
    own.unlink()
    write_leaderboard([run], tmp_path / "page", images=1)
    folder = place(tmp_path / "page", "Photos", 2)
    assert {"hr.png", "lr.png", "bicubic-error.png"} <= {path.name for path in folder.iterdir()}
    # 64 x 80 cropped to multiples of 6
    assert np.array_equal(read_png_exact(folder / "hr.png"), photo(0)[:60, :78])
    assert read_png_exact(folder / "lr.png").shape == (30, 39, 3)


def test_knobs_that_were_set_one_by_one_are_kept(tmp_path: Path) -> None:
    """Catches HR and LR of the preset that the run's protocol was made from."""
    run = tmp_path / "run"
    folder = str(photos(tmp_path / "Photos"))
    bench.run(METHODS, 2, datasets=folder, protocol="sample", set="protocol.hr_mod=6", out=run, **_OPTIONS)
    write_leaderboard([run], tmp_path / "page", images=1)
    assert read_png_exact(place(tmp_path / "page", "Photos", 2) / "hr.png").shape == (60, 78, 3)


def test_the_lr_of_a_set_that_brings_it_is_shown(tmp_path: Path) -> None:
    """Catches LR that the preset would make of HR, and a set with LR that has no HR on the page."""
    pairs = tmp_path / "Pairs"
    photos(tmp_path / "Pairs-hr").rename(pairs)
    hr, lr = pairs / "HR", pairs / "LR"
    hr.mkdir()
    lr.mkdir()
    given = {name: 255 - photo(index)[::2, ::2] for index, name in enumerate(("image0", "image1"))}
    for name, pixels in given.items():
        (pairs / f"{name}.png").rename(hr / f"{name}.png")
        write_png(lr / f"{name}.png", pixels)
    run = tmp_path / "run"
    bench.run(METHODS, 2, datasets=str(pairs), protocol="sample", out=run, **_OPTIONS)
    write_leaderboard([run], tmp_path / "page", images=2)
    folder = place(tmp_path / "page", "Pairs", 2)
    assert np.array_equal(read_png_exact(folder / "lr.png"), given["image0"])
    assert np.array_equal(read_png_exact(folder / "hr.png"), photo(0))


def test_hr_and_lr_are_made_once_for_all_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a page of twenty methods that decodes every image twenty times."""
    run = tmp_path / "run"
    bench.run(METHODS, "2,3", datasets=str(photos(tmp_path / "Photos")), protocol="sample", out=run, **_OPTIONS)
    made, prepare = [], stored.prepare

    def counted(sample, scale, protocol):
        made.append((sample.id, scale))
        return prepare(sample, scale, protocol)

    monkeypatch.setattr(stored, "prepare", counted)
    write_leaderboard([run], tmp_path / "page", images=2)
    assert sorted(made) == [("image0", 2.0), ("image0", 3.0), ("image1", 2.0), ("image1", 3.0)]


def test_sr_stands_alone_where_the_source_is_another_image_now(tmp_path: Path) -> None:
    """Catches an error map against an image that the method never saw."""
    folder, run = photos(tmp_path / "Photos"), tmp_path / "run"
    bench.run(METHODS, 2, datasets=str(folder), protocol="sample", out=run, **_OPTIONS)
    write_png(folder / "image0.png", photo(7))
    write_leaderboard([run], tmp_path / "page", images=1)
    names = {path.name for path in place(tmp_path / "page", "Photos", 2).iterdir()}
    assert names == {"nearest.png", "bilinear.png", "bicubic.png"}
