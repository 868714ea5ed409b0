"""`bench reproduce`: printed figures beside measured ones, for a method whose figures can be told beforehand."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.imaging import write_png

GREYS = """
import torch
from bench.api import Method, MethodInfo, UnitError, Upscaled

class Greys(Method):
    info = MethodInfo(name="greys", display="Greys", summary="one grey, and no result for very small images")

    def upscale(self, lr, size, *, seed):
        if lr.shape[-1] < 9:
            raise UnitError("too small")
        return Upscaled(torch.full((3, *size), 118 / 255))
"""
TEN_OFF = 28.1308
"""dB of an image that is ten grey levels off everywhere: 20 log10(255 / 10)."""


@pytest.fixture
def flat(newcomer: Path) -> Path:
    """Two sets, A and B, of images of the grey 128, and the method that gives 118."""
    for name in ("A", "B"):
        (newcomer / name).mkdir()
        for index in range(2):
            write_png(newcomer / name / f"{name}{index}.png", np.full((48, 64, 3), 128, np.uint8))
    (newcomer / "published").mkdir()
    (newcomer / "greys.py").write_text(GREYS)
    return newcomer


def write_card(folder: Path, values: dict[str, Any], **changed: Any) -> None:
    table = {"protocol": "sample", "tolerance": 0.01, "source": "Table 1", "values": values}
    card = {"name": "greys", "method": "greys", "display": "Greys", "title": "t", "source": "Nobody, 2020"}
    card |= {"licence": "none", "figures": [table], **changed}
    (folder / "published" / f"{card['name']}.yaml").write_text(json.dumps(card))


def words(*more: object) -> tuple[object, ...]:
    return ("reproduce", *more, "--plugin", "greys.py", "--workers", 0, "--device", "cpu")


def test_exactly_the_cells_of_the_card_are_run_and_compared(bench: Callable, flat: Path) -> None:
    """Catches the product of all sets and scales, a difference of the wrong sign, and a tolerance that is not read."""
    write_card(flat, {"A": {"2": 28.13, "4": 28.14}, "B": {"3": None}})
    done = bench(*words("greys", "--out", "out", "--json"))
    assert done.code == 0, done.err
    cells = json.loads(done.out)
    assert [(cell["dataset"], cell["scale"]) for cell in cells] == [("A", 2.0), ("A", 4.0), ("B", 3.0)]
    assert all(cell["measured"] == pytest.approx(TEN_OFF, abs=1e-3) for cell in cells)
    with (flat / "out" / "greys-sample" / "records.csv").open(encoding="utf-8") as stream:
        ran = {(row["dataset"], row["scale"]) for row in csv.DictReader(stream)}
    assert ran == {("A", "2"), ("A", "4"), ("B", "3")}
    shown = bench(*words("greys", "--out", "out"))
    assert "28.14" in shown.out
    assert "-0.009" in shown.out
    assert "2 of 2 published figures reproduced; 1 measured that have no published value" in shown.out
    assert "no published value" in shown.out


def test_only_the_sets_that_are_asked_for_are_run(bench: Callable, flat: Path) -> None:
    """Catches an option that hides lines of what was computed all the same, and a mistyped set that passes."""
    write_card(flat, {"A": {"2": 28.13}, "B": {"2": 28.13, "4": 28.2}})
    done = bench(*words("greys", "--out", "out", "--datasets", "A"))
    assert done.code == 0
    assert "1 of 1 published figures reproduced" in done.out
    assert ",B," not in (flat / "out" / "greys-sample" / "records.csv").read_text()
    wrong = bench(*words("greys", "--out", "out", "--datasets", "a1"))
    assert wrong.code == 2
    assert "unknown set with published figures 'a1'" in wrong.err


def test_a_figure_beyond_its_tolerance_leaves_with_one(bench: Callable, flat: Path) -> None:
    """Catches a command that only prints, and one that compares what it has rounded."""
    write_card(flat, {"A": {"2": 28.13, "4": 28.145}})
    done = bench(*words("greys", "--out", "out"))
    assert done.code == 1
    assert [line.split()[3] for line in done.out.splitlines() if "beyond ±0.01" in line] == ["x4"]
    assert "1 of 2 published figures reproduced" in done.out


def test_what_is_not_here_is_said_and_what_fails_is_no_success(bench: Callable, flat: Path) -> None:
    """Catches a missing set that ends everything or passes for reproduced, and a failed image likewise."""
    write_card(flat, {"A": {"2": 28.13}, "Urban100": {"2": 28.13}})
    done = bench(*words("greys", "--out", "out", "--data-root", "nowhere"))
    assert done.code == 0
    assert "not measured: Urban100 is not on this machine" in done.out
    assert "1 of 1 published figures reproduced; 1 not measured" in done.out
    write_card(flat, {"A": {"8": 28.13}}, name="small")
    failed = bench(*words("small", "--out", "out"))
    assert failed.code == 1
    assert "too small" in failed.err
    assert "0 of 1 published figures reproduced" in failed.out


def test_nothing_to_measure_is_a_wrong_request(bench: Callable, flat: Path) -> None:
    """Catches an empty table that looks like a success."""
    write_card(flat, {"Urban100": {"2": 28.13}})
    away = bench(*words("greys", "--data-root", "nowhere"))
    assert away.code == 2
    assert "nothing could be measured: Urban100 is not on this machine" in away.err
    absent = bench(*words("liif", "--data-root", "nowhere"))
    assert absent.code == 2
    assert "edsr-baseline-liif.pth" in absent.err
    unknown = bench(*words("grays"))
    assert unknown.code == 2
    assert "Did you mean 'greys'?" in unknown.err
    assert "no figures are compared" in bench(*words("lte")).err


def test_weights_under_the_name_that_are_not_the_published_ones_end_it(
    bench: Callable, flat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches figures of other weights under the paper's name, and weights in the wrong place that count as absent."""
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(flat))
    (flat / "edsr-baseline-liif.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0")
    done = bench(*words("liif"))
    assert done.code == 2
    assert "is a Git LFS pointer" in done.err


def test_the_page_holds_the_command_and_every_figure(bench: Callable, flat: Path) -> None:
    """Catches a page without its protocol, its command or its verdicts."""
    write_card(flat, {"A": {"2": 28.13}, "B": {"2": None}})
    assert bench(*words("greys", "--out", "out", "--page", "page.md")).code == 0
    page = (flat / "page.md").read_text(encoding="utf-8")
    assert "bench reproduce greys --plugin greys.py" in page or "bench reproduce greys --out out" in page
    assert "## Greys under `sample`" in page
    assert "Published PSNR: Table 1." in page
    assert "| A | ×2 | PSNR | 28.13 | 28.131 | +0.001 | within ±0.01 |" in page
    assert "| B | ×2 | PSNR | - | 28.131 | - | no published value |" in page
    assert "- `psnr|rgb|shave:0|" in page


@pytest.mark.reference
@pytest.mark.slow
def test_published_weights_give_their_papers_figures(
    reference_root: Path, newcomer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches another network, protocol or rounding than the papers'."""
    from bench.plugins import load_plugin
    from bench.session.calls import carry_out
    from bench.session.reproduce import reproduce
    from bench.session.request import build_request
    from bench.weights.published import PublishedCard, find_card

    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(reference_root / "weights" / "sr"))
    load_plugin(Path(__file__).parents[1] / "methods" / "plugins" / "vdsr.py")

    def only(name: str, scale: float) -> PublishedCard:
        card = find_card(name)
        table = card.figures[0]
        kept = table.model_copy(update={"values": {"Set5": {scale: table.values["Set5"][scale]}}})
        return card.model_copy(update={"figures": (kept,)})

    cells = reproduce(
        [only("liif", 8.0), only("vdsr", 3.0)],
        do=lambda config: carry_out(build_request(config)),
        out=newcomer,
        data_root=reference_root / "data" / "test",
        workers=0,
    )
    assert [(cell.row, cell.published, cell.verdict) for cell in cells] == [
        ("LIIF", 26.98, "within ±0.01"),
        ("VDSR", 33.66, "within ±0.01"),
    ]
