"""Tables as a page and as data: everything that the others print, and nothing that a name could break."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import fields
from html.parser import HTMLParser

import pytest

from bench.report import TableOptions, render_tables
from bench.report.as_json import JsonCell, JsonTable
from bench.report.reported import render_reported

HOSTILE = "<script>alert('x')</script> & \"50%\" {{ 7*7 }} {% raw %}\x07"


class Reader(HTMLParser):
    """Tags, and the texts of cells row by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def test_the_page_has_every_cell_in_its_place(frames_of: Callable, infos: dict) -> None:
    """Catches cells under another heading, marks and footnotes that are lost, and a page that asks for files."""
    values = {("a", "", "S", s, m): v for s in (2.0, 4.0) for m, v in (("psnr", 30.5 + s), ("lpips", 0.25))}
    values |= {("b", "", "S", s, "psnr"): 20.0 for s in (2.0, 4.0)} | {("b", "", "S", 2.0, "lpips"): math.inf}
    text = render_tables(frames_of(values), infos, output="html", options=TableOptions(label="tab:x"))
    page = Reader(text)
    assert page.rows[0][1:] == ["×2", "×4"]
    assert page.rows[1] == ["Method", "PSNR ↑", "LPIPS ↓", "PSNR ↑", "LPIPS ↓"]
    assert page.rows[3] == ["a", "32.50", "0.2500", "34.50", "0.2500"]
    assert page.rows[4][:3] == ["b", "20.00", "∞a"]
    assert "<strong>32.50</strong>" in text
    assert "<u>20.00</u>" in text
    assert "infinite: at least one image is identical to its reference." in text
    assert 'id="tab:x"' in text
    assert not {"script", "link", "img", "iframe"} & set(page.tags)


def test_hostile_names_are_text(frames_of: Callable, infos: dict) -> None:
    """Catches a name that is markup, that is a template, or that a terminal obeys."""
    frames = frames_of({("a", "", HOSTILE, 2.0, "psnr"): 30.0}, displays={("a", ""): HOSTILE})
    text = render_tables(frames, infos, output="html", options=TableOptions(caption=HOSTILE))
    assert "<script>" not in text
    assert "49" not in text
    assert "\x07" not in text
    page = Reader(text)
    assert "script" not in page.tags
    assert page.rows[-1][0] == HOSTILE.replace("\x07", "U+0007")


def test_json_is_what_is_printed_with_its_numbers(frames_of: Callable, infos: dict) -> None:
    """Catches rounded numbers, NaN and Infinity (which are no JSON), and a field that the documentation lacks."""
    values = {("a", "", "S", 2.0, "psnr"): [30.123456, 30.5], ("b", "", "S", 2.0, "psnr"): math.inf}
    values |= {("c", "v", "S", 2.0, "psnr"): None}
    text = render_tables(frames_of(values), infos, output="json", options=TableOptions(label="tab:x"))
    content = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (content["format"], content["version"]) == ("assr-bench-tables", 1)
    (table,) = content["tables"]
    assert list(table) == [field.name for field in fields(JsonTable)]
    assert all(list(cell) == [field.name for field in fields(JsonCell)] for cell in table["cells"])
    a, b, c = table["cells"]
    assert (a["row"], a["group"], a["column"], a["block"], a["seeds"]) == ("a", "×2", "PSNR ↑", "S", 2)
    assert a["value"] == pytest.approx((30.123456 + 30.5) / 2, abs=1e-12)
    assert (b["value"], b["text"], b["mark"]) == ("inf", "∞", "best")
    assert (c["value"], c["text"]) == (None, "0/2")
    assert table["methods"][2] == {"method": "c", "variant": "v", "display": "c (v)"}
    assert table["signatures"][0]["signature"].startswith("psnr|")
    assert table["label"] == "tab:x"


def test_csv_of_a_layout_with_other_numbers_is_its_cells(frames_of: Callable, infos: dict) -> None:
    """Catches the rows of summary.csv under a layout that shows none of their numbers."""
    frames = frames_of({("a", v, "S", 2.0, "psnr"): 30.0 + len(v) for v in ("", "x=1")})
    text = render_tables(frames, infos, output="csv", options=TableOptions(layout="ablation"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["row"], row["column"], row["value"]) for row in rows][2:] == [
        ("a (x=1)", "PSNR ↑", "33.0"),
        ("a (x=1)", "Δ", "3.0"),
    ]
    plain = render_tables(frames, infos, output="csv")
    assert plain.startswith("method,variant,dataset,scale")


def test_published_tables_have_every_format() -> None:
    """Catches a format that only tables of runs have."""
    assert "<strong>" in render_reported("casarbi/table6", "html")
    cells = json.loads(render_reported("casarbi/table6", "json"))["tables"][0]["cells"]
    assert sum(cell["value"] is not None for cell in cells) == 105


def test_tables_have_labels_of_their_own(frames_of: Callable, infos: dict) -> None:
    """Catches one label for all tables of a document, and a label that changes with the numbers."""

    def label(dataset: str, value: float, layout: str = "wide", scale: float = 2.0) -> str:
        frames = frames_of({("a", "", dataset, scale, "psnr"): value})
        text = render_tables(frames, infos, output="json", options=TableOptions(layout=layout))
        return json.loads(text)["tables"][0]["label"]

    assert label("Set 5!", 1.0).startswith("tab:set-5-")
    assert label("S", 1.0) == label("S", 2.0)
    assert len({label("S", 1.0), label("T", 1.0), label("S", 1.0, "by-metric"), label("S", 1.0, scale=3.0)}) == 4
