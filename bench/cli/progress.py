"""Showing a run's progress: a live bar with the image, what elapsed and what is left; plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bench.api import CellId, counted, format_scale
from bench.cli.output import console, say, warn
from bench.engine.events import Silent

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.engine.forecast import Forecast, Left

Displays = Mapping[tuple[str, str], str]
"""(method, variant) -> the name that tables print."""


def cell_label(cell: CellId, displays: Displays) -> str:
    """A cell as people read it: `LIIF (lite) · Set5 · x4 · seed 1`."""
    name = displays.get((cell.method, cell.variant), cell.method)
    seed = f" · seed {cell.seed}" if cell.seed else ""
    return f"{name} · {cell.dataset} · x{format_scale(cell.scale)}{seed}"


def clock_text(seconds: float) -> str:
    """Seconds as people read them.

    >>> clock_text(7.4), clock_text(272), clock_text(7325)
    ('7 s', '4 min 32 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def left_texts(left: Left) -> list[str]:
    """What is left, and of which methods nothing is known."""
    if left.seconds is None:
        return ["left: not known yet"]
    if not left.unknown:
        return [f"left about {clock_text(left.seconds)}"]
    return [f"left at least {clock_text(left.seconds)}", f"not known yet for {', '.join(left.unknown)}"]


class PlainProgress(Silent, AbstractContextManager["PlainProgress"]):
    """Plain lines, at most one every few seconds, for logs and pipes."""

    def __init__(self, displays: Displays, *, every: float = 10.0) -> None:
        self.displays = displays
        self.every = every
        self.forecast: Forecast | None = None
        self.done = self.total = self.failed = 0
        self.started = self.last = time.monotonic()

    def expect(self, forecast: Forecast) -> None:
        """Ask this for what is left."""
        self.forecast = forecast

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Say what is left to do."""
        self.total = units
        if units:
            work = f"{inferences} to compute, {counted(scores, 'number')} to make"
            say(f"{counted(cells, 'cell')}, {counted(units, 'image')} to work on: {work}")

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """One line per cell."""
        say(f"  {cell_label(cell, self.displays)}: {counted(units, 'image')}")

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """A line now and then; what failed is said at the end."""
        self.done += 1
        self.failed += bool(error)
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            parts = [f"{self.done}/{self.total} images", f"elapsed {clock_text(now - self.started)}"]
            parts += left_texts(self.forecast.left()) if self.forecast is not None else []
            parts += [f"{self.failed} failed"] if self.failed else []
            say(f"  {', '.join(parts)}")

    def note(self, text: str) -> None:
        """A line."""
        warn(f"  note: {text}")

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class RichProgress(Silent, AbstractContextManager["RichProgress"]):
    """A live bar; below it the image that was finished last, and the first failure."""

    def __init__(self, displays: Displays) -> None:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.displays = displays
        self.forecast: Forecast | None = None
        self.started = time.monotonic()
        self.bar = Progress(
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console(stderr=True),
            auto_refresh=False,
        )
        self.task = self.bar.add_task("planning", total=None)
        self.place = self.failure = ""
        self.failed = 0
        self._group = Group
        self.live = Live(
            get_renderable=self.shown, console=self.bar.console, transient=True, refresh_per_second=4, screen=False
        )

    def shown(self) -> RenderableType:
        """The lines as they are now."""
        from rich.text import Text

        left, *unknown = left_texts(self.forecast.left()) if self.forecast is not None else ["planning"]
        self.bar.update(self.task, description=f"elapsed {clock_text(time.monotonic() - self.started)}, {left}")
        lines = [Text(text) for text in unknown]  # below the bar, or there would be no room for the bar
        if self.place:
            lines.append(Text(self.place, style="dim", no_wrap=True, overflow="ellipsis"))
        if self.failed:
            lines.append(Text(f"{self.failed} failed; the first: {self.failure}", style="red"))
        return self._group(self.bar.get_renderable(), *lines)

    def __enter__(self) -> RichProgress:
        self.live.start()
        return self

    def expect(self, forecast: Forecast) -> None:
        """Ask this for what is left."""
        self.forecast = forecast

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Set the total."""
        self.bar.update(self.task, total=units)

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Show the cell."""
        self.place = cell_label(cell, self.displays)

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Advance."""
        self.place = f"{cell_label(cell, self.displays)} · {image}"
        if error:
            self.failed += 1
            self.failure = self.failure or f"{self.place}: {error}"
        self.bar.update(self.task, advance=1)

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.live.console.print(f"note: {text}", markup=False)

    def __exit__(self, *_: object) -> None:
        self.live.stop()


def make_progress(displays: Displays) -> PlainProgress | RichProgress:
    """The display that fits stderr."""
    # FORCE_COLOR makes no terminal of a file: a bar would fill it with copies of itself
    live = sys.stderr.isatty() and not console(stderr=True).is_dumb_terminal
    return RichProgress(displays) if live else PlainProgress(displays)
