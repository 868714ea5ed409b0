"""The battery over every registered method: each one that is listed keeps the contract, whoever adds the next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.check import CASES, CHECKS, Status, run_battery
from bench.engine.choice import choose_methods
from bench.imaging import imresize, write_png
from bench.registry import METHODS

PROGRAM = """
import random, sys
from PIL import Image
source, target, width, height, seed = sys.argv[1:]
image = Image.open(source).convert("RGB").resize((int(width), int(height)), Image.BICUBIC)
random.seed(int(seed))
image.putpixel((0, 0), tuple(random.randrange(256) for _ in range(3)))
image.save(target)
"""


@dataclass(frozen=True)
class Given:
    """What the person who types the command gives a method that comes without it."""

    weights: str | None = None
    overrides: tuple[str, ...] = ()


def give_folder(folder: Path) -> Given:
    """Files for every image of the battery, as somebody's bicubic would have made them."""
    for case in CASES:
        pixels = imresize(case.pixels().astype(np.float64), case.size)
        write_png(folder / f"{case.image}.png", np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8))
    return Given(overrides=(f"precomputed.folder={folder}",))


def give_program(folder: Path) -> Given:
    """A program that enlarges with Pillow and uses its seed in one pixel."""
    (folder / "up.py").write_text(PROGRAM)
    run = f"{sys.executable} {folder / 'up.py'} {{input}} {{output}} {{width}} {{height}} {{seed}}"
    return Given(overrides=(f"command.run={run}",))


def give_checkpoint(folder: Path) -> Given:
    """A real architecture of one scale whose output is near its input."""
    import torch
    from safetensors.torch import save_file
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    torch.manual_seed(0)
    network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2)
    save_file({name: value * 0.5 for name, value in network.state_dict().items()}, folder / "x2.safetensors")
    return Given(weights=str(folder / "x2.safetensors"))


RECIPES: dict[str, Callable[[Path], Given]] = {
    "precomputed": give_folder,
    "command": give_program,
    "spandrel": give_checkpoint,
}


@pytest.mark.parametrize("name", METHODS.names())
def test_every_registered_method_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """Catches a shipped method that does what a plug-in's author is told not to, and a new one that nobody tried."""
    given = RECIPES[name](tmp_path) if name in RECIPES else Given()
    (choice,) = choose_methods([name], weights=given.weights, overrides=given.overrides)
    report = run_battery(choice, device="cpu")
    assert not report.of(Status.FAILED), report.of(Status.FAILED)
    skipped = {result.name: result.remark for result in report.of(Status.SKIPPED)}
    assert set(skipped) <= {"tiles", "weights-key"}, skipped
    assert len(report.results) == len(CHECKS)


def test_results_made_elsewhere_that_are_not_there_are_left_out_and_not_failed(tmp_path: Path) -> None:
    """Catches twenty failures of a folder that only lacks the battery's images."""
    write_png(tmp_path / "baby.png", np.zeros((8, 8, 3), np.uint8))
    (choice,) = choose_methods(["precomputed"], weights=None, overrides=(f"precomputed.folder={tmp_path}",))
    report = run_battery(choice, device="cpu")
    assert not report.of(Status.FAILED), report.of(Status.FAILED)
    remarks = {result.name: result.remark for result in report.of(Status.SKIPPED)}
    assert "it looks its results up: no file for image" in remarks["first-image"]
    assert remarks["flat"] == remarks["first-image"]


def test_a_check_that_such_a_folder_cannot_answer_says_which_file_was_no_good(tmp_path: Path) -> None:
    """Catches a remark that hides the reason, and a file of another size that passes."""
    given = give_folder(tmp_path)
    (wrong,) = [case for case in CASES if case.group == "large" and case.scale == 8]
    write_png(tmp_path / f"{wrong.image}.png", np.zeros((3, 3, 3), np.uint8))
    (choice,) = choose_methods(["precomputed"], weights=None, overrides=given.overrides)
    report = run_battery(choice, device="cpu", only=("large",))
    skipped = [result.remark for result in report.of(Status.SKIPPED)]
    assert any("3 x 3 (height x width), expected 40 x 48" in remark for remark in skipped)
