"""Two run folders as one: halves make the whole, contradictions are refused, copies without images make tables."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.api import RequestError
from bench.imaging import read_image, write_png
from bench.session import Run
from bench.session.merging import merge_folders
from tests.session.conftest import unchecked, write_photos, write_up

Call = Callable[..., Run]


@pytest.fixture
def halves(run: Call, photos: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two runs, each with half of the methods."""
    a, b = tmp_path / "a", tmp_path / "b"
    run("bicubic,lanczos", (2, 3), datasets=photos, out=a)
    run("nearest,bilinear", (2, 3), datasets=photos, out=b)
    return a, b


def test_two_halves_give_the_table_of_the_whole_byte_for_byte(
    run: Call, photos: Path, tmp_path: Path, halves: tuple[Path, Path]
) -> None:
    """Catches another order, other marks or another note after a merge."""
    run("bicubic,lanczos,nearest,bilinear", (2, 3), datasets=photos, out=tmp_path / "whole")
    merged = merge_folders(halves, tmp_path / "c")
    assert (merged.cells, merged.units, merged.notes) == (8, 40, ())
    for name in ("table.tex", "table.md"):
        assert (tmp_path / "c" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    whole = bench.load(tmp_path / "whole")
    for output in ("tex", "md"):
        assert bench.load(*halves).table(output) == whole.table(output)
    ours, theirs = (pd.read_csv(io.StringIO(each.table("csv"))) for each in (bench.load(*halves), whole))
    # two runs take other times
    assert ours.drop(columns="seconds").to_csv() == theirs.drop(columns="seconds").to_csv()
    assert len(list((tmp_path / "c" / "images").rglob("*.png"))) == 40


def test_a_merged_run_goes_on_without_inference(
    run: Call, photos: Path, tmp_path: Path, halves: tuple[Path, Path]
) -> None:
    """Catches records that point nowhere after the merge."""
    merge_folders(halves, tmp_path / "c")
    again = run("bicubic,lanczos,nearest,bilinear", (2, 3), datasets=photos, out=tmp_path / "c")
    assert (again.tally.inferred, again.tally.scored) == (0, 0)
    more = run("nearest", 2, datasets=photos, out=tmp_path / "c", metrics=("psnr", "lr_psnr"))
    assert (more.tally.inferred, more.tally.scored) == (0, 5)


def test_copies_without_images_make_tables_and_merge(tmp_path: Path, halves: tuple[Path, Path]) -> None:
    a, b = halves
    for source in halves:
        shutil.copytree(source, tmp_path / f"{source.name}-copy", ignore=shutil.ignore_patterns("images"))
    copies = [tmp_path / "a-copy", tmp_path / "b-copy"]
    assert bench.load(*copies).table("tex") == bench.load(a, b).table("tex")
    merge_folders(copies, tmp_path / "c")
    assert bench.load(tmp_path / "c").table("tex") == bench.load(a, b).table("tex")
    for copy in copies:
        shutil.rmtree(copy / "records")
    assert bench.load(*copies).table("tex") == bench.load(a, b).table("tex")
    with pytest.raises(RequestError, match="has no records/"):
        merge_folders(copies, tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_two_versions_of_one_cell_are_refused_by_name(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a merge that takes the images of both."""
    plugin = write_up(tmp_path / "up.py")
    run("up", datasets=photos, plugin=plugin, out=tmp_path / "a")
    write_up(plugin, mode="nearest")
    run("up", datasets=photos, plugin=plugin, out=tmp_path / "b")
    for call in (lambda: bench.load(tmp_path / "a", tmp_path / "b"), lambda: merge_both(tmp_path)):
        with pytest.raises(RequestError, match=r"a and .*b both hold up, Photos, x2.*another up\.py"):
            call()
    assert not (tmp_path / "c").exists()


def test_two_sets_or_limits_of_one_cell_are_refused_by_name(run: Call, tmp_path: Path) -> None:
    """Catches the mean over the images of two sets of one name."""
    for name, seeds in (("A", [1, 2]), ("B", [3, 4])):
        run(datasets=write_photos(tmp_path / name / "val", seeds), out=tmp_path / name.lower())
    with pytest.raises(RequestError, match=r"over different images: 2 of .*A.val there, 2 of .*B.val here"):
        merge_both(tmp_path)
    run(datasets=tmp_path / "A" / "val", out=tmp_path / "b2", limit=1)
    with pytest.raises(RequestError, match="over different images"):
        bench.load(tmp_path / "a", tmp_path / "b2")


def test_parts_of_one_cell_add_up(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches scores of one folder that are lost where the other holds the image, too."""
    run(datasets=photos, out=tmp_path / "a", metrics=("psnr",))
    run(datasets=photos, out=tmp_path / "b", metrics=("ssim",))
    merged = merge_both(tmp_path)
    assert merged.notes == ()
    summary = bench.load(tmp_path / "c").summary
    assert list(summary["metric"]) == ["psnr", "ssim"]
    assert list(summary["n"]) == [5, 5]


def test_another_machines_pixels_of_one_image_do_not_meet_in_one_unit(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a PSNR of one image beside the SSIM of another under one name."""
    run(datasets=photos, out=tmp_path / "a", metrics=("psnr",))
    run(datasets=photos, out=tmp_path / "b", metrics=("ssim",))
    records = tmp_path / "b" / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    text = unchecked(records.read_text(encoding="utf-8"))
    mark = text.index('"sha256":"') + len('"sha256":"')
    records.write_text(text[:mark] + "0" * 64 + text[mark + 64 :], encoding="utf-8")
    merged = merge_both(tmp_path)
    assert any("different pixels" in note for note in merged.notes)
    summary = bench.load(tmp_path / "c").summary.set_index("metric")
    assert (summary["n"]["psnr"], summary["n"]["ssim"]) == (5, 4)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_failure_in_one_folder_hides_no_number_of_the_other(
    run: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """Catches the last folder that is named winning: a failed image there takes away the mean that another has."""
    plugin = write_up(tmp_path / "up.py")
    text = plugin.read_text(encoding="utf-8")
    broken = text.replace(
        "        return ", "        import os\n        assert not os.environ.get('BROKEN')\n        return ", 1
    )
    plugin.write_text(broken, encoding="utf-8")
    monkeypatch.setenv("BROKEN", "1")
    run("up", datasets=photos, out=tmp_path / "b", plugin=(plugin,))
    monkeypatch.delenv("BROKEN")
    run("up", datasets=photos, out=tmp_path / "a", plugin=(plugin,))
    folders = [tmp_path / name for name in order]
    assert set(bench.load(tmp_path / "b").summary["n"]) == {0}
    merge_folders(folders, tmp_path / "c")
    for loaded in (bench.load(*folders), bench.load(tmp_path / "c")):
        assert set(loaded.summary["n"]) == {5}
        assert loaded.summary["mean"].notna().all()


def test_a_protocol_with_a_changed_knob_has_a_table_after_a_merge(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches the name "sample,shave=s" as a LaTeX label, which ends in no table at all."""
    run(datasets=photos, out=tmp_path / "a")
    run(datasets=photos, out=tmp_path / "b", set=("protocol.shave=s",))
    merge_both(tmp_path)
    text = (tmp_path / "c" / "table.tex").read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == 2
    assert len(set(re.findall(r"\\label\{(tab:sample[A-Za-z0-9_.-]*)\}", text))) == 2


def test_a_folder_that_holds_a_run_is_not_merged_into(halves: tuple[Path, Path]) -> None:
    a, b = halves
    before = (a / "run.json").read_bytes()
    with pytest.raises(RequestError, match="holds a run already"):
        merge_folders([a, b], a)
    assert (a / "run.json").read_bytes() == before
    with pytest.raises(RequestError, match="at least two"):
        merge_folders([a], b / "new")


def test_a_stored_image_that_was_replaced_is_not_believed_across_scales(
    run: Call, photos: Path, tmp_path: Path
) -> None:
    """Catches a SelfSSIM of a picture that nobody computed, and one that is missing for good."""
    run(scales=(2, 3), datasets=photos)
    image = tmp_path / "run" / "images" / "bicubic" / "Photos" / "x3-s0" / "p0.png"
    write_png(image, 255 - read_image(image).pixels)
    crossed = run(scales=(2, 3), datasets=photos, metrics=("psnr", "selfssim"))
    rows = crossed.summary.loc[crossed.summary["metric"] == "selfssim"].set_index("scale")
    assert list(rows["n"]) == [5, 5]
    assert crossed.tally.inferred == 1
    fresh = run(scales=(2, 3), datasets=photos, metrics=("psnr", "selfssim"), out=tmp_path / "fresh")
    assert crossed.table() == fresh.table()


def merge_both(folder: Path):
    """`bench merge a b --out c`."""
    return merge_folders([folder / "a", folder / "b"], folder / "c")
