"""Whatever is edited, limited, stopped, renamed and merged: no exported mean covers two origins or sources."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from bench.api import RequestError
from bench.session import Run
from bench.session.merging import merge_folders
from tests.session.conftest import StopAfter, write_photos, write_up

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.sampled_from(["bicubic", "nearest", "bilinear"])),
        st.tuples(st.just("image"), st.integers(0, 2)),
        st.tuples(st.just("rename"), st.booleans()),
        st.tuples(st.just("run"), st.sampled_from([None, 1, 2])),
        st.tuples(st.just("stop"), st.sampled_from([1, 2])),
        st.tuples(st.just("merge"), st.just(0)),
    ),
    min_size=2,
    max_size=7,
)


def true_psnr(run: Callable[..., Run], folder: Path, plugin: Path, out: Path, limit: int) -> float:
    """The mean that a run without any history gives over the first images."""
    shutil.rmtree(out, ignore_errors=True)
    alone = run("up", datasets=folder, plugin=plugin, out=out, limit=limit)
    return float(alone.summary.loc[alone.summary["metric"] == "psnr", "mean"].iloc[0])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_no_mean_covers_two_origins(
    steps: list[tuple[str, object]], run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Catches every way in which a unit of an older version, another file or another plan enters a mean."""
    home = tmp_path_factory.mktemp("history")
    plugin, state, out = write_up(home / "up.py"), {"mode": "bicubic"}, home / "run"
    folders = [home / "A" / "test", home / "B" / "test"]
    for number, folder in enumerate(folders):
        write_photos(folder, [10 * number + i for i in range(3)])
    current, merges, last = 0, 0, None
    for kind, value in [*steps, ("run", None)]:
        if kind == "edit":
            state["mode"] = str(value)
            write_up(plugin, mode=state["mode"])
        elif kind == "image":
            write_photos(folders[current], [100 * (merges + 1) + 7 * int(str(value)) + i for i in range(3)])
        elif kind == "rename":
            current = 1 - current
        elif kind == "merge" and out.exists():
            merges += 1
            other = home / f"other{merges}"
            run("up", datasets=folders[current], plugin=plugin, out=other, limit=1)
            with suppress(RequestError):  # what contradicts is refused, and nothing is written
                merge_folders([out, other], home / f"merged{merges}")
            if (home / f"merged{merges}").exists():
                check_means(home / f"merged{merges}")
        elif kind in ("run", "stop"):
            limit = value if kind == "run" else None
            listener = StopAfter(int(str(value))) if kind == "stop" else None
            last = run("up", datasets=folders[current], plugin=plugin, out=out, limit=limit, listener=listener)
            check_means(out)
            row = last.summary.loc[last.summary["metric"] == "psnr"].iloc[0]
            if not last.tally.interrupted:
                assert row["mean"] == true_psnr(run, folders[current], plugin, home / "truth", int(row["expected"]))
    assert last is not None


def check_means(folder: Path) -> None:
    """Every mean of summary.csv is over as many images as planned, of one origin and one source each."""
    records = pd.read_csv(folder / "records.csv", keep_default_na=False)
    summary = bench.load(folder).summary
    keys = ["method", "variant", "dataset", "scale", "metric", "signature"]
    scored = records.loc[records["value"] != ""]
    for _, row in summary.iterrows():
        own = scored
        for key in keys:
            own = own.loc[own[key].astype(str) == str(row[key] if key != "scale" else f"{row[key]:g}")]
        assert own["origin"].nunique() <= 1
        assert not own["image"].duplicated().any()
        if math.isnan(row["mean"]):
            continue
        assert len(own) == row["n"] == row["expected"]
        assert row["mean"] == pytest.approx(own["value"].astype(float).mean(), abs=1e-9)
