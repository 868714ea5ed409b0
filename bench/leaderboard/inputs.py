"""What a leaderboard is made of: run folders, tables of their means (summary.csv), and folders that others sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis import Selection
from bench.analysis.reported import reported_rows
from bench.api import RequestError
from bench.leaderboard.entry import Board
from bench.leaderboard.means import means_board
from bench.leaderboard.measured import measured_board
from bench.leaderboard.ranks import ranked
from bench.leaderboard.reported import reported_board
from bench.leaderboard.sent import FILE, GUIDE, sent_board

_MEANS = ".csv"


@dataclass(frozen=True)
class Inputs:
    """The paths that were given, by what they are.

    Attributes:
        runs: The --out folders of runs.
        means: summary.csv of a run, whatever it is called.
        sent: Folders with result.json.
    """

    runs: tuple[Path, ...] = ()
    means: tuple[Path, ...] = ()
    sent: tuple[Path, ...] = ()


def sort_inputs(paths: Sequence[Path]) -> Inputs:
    """Tell the inputs apart; a folder of tables or of folders stands for what lies in it.

    Raises:
        RequestError: a path is none of them (says what was found).
    """
    found = Inputs()
    for path in paths:
        found = _with(found, path, inside=True)
    return found


def read_board(inputs: Inputs, selection: Selection, *, reported: bool) -> Board:
    """Everything as one board, ranked.

    Args:
        inputs: What to read.
        selection: Which rows.
        reported: The published tables too.
    Raises:
        RequestError: an input is not valid, or nothing is left.
    """
    board = Board()
    if inputs.runs:
        board = board.joined(measured_board(inputs.runs, selection))
    if inputs.means:
        board = board.joined(_chosen(means_board(inputs.means), selection))
    for path in inputs.sent:
        board = board.joined(_chosen(sent_board(path), selection))
    if reported:
        board = board.joined(reported_board(reported_rows(), selection))
    if not board.entries:
        raise RequestError("the selection leaves nothing to show; leave out a filter")
    return ranked(board)


def _with(found: Inputs, path: Path, *, inside: bool) -> Inputs:
    if path.is_file() and path.suffix == _MEANS:
        return replace(found, means=(*found.means, path))
    if (path / "run.json").is_file():
        return replace(found, runs=(*found.runs, path))
    if (path / FILE).is_file():
        return replace(found, sent=(*found.sent, path))
    if inside and path.is_dir():
        below = sorted(p for p in path.iterdir() if p.suffix == _MEANS or (p / FILE).is_file())
        if below:
            for entry in below:
                found = _with(found, entry, inside=False)
            return found
    seen = "a file" if path.is_file() else "a folder without any of them" if path.is_dir() else "nothing"
    raise RequestError(
        f"{path}: expected the --out folder of a 'bench run', its summary.csv, or a folder with {FILE} ({GUIDE}); "
        f"found {seen}"
    )


def _chosen(board: Board, selection: Selection) -> Board:
    """The entries of a board that a selection keeps; names that it does not hold are passed over."""

    entries = tuple(
        entry
        for entry in board.entries
        if selection.admits(board.cards[entry.card].method, entry.dataset, entry.scale, entry.metric)
    )
    used = {entry.metric for entry in entries}
    return replace(board, entries=entries, metrics=tuple(m for m in board.metrics if m.name in used))
