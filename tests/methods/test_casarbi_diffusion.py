"""The residual-shifting chain: schedule, forward process, posterior, prior sample (groups 1 to 6 of CasArbi's list)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture
from methods.casarbi.diffusion import EtaSchedule, ResidualShift
from methods.casarbi.network import CasArbi
from methods.liif.architecture import LiifArchitecture

FULL = EtaSchedule(15, p=0.3, kappa=2.0, m=0.04)
LITE = EtaSchedule(4, p=0.3, kappa=2.0, m=0.2)
BOTH = pytest.mark.parametrize("schedule", [FULL, LITE], ids=["full", "lite"])


def _network(**said) -> CasArbi:
    torch.manual_seed(3)
    small = EncoderArchitecture(width=4, blocks=0)
    return CasArbi(
        CasArbiArchitecture(
            prior=LiifArchitecture(blocks=1, width=4, hidden=(8,)),
            lr_encoder=small,
            hr_encoder=small,
            base=8,
            mult=(1, 2),
            blocks=1,
            octaves=2,
            **said,
        )
    ).eval()


# --- group 1: the schedule ---


def test_schedule_of_fifteen_steps_is_the_published_table():
    """Catches 0.99 taken for eta_T instead of its root, p on the wrong side, an exponent of t / T."""
    roots = [0.0200, 0.1172, 0.1763, 0.2336, 0.2916, 0.3510, 0.4124, 0.4759]
    roots += [0.5417, 0.6099, 0.6807, 0.7540, 0.8300, 0.9086, 0.9900]
    np.testing.assert_allclose(FULL.eta[1:].sqrt().numpy(), roots, atol=1e-4)


def test_schedule_of_four_steps_is_the_published_table():
    np.testing.assert_allclose(LITE.eta[1:].sqrt().numpy(), [0.1000, 0.5201, 0.7614, 0.9900], atol=1e-4)


@given(
    steps=st.integers(2, 60),
    p=st.floats(0.1, 3),
    kappa=st.floats(0.05, 5),
    m=st.floats(0.01, 0.9),
)
@settings(max_examples=60, deadline=None)
def test_etas_rise_from_the_least_noise_to_the_end_and_alphas_are_their_increments(steps, p, kappa, m):
    """Catches alpha_1 = 0, alpha by ratio, and m / kappa where kappa is below 1."""
    schedule = EtaSchedule(steps, p=p, kappa=kappa, m=m)
    assert schedule.eta.dtype == torch.float64
    assert schedule.eta.shape == schedule.alpha.shape == (steps + 1,)
    assert float(schedule.eta[0]) == float(schedule.alpha[0]) == 0
    assert bool((schedule.alpha[1:] > 0).all())
    assert math.sqrt(schedule.eta[1]) == pytest.approx(min(m / kappa, m))
    assert math.sqrt(schedule.eta[-1]) == pytest.approx(0.99)
    assert float(schedule.alpha[1]) == float(schedule.eta[1])
    assert float(schedule.alpha.sum()) == pytest.approx(float(schedule.eta[-1]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 1},
        {"p": 0.0},
        {"kappa": -1.0},
        {"m": 0.0},
        {"kappa": 0.5, "m": 0.995},
        {"end": 1.0},
        {"end": 0.015},
    ],
)
def test_schedules_that_do_not_rise_within_zero_and_one_are_refused(wrong):
    with pytest.raises(ValueError, match=r"min\(m / kappa, m\) < end < 1"):
        EtaSchedule(**({"steps": 15, "p": 0.3, "kappa": 2.0, "m": 0.04} | wrong))


# --- group 2: the posterior is Bayes' ---


@BOTH
def test_posterior_is_the_product_of_both_densities_on_a_grid(schedule):
    """Catches eta_t and eta_{t-1} exchanged, the two factors exchanged, a variance of kappa^2 alpha_t."""
    kappa, eta, alpha = schedule.kappa, schedule.eta.numpy(), schedule.alpha.numpy()
    r0, l0 = 0.7, -0.4
    for t in range(2, schedule.steps + 1):
        seen = r0 + eta[t] * (l0 - r0) + 1.3 * kappa * math.sqrt(eta[t])
        centre = r0 + eta[t - 1] * (l0 - r0), seen - alpha[t] * (l0 - r0)
        spread = kappa * math.sqrt(eta[t - 1]), kappa * math.sqrt(alpha[t])
        grid = np.linspace(min(centre) - 9 * min(spread), max(centre) + 9 * min(spread), 20001)
        density = norm.logpdf(grid, centre[0], spread[0]) + norm.logpdf(seen, grid + alpha[t] * (l0 - r0), spread[1])
        density = np.exp(density - density.max())
        density /= density.sum()
        mean = (grid * density).sum()
        variance = ((grid - mean) ** 2 * density).sum()
        kept, new, deviation = ResidualShift(schedule).posterior(t)
        assert kept * seen + new * r0 == pytest.approx(mean, abs=1e-5), t
        assert deviation**2 == pytest.approx(variance, abs=1e-5), t


# --- group 3: steps compose to the marginal ---


@BOTH
def test_single_steps_compose_to_the_marginal(schedule):
    """Catches a marginal whose shift or variance is not the sum of the steps'."""
    rng, count = np.random.default_rng(0), 100_000
    r0, l0 = 0.5, -1.0
    shift, alpha = ResidualShift(schedule), schedule.alpha.numpy()
    chain = np.full(count, r0)
    ends = torch.tensor([[r0]] * 2, dtype=torch.float64), torch.tensor([[l0]] * 2, dtype=torch.float64)
    noise = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    for t in range(1, schedule.steps + 1):
        chain += alpha[t] * (l0 - r0) + schedule.kappa * math.sqrt(alpha[t]) * rng.standard_normal(count)
        mean, above = shift.q_sample(*ends, torch.tensor([t, t]), noise).flatten().tolist()
        deviation = above - mean
        assert deviation == pytest.approx(schedule.noise(t))
        assert abs(chain.mean() - mean) < 4 * deviation / math.sqrt(count), t
        assert abs(chain.var() - deviation**2) < 4 * deviation**2 * math.sqrt(2 / count), t


def test_every_sample_of_a_batch_has_its_own_step():
    """Catches one eta for the whole batch, and one that is laid along columns."""
    shift = ResidualShift(FULL)
    r0, l0, noise = torch.randn(3, 3, 3, 5, 3).unbind(0)  # a width of 3 would let a (B,) factor broadcast unnoticed
    t = torch.tensor([1, 9, 15])
    together = shift.q_sample(r0, l0, t, noise)
    scaled = shift.normalised(together, t)
    for index in range(3):
        one = slice(index, index + 1)
        assert torch.equal(together[one], shift.q_sample(r0[one], l0[one], t[one], noise[one]))
        assert torch.equal(scaled[one], shift.normalised(together[one], t[one]))
    assert together.dtype == torch.float32


@BOTH
def test_network_input_has_unit_variance_where_residuals_have(schedule):
    """Catches a division by kappa sqrt(eta) + 1, by the variance, and by the noise alone."""
    generator = torch.Generator().manual_seed(0)
    r0, noise = torch.randn(2, 1, 1, 200, 200, dtype=torch.float64, generator=generator)
    shift = ResidualShift(schedule)
    for t in range(1, schedule.steps + 1):
        step = torch.tensor([t])
        seen = shift.normalised(shift.q_sample(r0, r0, step, noise), step)
        assert abs(float(seen.var()) - 1) < 4 * math.sqrt(2 / seen.numel()), t


# --- group 4: without noise ---


def test_without_noise_the_chain_is_a_straight_line_back_to_the_residual():
    """Catches a reverse step that does not undo the forward shift."""
    shift = ResidualShift(EtaSchedule(15, p=0.3, kappa=0.0, m=0.02))
    eta = shift.schedule.eta
    r0, l0, noise = torch.randn(3, 1, 3, 4, 5, dtype=torch.float64)
    for t in range(1, 16):
        assert torch.equal(shift.q_sample(r0, l0, torch.tensor([t]), noise), r0 + eta[t] * (l0 - r0))
    r = shift.q_sample(r0, l0, torch.tensor([15]), noise)
    for t in range(15, 0, -1):
        kept, new, spread = shift.posterior(t)
        assert spread == 0
        r = kept * r + new * r0
        torch.testing.assert_close(r, r0 + eta[t - 1] * (l0 - r0), atol=1e-6, rtol=0)
    torch.testing.assert_close(r, r0, atol=1e-6, rtol=0)


# --- group 5: both ends ---


@BOTH
def test_the_end_of_the_chain_is_the_lr_residual_and_noise(schedule):
    """Catches a prior sample about r0 + eta_T e0, one without noise, and noise of kappa eta_T."""
    shift, count = ResidualShift(schedule), 40_000
    r0, l0 = torch.tensor(1.5, dtype=torch.float64), torch.tensor(-0.5, dtype=torch.float64)
    noise = torch.randn(1, 1, 200, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wide = r0.expand_as(noise), l0.expand_as(noise)
    forward = shift.q_sample(*wide, torch.tensor([schedule.steps]), noise)
    sigma = schedule.kappa * 0.99
    slack = 4 * sigma / math.sqrt(count)
    assert abs(float(forward.mean() - l0)) <= (1 - 0.9801) * abs(float(l0 - r0)) + slack
    assert float(forward.std()) == pytest.approx(sigma, rel=4 / math.sqrt(2 * count))
    torch.testing.assert_close(shift.prior(wide[1], noise), l0 + sigma * noise)


@BOTH
def test_the_last_step_is_the_prediction_and_adds_no_noise(schedule):
    """Catches eta_0 = eta_1, which would keep a part of r_1 and its noise."""
    assert ResidualShift(schedule).posterior(1) == (0.0, 1.0, 0.0)
    assert all(ResidualShift(schedule).posterior(t)[2] > 0 for t in range(2, schedule.steps + 1))


# --- group 6: residuals are a translation of images ---


def test_residual_chain_is_the_image_chain_moved_by_the_anchor():
    """Catches l0 = g (up(y) - x0), l0 = y's own residual, a sign, an anchor that is not taken off both ends."""
    network, images = _network(), _network(residual_domain=False)
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.rand(2, 3, 9, 11, generator=generator) for _ in range(2))
    y = torch.rand(2, 3, 5, 6, generator=generator)
    u = network.anchor(y, (9, 11))
    for t in range(1, 16):
        step = torch.tensor([t, t])
        moved = network.shift.q_sample(network.residual(x0, u), network.lr_residual(y, u), step, noise)
        plain = images.shift.q_sample(images.residual(x0, u), images.lr_residual(y, u), step, noise)
        torch.testing.assert_close(moved + u, plain, atol=1e-5, rtol=0)
    moved, plain = (each.shift.prior(each.lr_residual(y, u), noise) for each in (network, images))
    torch.testing.assert_close(moved + u, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("domain", [True, False])
def test_gain_multiplies_both_ends_and_comes_off_again(domain):
    """Catches a gain on one of r0 and l0 only, and an inverse without it."""
    network, y, x0 = _network(residual_domain=domain), torch.rand(1, 3, 5, 5), torch.rand(1, 3, 8, 8)
    u = network.anchor(y, (8, 8))
    ends = network.residual(x0, u), network.lr_residual(y, u)
    network.gain.fill_(12.5)
    for before, after in zip(ends, (network.residual(x0, u), network.lr_residual(y, u)), strict=True):
        torch.testing.assert_close(after, 12.5 * before)
    torch.testing.assert_close(network.image(network.residual(x0, u), u), x0)


def test_second_reading_shifts_towards_nothing():
    """l0 = 0: the LR image identified with its enlargement by the prior."""
    network = _network(residual_shift=False)
    y = torch.rand(1, 3, 5, 5)
    assert float(network.lr_residual(y, network.anchor(y, (8, 8))).abs().max()) == 0
    assert float(_network().lr_residual(y, network.anchor(y, (8, 8))).abs().max()) > 0
