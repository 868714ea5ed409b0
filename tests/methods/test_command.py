"""An external program as a method: what it is given, what is read back, and every way in which it can fail."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bench.api import UnitError
from methods.command.info import COMMAND, CommandOptions
from methods.command.lr_file import lr_pixels
from methods.command.method import Command

LR = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 6, 7)).astype(np.float32) / np.float32(255))
_NEAREST = """
import sys, cv2
source, target, width, height = sys.argv[1:5]
cv2.imwrite(target, cv2.resize(cv2.imread(source, -1), (int(width), int(height)), interpolation=cv2.INTER_NEAREST))
"""


def _program(
    folder: Path, code: str, arguments: str = "{input} {output} {width} {height}", **options
) -> CommandOptions:
    script = folder / "my program.py"
    script.write_text(code)
    return CommandOptions(run=f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {arguments}", **options)


def _upscale(options: CommandOptions, lr: torch.Tensor = LR, size: tuple[int, int] = (12, 14)) -> torch.Tensor:
    method = Command(options)
    method.begin(image="baby", scale=2.0)
    return method.upscale(lr, size, seed=7).image


def test_a_program_sees_rgb_and_its_image_comes_back(tmp_path):
    sr = _upscale(_program(tmp_path, _NEAREST))
    assert torch.equal(sr, LR.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_every_placeholder_is_filled_and_no_shell_reads_the_line(tmp_path):
    code = _NEAREST + f"open({str(tmp_path / 'said')!r}, 'w').write('|'.join(sys.argv[5:]))"
    _upscale(_program(tmp_path, code, "{input} {output} {width} {height} {scale} {seed} '$HOME; {scale}' {{x}}"))
    assert (tmp_path / "said").read_text() == "2|7|$HOME; 2|{x}"


def test_float_lr_is_given_in_sixteen_bits_and_whole_levels_in_eight():
    whole = lr_pixels(LR.numpy(), "auto")
    assert whole.dtype == np.uint8
    assert np.array_equal(whole.transpose(2, 0, 1), np.rint(LR.numpy() * 255))
    odd = LR.numpy() * np.float32(0.997)
    fine = lr_pixels(odd, "auto")
    assert fine.dtype == np.uint16
    assert np.abs(fine.transpose(2, 0, 1) / 65535 - odd).max() <= 0.5 / 65535 + 1e-7
    assert lr_pixels(odd, "8").dtype == np.uint8


def test_sixteen_bit_results_are_kept(tmp_path):
    sr = _upscale(_program(tmp_path, _NEAREST, bits="16"), LR * 0.997)
    wanted = (LR * 0.997).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert float((sr - wanted).abs().max()) < 1e-5


def test_a_gray_result_becomes_three_channels(tmp_path):
    sr = _upscale(_program(tmp_path, _NEAREST.replace("-1)", "0)")))
    assert tuple(sr.shape) == (3, 12, 14)
    assert torch.equal(sr[0], sr[2])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import sys; print('first', file=sys.stderr); sys.exit('no such model')",
            r"exit code 1; it said: first \| no such model",
        ),
        ("import sys; print('only on stdout'); sys.exit(3)", r"exit code 3; it said: only on stdout"),
        ("import os; os.kill(os.getpid(), 9)", r"signal 9.*it said nothing"),
        ("print('done')", r"without writing \{output\}; it said: done"),
        ("import sys; open(sys.argv[2], 'wb')", r"zero bytes"),
        ("import sys; open(sys.argv[2], 'wb').write(b'not an image')", r"sr\.png"),
        (_NEAREST.replace("int(height)", "int(height) + 1"), r"13 x 14.*expected 12 x 14"),
        ("raise ValueError('deep inside')", r"ValueError: deep inside"),
    ],
)
def test_every_failure_fails_the_unit_with_the_reason(tmp_path, code, message):
    with pytest.raises(UnitError, match=message):
        _upscale(_program(tmp_path, code))


def test_a_program_that_does_not_exist_is_named():
    with pytest.raises(UnitError, match="'no-such-program-here' cannot be started"):
        _upscale(CommandOptions(run="no-such-program-here {input} {output}"))


def test_a_timeout_ends_the_program_and_its_children(tmp_path):
    """Waiting on a pipe that a grandchild keeps open would hang here."""
    code = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("pid", child.pid, file=sys.stderr, flush=True)
time.sleep(60)
"""
    with pytest.raises(UnitError, match=r"within 2 s.*pid \d+") as caught:
        _upscale(_program(tmp_path, code, timeout=2))
    pid = int(str(caught.value).rsplit("pid ", 1)[1])
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = select.poll()
    ended.register(handle, select.POLLIN)  # readable once the process is gone; a busy machine takes a moment for it
    try:
        assert ended.poll(10_000), f"process {pid} is still there"
    finally:
        os.close(handle)


@pytest.mark.parametrize("code", [_NEAREST, "raise SystemExit(1)"])
def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch, code):
    options = _program(tmp_path, code)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with contextlib.suppress(UnitError):
        _upscale(options)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    "run",
    [
        "",
        "prog",
        "prog {input}",
        "prog {input} {output} {factor}",
        "prog {input} {output} 'open",
        "prog {input} {output} {",
        "prog {input} {output} {scale:.2f}",
        "prog {input} {output} {}",
    ],
)
def test_bad_command_lines_are_refused_before_anything_runs(run):
    with pytest.raises(ValidationError):
        CommandOptions(run=run)


def test_a_changed_script_changes_the_key(tmp_path):
    assert COMMAND.fingerprint is not None
    first = COMMAND.fingerprint(_program(tmp_path, "a"), "baby", 2.0)
    second = COMMAND.fingerprint(_program(tmp_path, "bb"), "baby", 2.0)
    assert first != second
    assert COMMAND.fingerprint(CommandOptions(run="nowhere {input} {output}"), "baby", 2.0) == ""
