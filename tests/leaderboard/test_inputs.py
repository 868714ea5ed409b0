"""What others send and what a summary.csv holds: read strictly, and refused with file, field, expected and seen."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.analysis import Selection
from bench.api import RequestError
from bench.leaderboard.inputs import read_board, sort_inputs
from bench.leaderboard.sent import read_sent, schema
from tests.leaderboard.conftest import sent_result

ROOT = Path(__file__).parents[2]
Send = Callable[..., Path]


def changed(path: str, value: Any) -> dict[str, Any]:
    """A valid result with one value changed, or taken away."""
    content = copy.deepcopy(sent_result())
    *way, last = path.split(".")
    place: Any = content
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


def test_a_sent_result_is_on_the_board(send: Send) -> None:
    """Catches a value that is lost or changed on its way, and a sent row that counts as measured."""
    board = read_board(sort_inputs([send(sent_result())]), Selection(), reported=False)
    (entry,), (card,) = board.entries, board.cards
    assert (entry.dataset, entry.scale, entry.metric, entry.value, entry.text) == ("Set5", 4.0, "psnr", 30.5, "30.50")
    assert (card.display, card.kind, card.source) == ("Theirs", "sent", "A. Reader")
    assert "basicsr-y" in entry.protocol


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("format", 2, "format", ("expected 1", "seen 2")),
        ("sender", ..., "sender", ("expected a value", "seen none")),
        ("method.parameters", 1.5, "method.parameters", ("integer", "seen 1.5")),
        ("method.parametres", 5, "method.parametres", ("no field of this name", "seen 5")),
        ("values.0.value", "30.5", "values[0].value", ("number", 'seen "30.5"')),
        ("values.0.scale", 0.5, "values[0].scale", ("greater than or equal to 1", "seen 0.5")),
        ("values.0.n", 6, "values[0]", ("at most expected (5)", "seen 6")),
        ("values.0.signature", "ssim|rgb|lr:given|v1", "values[0]", ("a signature of psnr", "seen ssim|rgb")),
        ("values.0.signature", "psnr|rgb|v1", "values[0]", ("lr:", "seen psnr|rgb|v1")),
        ("values", [], "values", ("at least 1 item", "seen []")),
        ("method.train_sets", ..., "method.train_sets", ("expected a value", "seen none")),
    ],
)
def test_what_does_not_validate_is_refused(
    send: Send, path: str, value: Any, field: str, words: tuple[str, ...]
) -> None:
    """Catches a fault that passes, and a message without file, field, expectation or what was seen."""
    folder = send(changed(path, value))
    with pytest.raises(RequestError) as fault:
        read_board(sort_inputs([folder]), Selection(), reported=False)
    message = str(fault.value)
    assert message.startswith(f"{folder / 'result.json'}: field {field}: expected ")
    for word in words:
        assert word in message
    assert "Sending results" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": NaN}'])
def test_a_file_that_is_no_result_is_refused(send: Send, text: str) -> None:
    """Catches a traceback instead of a sentence."""
    with pytest.raises(RequestError, match=r"result\.json: .*expected"):
        read_board(sort_inputs([send(text)]), Selection(), reported=False)


def test_a_number_twice_is_refused(send: Send) -> None:
    """Catches two values of one cell, of which the better one would be shown."""
    content = sent_result()
    with pytest.raises(RequestError, match="psnr of Set5 at x4 twice"):
        read_board(sort_inputs([send({**content, "values": content["values"] * 2})]), Selection(), reported=False)


def test_an_incomplete_value_shows_its_count_and_has_no_rank(send: Send) -> None:
    """Catches a mean over 3 of 5 images that stands among means over 5."""
    part, whole = changed("values.0.n", 3), changed("method.name", "Others")
    board = read_board(sort_inputs([send(part), send(whole), send(sent_result())]), Selection(), reported=False)
    assert [(e.text, e.value, e.rank, e.of) for e in board.entries] == [
        ("3/5", None, None, 0),
        ("30.50", 30.5, 1, 2),
        ("30.50", 30.5, 1, 2),
    ]


@pytest.mark.parametrize(
    ("scale", "good"), [(4, True), ("1.5x2", True), ("4", False), ("2x2000", False), (True, False)]
)
def test_a_sent_scale_is_a_number_or_the_text_of_a_pair(tmp_path: Path, scale: object, good: bool) -> None:
    """Catches a number as text, which the schema beside the results refuses, and a limit on one axis only."""
    value = {**sent_result()["values"][0], "scale": scale}
    (tmp_path / "result.json").write_text(json.dumps({**sent_result(), "values": [value]}), encoding="utf-8")
    if good:
        assert str(read_sent(tmp_path).values[0].scale) == str(float(scale) if isinstance(scale, int) else scale)
    else:
        with pytest.raises(RequestError, match=r"field values\[0\]\.scale: expected a scale"):
            read_sent(tmp_path)


def test_the_schema_beside_the_results_is_that_of_the_code() -> None:
    """Catches a schema that others validate against and the command does not."""
    assert (ROOT / "results" / "result.schema.json").read_text(encoding="utf-8") == schema()


def test_the_example_of_the_guide_validates(send: Send) -> None:
    """Catches a guide whose example is refused."""
    guide = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    example = guide.split("## Sending results")[1].split("```json")[1].split("```")[0]
    board = read_board(sort_inputs([send(json.loads(example))]), Selection(), reported=False)
    assert board.entries


def test_a_summary_gives_the_cells_of_its_run(run_folder: Path) -> None:
    """Catches a reader of summary.csv that rounds, loses a row, or shows other names than the run's tables."""
    table = read_board(sort_inputs([run_folder / "summary.csv"]), Selection(), reported=False)
    run = read_board(sort_inputs([run_folder]), Selection(), reported=False)

    def cells(board: Any) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        name = {i: card.display for i, card in enumerate(board.cards)}
        return {
            (name[e.card], e.dataset, e.scale, e.metric): (e.value, e.text, e.n, e.rank, e.of, e.signature)
            for e in board.entries
        }

    assert cells(table) == cells(run)


def test_the_board_has_the_cells_of_the_runs_tables(run_folder: Path) -> None:
    """Catches means, counts and signatures that differ from those that `bench table` prints."""
    board = read_board(sort_inputs([run_folder]), Selection(), reported=False)
    summary = bench.load(run_folder).summary
    plain = summary.loc[~summary["metric"].str.contains("@")]
    assert [(e.scale, e.metric, e.value, e.n, e.signature) for e in board.entries] == list(
        plain[["scale", "metric", "mean", "n", "signature"]].itertuples(index=False, name=None)
    )
    assert all(e.low is not None and e.low <= (e.value or 0) <= (e.high or 0) for e in board.entries)
    assert len(board.matrices) == 5


@pytest.mark.parametrize("name", ["nothing", "empty", "notes.txt"])
def test_other_inputs_are_refused_with_what_was_found(tmp_path: Path, name: str) -> None:
    """Catches a folder that is passed over in silence."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(RequestError, match="expected the --out folder"):
        sort_inputs([tmp_path / name])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n,expected", "N,expected", "seen no n"),
        (",psnr,", ",psnr,x", "column mean: expected a number, seen 'x"),
        ("psnr|", "ssim|", "column signature: expected one of psnr"),
    ],
)
def test_a_damaged_summary_is_refused_with_line_and_column(
    run_folder: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    """Catches a damaged table that is read as something else."""
    path = tmp_path / "summary.csv"
    path.write_text((run_folder / "summary.csv").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RequestError) as fault:
        read_board(sort_inputs([path]), Selection(), reported=False)
    assert words in str(fault.value)
    assert str(path) in str(fault.value)


def test_a_cell_of_two_summaries_stands_once_or_is_refused(run_folder: Path, tmp_path: Path) -> None:
    """Catches a method that is ranked against itself, and two numbers of one cell."""
    text = (run_folder / "summary.csv").read_text(encoding="utf-8")
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    (tmp_path / "b.csv").write_text(text, encoding="utf-8")
    once = read_board(sort_inputs([tmp_path / "a.csv"]), Selection(), reported=False)
    twice = read_board(sort_inputs([tmp_path]), Selection(), reported=False)
    assert twice.entries == once.entries
    assert {card.source for card in twice.cards} == {"a.csv, b.csv"}
    (tmp_path / "b.csv").write_text(text.replace(",psnr,", ",psnr,1", 1), encoding="utf-8")
    with pytest.raises(RequestError, match=r"b\.csv, line 2: psnr of nearest on Photos at x2 is 1.*a\.csv, line 2"):
        read_board(sort_inputs([tmp_path]), Selection(), reported=False)


@pytest.mark.parametrize(("apart", "one"), [(0.0049, True), (0.0051, False)])
def test_two_machines_have_one_number_where_no_printed_digit_tells_them_apart(
    run_folder: Path, tmp_path: Path, apart: float, one: bool
) -> None:
    """Catches a board that refuses a network's mean of other threads, and one that takes any two for one."""
    lines = (run_folder / "summary.csv").read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index("mean")
    values = lines[1].split(",")
    assert values[lines[0].split(",").index("metric")] == "psnr"
    (tmp_path / "a.csv").write_text("\n".join(lines[:2]), encoding="utf-8")
    values[place] = str(float(values[place]) + apart)
    (tmp_path / "b.csv").write_text("\n".join((lines[0], ",".join(values))), encoding="utf-8")
    if one:
        (entry,) = read_board(sort_inputs([tmp_path]), Selection(), reported=False).entries
        assert entry.value == float(lines[1].split(",")[place])
    else:
        with pytest.raises(RequestError, match="leave one of the files out"):
            read_board(sort_inputs([tmp_path]), Selection(), reported=False)


def test_the_results_that_the_guide_shows_make_a_board() -> None:
    """Catches stored results of which one file contradicts another: `bench leaderboard results/lite` is in the docs."""
    board = read_board(sort_inputs([ROOT / "results" / "lite"]), Selection(), reported=False)
    assert {"LIIF (lite)", "CASR (lite)", "CasArbi (lite)"} <= {card.display for card in board.cards}


def test_a_name_with_a_separator_of_lines_stays_whole(run_folder: Path, tmp_path: Path) -> None:
    """Catches a reader that ends a line of CSV at U+2028, as Python's texts do."""
    text = (run_folder / "summary.csv").read_text(encoding="utf-8")
    (tmp_path / "a.csv").write_text(text.replace("Photos", "Pho\u2028tos"), encoding="utf-8")
    board = read_board(sort_inputs([tmp_path / "a.csv"]), Selection(), reported=False)
    assert {entry.dataset for entry in board.entries} == {"Pho\u2028tos"}
