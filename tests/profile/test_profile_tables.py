"""A made-up profile as a table, in the form of the papers, as JSON and against an earlier one."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.reported import reported_table
from bench.api import RequestError
from bench.profile.measured import Profile
from bench.profile.papers import LAYOUTS, render_papers
from bench.profile.table import agreement, profile_table
from bench.report.plain import FORMATS, render_plain
from tests.report.conftest import compile_latex

__all__ = ["compile_latex"]


def _line(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(start)).split()


def test_the_table_holds_the_numbers_of_its_heads(made_profile):
    """Catches height and width exchanged, FLOPs under MAC, megabytes of 2^20, time per LR megapixel."""
    text = render_plain(profile_table(made_profile), "text")
    # 2.5 s: the median of 1, 2, 3, 10; 384 * 512 pixels are 0.196608 millions
    assert _line(text, "×4") == ["×4", "384×512", "1.50", "2.50", "1.75–4.75", "12.7", "750", "150"]
    assert "1. 192×256" in text
    assert "2. 384×512" in text
    assert "CASR (lite): 4.22 M parameters, 0.20 M frozen; import 4.0 s, load 0.250 s" in text


def test_what_a_number_does_not_cover_is_said_below(made_profile):
    """Catches operators that are left out silently, hardware that is not named, a failure that is hidden."""
    text = " ".join(render_plain(profile_table(made_profile), "text").split())
    assert "not counted: silu, add." in text
    assert "Bicubic: not counted, because it runs outside torch." in text
    assert "Made-up CPU 9000, 2 threads, torch 2.9.0" in text
    assert "Up_50% failed: its process was ended by signal 9." in text
    assert "1 MAC = 2 FLOPs" in text


def test_the_terminal_has_80_columns(made_profile):
    """Catches a table that wraps."""
    text = render_plain(profile_table(made_profile, made_profile), "text")
    assert max(map(len, text.splitlines())) <= 80


def test_the_csv_file_has_a_line_per_size_and_per_stage(made_profile):
    """Catches counts written as floats, and the whole's memory beside a stage."""
    lines = list(csv.DictReader(io.StringIO(render_plain(profile_table(made_profile), "csv"))))
    assert [(line["method"], line["stage"]) for line in lines] == [
        ("casr", ""),
        ("casr", "1"),
        ("casr", "2"),
        ("bicubic", ""),
    ]
    whole, stage = lines[0], lines[1]
    assert (whole["macs"], whole["flops"]) == ("1500000000", "3000000000")
    assert (whole["lr_height"], whole["lr_width"], whole["height"], whole["width"]) == ("128", "96", "512", "384")
    assert (whole["memory_grown"], stage["memory_grown"]) == ("150000000", "")
    assert (whole["parameters"], lines[3]["macs"]) == ("4221712", "")


def test_a_profile_is_read_as_it_was_written(made_profile, tmp_path):
    """Catches lists for tuples, and a field that is lost."""
    (tmp_path / "profile.json").write_text(made_profile.to_json(), encoding="utf-8")
    assert Profile.read(tmp_path) == made_profile


@pytest.mark.parametrize("text", ["{}", "[", '{"version": 1, "machine": 3}'])
def test_a_damaged_profile_is_a_wrong_request(tmp_path, text):
    (tmp_path / "profile.json").write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=r"bench profile"):
        Profile.read(tmp_path)


def test_a_later_format_is_refused(made_profile, tmp_path):
    (tmp_path / "profile.json").write_text(replace(made_profile, version=2).to_json(), encoding="utf-8")
    with pytest.raises(RequestError, match="format 2"):
        Profile.read(tmp_path)


def test_an_earlier_profile_agrees_with_itself_and_not_with_a_slower_one(made_profile):
    """Catches rows that are matched by their place, and ratios the wrong way round."""
    (sentence,) = agreement(made_profile, made_profile)
    assert "2 of 2 medians" in sentence
    rows = made_profile.methods
    slower = replace(rows[1], measured=(replace(rows[1].measured[0], seconds=(0.004, 0.004, 0.004)),))
    (sentence,) = agreement(replace(made_profile, methods=(slower, rows[0])), made_profile)
    assert "1 of 2 medians" in sentence
    assert "Bicubic ×4 4.00, CASR (lite) ×4 1.00" in sentence


def test_another_machine_is_named(made_profile):
    other = replace(made_profile, machine=replace(made_profile.machine, processor="Another CPU"))
    assert "Another CPU" in agreement(made_profile, other)[0]
    assert "in common" in agreement(replace(made_profile, methods=made_profile.methods[2:]), made_profile)[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reported_numbers_stand_beside_the_measured_ones(made_profile, layout):
    """Catches a reported number that is rounded or left out, and one without whose it is and on what."""
    text = render_papers(made_profile, layout, "md")
    printed = {row.value for row in reported_table("casr_supplement/table1")}
    assert len(printed) == 14
    assert all(f" {value} |" in text for value in printed)
    assert "reported, A6000" in text
    assert "measured here" in text
    assert " 4.22 |" in text
    assert " 2.50 |" in text
    assert "Table 1 of the supplement of CASR, 128x128 inputs" in text


def test_times_at_other_scales_have_no_reported_ones_beside_them(made_profile):
    """Catches the A6000's times of ×4 beside ours of ×8."""
    rows = tuple(
        replace(row, measured=tuple(replace(task, scale=8.0) for task in row.measured)) for row in made_profile.methods
    )
    for layout in LAYOUTS:
        assert "A6000" not in render_papers(replace(made_profile, methods=rows), layout, "md")


@pytest.mark.parametrize("columns", ["", "[twocolumn]"])
def test_everything_compiles(made_profile, compile_latex, tmp_path: Path, columns):
    """Catches a % or _ of a name, and characters that LaTeX does not know."""
    tables = [
        render_plain(profile_table(made_profile, made_profile), "tex"),
        *(render_papers(made_profile, layout, "tex") for layout in LAYOUTS),
    ]
    log = compile_latex(tmp_path, "\n\n".join(tables), columns=columns)
    assert "Missing character" not in log
    assert "Overfull \\hbox" not in log


@pytest.mark.parametrize("output", FORMATS)
def test_a_profile_of_nothing_but_failures_is_still_a_table(made_profile, output):
    render_plain(profile_table(replace(made_profile, methods=made_profile.methods[2:])), output)


def test_an_unknown_form_is_refused(made_profile):
    with pytest.raises(RequestError, match="across, down"):
        render_papers(made_profile, "sideways", "md")
    with pytest.raises(RequestError, match="tex or md"):
        render_papers(made_profile, "down", "csv")
