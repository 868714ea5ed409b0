"""Self-consistency guidance (group 7 of CasArbi's list) and the resampling that it and the network stand on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import data
from torch.nn import functional

from bench.imaging.resize import imresize
from methods.blocks import resample as resampling
from methods.blocks.resample import adjoint, needed, resample, resample_window
from methods.casarbi.guidance import guided, step_size

sides = st.integers(1, 24)


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def photograph() -> torch.Tensor:
    """(1, 3, 64, 64) in [-1, 1], float64."""
    return torch.from_numpy(data.astronaut()[60:124, 190:254] / 127.5 - 1).permute(2, 0, 1)[None]


@pytest.fixture
def sparse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every axis takes the path of the long ones."""
    resampling._matrix.cache_clear()
    monkeypatch.setattr(resampling, "_DENSE", 0)
    yield
    resampling._matrix.cache_clear()


# --- bicubic resampling ---


def _keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _slow_axis(length: int, out: int) -> np.ndarray:
    """Keys' cubic on pixel centres, widened where the axis shrinks, mirrored about the border, tap by tap."""
    matrix, stretch = np.zeros((out, length)), min(out / length, 1.0)
    for row in range(out):
        centre = (row + 0.5) * length / out - 0.5
        for tap in range(math.floor(centre - 2 / stretch), math.ceil(centre + 2 / stretch) + 1):
            place = tap % (2 * length)
            matrix[row, min(place, 2 * length - 1 - place)] += _keys((centre - tap) * stretch)
    return matrix / matrix.sum(axis=1, keepdims=True)


@given(size=st.tuples(sides, sides), out=st.tuples(sides, sides))
@settings(max_examples=40, deadline=None)
def test_resampling_is_keys_cubic_on_pixel_centres(size, out):
    """Catches exchanged axes, a = -0.75, aligned corners, a kernel that is not widened, zeros beyond the border."""
    image = _noise(2, 2, *size)
    expected = _slow_axis(size[0], out[0]) @ image.numpy() @ _slow_axis(size[1], out[1]).T
    np.testing.assert_allclose(resample(image, out).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "out"), [((40, 33), (20, 24)), ((16, 20), (32, 27))])
def test_resampling_away_from_the_border_is_torchs_antialiased_bicubic(size, out):
    image = _noise(1, 2, *size)
    theirs = functional.interpolate(image, out, mode="bicubic", antialias=True, align_corners=False)
    inner = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(resample(image, out)[inner], theirs[inner], atol=1e-5, rtol=0)


def test_long_axes_are_resampled_as_short_ones_are(sparse):
    """Catches a sparse path that mixes batch, channels and the other axis."""
    image = _noise(2, 3, 7, 10).float()
    for out in ((4, 13), (15, 3), (14, 20), (7, 10)):
        expected = _slow_axis(7, out[0]) @ image.double().numpy() @ _slow_axis(10, out[1]).T
        np.testing.assert_allclose(resample(image, out).numpy(), expected, atol=1e-5)
        back = _noise(2, 3, *out).float()
        expected = _slow_axis(7, out[0]).T @ back.double().numpy() @ _slow_axis(10, out[1])
        np.testing.assert_allclose(adjoint(back, (7, 10)).numpy(), expected, atol=1e-5)
    leaf = image.clone().requires_grad_()
    back = _noise(2, 3, 14, 20).float()
    (gradient,) = torch.autograd.grad((resample(leaf, (14, 20)) * back).sum(), leaf)
    torch.testing.assert_close(gradient, adjoint(back, (7, 10)), atol=1e-5, rtol=0)


def test_axes_above_the_limit_of_dense_matrices_are_those_of_matlab():
    image = _noise(1, 1, 3, 1025).float()
    for out in ((6, 1030), (2, 700)):
        np.testing.assert_allclose(
            resample(image, out)[0, 0].numpy(), imresize(image[0, 0].double().numpy(), out), atol=1e-5
        )


@given(size=st.tuples(sides, sides), out=st.tuples(sides, sides))
@settings(max_examples=40, deadline=None)
def test_adjoint_is_the_transpose_by_inner_products(size, out):
    """Catches an enlargement in place of the transpose: they differ by s^2 and at the border."""
    x, z = _noise(1, 2, *size), _noise(1, 2, *out, seed=1)
    there = float((resample(x, out) * z).sum())
    back = float((x * adjoint(z, size)).sum())
    assert there == pytest.approx(back, abs=1e-8)


@given(size=st.tuples(sides, sides), out=st.tuples(sides, sides), cut=st.tuples(*[st.floats(0, 1)] * 4))
@settings(max_examples=60, deadline=None)
def test_a_window_is_that_part_of_the_whole_and_reads_no_more_than_it_names(size, out, cut):
    """Catches a window resampled as an image of its own, taps that miss at its border, and far too many of them."""
    image = _noise(1, 2, *size).float()
    spans = []
    for length, (low, high) in zip(out, (cut[:2], cut[2:]), strict=True):
        first = min(int(min(low, high) * length), length - 1)
        spans.append((first, max(first + 1, math.ceil(max(low, high) * length))))
    rows, columns = spans
    read = needed(size[0], out[0], rows), needed(size[1], out[1], columns)
    for length, longer, span, (first, last) in zip(size, out, spans, read, strict=True):
        taps = np.flatnonzero(np.abs(_slow_axis(length, longer)[slice(*span)]).max(axis=0) > 1e-9)
        assert first <= taps[0]
        assert last > taps[-1]
        assert last - first <= taps[-1] - taps[0] + 5
    part = resample_window(image[..., slice(*read[0]), slice(*read[1])], size, out, rows, columns)
    whole = resample(image, out)[..., slice(*rows), slice(*columns)]
    torch.testing.assert_close(part, whole, atol=1e-5, rtol=0)


# --- the spectrum of D ---


@pytest.mark.parametrize(("lr", "hr", "published"), [(32, 64, 0.2530), (32, 48, 0.4466), (32, 40, 0.6405)])
def test_largest_eigenvalue_of_the_reduction_is_about_one_over_the_square_of_the_scale(lr, hr, published):
    """What makes rho = 1 the largest step without overshoot. The figures are those of another rule at the border."""
    axis = resample(torch.eye(hr, dtype=torch.float64)[None, None], (lr, hr))[0, 0].numpy()
    largest = np.linalg.norm(axis, 2) ** 4  # both axes, squared
    assert largest == pytest.approx(published, abs=0.004)
    assert largest * (hr / lr) ** 2 == pytest.approx(1, abs=0.01)
    wanted = functional.interpolate(
        torch.eye(hr, dtype=torch.float64)[None, None], (lr, hr), mode="bicubic", antialias=True, align_corners=False
    )
    assert np.linalg.norm(wanted[0, 0].numpy(), 2) ** 4 == pytest.approx(published, abs=0.001)


# --- group 7: one step ---


@given(
    lr=st.tuples(st.integers(2, 16), st.integers(2, 16)),
    scale=st.tuples(st.floats(1, 3), st.floats(1, 3)),
    rho=st.floats(0.01, 1.99),
)
@settings(max_examples=40, deadline=None)
def test_step_is_lambda_times_the_gradient_of_the_summed_loss(lr, scale, rho):
    """Catches a missing factor of 2, a mean over pixels, lambda by the scale instead of its square."""
    size = round(lr[0] * scale[0]), round(lr[1] * scale[1])
    image, reference = _noise(2, 3, *size).requires_grad_(), _noise(2, 3, *lr, seed=1)
    loss = (resample(image, lr) - reference).square().sum()
    (gradient,) = torch.autograd.grad(loss, image)
    length = rho * (size[0] / lr[0]) * (size[1] / lr[1]) / 2
    torch.testing.assert_close(
        guided(image.detach(), reference, rho=rho), image.detach() - length * gradient, atol=1e-5, rtol=0
    )


def test_rho_is_a_share_of_half_the_squared_scale():
    assert step_size(1, 2) == 2
    assert step_size(0.5, 1.5) == 0.5 * 2.25 / 2


@pytest.mark.parametrize("scale", [1.25, 1.5, 2])
@pytest.mark.parametrize("kind", ["white", "blurred", "noisy"])
def test_one_step_leaves_a_third_and_a_half_step_two_thirds(photograph, scale, kind):
    """Catches lambda off by 2 or by s^2: what is left would then be above 0.7, or below 0.25, or grow."""
    small = (round(64 / scale), round(64 / scale))
    small = (small[0], small[0])
    reference = resample(photograph, small)
    if kind == "white":
        image, reference = _noise(1, 3, 64, 64), torch.zeros_like(reference)
    elif kind == "blurred":
        image = torch.from_numpy(gaussian_filter(photograph.numpy(), (0, 0, 1, 1)))
    else:
        image = photograph + 0.1 * _noise(1, 3, 64, 64)

    def off(image: torch.Tensor) -> float:
        return float((resample(image, small) - reference).norm())

    assert 0.25 <= off(guided(image, reference, rho=1)) / off(image) <= 0.42
    assert 0.60 <= off(guided(image, reference, rho=0.5)) / off(image) <= 0.70
    again = image
    for _ in range(4):
        again = guided(again, reference, rho=1)
    assert 0.03 <= off(again) / off(image) <= 0.17


@given(
    lr=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    scale=st.tuples(st.floats(1, 8), st.floats(1, 8)),
    rho=st.floats(0, 1.98),
    seed=st.integers(0, 9),
)
@settings(max_examples=80, deadline=None)
def test_a_step_never_raises_the_loss(lr, scale, rho, seed):
    size = round(lr[0] * scale[0]), round(lr[1] * scale[1])
    image, reference = _noise(1, 1, *size, seed=seed), _noise(1, 1, *lr, seed=10 + seed)
    before = float((resample(image, lr) - reference).norm())
    after = float((resample(guided(image, reference, rho=rho), lr) - reference).norm())
    assert after <= before + 1e-9


def _worst_case(rho: float) -> tuple[float, float]:
    """The loss before and after on the least favourable image of the least favourable size found (30 to 35)."""
    axis = resample(torch.eye(35, dtype=torch.float64)[None, None], (30, 35))[0, 0]
    shape = torch.linalg.svd(axis)[2][0]
    image, reference = torch.outer(shape, shape)[None, None], torch.zeros(1, 1, 30, 30, dtype=torch.float64)
    after = guided(image, reference, rho=rho)
    return float(resample(image, (30, 30)).norm()), float(resample(after, (30, 30)).norm())


def test_the_largest_steps_that_are_allowed_do_not_raise_the_loss_on_the_worst_image():
    """At the size where s^2 D'D is largest, 1.0072, the bound is 1.986."""
    before, after = _worst_case(1.98)
    assert after <= before


def test_rho_of_zero_is_the_image_itself():
    image = _noise(1, 3, 9, 9)
    assert torch.equal(guided(image, _noise(1, 3, 5, 5), rho=0), image)


def test_what_is_consistent_already_stays():
    image = _noise(1, 3, 12, 9)
    torch.testing.assert_close(guided(image, resample(image, (7, 6)), rho=1), image)


def test_the_image_that_came_in_is_not_written_to():
    image, reference = _noise(1, 3, 9, 9), _noise(1, 3, 5, 5)
    before = image.clone(), reference.clone()
    guided(image, reference, rho=1)
    assert torch.equal(image, before[0])
    assert torch.equal(reference, before[1])
