"""Finished runs: more metrics, other protocols and repetitions compute no image again, and lists need no torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.imaging import write_png

RUN = ("run", "--methods", "bicubic", "--datasets", "Photos", "--scales", "2,3", "--out", "run")
WITHOUT_TORCH = """
import sys
from importlib.machinery import ModuleSpec
class Refuse:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name in {heavy} else None
    def create_module(self, spec):
        raise ImportError(spec.name + " must not be imported here")
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Refuse())
"""
RAISING = """
from bench.api import Method, MethodInfo

class Raising(Method):
    info = MethodInfo(name="raising", display="Raising", summary="s")

    def upscale(self, lr, size, *, seed):
        raise ValueError("no such layer")
"""


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """Environment of a process in which importing torch or a library on top of it fails."""
    folder = tmp_path / "site"
    folder.mkdir()
    heavy = {"torch", "torchvision", "pyiqa", "lpips", "mmengine", "spandrel"}
    (folder / "sitecustomize.py").write_text(WITHOUT_TORCH.replace("{heavy}", repr(heavy)))
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_new_metrics_and_protocols_need_no_inference_and_repeating_needs_nothing(
    process: Callable, bench: Callable, photos: Path, newcomer: Path, without_torch: dict[str, str]
) -> None:
    assert bench(*RUN, "--metrics", "psnr", "--workers", 0).code == 0
    more = bench(*RUN, "--metrics", "psnr,ssim,lr_psnr", "--workers", 0)
    assert (more.code, more.err) == (0, "")
    assert "computed 0 images (6 were there), made 12 numbers (6 were there); no inference was needed" in more.out
    other = bench(*RUN, "--metrics", "psnr,ssim", "--protocol", "basicsr-y", "--workers", 0)
    assert "computed 0 images (6 were there), made 12 numbers (0 were there); no inference was needed" in other.out
    assert "psnr|y601s|shave:s" in other.out
    files = {
        name: (newcomer / "run" / name).read_bytes() for name in ("records.csv", "summary.csv", "table.tex", "table.md")
    }
    words = (*RUN, "--metrics", "psnr,ssim", "--protocol", "basicsr-y", "--workers", 0)
    again = process(*words, env=without_torch)
    assert (again.code, again.err) == (0, "")
    assert "made 0 numbers (12 were there); no inference was needed" in again.out
    assert bench("table", "run", "--protocol", "basicsr-y").out.strip() in again.out
    assert {name: (newcomer / "run" / name).read_bytes() for name in files} == files
    back = bench(*RUN, "--metrics", "psnr", "--workers", 0)
    assert "no inference was needed" in back.out
    assert "y601s" not in back.out


def test_a_pyiqa_metric_on_a_finished_run_needs_no_inference(bench: Callable, newcomer: Path) -> None:
    (newcomer / "Photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    write_png(newcomer / "Photos" / "large.png", noise)
    assert bench(*RUN, "--metrics", "psnr", "--workers", 0).code == 0
    done = bench(*RUN, "--metrics", "psnr,pyiqa:ms_ssim", "--workers", 0)
    assert "computed 0 images (2 were there), made 2 numbers (2 were there); no inference was needed" in done.out
    assert (newcomer / "run" / "records.csv").read_text().count("pyiqa:ms_ssim,0.") == 2


@pytest.mark.parametrize("command", ["--help", "run --help", "methods liif", "protocols sample"])
def test_help_and_details_need_no_torch(command: str, process: Callable, without_torch: dict[str, str]) -> None:
    done = process(*command.split(), env=without_torch)
    assert (done.code, done.err) == (0, "")
    assert "cannot be loaded" not in done.out


def test_the_trap_for_torch_works(without_torch: dict[str, str]) -> None:
    code = [sys.executable, "-c", "import torch"]
    done = subprocess.run(code, env={**os.environ, **without_torch}, capture_output=True, text=True)
    assert "must not be imported here" in done.stderr


def test_tables_of_a_finished_run_show_what_was_asked_for(bench: Callable, photos: Path, newcomer: Path) -> None:
    words = ("run", "--methods", "bicubic,nearest", "--datasets", "Photos", "--scales", "2,3", "--out", "run")
    run = bench(*words, "--metrics", "psnr,ssim", "--workers", 0)
    assert run.code == 0
    table = bench("table", "run")
    assert table.code == 0
    assert table.out.strip() in run.out
    only = bench("table", "run", "--metrics", "psnr", "--methods", "nearest", "--scales", "3")
    assert "SSIM" not in only.out
    assert "Bicubic" not in only.out
    assert "×2" not in only.out
    tex = bench("table", "run", "--format", "tex", "--out", "mine.tex")
    assert (tex.code, tex.out) == (0, "")
    assert r"\toprule" in (newcomer / "mine.tex").read_text()
    csv = bench("table", "run", "--format", "csv").out.splitlines()
    assert csv[0].startswith("method,variant,dataset,scale,metric,mean")
    assert len(csv) == 9
    wrong = bench("table", "run", "--format", "xls")
    assert wrong.code == 2
    assert "choose --format text, md, tex, html, json, csv" in wrong.err
    missing = bench("table", "run", "--metrics", "psnrr")
    assert (missing.code, missing.out) == (2, "")


def test_a_table_over_two_protocols_refuses_and_names_the_difference(bench: Callable, photos: Path) -> None:
    for protocol in ("sample", "basicsr-y"):
        assert bench(*RUN, "--metrics", "psnr", "--protocol", protocol, "--workers", 0).code == 0
    mixed = bench("table", "run")
    assert mixed.code == 2
    assert "rgb" in mixed.err
    assert "y601s" in mixed.err
    assert "--protocol" in mixed.err
    assert bench("table", "run", "--protocol", "sample").code == 0


def test_a_reader_who_leaves_does_not_end_the_run(photos: Path, newcomer: Path) -> None:
    words = [sys.executable, "-m", "bench", *RUN, "--metrics", "psnr", "--workers", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert (running.wait(timeout=120), running.stderr.read()) == (0, "")
    assert (newcomer / "run" / "records.csv").read_text().count(",ok,") == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_takes_no_more_is_said(photos: Path, newcomer: Path) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "bench", "protocols"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "No space left on device" in done.stderr


def test_a_run_whose_images_all_fail_does_not_say_that_none_was_needed(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches "no inference was needed" above a list of images that inference could not make."""
    (newcomer / "raising.py").write_text(RAISING)
    done = bench("run", "--plugin", "raising.py", "--methods", "raising", *RUN[3:], "--metrics", "psnr", "--workers", 0)
    assert done.code == 1
    assert "computed 0 images" in done.out
    assert "no inference was needed" not in done.out
