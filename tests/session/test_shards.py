"""A run in parts on machines that know nothing of each other: the merged parts are the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.api import RequestError
from bench.session import Run
from bench.session.merging import merge_folders

Call = Callable[..., Run]
WORDS = ("bicubic,nearest", (2, 3))
PARTS = 3


@pytest.fixture
def parts(run: Call, photos: Path, tmp_path: Path) -> list[Run]:
    """The three parts of a run, each in a folder of its own."""
    return [run(*WORDS, datasets=photos, out=tmp_path / f"{n}", shard=f"{n}/{PARTS}") for n in range(1, PARTS + 1)]


def without_times(made: Run) -> pd.DataFrame:
    return made.records.drop(columns="seconds").reset_index(drop=True)


def folder(made: Run) -> Path:
    assert made.out is not None
    return made.out


def test_merged_parts_are_the_run(run: Call, photos: Path, tmp_path: Path, parts: list[Run]) -> None:
    """Catches an image in two parts or in none, and a merged folder that is another than the whole run's."""
    whole = run(*WORDS, datasets=photos, out=tmp_path / "whole")
    assert sum(part.tally.inferred for part in parts) == whole.tally.inferred
    merge_folders([folder(part) for part in parts], tmp_path / "merged")
    merged = bench.load(tmp_path / "merged")
    pd.testing.assert_frame_equal(without_times(merged), without_times(bench.load(tmp_path / "whole")))
    for name in ("table.md", "table.tex"):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for image in (tmp_path / "whole" / "images").rglob("*.png"):
        twin = tmp_path / "merged" / image.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == image.read_bytes()
    assert "shard" not in json.loads((tmp_path / "merged" / "run.json").read_text())["request"]


def test_a_part_that_is_missing_is_told_of(run: Call, photos: Path, tmp_path: Path, parts: list[Run]) -> None:
    """Catches a merge of two of three parts that ends as if it were the whole run."""
    whole = merge_folders([folder(part) for part in parts], tmp_path / "whole")
    assert whole.notes == ()
    some = merge_folders([folder(part) for part in parts[1:]], tmp_path / "some")
    (note,) = some.notes
    assert note.startswith(f"{whole.units - some.units} images of {whole.units} are in none of these folders")
    rest = run(*WORDS, datasets=photos, out=tmp_path / "some")  # the way on that the note names
    assert (rest.tally.inferred, rest.complete) == (whole.units - some.units, True)


def test_parts_are_of_equal_size_and_say_that_they_are_parts(parts: list[Run]) -> None:
    """Catches a part whose mean over some images passes for that over all."""
    assert max(part.tally.inferred for part in parts) - min(part.tally.inferred for part in parts) <= 2
    for part in parts:
        assert not part.complete
        assert part.summary["mean"].isna().any()
        assert part.tally.reused == part.tally.kept == 0


def test_a_part_goes_on_where_it_stopped(run: Call, photos: Path, tmp_path: Path, parts: list[Run]) -> None:
    """Catches a split of what is left to do: after an interruption every part would be another one."""
    records = next((folder(parts[0]) / "records").rglob("x2-s0.jsonl"))
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[:-1]))
    again = run(*WORDS, datasets=photos, out=folder(parts[0]), shard=f"1/{PARTS}")
    assert (again.tally.inferred, again.tally.scored) == (1, 2)
    once_more = run(*WORDS, datasets=photos, out=folder(parts[0]), shard=f"1/{PARTS}")
    assert (once_more.tally.inferred, once_more.tally.scored) == (0, 0)
    assert once_more.tally.reused == parts[0].tally.inferred


def test_what_needs_several_scales_is_made_where_the_parts_are_merged(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a number across scales over the images of one part, and inference that is repeated for it."""
    words = {"datasets": photos, "metrics": ("psnr", "selfssim")}
    whole = run(*WORDS, **words, out=tmp_path / "whole")
    made = [run(*WORDS, **words, out=tmp_path / f"{n}", shard=f"{n}/{PARTS}") for n in range(1, PARTS + 1)]
    merge_folders([folder(part) for part in made], tmp_path / "merged")
    last = run(*WORDS, **words, out=tmp_path / "merged")
    assert last.tally.inferred == 0
    pd.testing.assert_frame_equal(without_times(last), without_times(whole))


def test_more_parts_than_images_are_refused(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches parts without a folder to merge, and a wrong part that computes everything."""
    with pytest.raises(RequestError, match="cannot be shared out among 500"):
        run(*WORDS, datasets=photos, out=tmp_path / "x", shard="1/500")
    with pytest.raises(RequestError, match="--shard 4/3: expected a part and the number of parts"):
        run(*WORDS, datasets=photos, out=tmp_path / "x", shard="4/3")
