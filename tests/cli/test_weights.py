"""Weights that are not what they should be: the file is named, and what other methods made stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bench.plugins import method_spec

RUN = ("run", "--methods", "bicubic,liif", "--datasets", "Photos", "--scales", 2, "--metrics", "psnr", "--out", "run")


def lite() -> Path:
    return method_spec("liif").weights["lite"]


def garbage(path: Path) -> None:
    path.write_bytes(b"not weights at all" * 10)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    whole = lite().read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def other_shapes(path: Path) -> None:
    tensors = load_file(lite())
    name = max(tensors, key=lambda key: tensors[key].size)
    save_file({**tensors, name: tensors[name][:-1].copy()}, path, metadata=_metadata())


def other_names(path: Path) -> None:
    save_file({f"module.{name}": value for name, value in load_file(lite()).items()}, path, metadata=_metadata())


def of_another_method(path: Path) -> None:
    save_file({"weight": np.zeros((3, 3), np.float32)}, path, metadata={"method": "casr"})


def _metadata() -> dict[str, str]:
    raw = lite().read_bytes()
    return json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]


def test_a_file_without_a_byte_is_refused_before_anything_is_computed(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches the other rows of a run, which are computed before the file is opened."""
    nothing(newcomer / "bad.safetensors")
    done = bench(*RUN, "--workers", 0, "--device", "cpu", "--weights", "liif=bad.safetensors")
    assert done.code == 2
    assert "bad.safetensors is damaged: it is empty" in done.err
    assert not (newcomer / "run" / "images").exists()


@pytest.mark.parametrize("make", [garbage, half, other_shapes, other_names, of_another_method])
def test_bad_weights_are_refused_and_what_was_computed_before_them_stays(
    make: Callable[[Path], None], bench: Callable, photos: Path, newcomer: Path
) -> None:
    make(newcomer / "bad.safetensors")
    done = bench(*RUN, "--workers", 0, "--device", "cpu", "--weights", "liif=bad.safetensors")
    assert done.code == 2
    assert "bad.safetensors" in done.err
    assert len(done.err) < 1500, "a message, not a dump of all tensors"
    assert not [path for path in (newcomer / "run").rglob("*") if path.suffix == ".part"]
    kept = bench(*RUN, "--workers", 0, "--methods", "bicubic")
    assert kept.code == 0
    assert "no inference was needed" in kept.out


def test_weights_of_metrics_that_are_missing_leave_a_reason_not_a_number(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    words = ("run", "--methods", "bicubic", "--datasets", "Photos", "--scales", 2, "--workers", 0, "--out", "run")
    done = bench(*words, "--metrics", "psnr,niqe", "--weights-root", "nowhere")
    assert done.code == 1
    assert "not available: niqe" in done.err
    assert "niqe_modelparameters.mat" in done.err
    row = next(line for line in done.out.splitlines() if "Bicubic  " in line)
    assert "-- (a)" in row
    assert "niqe_modelparameters.mat" in (newcomer / "run" / "table.tex").read_text().replace("\\", "")
    assert ",niqe," not in (newcomer / "run" / "records.csv").read_text()
    lines = bench("metrics", "--weights-root", "nowhere").out.splitlines()
    assert next(line.split()[1] for line in lines if line.startswith("niqe ")) == "missing"


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 not really"])
def test_metric_weights_that_are_damaged_leave_a_reason_not_a_number(
    content: bytes, bench: Callable, photos: Path, newcomer: Path
) -> None:
    folder = newcomer / "torch" / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    (folder / "niqe_modelparameters.mat").write_bytes(content)
    words = ("run", "--methods", "bicubic", "--datasets", "Photos", "--scales", 2, "--workers", 0, "--out", "run")
    done = bench(*words, "--metrics", "psnr,niqe", "--weights-root", "torch")
    assert done.code == 1
    assert "no niqe of 3 images" in done.err
    row = next(line for line in done.out.splitlines() if "Bicubic  " in line)
    assert "0/3" in row
    assert (newcomer / "run" / "records.csv").read_text().count(",psnr,") == 3
