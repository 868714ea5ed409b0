"""`bench check`: what it prints, on how many columns, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.check import CHECKS

PLUGIN = """
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled

class Up(Method):
    info = MethodInfo(name="up", display="Up and away", summary="bicubic")

    def load(self, weights, device, dtype):
        {load}

    def upscale(self, lr, size, *, seed):
        return {result}
"""
GOOD = 'Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])'


@pytest.fixture
def up(newcomer: Path) -> Callable[..., Path]:
    """A plug-in file `up.py` in the working folder."""

    def write(result: str = GOOD, load: str = "pass") -> Path:
        path = newcomer / "up.py"
        path.write_text(PLUGIN.format(result=result, load=load))
        return path

    return write


def test_a_good_plugin_ends_with_0_within_80_columns(bench: Callable, up: Callable[..., Path]) -> None:
    done = bench("check", "up", "--plugin", up())
    assert done.code == 0, done.out
    lines = done.out.splitlines()
    assert max(map(len, lines)) < 80
    passed = len(CHECKS) - 3
    assert lines[-1].startswith(f"Up and away: {passed} passed, 0 failed, 3 skipped in ")
    assert sum(line.startswith("passed") for line in lines) == passed
    assert all(any(line[8:].startswith(f"{check.name} ") for line in lines) for check in CHECKS)


def test_a_failure_says_expected_seen_and_next_and_ends_with_1(bench: Callable, up: Callable[..., Path]) -> None:
    done = bench("check", "up", "--plugin", up("interpolate(lr[None], size=size)[0]"))
    assert done.code == 1
    assert max(map(len, done.out.splitlines())) < 80
    (start,) = [n for n, line in enumerate(done.out.splitlines()) if line.startswith("failed")]
    words = " ".join(done.out.splitlines()[start : start + 8]).split()
    text = " ".join(words)
    assert text.startswith("failed first-image")
    assert "expected: an image for LR 12 x 16 to 24 x 32 (height x width)" in text
    assert "seen: up returned a bare Tensor, expected Upscaled: wrap it in Upscaled(image)" in text
    assert "next: " in text


def test_the_traceback_is_printed_when_asked_for(bench: Callable, up: Callable[..., Path]) -> None:
    path = up("no_such_name")
    short, long = bench("check", "up", "--plugin", path), bench("check", "up", "--plugin", path, "--traceback")
    assert "(up.py:13 in upscale)" in " ".join(short.out.split())
    assert "Traceback" not in short.out
    assert short.out.count("it gave no first image") == 1
    assert "Traceback (most recent call last)" in long.out
    assert "return no_such_name" in long.out


def test_json_has_every_field_of_every_check(bench: Callable, up: Callable[..., Path]) -> None:
    done = bench("check", "up", "--plugin", up("Upscaled(255 * lr.new_ones(3, *size))"), "--json", "--only", "range")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["method"] == "Up and away"
    first, bad = report["results"]
    assert (first["name"], first["status"]) == ("first-image", "passed")
    assert set(bad) >= {"name", "about", "status", "expected", "seen", "next", "remark", "details", "seconds"}
    assert (bad["name"], bad["status"], bad["seen"]) == ("range", "failed", "255 to 255 with a mean of 255")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no_such_method",), "unknown method 'no_such_method'"),
        (("up", "--only", "flatt"), "unknown check 'flatt'. Did you mean 'flat'?"),
        (("up", "--set", "up.x=1"), "takes no options"),
        (("precomputed",), "needs to know its folder"),
        (("spandrel",), "spandrel has no weights of its own"),
        (("up", "--device", "tpu"), "device 'tpu' is unknown"),
    ],
)
def test_a_wrong_request_ends_with_2(
    bench: Callable, up: Callable[..., Path], words: tuple[str, ...], said: str
) -> None:
    done = bench("check", *words, "--plugin", up())
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_method_that_cannot_be_loaded_is_a_wrong_request_with_its_line(
    bench: Callable, up: Callable[..., Path]
) -> None:
    done = bench("check", "up", "--plugin", up(load="open('nowhere.pth')"))
    assert done.code == 2
    assert "method up could not be loaded: FileNotFoundError:" in done.err
    assert "(up.py:10 in load)" in done.err


def test_a_shipped_method_with_options_and_weights(bench: Callable) -> None:
    done = bench(
        "check", "liif", "--weights", "lite", "--set", "liif.chunk=500", "--quick", "--only", "fractions,reload"
    )
    assert done.code == 0, done.out
    assert "left out by --quick" in done.out
    assert "LIIF (lite,chunk=500): 2 passed, 0 failed, 1 skipped" in done.out
