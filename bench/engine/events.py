"""What the engine tells while it works; the command line shows it, a test collects it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol as TypingProtocol

from bench.api import CellId

if TYPE_CHECKING:
    from bench.engine.forecast import Forecast


class Listener(TypingProtocol):
    """Receives progress. All methods are called from the main thread."""

    def expect(self, forecast: Forecast) -> None:
        """The plan is made, and this knows at any time how long it will take."""

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """The plan is made: so many cells, units with work left, images to compute and numbers to compute."""

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Work on a cell begins."""

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """A unit is finished and stored; `error` is set where it failed."""

    def note(self, text: str) -> None:
        """Something worth a line: a smaller tile was used, a worker was restarted."""


class Silent:
    """A listener that shows nothing; others begin here and override what they show."""

    def expect(self, forecast: Forecast) -> None:
        """Ignore."""

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Ignore."""

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Ignore."""

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


@dataclass(frozen=True)
class Failure:
    """A failed unit.

    Attributes:
        cell: Its cell.
        image: Image id.
        error: What went wrong, on one line.
        traceback: Where the traceback of a method's own fault lies, relative to the run folder.
    """

    cell: CellId
    image: str
    error: str
    traceback: Path | None = None

    @property
    def kind(self) -> tuple[str, str, str]:
        """Equal for failures that are worth saying once: of one method, alike but for image and numbers."""
        return self.cell.method, self.cell.variant, error_kind(self.error, self.image)


def error_kind(error: str, image: str) -> str:
    """An error without the image's name and without numbers, but with the line of code that it names."""
    nameless = re.sub(rf"(?<!\w){re.escape(image)}(?!\w)", "…", error)
    return re.sub(r"(?<![:\w])\d[\d.]*", "#", nameless)


@dataclass
class Tally:
    """What a run did.

    Attributes:
        inferred: Images computed by a method now.
        reused: Images taken from the store.
        scored: Numbers computed now.
        kept: Numbers taken from the store.
        failures: The failed units.
        without: (cell, metric, reason) -> images that have no number of this metric.
        warnings: Validity warnings and notes, each once.
        interrupted: True after Ctrl-C.
        stopped: True after the first failure of a request that says `fail_fast`.
        phases: Seconds per phase (load, prepare, model, metrics, write, wait).
    """

    inferred: int = 0
    reused: int = 0
    scored: int = 0
    kept: int = 0
    failures: list[Failure] = field(default_factory=list)
    without: dict[tuple[CellId, str, str], list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False
    stopped: bool = False
    phases: dict[str, float] = field(default_factory=dict)

    def spend(self, phase: str, seconds: float) -> None:
        """Add time to a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds

    def warn(self, text: str) -> None:
        """Keep a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)
