"""Words on a figure, measured as they are drawn: lines that fit a width, and a legend that no name overflows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, get_font

from bench.figures.page import Page

SIZE = 6.5
"""Points of ordinary words on a figure."""
LINE = 0.118
"""Inches from one line of them to the next."""
NOTE = "0.35"
"""Colour of what stands under a figure."""
_DOT = 0.12


def width_of(words: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Inches that one line of words takes."""
    return sum(_advance(letter, bold) for letter in words) * size / 72


@lru_cache(maxsize=4096)
def _advance(letter: str, bold: bool) -> float:
    """What a letter adds to a line, in parts of its size."""
    font = get_font(findfont(FontProperties(weight="bold" if bold else "normal")))
    font.set_size(64, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 64


def wrapped(words: str, inches: float, size: float = SIZE, *, bold: bool = False) -> list[str]:
    """Words as lines of at most this width; a word that is longer is broken."""
    lines: list[str] = []
    line = ""
    for word in words.split():
        joined = f"{line} {word}" if line else word
        if width_of(joined, size, bold=bold) <= inches:
            line = joined
            continue
        if line:
            lines.append(line)
        while len(word) > 1 and width_of(word, size, bold=bold) > inches:
            cut = next(
                n for n in range(len(word) - 1, 0, -1) if n == 1 or width_of(word[:n], size, bold=bold) <= inches
            )
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines


def notes_of(sentences: Sequence[str], inches: float) -> list[str]:
    """What stands under a figure: each sentence on lines of its own."""
    return [line for sentence in sentences if sentence for line in wrapped(sentence, inches)]


def write_notes(page: Page, lines: Sequence[str], up: float, left: float = 0.06) -> None:
    """Put the lines of `notes_of` on a page."""
    page.text(left, up, "\n".join(lines), ha="left", color=NOTE, parse_math=False)


class Legend:
    """Names with their marks, in as many columns as the longest of them allows."""

    def __init__(self, names: Sequence[str], width: float) -> None:
        """Args: names: In order; width: inches that there are."""
        longest = max((width_of(name) for name in names), default=0.0) + 2 * _DOT
        self._columns = max(1, min(4, len(names), int(width / longest)))
        self._step = min(width / self._columns, longest + _DOT)
        self._lines = [wrapped(name, self._step - 1.5 * _DOT) for name in names]
        bands = [self._lines[i : i + self._columns] for i in range(0, len(names), self._columns)]
        self._heights = [max(map(len, band)) * LINE + 0.03 for band in bands]

    @property
    def height(self) -> float:
        """Inches that it takes."""
        return sum(self._heights)

    def draw(self, page: Page, left: float, up: float, colours: Sequence[Any], marks: Sequence[str]) -> None:
        """Put it on a page; colours and matplotlib's markers are those of the names."""
        if not self._lines:
            return
        axes = page.axes(left, up, self._step * self._columns, self.height)
        axes.set_axis_off()
        axes.set(xlim=(0, self._step * self._columns), ylim=(self.height, 0))
        for number, lines in enumerate(self._lines):
            band, column = divmod(number, self._columns)
            x, y = column * self._step, sum(self._heights[:band])
            axes.plot([x + 0.04], [y + 0.05], marks[number], color=colours[number], ms=4, mew=0.8)
            page.text(left + x + _DOT, up + y, "\n".join(lines), ha="left", parse_math=False)
