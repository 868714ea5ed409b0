"""From inputs to the folder of a leaderboard: index.html, the same numbers as CSV, JSON and Markdown, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis import Selection
from bench.api import RequestError
from bench.imaging.atomic import atomic_write
from bench.leaderboard.entry import Kind
from bench.leaderboard.inputs import read_board, sort_inputs
from bench.leaderboard.page import render_page
from bench.leaderboard.pictures import write_pictures
from bench.leaderboard.ranks import mean_ranks
from bench.leaderboard.tables import csv_text, json_text, markdown_text

TITLE = "Arbitrary-scale super-resolution"
IMAGES = 4
"""Pictures of each dataset, unless somebody says otherwise."""


@dataclass(frozen=True)
class Written:
    """What was made.

    Attributes:
        page: index.html.
        rows, methods, pictures: How many numbers, rows of methods and images at a scale it shows.
        notes: What was left out, and what is doubtful.
    """

    page: Path
    rows: int
    methods: int
    pictures: int
    notes: tuple[str, ...]


def write_leaderboard(
    paths: Sequence[Path],
    out: Path,
    *,
    reported: bool = False,
    images: int = IMAGES,
    title: str = TITLE,
    selection: Selection | None = None,
) -> Written:
    """Make a leaderboard.

    Args:
        paths: Run folders, summary.csv files, folders that others sent, or folders of these.
        out: Where to write; made if it is not there.
        reported: The published tables too.
        images: Pictures of each dataset of a run; 0 for none.
        title: The page's heading.
        selection: Which rows; None: all.
    Raises:
        RequestError: an input does not validate, the inputs contradict each other, or the place cannot be written.
    """
    if not paths and not reported:
        raise RequestError("nothing to show: give the --out folder of a 'bench run', or --reported")
    if images < 0:
        raise RequestError(f"--images {images}: expected 0 or more")
    inputs = sort_inputs(paths)
    board = read_board(inputs, selection or Selection(), reported=reported)
    rankings = mean_ranks(board)
    measured = {
        (card.method, card.variant): place
        for place, card in reversed(list(enumerate(board.cards)))
        if card.kind is Kind.MEASURED
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        scenes = write_pictures(inputs.runs, out, images=images, cards=measured)
        page = render_page(board, rankings, scenes, title=title)
        _write(out / "leaderboard.csv", csv_text(board))
        _write(out / "leaderboard.json", json_text(board, rankings))
        _write(out / "leaderboard.md", markdown_text(board, title))
        _write(out / "index.html", page)
    except OSError as fault:
        raise RequestError(f"--out {out} cannot be written: {fault.strerror or fault}") from None
    return Written(out / "index.html", len(board.entries), len(board.cards), len(scenes), board.notes)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)
