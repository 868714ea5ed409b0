"""The progress of downloads, as the commands that fetch something show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.output import warn

if TYPE_CHECKING:
    from bench.download import Progress


@contextmanager
def download_progress() -> Iterator[Progress]:
    """A bar on a terminal, a line every ten seconds elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, int] = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = int(bar.add_task(name, total=total))
            task = next(task.id for task in bar.tasks if int(task.id) == tasks[name])
            bar.update(task, completed=done, total=total)

        yield show


def _lines() -> Progress:
    last = time.monotonic()

    def show(name: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 10:
            last = now
            share = f" of {total / 1e6:.0f}" if total else ""
            warn(f"{Path(name).name}: {done / 1e6:.0f}{share} MB")

    return show
