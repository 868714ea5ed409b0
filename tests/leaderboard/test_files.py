"""The files of a leaderboard: what is vendored, what the page holds, and the same numbers as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.api import RequestError
from bench.cli.app import app
from bench.imaging.io import read_png_exact
from bench.leaderboard import write_leaderboard
from bench.leaderboard.page import as_script, render_page
from bench.leaderboard.pictures import ERROR_RANGE, error_map
from bench.leaderboard.tables import COLUMNS
from bench.leaderboard.vendored import FOLDER, INDEX, WANTED, libraries
from tests.leaderboard.conftest import METHODS, sent_result

EMPTY = 3_000_000


def test_vendored_scripts_are_those_that_the_index_names() -> None:
    """Catches a script that was changed by hand, one that nobody asked for, and one without a licence."""
    here = libraries()
    assert [(one.package, one.version) for one in here] == [(one.package, one.version) for one in WANTED]
    for one in here:
        assert len(one.script()) > 10_000
        assert one.kind in ("MIT", "BSD-3-Clause")
        assert "copyright" in one.licence.lower()
    assert {path.name for path in FOLDER.iterdir()} == {INDEX, *(one.file for one in here)}


def test_a_changed_script_is_refused(tmp_path: Path) -> None:
    """Catches a page that carries code which nobody vendored."""
    folder = tmp_path / "vendored"
    shutil.copytree(FOLDER, folder)
    (one, *_) = libraries(folder)
    (folder / one.file).write_text("alert(1)", encoding="utf-8")
    with pytest.raises(RequestError, match=f"expected {one.package} {one.version} with sha256"):
        one.script(folder)


def test_the_page_without_data_is_small_and_names_its_licences() -> None:
    """Catches a page that grows beyond 3 MB, and a library whose licence is not on it."""
    from bench.leaderboard.entry import Board

    page = render_page(Board(), (), (), title="Empty")
    assert len(page.encode()) < EMPTY
    for one in libraries():
        assert f"{one.package} {one.version}, {one.kind}" in page
        assert one.licence.strip().splitlines()[0] in page


@pytest.mark.parametrize("name", ["</script><b>", "<!--", "\u2028'\"&amp;", "]]>"])
def test_no_name_ends_the_script_that_holds_it(name: str) -> None:
    """Catches a method's name that becomes code or markup of the page."""
    text = as_script({"name": name})
    assert json.loads(text) == {"name": name}
    assert not re.search(r"[<>&\u2028]", text)


def test_csv_json_and_page_hold_the_same_numbers(page_folder: Path) -> None:
    """Catches a row that one of them lacks, and a value that differs."""
    with (page_folder / "leaderboard.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    content = json.loads((page_folder / "leaderboard.json").read_text(encoding="utf-8"))
    page = (page_folder / "index.html").read_text(encoding="utf-8")
    data = json.loads(page.split('<script id="data" type="application/json">')[1].split("</script>")[0])
    place = {name: at for at, name in enumerate(data["fields"])}
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(content["rows"]) == len(data["entries"])
    for row, own, entry in zip(rows, content["rows"], data["entries"], strict=True):
        assert (row["method"], row["kind"]) == (own["method"], own["kind"])
        assert data["cards"][entry[place["card"]]]["display"] == row["method"]
        value, rank = entry[place["value"]], entry[place["rank"]]
        assert (row["value"] == "") == (value is None) == (own["value"] is None)
        assert row["rank"] == ("" if rank is None else str(rank))
        if value is not None:
            assert float(row["value"]) == own["value"] == pytest.approx(value, rel=1e-6)


def test_markdown_marks_the_best_of_each_scale(page_folder: Path) -> None:
    """Catches marks that are not those of the ranks."""
    text = (page_folder / "leaderboard.md").read_text(encoding="utf-8")
    section = text.split("## PSNR ↑ on Photos")[1].split("##")[0]
    lines = [line.split("|") for line in section.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(METHODS.split(","))
    for column in (2, 3, 4):
        cells = [line[column].strip() for line in lines]
        values = [float(cell.strip("*")) for cell in cells]
        best = [value for cell, value in zip(cells, values, strict=True) if cell.startswith("**")]
        assert set(best) == {max(values)}


def test_pictures_are_the_runs_own(page_folder: Path, run_folder: Path) -> None:
    """Catches an image under another method's name, and more images than were asked for."""
    for method in ("bicubic", "nearest"):
        (picture,) = (page_folder / "images" / "Photos" / "image1").glob(f"x3-*/{method}.png")
        stored = run_folder / "images" / method / "Photos" / "x3-s0" / "image1.png"
        assert np.array_equal(read_png_exact(picture), read_png_exact(stored))
    assert sorted(path.name for path in (page_folder / "images" / "Photos").iterdir()) == ["image0", "image1"]


def test_a_stored_image_that_was_changed_is_not_shown(run_folder: Path, tmp_path: Path) -> None:
    """Catches a page that shows, under a method's name and beside its numbers, pixels that it did not make."""
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    images = run / "images"
    shutil.copy(images / "nearest/Photos/x3-s0/image1.png", images / "bicubic/Photos/x3-s0/image1.png")
    write_leaderboard([run], tmp_path / "page", images=2)
    (place,) = (tmp_path / "page" / "images" / "Photos" / "image1").glob("x3-*")
    assert {path.name for path in place.glob("*.png")} >= {"nearest.png", "hr.png"}
    assert not (place / "bicubic.png").exists()


def test_an_error_map_grows_with_the_error() -> None:
    """Catches a map that wraps around in 8 bit, and one that hides which error is larger."""
    hr = np.full((1, 6, 3), 200, np.uint8)
    sr = hr - np.array([0, 5, 10, 20, 40, 60], np.uint8)[None, :, None]
    brightness = error_map(sr, hr).astype(int).sum(-1)[0]
    assert brightness[0] == 0
    assert np.all(np.diff(brightness) > 0)
    assert np.array_equal(error_map(hr, sr), error_map(sr, hr))
    assert error_map(hr * 0, hr * 0 + round(255 * ERROR_RANGE)).min() == 255


def test_the_command_writes_what_it_says(run_folder: Path, tmp_path: Path) -> None:
    """Catches a filter of the command that is not applied, and a folder that is not made."""
    out = tmp_path / "new" / "page"
    done = CliRunner().invoke(
        app, ["leaderboard", str(run_folder), "--out", str(out), "--metrics", "psnr", "--scales", "2", "--images", "0"]
    )
    assert done.exit_code == 0, done.output
    assert "5 numbers of 5 methods, 0 pictures" in done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html",
        "leaderboard.csv",
        "leaderboard.json",
        "leaderboard.md",
    ]


def test_nothing_to_show_is_an_error(tmp_path: Path, run_folder: Path) -> None:
    """Catches an empty page."""
    with pytest.raises(RequestError, match="nothing to show"):
        write_leaderboard([], tmp_path)
    with pytest.raises(RequestError, match="--images -1"):
        write_leaderboard([run_folder], tmp_path, images=-1)


def test_a_name_that_is_markup_is_shown_as_text(tmp_path: Path) -> None:
    """Catches a sender who writes a script into everybody's page."""
    name = "<img src=x onerror=alert(1)>"
    folder = tmp_path / "sent"
    folder.mkdir()
    content = sent_result(method={"name": name, "train_sets": []}, sender=name)
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    page = write_leaderboard([folder], tmp_path / "page", title=name).page.read_text(encoding="utf-8")
    assert name not in page


def test_infinite_numbers_are_in_all_files(run_folder: Path, tmp_path: Path) -> None:
    """Catches a traceback where a mean, or a cell of a cross-scale matrix, is infinite: JSON knows no infinity."""
    lines = list(csv.reader((run_folder / "summary.csv").read_text(encoding="utf-8").splitlines()))
    mean, metric = lines[0].index("mean"), lines[0].index("metric")
    for line in lines[1:]:
        if line[metric] in ("psnr", "selfssim@3"):
            line[mean] = "inf"
    with (tmp_path / "summary.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    write_leaderboard([tmp_path / "summary.csv"], tmp_path / "out", images=0)
    content = json.loads((tmp_path / "out" / "leaderboard.json").read_text(encoding="utf-8"))
    assert {row["value"] for row in content["rows"] if row["metric"] == "psnr"} == {"inf"}
    assert "inf" in {value for matrix in content["matrices"] for row in matrix["values"] for value in row}
    with (tmp_path / "out" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        assert {row["value"] for row in csv.DictReader(file) if row["metric"] == "psnr"} == {"inf"}
