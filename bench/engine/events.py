"""What the engine tells while it works; the command line shows it, a test collects it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol as TypingProtocol

from bench.api import CellId


class Listener(TypingProtocol):
    """Receives progress. All methods are called from the main thread."""

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """The plan is made: so many cells, units with work left, images to compute and numbers to compute."""

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Work on a cell begins."""

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """A unit is finished and stored; `error` is set where it failed."""

    def note(self, text: str) -> None:
        """Something worth a line: a smaller tile was used, a worker was restarted."""


class Silent:
    """A listener that shows nothing."""

    def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
        """Ignore."""

    def cell(self, cell: CellId, *, index: int, units: int) -> None:
        """Ignore."""

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


@dataclass
class Tally:
    """What a run did.

    Attributes:
        inferred: Images computed by a method now.
        reused: Images taken from the store.
        scored: Numbers computed now.
        kept: Numbers taken from the store.
        failures: (cell, image, error) of failed units.
        without: (cell, metric, reason) -> images that have no number of this metric.
        warnings: Validity warnings and notes, each once.
        interrupted: True after Ctrl-C.
        phases: Seconds per phase (load, prepare, model, metrics, write, wait).
    """

    inferred: int = 0
    reused: int = 0
    scored: int = 0
    kept: int = 0
    failures: list[tuple[CellId, str, str]] = field(default_factory=list)
    without: dict[tuple[CellId, str, str], list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False
    phases: dict[str, float] = field(default_factory=dict)

    def spend(self, phase: str, seconds: float) -> None:
        """Add time to a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds

    def warn(self, text: str) -> None:
        """Keep a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)
