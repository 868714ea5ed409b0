"""Screens of the command line in a real terminal (tmux), as docs/terminal.md shows them.

    python benchmarks/terminal_screens.py --out docs/terminal.md

Needs tmux. Each command runs in a pane of its own of 80 and of 160 columns, in an empty folder with an empty home;
what stands in the pane is copied as text. A running command is copied while its bar is there.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = (80, 160)
_ROWS = 120
_PATIENCE = 600.0
RUN = (
    "bench run --methods bicubic,liif,lte --scales 2,3.6,8 --metrics psnr,ssim,lpips,niqe --limit 2 --out first"
    " --workers 0"
)


@dataclass(frozen=True)
class Screen:
    """One command as it is shown.

    Attributes:
        command: What is typed.
        about: A sentence over it.
        first: Rows that are shown; None: all.
    """

    command: str
    about: str
    first: int | None = None


LISTS = (
    Screen("bench", "The commands."),
    Screen("bench methods", "A line per method; a text that does not fit ends with an ellipsis."),
    Screen("bench methods liif", "All of one method."),
    Screen("bench metrics", "A line per metric."),
    Screen("bench metrics lpips_vgg", "What is missing for one, and how to get it."),
    Screen("bench datasets", "A line per dataset."),
    Screen("bench datasets Urban100", "How to get one."),
    Screen("bench protocols", "A line per protocol."),
)


class Pane:
    """A pane of tmux in which one command runs."""

    def __init__(self, command: str, width: int, folder: Path) -> None:
        self.name = f"screen-{os.getpid()}-{time.monotonic_ns()}"
        done = f"{command}; touch {shlex.quote(str(folder / self.name))}; sleep 600"
        self._end = folder / self.name
        size = ["-x", str(width), "-y", str(_ROWS)]
        self._tmux("new-session", "-d", *size, "-c", str(folder), "sh", "-c", done)

    def text(self) -> str:
        """What stands in it now, without what a terminal pads."""
        lines = self._tmux("capture-pane", "-p").split("\n")
        return "\n".join(line.rstrip() for line in lines).rstrip("\n")

    def wait(self, until: Callable[[str], bool] = lambda text: False) -> str:
        """The text as soon as it is as wanted, or when the command has ended."""
        begun = time.monotonic()
        while time.monotonic() - begun < _PATIENCE:
            text = self.text()
            if until(text) or self._end.exists():
                return text if until(text) else self.text()
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not end within {_PATIENCE:.0f} s")

    def close(self) -> None:
        """End it."""
        self._tmux("kill-server")

    def _tmux(self, *words: str) -> str:
        """A command to a server that has this pane alone."""
        done = subprocess.run(["tmux", "-u", "-L", self.name, "-f", os.devnull, *words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"tmux {words[0]}: {done.stderr.strip()}")
        return done.stdout


def take(screen: Screen, width: int, folder: Path) -> str:
    """What a command leaves in its pane."""
    with closing(Pane(screen.command, width, folder)) as pane:
        text = pane.wait()
    return "\n".join(text.split("\n")[: screen.first])


def take_running(command: str, width: int, folder: Path) -> list[tuple[str, str]]:
    """(sentence, screen) of a command that works: at first, once something is known of every method, and at its end."""
    with closing(Pane(command, width, folder)) as pane:
        first = pane.wait(lambda text: "not known yet" in text)
        some = pane.wait(lambda text: "left at least" in text)
        later = pane.wait(lambda text: "left about" in text and "not known" not in text)
        last = pane.wait()
    return [
        ("At first, when nothing is known of the methods:", first),
        ("Later, when something is known of some:", some),
        ("Later, when something is known of all:", later),
        ("At the end:", last),
    ]


def page(folder: Path) -> str:
    """docs/terminal.md."""
    parts = [
        "# The terminal",
        "What the commands show in a terminal of 80 and of 160 columns, copied from one by "
        "`benchmarks/terminal_screens.py`.",
        _RULES,
    ]
    for screen in LISTS:
        parts.append(f"## `{screen.command}`\n\n{screen.about}")
        parts += [f"{width} columns:\n\n{_block(take(screen, width, folder))}" for width in WIDTHS]
    parts.append(f"## A run\n\n`{RUN}`")
    for width in WIDTHS:
        parts.append(f"### {width} columns")
        place = folder / str(width)
        place.mkdir()
        parts += [f"{about}\n\n{_block(text)}" for about, text in take_running(RUN, width, place)]
    parts.append("## The same table in a pipe\n\n" + _block(_piped("bench table first", folder / str(WIDTHS[0]))))
    return "\n\n".join(parts) + "\n"


def _piped(command: str, folder: Path) -> str:
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout.rstrip()


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


_RULES = """\
- A list has one line per thing at every width; what is missing, licences and publications stand under
  `bench methods NAME`, `bench metrics NAME`, `bench datasets NAME`, `bench protocols NAME`.
- A table takes the first layout that fits the terminal and is split by dataset, scales or metrics where none does; no
  number, name or heading is cut. Best and second best are bold and underlined; where there are no styles (a pipe,
  `TERM=dumb`) the signs `*` and `+` stand behind the numbers.
- In a pipe or a file everything is plain text. `bench table --format md` gives Markdown.
- `NO_COLOR` takes colours away, `FORCE_COLOR` keeps them in a pipe. What the encoding of the output cannot say is
  written in ASCII (`x2` for `×2`). A reader that leaves (`| head`) ends nothing.
- The bar says what has elapsed and what is left. The latter is reckoned from seconds per pixel of the result, for every
  method by itself: those of stored images of the run folder, then those of this run. Where nothing is known of a method
  it says so and gives what the others take at least.
- Remarks and warnings of libraries are not shown; `PYTHONWARNINGS=default` brings them back."""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the page, docs/terminal.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder, commands = place / "work", place / "bin"
        folder.mkdir()
        commands.mkdir()
        command = commands / "bench"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bench "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "ASSR_BENCH_DATA"):
            os.environ.pop(variable, None)
        os.environ |= {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "TMUX_TMPDIR": name,
        }
        if torch := os.environ.get("TORCH_HOME"):
            (folder / "torch").symlink_to(Path(torch).resolve())
            os.environ["TORCH_HOME"] = str(folder / "torch")
        text = page(folder)
    shown = text.replace(str(folder), "~").replace(str(ROOT) + os.sep, "")
    options.out.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
