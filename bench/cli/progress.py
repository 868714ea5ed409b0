"""Showing a run's progress: a rich display on a terminal (cell, image, ETA), plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from bench.api import CellId, format_scale
from bench.cli.output import say, warn
from bench.engine.events import Failure

Displays = Mapping[tuple[str, str], str]
"""(method, variant) -> the name that tables print."""


def cell_label(cell: CellId, displays: Displays) -> str:
    """A cell as people read it: `LIIF (lite) · Set5 · x4 · seed 1`."""
    name = displays.get((cell.method, cell.variant), cell.method)
    seed = f" · seed {cell.seed}" if cell.seed else ""
    return f"{name} · {cell.dataset} · x{format_scale(cell.scale)}{seed}"


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """Plain lines, at most one every few seconds, for logs and pipes."""

    def __init__(self, displays: Displays, *, every: float = 10.0) -> None:
        self.displays = displays
        self.every = every
        self.done = 0
        self.total = 0
        self.failures = _FirstOfAKind()
        self.started = self.last = time.monotonic()

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Say what is left to do."""
        self.total = units
        if units:
            say(f"{cells} cells, {units} images to work on: {inferences} to compute, {scores} numbers to make")

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """One line per cell."""
        say(f"  {cell_label(cell, self.displays)}: {units} images")

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """A line now and then, and for the first failure of a kind."""
        self.done += 1
        if error and self.failures.is_first(cell, image, error):
            warn(f"  failed: {cell_label(cell, self.displays)} · {image}: {error}")
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            left = (now - self.started) / self.done * (self.total - self.done)
            say(f"  {self.done}/{self.total} images, about {left:.0f} s left")

    def note(self, text: str) -> None:
        """A line."""
        warn(f"  note: {text}")

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class RichProgress(AbstractContextManager["RichProgress"]):
    """A live bar with the cell, the image and the time left."""

    def __init__(self, displays: Displays) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.displays = displays
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self.task = self.bar.add_task("planning", total=None)
        self.label = ""
        self.failures = _FirstOfAKind()

    def __enter__(self) -> RichProgress:
        self.bar.start()
        return self

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Set the total."""
        self.bar.update(self.task, total=units)

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Show the cell."""
        self.label = cell_label(cell, self.displays)
        self.bar.update(self.task, description=self.label)

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Advance."""
        if error and self.failures.is_first(cell, image, error):
            self.bar.console.print(
                f"failed: {cell_label(cell, self.displays)} · {image}: {error}", style="red", markup=False
            )
        self.bar.update(self.task, advance=1, description=f"{cell_label(cell, self.displays)} · {image}")

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.bar.console.print(f"note: {text}", markup=False)

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


def make_progress(displays: Displays) -> PlainProgress | RichProgress:
    """The display that fits stderr."""
    return RichProgress(displays) if sys.stderr.isatty() else PlainProgress(displays)


class _FirstOfAKind:
    """Remembers failures, so that a thousand equal ones are one line."""

    def __init__(self) -> None:
        self._kinds: set[tuple[str, str, str]] = set()

    def is_first(self, cell: CellId, image: str, error: str) -> bool:
        """Whether no failure like this one was asked about before."""
        before = len(self._kinds)
        self._kinds.add(Failure(cell, image, error).kind)
        return len(self._kinds) > before
