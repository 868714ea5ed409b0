"""`bench figure growth`: drawn from a stored profile, and wrong requests."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.profile import Profile
from tests.profile.conftest import made_profile

__all__ = ["made_profile"]


@pytest.fixture
def stored(made_profile: Profile, newcomer: Path) -> Path:
    """Three sizes of one method that costs a microsecond and 100 bytes per pixel; the others as they were."""
    one = made_profile.methods[0]
    measured = tuple(
        replace(
            one.measured[0],
            size=(side, side),
            seconds=(side**2 * 1e-6,) * 3,
            peak=600_000_000 + 100 * side**2,
            stages=(),
        )
        for side in (64, 128, 256)
    )
    profile = replace(made_profile, methods=(replace(one, measured=measured), made_profile.methods[1]))
    path = newcomer / "stored.json"
    path.write_text(profile.to_json(), encoding="utf-8")
    return path


def test_figure_and_numbers_are_written_with_the_slopes(bench: Callable, stored: Path) -> None:
    """Catches memory under the name of time, and a slope that stands beside another method."""
    done = bench("figure", "growth", "--read", stored, "--out", "growth.pdf+png")
    assert done.code == 0, done.err
    assert Path("growth.png").stat().st_size > 10_000
    assert Path("growth.pdf").read_bytes().startswith(b"%PDF")
    assert Profile.read(Path("growth.json")) == Profile.read(stored)
    rows = list(csv.DictReader(Path("growth.csv").read_text("utf-8").splitlines()))
    ours = [row for row in rows if row["method"] == "casr"]
    assert [float(row["value"]) for row in ours] == pytest.approx(
        [s**2 * 1e-6 for s in (64, 128, 256)] + [100 * s**2 for s in (64, 128, 256)]
    )
    assert {round(float(row["slope"]), 6) for row in ours} == {1.0}
    assert {row["slope"] for row in rows if row["method"] == "bicubic"} == {""}
    assert "CASR (lite)" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bicubic", "--sizes", "64"), "at least two sides"),
        (("bicubic", "--sizes", ""), "--sizes"),
        (("bicubic", "--sizes", "0,64"), "--sizes 0,64"),
        (("bicubic", "--sizes", "2,64", "--scale", "9"), "nothing is left of 2 px"),
        (("bicubic", "--scale", "2,4"), "one scale"),
        (("biqubic",), "Did you mean 'bicubic'"),
        ((), "none given"),
        (("--read", "nowhere.json"), "nowhere.json"),
    ],
)
def test_wrong_requests_are_answered(words: tuple[str, ...], said: str, bench: Callable) -> None:
    """Catches a process that is started for a figure that cannot be drawn."""
    done = bench("figure", "growth", *words, "--out", "growth.png")
    assert done.code == 2
    assert said in done.err
    assert not Path("growth.png").exists()


def test_one_size_has_no_growth(bench: Callable, made_profile: Profile, newcomer: Path) -> None:
    (newcomer / "profile.json").write_text(made_profile.to_json(), encoding="utf-8")
    done = bench("figure", "growth", "--read", "profile.json", "--out", "growth.png")
    assert done.code == 2
    assert "at least two sizes" in done.err
