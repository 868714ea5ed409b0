"""The contract of a figure: a request whose fields are the command's options, and what drawing it gives.

`typer.Option` and `typer.Argument` only describe the fields here; parsing and printing are the command line's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Warn = Callable[[str], None]
"""Takes a sentence that is to be said while the work goes on."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Some columns of rows, for the screen.

    Attributes:
        rows: What a row lacks is left blank.
        columns: (name, heading, format) each, such as ("niqe", "NIQE", "{:.2f}").
    """

    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure with all that is written and said beside it.

    Attributes:
        figure: To be written as the request's `out` says.
        texts: File -> its text; the files of numbers.
        shown: Printed: numbers as a table, or a text as it is.
        closing: A last sentence; "" for none.
        complete: False where an image failed, which the command's exit code says (1).
    """

    figure: Figure
    texts: Mapping[Path, str] = field(default_factory=dict)
    shown: Numbers | str = ""
    closing: str = ""
    complete: bool = True


class FigureRequest(ABC):
    """One figure: a frozen, keyword-only dataclass whose annotated fields are the arguments and options of its command.

    The module of a request imports nothing heavy; `draw` does. Every request has `out`, where the figure goes, which
    whoever carries it out checks first (`bench.figures.files.check_target`).
    """

    summary: ClassVar[str]
    """One sentence for the list of figures."""
    out: Path

    @abstractmethod
    def draw(self, warn: Warn) -> Drawn:
        """Do the work; nothing is written.

        Args:
            warn: Is told what is doubtful or left out, as it happens.
        Raises:
            RequestError: the request is wrong, or there is nothing to draw.
        """
