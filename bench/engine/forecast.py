"""The seconds that a run still needs: for each method by itself, per pixel of its results.

A cheap method says nothing of a dear one, and a small image little of a large one. What a method needs per pixel is
known from stored images, later from this run. Beside the methods there is what all images cost alike (reading, scoring,
writing): the time that passes between two finished images and that no method took.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench.api import CellId, RunManifest
from bench.engine.extent import result_pixels
from bench.engine.folder import CellFolder, RunFolder, StoredUnit
from bench.engine.plan import Cell, Plan, Unit

Row = tuple[str, str]
"""(method, variant)."""


_HEADERS = 500
"""Images of a cell whose headers are read; of more, each stands for those behind it: a header takes as long as a small
image."""


@dataclass
class Pace:
    """Seconds spent on pixels."""

    seconds: float = 0.0
    pixels: int = 0

    def add(self, seconds: float, pixels: int) -> None:
        """Count an image."""
        self.seconds += seconds
        self.pixels += pixels

    def of(self, pixels: int) -> float:
        """Seconds that so many pixels will take; 0 where nothing is known."""
        return self.seconds / self.pixels * pixels if self.pixels else 0.0


@dataclass(frozen=True)
class Left:
    """What a run still needs.

    Attributes:
        seconds: Of what is known; None where nothing is.
        unknown: Displays of methods of which nothing is known yet; `seconds` does not hold them.
    """

    seconds: float | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    """An image that is not finished: its pixels, and whether a method has to make it."""

    row: Row
    pixels: int
    infer: bool


@dataclass
class Forecast:
    """Knows what is left to do of a plan, and how long such things took.

    Attributes:
        plan: The plan.
        folder: The run folder, where stored images tell of their seconds.
        before: What run.json says of earlier runs.
        clock: Seconds since whenever.
        share: Methods that compute side by side.
    """

    plan: Plan
    folder: RunFolder
    before: RunManifest | None = None
    clock: Callable[[], float] = time.monotonic
    share: int = 1
    _left: dict[tuple[CellId, str], _Job] | None = field(default=None, repr=False)
    _todo: dict[Row, int] = field(default_factory=lambda: defaultdict(int), repr=False)
    _images: int = field(default=0, repr=False)
    _stored: dict[Row, Pace] = field(default_factory=dict, repr=False)
    _measured: dict[Row, Pace] = field(default_factory=lambda: defaultdict(Pace), repr=False)
    _besides: Pace = field(default_factory=Pace, repr=False)
    _since: float | None = field(default=None, repr=False)
    _taken: float = field(default=0.0, repr=False)

    def took(self, cell: Cell, pixels: int, seconds: float) -> None:
        """A method made an image."""
        self._measured[row_of(cell.id)].add(seconds, pixels)
        self._taken += seconds / self.share

    def loaded(self, seconds: float) -> None:
        """A method was loaded, which happens once."""
        self._taken += seconds / self.share

    def finished(self, cell: Cell, unit: Unit) -> None:
        """An image is stored and scored, or has failed."""
        now = self.clock()
        job = self._jobs().pop((cell.id, unit.sample.id), None)
        pixels = job.pixels if job is not None else 0
        # what comes before the first finished image (imports, networks of metrics) does not come again
        if self._since is not None:
            self._besides.add(max(0.0, now - self._since - self._taken), pixels)
        self._since, self._taken = now, 0.0
        if job is not None:
            self._images -= pixels
            self._todo[job.row] -= pixels if job.infer else 0

    def left(self) -> Left:
        """What is left now."""
        self._jobs()
        paces = {row: self._pace(row) for row, pixels in self._todo.items() if pixels > 0}
        names = {row_of(cell.id): cell.choice.display for cell in self.plan.cells}
        unknown = tuple(names[row] for row, pace in paces.items() if not pace.pixels)
        if not self._besides.pixels and len(unknown) == len(paces):
            return Left(None, unknown)
        seconds = sum(pace.of(self._todo[row]) for row, pace in paces.items()) / self.share
        return Left(self._besides.of(self._images) + seconds, unknown)

    def pixels(self, cell: Cell, unit: Unit) -> int:
        """Pixels of a result, from its source's header; 0 where that cannot be read."""
        if unit.stored is not None:
            return unit.stored.size[0] * unit.stored.size[1]
        return result_pixels(unit.sample, cell.id.scale, self.plan.request.protocol)

    def _jobs(self) -> dict[tuple[CellId, str], _Job]:
        """What is not finished; the headers of the images are read when it is asked for first."""
        if self._left is None:
            self._left = {}
            for cell in self.plan.cells:
                pixels, todo = 0, cell.todo()
                for place, unit in enumerate(todo):
                    if place % (1 + len(todo) // _HEADERS) == 0:
                        pixels = self.pixels(cell, unit)
                    self._left[cell.id, unit.sample.id] = _Job(row_of(cell.id), pixels, unit.infer)
            for job in self._left.values():
                self._images += job.pixels
                self._todo[job.row] += job.pixels if job.infer else 0
        return self._left

    def _pace(self, row: Row) -> Pace:
        """What is known of a method: what it took in this run, else what its stored images took."""
        if row in self._measured:
            return self._measured[row]
        if row not in self._stored:
            pace = Pace()
            for unit in self._stored_units(row):
                if unit.output is not None and unit.output.seconds:
                    pace.add(unit.output.seconds, unit.output.size[0] * unit.output.size[1])
            self._stored[row] = pace
        return self._stored[row]

    def _stored_units(self, row: Row) -> Iterable[StoredUnit]:
        for cell in self.before.cells if self.before is not None else ():
            if row_of(cell.cell) == row:
                yield from self.folder.units(CellFolder(cell.cell, cell.folder)).values()


def row_of(cell: CellId) -> Row:
    """The method variant of a cell."""
    return cell.method, cell.variant
