"""Fitted powers against scipy, and which numbers they are fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bench.profile.growth import growth_of, power_fit

PIXELS = (128**2, 256**2, 512**2, 1024**2)


@given(st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4))
def test_slope_and_interval_are_those_of_scipy(values):
    """Catches logarithms of one axis alone, n - 1 degrees of freedom, and a one-sided interval."""
    assume(max(values) / min(values) > 1.01)  # scipy knows no correlation of a constant
    fit = power_fit(PIXELS, values)
    wanted = stats.linregress(np.log(PIXELS), np.log(values))
    half = stats.t.ppf(0.975, 2) * wanted.stderr
    assert fit is not None
    assert fit.low is not None
    assert fit.high is not None
    assert fit.slope == pytest.approx(wanted.slope, abs=1e-9)
    assert (fit.high - fit.low) / 2 == pytest.approx(half, rel=1e-6, abs=1e-6)
    assert fit.at(300.0) == pytest.approx(np.exp(wanted.intercept + wanted.slope * np.log(300)), rel=1e-6)


def test_the_exponent_is_found():
    """Catches a slope over sides, which is twice that over pixels."""
    fit = power_fit(PIXELS, [3e-9 * pixels**1.5 for pixels in PIXELS])
    assert fit is not None
    assert fit.slope == pytest.approx(1.5)
    assert fit.words == "1.50 [1.50, 1.50]"


def test_two_sizes_have_a_slope_and_no_interval_and_one_has_none():
    """Catches an interval of width 0 that looks certain, and a division by zero."""
    fit = power_fit((100, 400), (1.0, 4.0))
    assert fit is not None
    assert (fit.words, fit.low) == ("1.00", None)
    assert power_fit((100, 100), (1.0, 2.0)) is None
    assert power_fit((), ()) is None


def test_time_is_the_median_and_memory_what_is_above_the_loaded_state(made_profile):
    """Catches a mean, and a slope of memory that Python and the libraries flatten."""
    cascade = made_profile.methods[0]
    small = replace(cascade.measured[0], size=(256, 192), seconds=(0.5, 0.5), peak=637_500_000)
    rows = (replace(cascade, measured=(small, *cascade.measured)), *made_profile.methods[1:])
    profile = replace(made_profile, methods=rows)
    (time, _), (memory, _) = growth_of(profile, "time"), growth_of(profile, "memory")
    assert [point.value for point in time.points] == [0.5, 2.5]
    assert [point.value for point in memory.points] == [37_500_000, 150_000_000]
    assert memory.fit is not None
    assert memory.fit.slope == pytest.approx(1)


def test_a_size_that_needs_no_more_memory_than_loading_is_left_out(made_profile):
    """Catches the logarithm of nothing."""
    cascade = made_profile.methods[0]
    frugal = replace(cascade, measured=(replace(cascade.measured[0], peak=599_000_000),))
    (growth,) = growth_of(replace(made_profile, methods=(frugal,)), "memory")
    assert growth.points == ()
    assert growth.fit is None
