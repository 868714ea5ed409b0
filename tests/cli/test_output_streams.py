"""Colours as the environment wants them, encodings that lack characters, closed streams, readers that leave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import in_terminal

RED = "\x1b[31merror:"
RUN = (
    "run",
    "--datasets",
    "Photos",
    "--methods",
    "bicubic,nearest",
    "--scales",
    "2",
    "--metrics",
    "psnr",
    "--out",
    "run",
)


def in_shell(line: str, **env: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a line of bash with `bench` in it; the code is that of bench."""
    bench = f"{sys.executable} -m bench"
    script = f'set -o pipefail; bench() {{ {bench} "$@"; echo $? > code; }}; {line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, env={**os.environ, **env}, timeout=120)
    return int(Path("code").read_text()), done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def test_an_error_is_red_in_a_terminal_unless_no_color_says_otherwise() -> None:
    """Catches an `error:` whose escape codes are written by hand."""
    code, text = in_terminal(("protocols", "nothing"), 80)
    assert (code, RED in text) == (2, True)
    code, text = in_terminal(("protocols", "nothing"), 80, {"NO_COLOR": "1"})
    assert (code, "\x1b[31m" in text, "error: unknown protocol" in text) == (2, False, True)


def test_force_color_colours_what_goes_into_a_pipe(process: Callable) -> None:
    """Catches a logger in CI that gets no colours although it asks for them."""
    assert RED in process("protocols", "nothing", env={"FORCE_COLOR": "1", "NO_COLOR": ""}).err
    assert "\x1b[" in process("protocols", env={"FORCE_COLOR": "1", "NO_COLOR": ""}).out
    plain = process("protocols", "nothing")
    assert plain.err.startswith("error: unknown protocol")
    assert "\x1b" not in plain.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_any_encoding_of_the_output_will_do(encoding: str, photos: Path) -> None:
    """Catches a traceback before or after the work where `×` or `↑` cannot be written."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *RUN, "--workers", "0"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=120,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    text = done.stdout.decode(encoding)
    assert "PSNR ^" in text
    assert ("x2" if encoding == "ascii" else "×2") in text
    assert "Bicubic - Photos - x2: 3 images" in text or "Bicubic · Photos · x2: 3 images" in text


def test_a_chosen_way_of_writing_what_is_not_in_the_encoding_is_kept(process: Callable) -> None:
    """Catches PYTHONIOENCODING=ascii:replace overruled."""
    done = process("methods", "casr", env={"PYTHONIOENCODING": "ascii:replace"})
    assert done.code == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-"])
def test_a_closed_stream_costs_no_result(closed: str, photos: Path, newcomer: Path) -> None:
    """Catches AttributeError on a stdout that is None, and a run that computes nothing without stderr."""
    code, _, err = in_shell(f"bench {' '.join(RUN)} --workers 0 {closed}")
    assert (code, "Traceback" in err) == (0, False), err
    assert (newcomer / "run" / "records.csv").read_text().count(",ok,") == 6
    assert (newcomer / "run" / "run.json").read_text().startswith("{")


@pytest.mark.parametrize("command", ["--help", "methods", "methods casarbi", "protocols", "run --help"])
def test_a_reader_that_leaves_is_no_failure(command: str) -> None:
    """Catches `bench --help | head -1` ending with 1."""
    code, out, err = in_shell(f"bench {command} | head -c 1")
    assert (code, err, len(out)) == (0, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["--help", "metrics niqe"])
def test_a_file_that_takes_no_more_is_said_once(command: str) -> None:
    """Catches a traceback of the help, and Python's own complaint at its exit."""
    code, _, err = in_shell(f"bench {command} > /dev/full")
    assert (code, err.count("No space left on device"), "Traceback" in err) == (2, 1, False), err
