"""A stored image that is not what was written: every reader notices, and a run makes it anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import CellId, RequestError, UnitError
from bench.engine.events import Silent
from bench.engine.folder import RunFolder
from bench.engine.request import RunRequest
from bench.engine.run import RunResult
from bench.engine.run import execute as run_all
from bench.engine.stored import StoredRun
from bench.imaging import read_png_exact, write_png
from bench.metrics.fid import FID

Build = Callable[..., RunRequest]
WANTED = {"scales": (2.0, 3.0), "metrics": ("psnr",)}


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def stored(request: RunRequest, scale: int = 3, image: str = "photo 1") -> Path:
    return request.out / "images" / "bicubic" / "Photos" / f"x{scale}-s0" / f"{image}.png"


def other_pixels(path: Path) -> None:
    write_png(path, 255 - read_png_exact(path))


def other_size(path: Path) -> None:
    write_png(path, np.zeros((20, 30, 3), np.uint8))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [other_pixels, other_size, truncate, empty]


def values(result: RunResult) -> dict[tuple[str, float, str], float | None]:
    return {(row.image, row.scale, row.metric): row.value for row in result.rows.rows}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("added", ["ssim", "selfssim"])
def test_a_changed_image_is_made_anew_before_it_is_scored(
    make_request: Build, tmp_path: Path, damage: Callable[[Path], None], added: str
) -> None:
    """Catches a number of a picture that nobody computed, a traceback, and a hole that no rerun fills."""
    request = make_request(**WANTED)
    run_all(request)
    damage(stored(request))
    notes = Notes()
    result = run_all(make_request(**{**WANTED, "metrics": ("psnr", added)}), notes)
    assert result.tally.failures == []
    assert result.tally.inferred == 1
    assert any("photo 1.png" in text for text in notes.texts)
    fresh = run_all(make_request(**{**WANTED, "metrics": ("psnr", added)}, out=tmp_path / "fresh"))
    assert values(result) == values(fresh)
    again = run_all(make_request(**{**WANTED, "metrics": ("psnr", added)}))
    assert (again.tally.inferred, again.tally.scored) == (0, 0)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_set_metric_sees_only_what_was_written(
    make_request: Build, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    """Catches a FID over a swapped image."""

    def mean(_: FID, sr: list[np.ndarray], hr: list[np.ndarray]) -> float:
        return float(np.mean([image.mean() for image in sr]))

    monkeypatch.setattr(FID, "compute_sets", mean)
    monkeypatch.setattr(FID, "unavailable", lambda _: None)
    request = make_request(**WANTED)
    run_all(request)
    truth = np.mean([read_png_exact(path).mean() for path in sorted(stored(request).parent.iterdir())])
    damage(stored(request))
    damage(stored(request, image="photo 3"))
    result = run_all(make_request(**{**WANTED, "metrics": ("psnr", "fid")}))
    assert result.tally.inferred == 2
    assert values(result)["*", 3.0, "fid"] == pytest.approx(truth)


@pytest.mark.parametrize("damage", [*DAMAGES, Path.unlink])
def test_whoever_shows_stored_images_refuses_a_changed_one_by_name(
    make_request: Build, damage: Callable[[Path], None]
) -> None:
    """Catches a figure, a page or a second scoring of another picture under the method's name."""
    request = make_request(scales=(2.0,), metrics=("psnr",))
    run_all(request)
    damage(stored(request, scale=2))
    (cell,) = StoredRun([request.out]).cells()
    assert cell.result("photo 0", None).pixels is not None
    with pytest.raises(UnitError, match=r"photo 1\.png (was changed|cannot be read)"):
        cell.result("photo 1", None)


def test_a_folder_in_the_place_of_an_image_says_what_to_do(make_request: Build) -> None:
    """Catches "Is a directory" without a next step, and a run that ends there."""
    request = make_request(scales=(2.0,), metrics=("psnr",))
    run_all(request)
    path = stored(request, scale=2)
    path.unlink()
    path.mkdir()
    tally = run_all(make_request(scales=(2.0,), metrics=("psnr",))).tally
    (failure,) = tally.failures
    assert failure.image == "photo 1"
    assert "a folder lies where this image is to be written; move it away" in failure.error
    path.rmdir()
    assert run_all(make_request(scales=(2.0,), metrics=("psnr",))).tally.failures == []


def test_a_file_in_the_place_of_a_folder_of_images_says_what_to_do(make_request: Build) -> None:
    """Catches "Not a directory" without a next step."""
    request = make_request(scales=(2.0,), metrics=("psnr",))
    run_all(request)
    folder = stored(request, scale=2).parent
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("no folder", encoding="utf-8")
    failures = run_all(make_request(scales=(2.0,), metrics=("psnr",))).tally.failures
    assert failures
    assert all("mend what is in the way and type the same command again" in failure.error for failure in failures)


def test_another_record_of_this_run_cannot_name_the_image_of_a_unit(make_request: Build) -> None:
    """Catches a record whose path, although below images/, makes the next run write over another unit's image."""
    request = make_request(scales=(2.0,), metrics=("psnr",))
    run_all(request)
    records = request.out / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    lines = records.read_text(encoding="utf-8").splitlines()
    lines[0] = lines[0][: lines[0].index(',"check"')].replace("x2-s0/photo 0.png", "x2-s0/photo 1.png") + "}"
    records.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match="line 1: expected the image of 'photo 0' where this cell keeps it"):
        run_all(make_request(scales=(2.0,), metrics=("psnr",)))


def test_numbers_of_an_image_that_came_out_otherwise_are_forgotten(make_request: Build) -> None:
    """Catches PSNR of the old pixels beside SSIM of the new ones, where a computation does not repeat bit for bit."""
    from dataclasses import replace

    from bench.engine.folder import CellFolder, fold_units, read_units

    request = make_request(scales=(2.0,), metrics=("psnr",))
    run_all(request)
    where = CellFolder(CellId("bicubic", "", "Photos", 2.0, 0), "bicubic")
    units = read_units(RunFolder(request.out).records_path(where), where)
    output = units[0].output
    assert output is not None
    again = replace(units[0], output=replace(output, sha256="0" * 64), scores={})
    assert fold_units([units[0], again])[units[0].image, units[0].pair].scores == {}
    deeper = replace(units[0], output=replace(output, sha256="0" * 64, depth=16), scores={})
    assert len(fold_units([units[0], deeper])[units[0].image, units[0].pair].scores) == 1
    shutil.rmtree(request.out)
