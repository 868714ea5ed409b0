"""`--sweep`: what it may say, the grid that it makes, and the curve that it ends in."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.ablation.sweep import Sweep, grid, numeric_sweep, parse_sweeps
from bench.api import RequestError

WORDS = ("--plugin", "up.py", "--out", "run", "--workers", "0")


def test_lists_make_their_product_and_seeds_are_apart():
    """Catches a list of which only the first value is taken, and seeds that become an option."""
    sweeps, seeds = parse_sweeps(["casarbi.rho=0,0.25,1", "seed=0,1,2", "casarbi.scg=lr,prev"])
    assert seeds == "0,1,2"
    points = list(grid(sweeps))
    assert len(points) == 6
    assert points[:2] == [{"rho": "0", "scg": "lr"}, {"rho": "0", "scg": "prev"}]
    assert numeric_sweep(sweeps) == Sweep("casarbi", "rho", ("0", "0.25", "1"))
    assert parse_sweeps(["casr.fixed=4,3,1.5;2,2,3,1.5"])[0][0].values == ("4,3,1.5", "2,2,3,1.5")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["rho=0,1"], "expected METHOD.OPTION=VALUE,VALUE"),
        (["casarbi.rho"], "expected METHOD.OPTION=VALUE,VALUE"),
        (["casarbi.rho="], "expected METHOD.OPTION=VALUE,VALUE"),
        (["casarbi.rho=0,1,0"], "'0' is given twice"),
        (["casarbi.rho=0", "casarbi.rho=1"], "put all values into one list"),
        (["seed=0", "seed=1"], "put all seeds into one list"),
    ],
)
def test_a_sweep_that_says_something_else_is_refused(items: list[str], said: str):
    """Catches a value that is dropped silently."""
    with pytest.raises(RequestError, match=re.escape(said)):
        parse_sweeps(items)


@pytest.mark.usefixtures("up", "photos")
def test_a_sweep_over_a_number_ends_in_a_curve(bench, newcomer: Path, calls: Callable[[], list[str]]):
    """Catches a curve whose points are those of other rows, a default that is not the method's own, and values that are
    computed again when one is added."""
    words = (
        "ablate",
        "up",
        *WORDS,
        "--dataset",
        "Photos",
        "--scale",
        "2",
        "--metrics",
        "psnr,ssim",
        "--protocol",
        "sample",
    )
    done = bench(*words, "--sweep", "up.gain=0.9,1")
    assert done.code == 0, done.err
    assert "difference from 'gain=1'" in done.out
    calls()
    done = bench(*words, "--sweep", "up.gain=0.8,0.9,1")
    assert calls() == ["0.8"] * 3
    for name in ("sweep.pdf", "sweep.png"):
        assert (newcomer / "run" / name).stat().st_size > 5000
    with (newcomer / "run" / "summary.csv").open(encoding="utf-8", newline="") as stream:
        means = {(row["variant"], row["metric"]): float(row["mean"]) for row in csv.DictReader(stream)}
    with (newcomer / "run" / "sweep.csv").open(encoding="utf-8", newline="") as stream:
        points = {(row["gain"], row["metric"]): float(row["mean"]) for row in csv.DictReader(stream)}
    assert points == pytest.approx(
        {(v, m): means[f"gain-{v}", m] for v in ("0.8", "0.9", "1") for m in ("psnr", "ssim")}
    )
    again = bench("figure", "sweep", "run", "--out", "again.png", "--metrics", "ssim", "--seed", "1")
    assert again.code == 0, again.err
    assert (newcomer / "again.png").is_file()


@pytest.mark.usefixtures("up", "photos")
def test_a_sweep_goes_over_every_variant_of_a_file(bench, newcomer: Path, calls: Callable[[], list[str]]):
    """Catches a grid over the default alone, and a curve whose lines are mixed up."""
    done = bench(
        "ablate", "up/gains", *WORDS, "--metrics", "psnr", "--limit", "1", "--sweep", "up.mode=bicubic,nearest"
    )
    assert done.code == 0, done.err
    assert sorted(calls()) == ["0.9", "0.9", "1", "1"]
    assert "darker, mode=nearest" in done.out
    assert "difference from 'as it is, mode=bicubic'" in done.out
    assert not (newcomer / "run" / "sweep.csv").exists(), "there is no curve over words"


@pytest.mark.usefixtures("up", "photos", "calls")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("up/gains", "--sweep", "up.gain=1,2"), "variant 'dark' sets gain itself"),
        (("up", "--sweep", "up.gian=1,2"), "Did you mean 'gain'"),
        (("up", "--sweep", "up.gain=1,loud"), "got 'loud'"),
        (("up", "--sweep", "bicubic.gain=1"), "this ablation is of up"),
        (("up", "--sweep", "seed=0,1"), "sweep over an option"),
        (("up", "--sweep", "up.gain=1,2", "--seeds", "0", "--sweep", "seed=1"), "both say the seeds"),
        (("up", "--sweep", "up.gain=1,2"), "--scales is missing"),
        (("up/gains", "--train"), "nothing to train"),
        (("up/gains", "--data", "Photos"), "are for --train"),
    ],
)
def test_a_wrong_sweep_ends_with_two(bench, words: tuple[str, ...], said: str):
    """Catches a sweep that runs the default many times, and one that is understood as something else."""
    done = bench("ablate", *words, *WORDS)
    assert done.code == (0 if said == "nothing to train" else 2)
    assert said in done.err + done.out


@pytest.mark.usefixtures("photos")
def test_a_run_without_an_ablation_has_no_sweep_to_draw(bench):
    """Catches a traceback about a missing file."""
    bench("run", "--methods", "bicubic", "--scales", "2", "--datasets", "Photos", "--metrics", "psnr", "--out", "run")
    done = bench("figure", "sweep", "run", "--out", "a.png")
    assert done.code == 2
    assert "run 'bench ablate' first" in done.err
