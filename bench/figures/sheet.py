"""A sheet of pictures: rows of equal panels with words below, beside each group the whole image with its box."""

from __future__ import annotations

from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.figures.page import COLOUR_MAP, PAGE_WIDTH, Page, page_style
from bench.figures.pictures import DOTS, U8, Box, fitted, put
from bench.figures.words import LINE, SIZE, notes_of, width_of, wrapped, write_notes

WORDS = 5.5
"""Points of the numbers below a panel."""
_MARGIN, _GAP, _LABEL, _WHOLE, _SCALE = 20, 10, 44, 330, 150
"""Dots: at the page's sides, between panels, for a row's label, for a whole image and for a scale of colours."""
_STEP = round(0.1 * DOTS)
"""Dots from one line below a panel to the next."""
_MARKED = "#e6261f"
"""The box on the whole image: a colour that photographs seldom have at full strength."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture.

    Attributes:
        pixels: uint8 (H, W, 3); None where there is none.
        words: Lines below it; lines too wide are broken.
        best: Which of the lines are set bold.
        missing: What stands in the place of a picture that is not there.
        heading: Stands above it, where the sheet has no columns.
    """

    pixels: U8 | None
    words: tuple[str, ...] = ()
    best: tuple[int, ...] = ()
    missing: str = ""
    heading: str = ""


@dataclass(frozen=True, eq=False)
class Strip:
    """One row of panels under its label, such as ×4."""

    label: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of one image.

    Attributes:
        name: Stands under the whole image, or above the rows where it is not shown.
        strips: The rows.
        whole: The whole image, uint8 (H, W, 3).
        box: What of it the panels show.
    """

    name: str
    strips: tuple[Strip, ...]
    whole: U8 | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Sheet:
    """What is drawn.

    Attributes:
        columns: Headings of the panels; empty where panels bring their own.
        groups: From top to bottom.
        notes: Sentences below.
        colours: (largest value, what it is) of a bar at the right, in the colours of `COLOUR_MAP`; None: no bar.
    """

    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
    colours: tuple[float, str] | None = field(default=None)


def cell_dots(columns: int, *, whole: bool, colours: bool = False, smallest: int = 1) -> int:
    """Dots across a panel, so that so many of them fill a page; at least the pixels of the widest crop (`smallest`)."""
    room = round(PAGE_WIDTH * DOTS) - 2 * _MARGIN - _LABEL - (_WHOLE + _GAP) * whole - _SCALE * colours
    return max(room // columns - _GAP, smallest)


def draw_sheet(sheet: Sheet, across: int) -> Figure:
    """The sheet; pictures are enlarged by whole numbers, and reduced only where they have more pixels than dots.

    Args:
        across: Dots across a panel, see `cell_dots`.
    """
    whole = any(group.whole is not None for group in sheet.groups)
    columns = max(len(strip.panels) for group in sheet.groups for strip in group.strips)
    left = _MARGIN + (_WHOLE + _GAP) * whole + _LABEL
    width = left + columns * (across + _GAP) + _MARGIN + _SCALE * (sheet.colours is not None)
    notes = notes_of(sheet.notes, width / DOTS - 0.15)
    with page_style():
        headings = [wrapped(name, across / DOTS, SIZE) for name in sheet.columns]
        top = _MARGIN // 2 + max(map(len, headings), default=0) * _dots(LINE)
        groups = [_Placed(group, across, columns) for group in sheet.groups]
        height = top + sum(group.height + _GAP for group in groups) + _dots(LINE) * len(notes) + _GAP
        page = Page(height / DOTS, width / DOTS)
        for place, lines in enumerate(headings):
            x = (left + place * (across + _GAP) + across / 2) / DOTS
            page.text(x, top / DOTS - 0.02, "\n".join(lines), va="bottom", parse_math=False)
        up = top
        for group in groups:
            group.draw(page, left, up)
            up += group.height + _GAP
        if sheet.colours is not None:
            _bar(page, sheet.colours, width - _SCALE, top, max(up - top - _GAP - 2 * _STEP, 240))
        write_notes(page, notes, up / DOTS)
        return page.figure


class _Placed:
    """A group with the dots that it takes."""

    def __init__(self, group: Group, across: int, columns: int) -> None:
        self.group, self.across, self.columns = group, across, columns
        self._name = wrapped(group.name, _WHOLE / DOTS) if group.whole is not None else []
        named = group.whole is None and group.name
        self._above = wrapped(group.name, columns * across / DOTS, bold=True) if named else []
        self._strips = [_PlacedStrip(strip, across) for strip in group.strips]
        rows = sum(strip.height for strip in self._strips) + (_dots(LINE) * len(self._above) + _GAP) * bool(self._above)
        text = _dots(LINE) * len(self._name)
        self._whole = None
        beside = text
        if group.whole is not None:
            self._whole = fitted(group.whole, _WHOLE, max(rows - text, _WHOLE // 2))
            beside += self._whole.shape[0] + 4
        self.height = max(rows, beside)

    def draw(self, page: Page, left: int, up: int) -> None:
        whole = self._whole
        if whole is not None and self.group.whole is not None:
            x = _MARGIN
            axes = put(page, x, up, whole)
            if self.group.box is not None:
                _mark(axes, self.group.box, self.group.whole.shape[:2], whole.shape[:2])
            words = "\n".join(self._name)
            page.text(x / DOTS, (up + whole.shape[0] + 4) / DOTS, words, ha="left", parse_math=False)
        if self._above:
            words = "\n".join(self._above)
            page.text(left / DOTS, up / DOTS, words, ha="left", weight="bold", parse_math=False)
            up += _dots(LINE) * len(self._above) + _GAP
        for strip in self._strips:
            strip.draw(page, left, up)
            up += strip.height


class _PlacedStrip:
    """A row of panels with the dots that it takes."""

    def __init__(self, strip: Strip, across: int) -> None:
        self.strip, self.across = strip, across
        self._dots = [None if p.pixels is None else fitted(p.pixels, across) for p in strip.panels]
        self._side = max([d.shape[0] for d in self._dots if d is not None], default=across)
        inches = across / DOTS
        self._above = [wrapped(p.heading, inches) if p.heading else [] for p in strip.panels]
        self._lines = [
            [(line, n in p.best) for n, words in enumerate(p.words) for line in wrapped(words, inches, WORDS)]
            for p in strip.panels
        ]
        self._head = max(map(len, self._above), default=0) * _dots(LINE)
        self._label = _dots(width_of(strip.label)) + 10
        self._body = max(self._side + 6 + max(map(len, self._lines), default=0) * _STEP, self._label)
        self.height = self._head + self._body + _GAP

    def draw(self, page: Page, left: int, up: int) -> None:
        for place, panel in enumerate(self.strip.panels):
            x = left + place * (self.across + _GAP)
            middle = (x + self.across / 2) / DOTS
            if self._above[place]:
                words = "\n".join(self._above[place])
                page.text(middle, (up + self._head) / DOTS - 0.02, words, va="bottom", parse_math=False)
            dots, top = self._dots[place], up + self._head
            if dots is not None:
                put(page, x + (self.across - dots.shape[1]) // 2, top, dots)
            else:
                self._absent(page, panel, x, top)
            for number, (line, bold) in enumerate(self._lines[place]):
                at = (top + self._side + 6 + number * _STEP) / DOTS
                page.text(middle, at, line, size=WORDS, weight="bold" if bold else "normal", parse_math=False)
        at = (up + self._head + max(self._side, self._label) / 2) / DOTS
        page.text((left - 12) / DOTS, at, self.strip.label, ha="right", va="center", rotation=90)

    def _absent(self, page: Page, panel: Panel, left: int, up: int) -> None:
        axes = page.axes(left / DOTS, up / DOTS, self.across / DOTS, self._side / DOTS)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.add_patch(Rectangle((0, 0), 1, 1, facecolor="white", edgecolor="0.85", hatch="/////", linewidth=0))
        words = "\n".join(wrapped(panel.missing, self.across / DOTS - 0.06, WORDS))
        axes.text(0.5, 0.5, words, ha="center", va="center", size=WORDS, color="0.25", parse_math=False)


def _mark(axes: Axes, box: Box, size: tuple[int, ...], dots: tuple[int, ...]) -> None:
    """Draw the box of an image of `size` on its picture of `dots`."""
    down, across = dots[0] / size[0], dots[1] / size[1]
    corner = (box.x * across - 0.5, box.y * down - 0.5)
    look = {"facecolor": "none", "clip_on": False}
    for colour, line in (("white", 1.6), (_MARKED, 0.8)):
        axes.add_patch(Rectangle(corner, box.width * across, box.height * down, edgecolor=colour, lw=line, **look))


def _bar(page: Page, colours: tuple[float, str], left: int, up: int, down: int) -> None:
    largest, words = colours
    axes = page.axes((left + 16) / DOTS, up / DOTS, 24 / DOTS, min(down, 3 * DOTS) / DOTS)
    bar = page.figure.colorbar(ScalarMappable(Normalize(0, largest), COLOUR_MAP), cax=axes, extend="max")
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    axes.set_ylabel(words, labelpad=3)
    axes.tick_params(width=0.4, length=2, pad=2)


def _dots(inches: float) -> int:
    return round(inches * DOTS)
