"""Seconds and parameters in the exports of a run."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from bench.engine.choice import choose_methods
from bench.plugins import method_spec
from bench.session import Run

Call = Callable[..., Run]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_exports_hold_seconds_and_parameters(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches parameters of another row, counts written as floats, and seconds averaged over metrics."""
    found = run("bicubic,liif", datasets=photos, limit=2)
    records, summary = (_read(tmp_path / "run" / f"{name}.csv") for name in ("records", "summary"))
    spec = method_spec("liif")
    wanted = {"bicubic": "0", "liif": str(spec.info.parameters)}
    for rows in (records, summary):
        assert {(row["method"], row["parameters"]) for row in rows} == set(wanted.items())
    for row in summary:
        units = {r["image"]: float(r["seconds"]) for r in records if r["method"] == row["method"]}
        assert abs(float(row["seconds"]) - mean(units.values())) < 1e-9
    assert found.summary["parameters"].tolist() == [int(row["parameters"]) for row in summary]
    assert found.records["parameters"].notna().all()


def test_parameters_are_those_of_the_weights_in_use(tmp_path: Path) -> None:
    """Catches the shipped count beside a user's weights, and a card that speaks of another file."""
    spec = method_spec("casarbi")
    ablation = spec.root / "ablations" / "no-adapter.safetensors"
    (known,) = choose_methods(["casarbi"], weights=str(ablation))
    (shipped,) = choose_methods(["casarbi"])
    assert known.parameters is not None
    assert known.parameters < (shipped.parameters or 0)
    other = tmp_path / "mine.safetensors"
    shutil.copy(ablation, other)
    (bare,) = choose_methods(["casarbi"], weights=str(other))
    assert bare.parameters is None
    shutil.copy(ablation.with_suffix(".json"), other.with_suffix(".json"))
    (copied,) = choose_methods(["casarbi"], weights=str(other))
    assert copied.parameters is None
