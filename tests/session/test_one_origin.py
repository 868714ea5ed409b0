"""A mean never covers two versions of a method, two sets of one name, or more or fewer images than the plan says."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.api import RequestError
from bench.imaging import read_image, write_png
from bench.session import Run
from tests.session.conftest import Notes, StopAfter, make_photo, unchecked, write_photos, write_up

Call = Callable[..., Run]


def psnr(run: Run, **where: object) -> pd.Series:
    """The one PSNR row of a summary."""
    rows = run.summary.loc[run.summary["metric"] == "psnr"]
    for column, value in where.items():
        rows = rows.loc[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def stored(folder: Path) -> list[dict[str, str]]:
    """summary.csv."""
    with (folder / "summary.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def mean_of(folder: Path, **where: str) -> float:
    """The mean of records.csv that a reader would take, over whatever rows have a value."""
    frame = pd.read_csv(folder / "records.csv", dtype={"scale": str})
    rows = frame.loc[frame["metric"] == "psnr"]
    for column, value in where.items():
        rows = rows.loc[rows[column] == value]
    assert rows["origin"].nunique() <= 1, "two origins in one mean"
    return float(rows["value"].mean())


def test_an_edited_plugin_that_was_stopped_gives_two_of_five_and_no_mean(
    run: Call, photos: Path, tmp_path: Path
) -> None:
    """Catches an export of every newest unit of a name: two new images and three old ones in one mean."""
    plugin = write_up(tmp_path / "up.py")
    whole = run("up", datasets=photos, plugin=plugin)
    assert psnr(whole)["n"] == 5
    write_up(plugin, mode="nearest")
    notes = StopAfter(2)
    stopped = run("up", datasets=photos, plugin=plugin, listener=notes)
    assert stopped.tally.interrupted
    row = psnr(stopped)
    assert math.isnan(row["mean"])
    assert row["note"] == "2/5: 3 images are made by another up.py: type the command again"
    assert row["failed"] == 0
    assert "2/5" in stopped.table()
    assert "another up.py" in stopped.table()
    again = bench.load(tmp_path / "run")
    assert psnr(again)["note"] == row["note"]
    assert stored(tmp_path / "run")[0]["mean"] == ""
    frame = pd.read_csv(tmp_path / "run" / "records.csv")
    old = frame.loc[frame["unit_status"] == "stale"]
    assert len(old) == 6  # three images, two metrics
    assert old["value"].isna().all()
    finished = run("up", datasets=photos, plugin=plugin)
    assert psnr(finished)["mean"] < psnr(whole)["mean"] - 0.5
    assert finished.tally.inferred == 3


def test_a_run_says_what_it_computes_again_and_why(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a silent recomputation, and a comment or docstring that counts as another version."""
    plugin = write_up(tmp_path / "up.py")
    run("up", datasets=photos, plugin=plugin)
    notes = Notes()
    write_up(plugin, comment="said in other words", docstring="Something else.")
    assert run("up", datasets=photos, plugin=plugin, listener=notes).tally.inferred == 0
    assert not any("again" in text for text in notes.texts)
    write_up(plugin, mode="nearest")
    run("up", datasets=photos, plugin=plugin, listener=notes)
    assert "5 images of Up: made by another up.py, so computed again" in notes.texts


def test_an_edit_and_a_limit_give_the_mean_of_that_one_image(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches one new and four old images in the table that is made later."""
    plugin = write_up(tmp_path / "up.py")
    run("up", datasets=photos, plugin=plugin)
    write_up(plugin, mode="nearest")
    one = run("up", datasets=photos, plugin=plugin, limit=1)
    later = bench.load(tmp_path / "run")
    assert psnr(later)["mean"] == psnr(one)["mean"]
    assert (psnr(later)["n"], psnr(later)["expected"]) == (1, 1)
    assert mean_of(tmp_path / "run") == pytest.approx(psnr(one)["mean"])


def test_one_row_of_two_versions_is_refused_with_both(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches new x2 beside old x3 under one name."""
    plugin = write_up(tmp_path / "up.py")
    run("up", (2, 3), datasets=photos, plugin=plugin)
    write_up(plugin, mode="nearest")
    alone = run("up", 2, datasets=photos, plugin=plugin)
    assert "×3" not in alone.table()
    later = bench.load(tmp_path / "run")
    with pytest.raises(RequestError, match=r"two versions: Up at ×2 on Photos was made by up\.py .*another up\.py"):
        later.table()
    assert "×3" in later.table(scales=[3])
    assert {row["origin"] for row in stored(tmp_path / "run") if row["scale"] == "2"}.isdisjoint(
        row["origin"] for row in stored(tmp_path / "run") if row["scale"] == "3"
    )


def test_a_smaller_limit_is_a_mean_over_fewer_images(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches the mean of three images under "1"."""
    three = run("bicubic,lanczos", datasets=photos, limit=3)
    one = run("bicubic,lanczos", datasets=photos, limit=1)
    later = bench.load(tmp_path / "run")
    for method in ("bicubic", "lanczos"):
        assert psnr(later, method=method)["mean"] == psnr(one, method=method)["mean"]
        assert psnr(later, method=method)["mean"] != psnr(three, method=method)["mean"]
        assert mean_of(tmp_path / "run", method=method) == pytest.approx(psnr(one, method=method)["mean"])
    assert "Photos 1" in later.table()
    assert run("bicubic,lanczos", datasets=photos, limit=3).tally.inferred == 0


def test_methods_on_different_parts_of_a_set_are_not_ranked(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a rank between three images of one method and one of another."""
    run("bicubic", datasets=photos, limit=3)
    run("nearest", datasets=photos, limit=1)
    table = bench.load(tmp_path / "run").table()
    assert "**" not in table.splitlines()[4] + table.splitlines()[5]
    assert "different images they are not ranked" in table


def test_images_that_are_gone_are_not_in_the_mean(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches the old mean of three after one was deleted."""
    run(datasets=photos)
    (photos / "p3.png").unlink()
    fewer = run(datasets=photos)
    assert (psnr(fewer)["n"], psnr(fewer)["expected"]) == (4, 4)
    assert psnr(bench.load(tmp_path / "run"))["mean"] == psnr(fewer)["mean"]
    assert mean_of(tmp_path / "run") == pytest.approx(psnr(fewer)["mean"])
    assert "Photos 4" in (tmp_path / "run" / "table.md").read_text(encoding="utf-8")


def test_two_sets_of_one_name_never_share_a_mean(run: Call, tmp_path: Path) -> None:
    """Catches one row `test` that is the mean of both."""
    a = write_photos(tmp_path / "A" / "test", [1, 2, 3])
    b = tmp_path / "B" / "test"
    write_photos(b, [7, 8])
    (b / "p1.png").rename(b / "other.png")
    notes = Notes()
    run(datasets=a)
    second = run(datasets=b, listener=notes)
    assert "1 image of Bicubic: made from other image files, so computed again" in notes.texts
    alone = run(datasets=b, out=tmp_path / "alone")
    assert psnr(bench.load(tmp_path / "run"))["mean"] == psnr(second)["mean"] == psnr(alone)["mean"]
    assert mean_of(tmp_path / "run") == pytest.approx(psnr(alone)["mean"])


def test_methods_on_two_sets_of_one_name_are_refused_with_both_folders(run: Call, tmp_path: Path) -> None:
    """Catches bicubic on A/val ranked against nearest on C/val."""
    a, c = write_photos(tmp_path / "A" / "val", [1, 2]), write_photos(tmp_path / "C" / "val", [3, 4])
    run("bicubic", datasets=a)
    own = run("nearest", datasets=c)
    assert "Nearest" in own.table()
    with pytest.raises(RequestError, match=r"two sets called 'val': Bicubic .*A.val .*Nearest .*C.val"):
        bench.load(tmp_path / "run").table()


def test_two_sources_of_lr_are_not_one_set(run: Call, tmp_path: Path) -> None:
    """Catches `lr:given` that is the same whatever the LR is."""
    for name, shift in (("A", 0), ("B", 3)):
        for index in range(2):
            hr = make_photo(index)
            (tmp_path / name / "set" / "HR").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "set" / "LR").mkdir(parents=True, exist_ok=True)
            write_png(tmp_path / name / "set" / "HR" / f"p{index}.png", hr)
            lr = np.clip(hr[::2, ::2].astype(int) + shift, 0, 255).astype(np.uint8)
            write_png(tmp_path / name / "set" / "LR" / f"p{index}.png", lr)
    run("bicubic", datasets=tmp_path / "A" / "set")
    run("nearest", datasets=tmp_path / "B" / "set")
    with pytest.raises(RequestError, match="two sets called 'set'"):
        bench.load(tmp_path / "run").table()


def test_an_image_that_changes_between_plan_and_use_fails_and_leaves_no_number(
    run: Call, photos: Path, tmp_path: Path
) -> None:
    """Catches numbers of new bytes under the old key, which the restored file would then keep."""
    target, before = photos / "p4.png", (photos / "p4.png").read_bytes()

    class Overwrite(Notes):
        """Overwrites the last image when the first is finished."""

        def unit(self, cell: object, image: str, *, error: str = "") -> None:
            if image == "p0":
                write_png(target, 255 - read_image(target).pixels)

    changed = run(datasets=photos, listener=Overwrite())
    assert psnr(changed)["note"].startswith("4/5")
    assert "were changed while the run was under way" in changed.tally.failures[0].error
    target.write_bytes(before)
    restored = run(datasets=photos)
    assert restored.tally.inferred == 1
    fresh = run(datasets=photos, out=tmp_path / "fresh")
    assert psnr(restored)["mean"] == psnr(fresh)["mean"]


def test_a_row_of_another_cell_in_a_records_file_is_named(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a records file that was copied to another scale's name and is believed."""
    run(scales=(2, 3), datasets=photos)
    records = tmp_path / "run" / "records" / "bicubic" / "Photos"
    (records / "x3-s0.jsonl").write_bytes((records / "x2-s0.jsonl").read_bytes())
    with pytest.raises(RequestError, match=r"x3-s0\.jsonl, line 1: the record says it is of bicubic, Photos, x2"):
        bench.load(tmp_path / "run")
    with pytest.raises(RequestError, match="line 1: the record says"):
        run(scales=3, datasets=photos)


def test_a_record_never_decides_where_is_written(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches an output path that leads out of the run folder."""
    run(datasets=photos)
    path = tmp_path / "run" / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    text = unchecked(path.read_text(encoding="utf-8"))
    path.write_text(text.replace('"images/bicubic/Photos/x2-s0/p0.png"', '"../../evil.png"', 1), encoding="utf-8")
    with pytest.raises(RequestError, match="below images/"):
        run(datasets=photos)
    assert not list(tmp_path.rglob("evil.png"))


def test_variants_that_look_alike_keep_their_numbers_apart(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches two labels that agree in 80 characters, or after cleaning, and share one file."""
    plugin = tmp_path / "knob.py"
    plugin.write_text(
        "from torch.nn.functional import interpolate\n"
        "from bench.api import Method, MethodInfo, MethodOptions, Upscaled\n"
        "class KnobOptions(MethodOptions):\n"
        f"    {'a' * 90}: float = 0.0\n"
        "class Knob(Method):\n"
        "    info = MethodInfo(name='knob', display='Knob', summary='s')\n"
        "    Options = KnobOptions\n"
        "    def upscale(self, lr, size, *, seed):\n"
        f"        gain = 1 - self.options.{'a' * 90}\n"
        "        return Upscaled(interpolate(lr[None], size=size, mode='bicubic')[0] * gain)\n",
        encoding="utf-8",
    )
    option = f"knob.{'a' * 90}"
    made = run("knob", datasets=photos, plugin=plugin, set=[f"{option}=0.1"], versus=[f"{option}=0.2"])
    means = [row["mean"] for _, row in made.summary.loc[made.summary["metric"] == "psnr"].iterrows()]
    assert len(set(means)) == 2
    assert len(list((tmp_path / "run" / "records").iterdir())) == 2


def test_a_run_folder_of_the_first_format_is_computed_anew_and_tables_of_it_say_how(
    run: Call, photos: Path, tmp_path: Path
) -> None:
    """Catches an old folder whose numbers, of unknown code and files, enter a mean."""
    run(datasets=photos)
    folder = tmp_path / "run"
    records = folder / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    old = [{key: value for key, value in line.items() if key not in ("origin", "source", "file")} for line in lines]
    for line in old:
        line["output"]["key"] = "0" * 32
    records.write_text("".join(json.dumps(line) + "\n" for line in old), encoding="utf-8")
    first = {"version": 1, "request": {"command": "bench run --methods bicubic --scales 2"}, "expected": []}
    (folder / "run.json").write_text(json.dumps(first), encoding="utf-8")
    with pytest.raises(RequestError, match=r"earlier version .*type its command again.*bench run --methods bicubic"):
        bench.load(folder)
    notes = Notes()
    again = run(datasets=photos, listener=notes)
    assert again.tally.inferred == 5
    assert any("earlier version" in text for text in notes.texts)
    assert again.complete
