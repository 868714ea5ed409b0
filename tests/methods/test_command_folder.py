"""A program that takes a folder: one process per dataset and scale, and every image on its own when it fails."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from typer.testing import CliRunner

from bench.api import ComingUnit, UnitError
from bench.cli.app import app
from bench.imaging.io import write_png
from methods.command.info import CommandOptions
from methods.command.method import Command

_FOLDER = """
import sys
from pathlib import Path
import cv2
source, target, scale, name = sys.argv[1:5]
files = sorted(Path(source).iterdir())
with open(Path(__file__).parent / "log", "a") as stream:
    stream.write(" ".join(file.stem for file in files) + "\\n")
for file in files:
    if file.stem in sys.argv[5:]:
        continue
    lr = cv2.imread(str(file), -1)
    size = (int(lr.shape[1] * float(scale)), int(lr.shape[0] * float(scale)))
    out = Path(target) / name.replace("NAME", file.stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.resize(lr, size, interpolation=cv2.INTER_NEAREST))
"""


def _lr(seed: int, size: tuple[int, int] = (6, 7)) -> torch.Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (3, *size))
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(255))


def _doubled(lr: torch.Tensor) -> torch.Tensor:
    return lr.repeat_interleave(2, 1).repeat_interleave(2, 2)


def _run_of(folder: Path, name: str = "NAME.png", *without: str, code: str = _FOLDER) -> str:
    script = folder / "folder program.py"
    script.write_text(code)
    words = [sys.executable, str(script), "{input_dir}", "{output_dir}", "{scale}", name, *without]
    return " ".join(shlex.quote(word) for word in words)


def _units(*images: str) -> list[ComingUnit]:
    return [ComingUnit(image, _lr(index), (12, 14), index) for index, image in enumerate(images)]


def _ask(method: Command, unit: ComingUnit, scale: float = 2.0) -> torch.Tensor:
    method.begin(image=unit.image, scale=scale)
    return method.upscale(unit.lr, unit.size, seed=unit.seed).image


def _started(folder: Path) -> list[str]:
    """What each process was given."""
    return (folder / "log").read_text().splitlines()


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ("NAME.png", ""),
        ("NAME_GSASR.png", ""),
        ("x2/NAME.png", "x{scale}/{image}.png"),
        ("NAME_SWIN_2.0.png", "{image}_SWIN_{float_scale}.png"),
    ],
)
def test_one_process_computes_all_images_and_each_gets_its_own(tmp_path, written, result):
    """Catches a process per image, and results that are mixed up where one name begins like another."""
    method = Command(CommandOptions(run=_run_of(tmp_path, written), result=result))
    units = _units("img", "img_2", "Set5/a b")
    method.prepare(iter(units), scale=2.0, seed=0)
    for unit in reversed(units):
        assert torch.equal(_ask(method, unit), _doubled(unit.lr))
    assert len(_started(tmp_path)) == 1


def test_an_image_that_nobody_announced_is_computed_all_the_same(tmp_path):
    """Catches a stale result: another image, or another scale, under a name that was announced."""
    method = Command(CommandOptions(run=_run_of(tmp_path)))
    alone = ComingUnit("baby", _lr(5), (12, 14), 3)
    assert torch.equal(_ask(method, alone), _doubled(alone.lr))
    method.prepare(_units("baby"), scale=2.0, seed=0)
    other = ComingUnit("baby", _lr(6, (4, 7)), (12, 21), 0)
    assert tuple(_ask(method, other, 3.0).shape) == (3, 12, 21)


def test_one_missing_image_fails_alone_and_says_what_is_there(tmp_path):
    method = Command(CommandOptions(run=_run_of(tmp_path, "NAME.png", "b")))
    a, b = _units("a", "b")
    method.prepare([a, b], scale=2.0, seed=0)
    assert torch.equal(_ask(method, a), _doubled(a.lr))
    with pytest.raises(UnitError, match=r"clearly that of 'b.png'.*holds a.png.*ended well"):
        _ask(method, b)


def test_what_was_written_before_a_crash_counts_and_the_rest_fails_with_its_words(tmp_path):
    code = _FOLDER.replace("        continue", "        sys.exit('out of memory')")
    method = Command(CommandOptions(run=_run_of(tmp_path, "NAME.png", "b", code=code)))
    a, b = _units("a", "b")
    method.prepare([a, b], scale=2.0, seed=0)
    assert torch.equal(_ask(method, a), _doubled(a.lr))
    with pytest.raises(UnitError, match=r"exit code 1; it said: out of memory"):
        _ask(method, b)


def test_a_wrong_size_is_refused_but_for_what_the_protocol_allows(tmp_path):
    method = Command(CommandOptions(run=_run_of(tmp_path)))
    unit = ComingUnit("a", _lr(0), (12, 15), 0)
    method.prepare([unit], scale=2.0, seed=0)
    with pytest.raises(UnitError, match="expected 12 x 15"):
        _ask(method, unit)
    method.slack = 1
    assert tuple(_ask(method, unit).shape) == (3, 12, 14)


def test_the_time_is_that_of_all_images_and_nothing_is_left_behind(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    method = Command(CommandOptions(run=_run_of(tmp_path, code="import time; time.sleep(60)"), timeout=0.4))
    units = _units("a", "b")
    method.prepare(units, scale=2.0, seed=0)
    with pytest.raises(UnitError, match=r"within 0\.8 s"):
        _ask(method, units[0])
    del method
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_program_runs_where_no_image_can_be_read(tmp_path):
    Command(CommandOptions(run=_run_of(tmp_path))).prepare(iter(()), scale=2.0, seed=0)
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("run", "result", "message"),
    [
        ("up {input_dir}", "", r"\{output_dir\} must stand"),
        ("up {input_dir} {output_dir} {width}", "", r"\{width\} is of one image"),
        ("up {input_dir} {output_dir} {input}", "", r"\{input\} is of one image"),
        ("up {input_dir} {output_dir}", "all.png", r"\{image\} must stand"),
        ("up {input_dir} {output_dir}", "../{image}.png", "without"),
        ("up {input_dir} {output_dir}", "{image}_{suffix}.png", "suffix"),
        ("up {input} {output}", "{image}.png", "does not stand in command.run"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(run, result, message):
    with pytest.raises(ValidationError, match=message):
        CommandOptions(run=run, result=result)


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run `bench run` on three photographs at x2 and x3."""
    photos = tmp_path / "Photos"
    photos.mkdir()
    for index, name in enumerate("abc"):
        pixels = np.random.default_rng(index).integers(0, 256, (36, 48, 3)).astype(np.uint8)
        write_png(photos / f"{name}.png", pixels)

    def call(run: str) -> tuple[int, str]:
        words = ["run", "--datasets", str(photos), "--scales", "2,3", "--metrics", "psnr", "--workers", "0"]
        words += ["--methods", "command", "--set", f"command.run={run}", "--out", str(tmp_path / "out")]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        return done.exit_code, done.output

    return call


def test_a_run_hands_over_the_missing_images_of_each_cell_once(tmp_path, bench):
    """Catches a process per image, one for all scales, and a second run that computes what is there."""
    run = _run_of(tmp_path)
    code, said = bench(run)
    assert code == 0, said
    assert _started(tmp_path) == ["a b c", "a b c"]
    for image in (tmp_path / "out").rglob("x3*/b.png"):
        image.unlink()
    code, said = bench(run)
    assert code == 0, said
    assert _started(tmp_path)[2:] == ["b"]


def test_an_image_of_a_run_that_fails_leaves_the_others(tmp_path, bench):
    code, said = bench(_run_of(tmp_path, "NAME.png", "b"))
    assert code == 1
    assert "clearly that of 'b.png'" in said
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == 4
