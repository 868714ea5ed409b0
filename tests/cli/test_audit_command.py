"""`bench audit` and `bench table --reported`: what they print, on how many columns, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analysis.audit import CHECKS

GOOD = "method,dataset,scale,metric,value\na,mine,2,psnr,33.1\na,mine,4,psnr,28.2\nb,mine,2,psnr,33.4\n"
BAD = GOOD + "b,mine,4,psnr,0.8039\n"

TWO = """
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled

class One(Method):
    info = MethodInfo(name="one", display="First", summary="bilinear")

    def load(self, weights, device, dtype):
        pass

    def upscale(self, lr, size, *, seed):
        return Upscaled(interpolate(lr[None], size=size, mode="bilinear")[0])

class Two(One):
    info = MethodInfo(name="two", display="Second", summary="the same")
"""


@pytest.fixture
def table(newcomer: Path) -> Callable[[str], Path]:
    """A CSV file `t.csv` in the working folder."""

    def write(text: str) -> Path:
        path = newcomer / "t.csv"
        path.write_text(text)
        return path

    return write


def test_an_error_ends_with_1_and_a_clean_table_with_0(bench: Callable, table: Callable) -> None:
    """A guard in continuous integration sees the exit code only."""
    clean = bench("audit", table(GOOD))
    assert clean.code == 0
    assert "3 values, 16 checks: 0 errors, 0 warnings, 0 notes" in " ".join(clean.out.split())
    bad = bench("audit", table(BAD))
    assert bad.code == 1
    assert bad.out.startswith("ERROR    out-of-range")
    rising = bench("audit", table(GOOD.replace("28.2", "34.2")))
    assert rising.code == 0
    assert "WARNING  non-monotone" in rising.out


def test_the_text_fits_80_columns_and_loses_nothing(bench: Callable) -> None:
    done = bench("audit", "reported")
    assert done.code == 1
    assert max(map(len, done.out.splitlines())) < 80
    data = json.loads(bench("audit", "reported", "--format", "json").out)
    text = " ".join(done.out.split())
    for finding in data["findings"]:
        assert " ".join(finding["message"].split()) in text
        assert all(" ".join(line.split()) in text for line in finding["evidence"])


def test_json_holds_every_field(bench: Callable, table: Callable) -> None:
    data = json.loads(bench("audit", table(BAD), "--format", "json").out)
    (finding,) = data["findings"]
    assert finding["check"] == "out-of-range"
    assert finding["severity"] == "error"
    assert finding["where"] == "mine, ×4, b"
    assert finding["why"].endswith(".")
    assert data["checks"] == [check.name for check in CHECKS]


def test_markdown_goes_to_a_file(bench: Callable, table: Callable, newcomer: Path) -> None:
    done = bench("audit", table(BAD), "--format", "md", "--out", "audit.md")
    assert done.code == 1
    assert "1 error, 0 warnings, 0 notes" in done.out
    text = (newcomer / "audit.md").read_text("utf-8")
    assert "## Error: out-of-range" in text
    assert "- **mine, ×4, b**: psnr is 0.8039" in text


def test_only_and_list(bench: Callable, table: Callable) -> None:
    assert bench("audit", table(BAD), "--only", "non-monotone").code == 0
    assert bench("audit", table(BAD), "--only", "non-monoton").code == 2
    listed = bench("audit", "--list").out
    assert all(f"{check.name} " in listed for check in CHECKS)
    assert max(map(len, listed.splitlines())) < 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to audit: give a CSV file, a run folder or 'reported'"),
        (("nowhere.csv",), "there is no file or folder nowhere.csv"),
        (("reported", "--format", "pdf"), "unknown format 'pdf'; choose --format text, md, json"),
    ],
)
def test_wrong_requests(bench: Callable, words: tuple[str, ...], message: str) -> None:
    done = bench("audit", *words)
    assert (done.code, message in done.err) == (2, True)


def test_a_run_is_audited(bench: Callable, photos: Path) -> None:
    """Two names for one program: the rows of a run are audited under the names that its tables print."""
    (photos.parent / "two.py").write_text(TWO)
    words = ("--plugin", "two.py", "--datasets", photos, "--scales", "2,3", "--metrics", "psnr,ssim")
    ran = bench("run", "--methods", "one,two,nearest", *words)
    assert ran.code == 0, ran.err
    done = bench("audit", "results/runs/default")
    assert done.code == 1, done.out
    assert "all 4 values of First and Second are the same" in done.out
    assert "Nearest" not in done.out.partition("duplicate-rows")[2].partition("\n\n")[0]
    assert bench("audit", "results/runs/default/summary.csv", "--only", "duplicate-rows").code == 1


def test_published_tables_are_listed_and_printed(bench: Callable) -> None:
    listed = bench("table", "--reported")
    assert listed.code == 0
    assert "casr_supplement/table2" in listed.out
    assert r"\textbf{64.12}" in bench("table", "--reported", "casr_supplement/table2", "--format", "tex").out
    wrong = bench("table", "--reported", "casr/table2")
    assert (wrong.code, "unknown reported table 'casr/table2'. Did you mean" in wrong.err) == (2, True)
    none = bench("table")
    assert (none.code, "no run given" in none.err) == (2, True)
