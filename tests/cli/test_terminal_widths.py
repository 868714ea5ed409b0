"""Lists and tables in real terminals of several widths, and in a pipe."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.api import PRESETS
from bench.registry import METHODS
from tests.cli.conftest import in_terminal, plain_lines

LISTS = ("methods", "metrics", "datasets", "protocols")
RUN = ("run", "--datasets", "Photos", "--scales", "2,3.6,8", "--out", "run", "--workers", 0)


@pytest.mark.parametrize("command", LISTS)
def test_a_list_has_one_line_per_thing_at_80_and_at_160_columns(command: str, process: Callable) -> None:
    """Catches rows that are wrapped, names that are cut, and lists that grow where there is more room."""
    names = [
        line.split()[0] for line in process(command).out.splitlines()[1:] if not line.startswith(("'", "any", "a "))
    ]
    texts = [in_terminal((command,), columns) for columns in (80, 160)]
    for (code, text), columns in zip(texts, (80, 160), strict=True):
        assert code == 0
        assert max(map(len, plain_lines(text))) <= columns
        assert [line.split()[0] for line in plain_lines(text)[2 : 2 + len(names)]] == names
    assert len({len(plain_lines(text)) for _, text in texts}) == 1


@pytest.mark.parametrize("command", LISTS)
def test_a_list_in_a_pipe_is_plain_and_holds_no_sentences_of_what_is_missing(command: str, process: Callable) -> None:
    """Catches escape codes, padding behind the last column, and status cells of 800 characters."""
    done = process(command)
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= 220
    assert "http" not in done.out
    if command != "protocols":
        place = lines[0].split().index("status")
        words = {"ready", "missing", "fetchable", "absent", "incomplete", "needs-weights", "needs-options"}
        rows = lines[1 : 1 + len(METHODS.names())] if command == "methods" else lines[1:-2]
        assert {line.split()[place] for line in rows} <= words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("metrics", "niqe"), ("status   missing", "niqe_modelparameters.mat", "get it from https://")),
        (("metrics", "pyiqa:ms_ssim"), ("full-reference",)),
        (("datasets", "Urban100"), ("fetchable", "bench data fetch Urban100", "licence", "source")),
        (("datasets", "sample"), ("ready", "embedded")),
        (("methods", "liif"), ("--set liif.chunk", "Apache-2.0")),
        (("protocols", "lut-y"), ("ssim_shave",)),
    ],
)
def test_everything_of_one_thing_stands_under_its_name(
    words: tuple[str, ...], told: tuple[str, ...], process: Callable
) -> None:
    """Catches lists that keep short what nothing else tells."""
    done = process(*words)
    assert (done.code, done.err) == (0, "")
    assert all(word in done.out for word in told), done.out


@pytest.mark.parametrize(("kind", "name", "near"), [("metrics", "psnrr", "psnr"), ("datasets", "Sett5", "Set5")])
def test_an_unknown_metric_or_dataset_gets_a_suggestion(bench: Callable, kind: str, name: str, near: str) -> None:
    done = bench(kind, name)
    assert done.code == 2
    assert f"Did you mean '{near}'" in done.err


def test_details_are_wrapped_between_words_in_a_narrow_terminal() -> None:
    """Catches lines that the terminal breaks inside a word."""
    code, text = in_terminal(("methods", "liif"), 60)
    assert code == 0
    assert max(map(len, plain_lines(text))) <= 60
    whole = " ".join(" ".join(plain_lines(text)).split())
    assert "Queries decoded at a time: bounds the memory" in whole


@pytest.mark.parametrize("columns", [50, 80, 160])
def test_a_result_table_fits_the_terminal_and_cuts_nothing(
    columns: int, bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches `×2 PSN…` and `Bicub…`: every number, name and heading stands whole in every width."""
    name = "bicubic=Cubic convolution of Keys"
    done = bench(*RUN, "--methods", "nearest,bicubic", "--metrics", "psnr,ssim,lr_psnr", "--name", name)
    assert done.code == 0
    code, text = in_terminal(("table", "run"), columns)
    assert code == 0
    lines = plain_lines(text)
    assert max(map(len, lines)) <= columns
    assert "…" not in text
    numbers = re.findall(r"\d+\.\d+", done.out[: done.out.index("Protocol:")])
    assert all(number in " ".join(lines) for number in numbers)
    for word in ("Cubic convolution of Keys", "Nearest", "×3.6", "PSNR ↑", "SSIM ↑", "LR-PSNR ↑"):
        assert any(word in line for line in lines), word
    assert "\x1b[1m" in text
    assert "Best in bold" in " ".join(" ".join(lines).split())


def test_a_result_table_in_a_pipe_is_plain_text_with_signs(bench: Callable, photos: Path) -> None:
    """Catches `<ins>` and `**` in a log, and marks that get lost where nothing is bold."""
    done = bench(*RUN, "--methods", "nearest,bicubic", "--metrics", "psnr")
    table = done.out[: done.out.index("computed")]
    assert not re.search(r"<ins>|\*\*|\x1b|\||`", table.replace("psnr|", "").split("Protocol:")[0])
    assert len(re.findall(r"\d\d\.\d\d\*", table)) == len(re.findall(r"\d\d\.\d\d\+", table)) == 3
    assert "Best with *, second best with +." in table
    assert "<ins>" in bench("table", "run", "--format", "md").out


def test_a_terminal_without_styles_gets_the_signs(bench: Callable, photos: Path) -> None:
    """Catches marks that get lost under TERM=dumb."""
    assert bench(*RUN, "--methods", "nearest,bicubic", "--metrics", "psnr").code == 0
    code, text = in_terminal(("table", "run"), 80, {"TERM": "dumb"})
    assert (code, "\x1b" in text) == (0, False)
    assert "Best with *, second best with +." in text


def test_one_screen_of_help_names_every_command() -> None:
    """Catches a help that is wider than its terminal."""
    code, text = in_terminal(("--help",), 80)
    assert code == 0
    assert max(map(len, plain_lines(text))) <= 80
    assert all(command in text for command in ("run", "score", "table", *LISTS))
    assert set(PRESETS) > {"sample"}


@pytest.mark.parametrize("columns", ["99999999999", "0" * 5000 + "9" * 5000, "-5", "wide", ""])
def test_a_width_that_no_terminal_has_is_survived(
    columns: str, bench: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a help of lines that are padded with spaces until the memory is full."""
    monkeypatch.setenv("COLUMNS", columns)
    done = bench("run", "--help")
    assert done.code == 0
    assert "--methods" in done.out
    assert max(map(len, done.out.splitlines())) <= 1000
