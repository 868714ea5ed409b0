"""The page on clusters: its script is run as it stands, with jobs as plain processes, and its commands are real."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import bench

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster_slurm.md"
(SCRIPT,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
REQUEST = ["--methods", "nearest,bicubic", "--scales", "2,4", "--metrics", "psnr,selfssim", "--workers", "0"]


class Command:
    """`submitit.helpers.CommandFunction`: a command, run when it is called."""

    def __init__(self, command: list[str], verbose: bool = True) -> None:
        self.command = command

    def __call__(self) -> str:
        return subprocess.run(self.command, check=True, capture_output=True, text=True, encoding="utf-8").stdout


class Job:
    def __init__(self, function: Callable[[], Any]) -> None:
        self.fault: Exception | None = None
        try:
            function()
        except subprocess.CalledProcessError as fault:
            self.fault = fault

    def exception(self) -> Exception | None:
        return self.fault


class Executor:
    """`submitit.AutoExecutor` where there is no Slurm: jobs are processes."""

    submitted: list[Command]

    def __init__(self, folder: str) -> None:
        type(self).submitted = []

    def update_parameters(self, **values: object) -> None:
        assert set(values) <= {"timeout_min", "gpus_per_node", "cpus_per_task", "slurm_array_parallelism"}

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        yield

    def submit(self, function: Command) -> Job:
        type(self).submitted.append(function)
        return Job(function)


@pytest.fixture
def submitit(monkeypatch: pytest.MonkeyPatch) -> type[Executor]:
    """A module of that name: it is no dependency."""
    module = ModuleType("submitit")
    module.AutoExecutor = Executor  # type: ignore[attr-defined]
    module.helpers = ModuleType("submitit.helpers")  # type: ignore[attr-defined]
    module.helpers.CommandFunction = Command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "submitit", module)
    return Executor


def test_the_script_of_the_page_gives_the_run(
    submitit: type[Executor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches an option that is called otherwise, a part that is left out, and metrics across scales that stay away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chunks.py", *REQUEST])
    script = SCRIPT.replace("PARTS = 16", "PARTS = 2")
    assert script != SCRIPT
    exec(compile(script, "chunks.py", "exec"), {"__name__": "chunks"})
    assert [words.command[words.command.index("--shard") + 1] for words in submitit.submitted] == ["1/2", "2/2"]
    Command([sys.executable, "-m", "bench", "run", *REQUEST, "--out", "alone"])()
    parts, alone = (bench.load(tmp_path / name).records.drop(columns="seconds") for name in ("runs/whole", "alone"))
    assert "selfssim" in {name.split("@")[0] for name in parts["metric"]}
    pd.testing.assert_frame_equal(parts, alone)


def test_the_job_array_of_the_page_names_options_that_there_are() -> None:
    """Catches a page that an option's new name has left behind."""
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^bench (run|merge|table|data fetch) (.*)$", text, re.MULTILINE)
    assert [name for name, _ in commands] == ["data fetch", "run", "run", "merge", "run", "table"]
    for name, words in commands:
        told = subprocess.run(
            [sys.executable, "-m", "bench", *name.split(), "--help"], capture_output=True, text=True, encoding="utf-8"
        ).stdout
        for option in re.findall(r"--[a-z-]+", words.split("#")[0]):
            assert option in told, (name, option)
