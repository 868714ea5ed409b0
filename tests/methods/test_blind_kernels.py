"""The kernel estimator M (test group 4); one convolution in synthesis, Eq. 4 and Eq. 6 alike (test group 5)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal
from torch.nn import functional

from bench.imaging.degrade import BlindDegradation
from bench.imaging.kernels import GaussianBlur, apply_kernel
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.kernels import (
    FILTERS,
    KERNEL_SIZE,
    KernelEstimator,
    apply_kernels,
    centred,
    compose,
    normalised,
)
from methods.blind_assr.training.target import analytic_kernel, fft_kernel, hr_kernel


def _random_filters(seed: int, batch: int = 3) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=(batch, side, side))) for side in FILTERS]


def _points() -> list[torch.Tensor]:
    filters = [torch.zeros(1, side, side, dtype=torch.float64) for side in FILTERS]
    for each in filters:
        each[:, each.shape[-1] // 2, each.shape[-1] // 2] = 1
    return filters


def _fixed(estimator: KernelEstimator, filters: list[torch.Tensor]) -> KernelEstimator:
    """M that gives these filters whatever z is."""
    with torch.no_grad():
        for head, values in zip(estimator.heads, filters, strict=True):
            head.weight.zero_()
            head.bias.copy_(values.flatten())
    return estimator


def _lopsided(seed: int = 0, size: int = KERNEL_SIZE, *, signed: bool = False) -> np.ndarray:
    """A kernel without any symmetry that sums to 1."""
    kernel = np.random.default_rng(seed).random((size, size)) ** 3 * np.linspace(0.2, 2, size)
    kernel *= np.linspace(2, 0.1, size)[:, None]
    kernel -= 0.3 * kernel.mean() if signed else 0
    return kernel / kernel.sum()


def test_kernels_are_21_by_21_and_sum_to_one():
    """Catches a softmax's missing negative taps, a sum over the batch, and another composed size."""
    torch.manual_seed(0)
    estimator = KernelEstimator(256, (64, 16))
    kernels = estimator(torch.rand(6, 256))
    assert kernels.shape == (6, 1, 21, 21)
    assert kernels.sum(dim=(1, 2, 3)).tolist() == pytest.approx([1] * 6, abs=1e-5)
    assert kernels.min().item() < 0  # a tap may be negative
    assert not torch.allclose(kernels[0], kernels[1])


@pytest.mark.parametrize(("width", "hidden", "count"), [(256, (64, 16), 20_820), (96, (24, 6), 3_850)])
def test_m_has_the_published_size(width, hidden, count):
    """Catches heads with hidden channels and a head for a filter that is shared."""
    assert sum(p.numel() for p in KernelEstimator(width, hidden).parameters()) == count


def test_filters_come_from_two_layers_with_one_relu_between():
    """Catches a second activation before the heads, and filters that are read column by column."""
    torch.manual_seed(0)
    estimator, z = KernelEstimator(12, (8, 4)).double(), torch.randn(3, 12, dtype=torch.float64)
    first, _, second = estimator.reduce
    narrow = (z @ first.weight.T + first.bias).clamp_min(0) @ second.weight.T + second.bias
    assert narrow.min().item() < 0
    for side, head, got in zip((11, 7, 5, 1), estimator.heads, estimator.filters(z), strict=True):
        expected = (narrow @ head.weight.T + head.bias).reshape(3, side, side)
        assert torch.allclose(got, expected, atol=1e-12)


def test_every_head_learns_and_none_starts_from_a_vanishing_sum():
    """Catches filters that begin around zero, whose tiny sum is a divisor, and a head without gradient."""
    torch.manual_seed(0)
    estimator = KernelEstimator(256, (64, 16))
    z = torch.rand(32, 256)
    sums = compose(estimator.filters(z)).sum(dim=(-2, -1))
    assert sums.abs().min().item() > 0.01
    (estimator(z) ** 2).sum().backward()
    for name, parameter in estimator.named_parameters():
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert parameter.grad.abs().max().item() > 0, name


def test_the_chain_of_valid_convolutions_shrinks_a_41_point_to_21_and_equals_the_composition():
    """Catches another order of sizes and zero padding on the way; the paper's own formula, step by step."""
    filters = [each[0] for each in _random_filters(1)]
    image = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    image[..., 20, 20] = 1
    sides = []
    for each in filters:
        image = functional.conv2d(image, each.flip(0, 1)[None, None])
        sides.append(image.shape[-1])
    assert sides == [31, 25, 21, 21]
    composed = compose([each[None] for each in filters])
    assert composed.shape == (1, 21, 21)
    assert torch.allclose(composed[0], image[0, 0], atol=1e-9)


def test_point_filters_compose_to_a_point_in_the_middle():
    """Catches a composition that is off by one pixel."""
    kernel = _fixed(KernelEstimator(8, (6, 4)).double(), _points())(torch.randn(2, 8, dtype=torch.float64))
    expected = torch.zeros(2, 1, 21, 21, dtype=torch.float64)
    expected[..., 10, 10] = 1
    assert torch.equal(kernel, expected)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_composition_is_scipys_full_convolution_for_every_sample(seed):
    """Catches correlation (a kernel turned by 180 degrees) and samples that share filters."""
    filters = _random_filters(seed)
    composed = compose(filters).numpy()
    for sample in range(3):
        expected = filters[0][sample].numpy()
        for each in filters[1:]:
            expected = signal.convolve2d(expected, each[sample].numpy(), mode="full")
        np.testing.assert_allclose(composed[sample], expected, atol=1e-9)


def test_m_divides_the_full_convolution_of_its_filters_by_the_sum():
    """Catches a flip or a division between the composition and the output of M."""
    filters = [each[:1] + 0.2 for each in _random_filters(5)]
    kernel = _fixed(KernelEstimator(8, (6, 4)).double(), filters)(torch.randn(1, 8, dtype=torch.float64))
    expected = filters[0][0].numpy()
    for each in filters[1:]:
        expected = signal.convolve2d(expected, each[0].numpy(), mode="full")
    np.testing.assert_allclose(kernel[0, 0].detach().numpy(), expected / expected.sum(), atol=1e-10)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 0), (0, -1)])
def test_moving_a_filter_by_a_pixel_moves_the_kernel_the_same_way(which, shift):
    """Catches a mirrored composition, and rows taken for columns."""
    filters = [each[:1] for each in _random_filters(2)]
    filters[which] = functional.pad(filters[which][:, 1:-1, 1:-1], (1, 1, 1, 1))  # room to move
    before = compose(filters)
    filters[which] = filters[which].roll(shift, dims=(-2, -1))
    assert torch.allclose(compose(filters), before.roll(shift, dims=(-2, -1)), atol=1e-10)


@pytest.mark.parametrize(
    ("total", "divisor"),
    [(0.0, 1e-3), (5e-4, 1.5e-3), (-5e-4, -1.5e-3), (2e-3, 2e-3), (-2e-3, -2e-3), (-4.0, -4.0)],
)
def test_a_sum_near_zero_is_moved_away_from_zero_and_no_other(total, divisor):
    """Catches a guard that crosses zero for negative sums, or that also changes ordinary sums."""
    kernel = torch.zeros(1, 21, 21, dtype=torch.float64)
    kernel[0, 3, 4], kernel[0, 7, 7] = 1, total - 1
    assert torch.allclose(normalised(kernel), kernel / divisor, rtol=1e-6)


@pytest.mark.parametrize("filters", ["zero", "cancelling"])
def test_filters_without_a_sum_give_finite_kernels_and_gradients(filters):
    """Catches a division by zero for dead heads, and NaN in the gradient of the branch not taken."""
    values = _points()
    values[0].zero_()
    if filters == "cancelling":
        values[0][0, 5, 5], values[0][0, 5, 6] = 1, -1
    estimator = _fixed(KernelEstimator(8, (6, 4)).double(), values)
    z = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    kernel = estimator(z)
    kernel.square().sum().backward()
    assert bool(torch.isfinite(kernel).all())
    for tensor in (z, *estimator.parameters()):
        assert tensor.grad is None or bool(torch.isfinite(tensor.grad).all())


def test_gradients_of_composition_and_division_are_those_of_finite_differences():
    filters = [torch.randn(2, side, side, dtype=torch.float64, requires_grad=True) for side in (3, 5, 1)]
    assert torch.autograd.gradcheck(lambda *f: normalised(compose(list(f)) + 0.5), filters)


def _in_synthesis(point: torch.Tensor, kernel: np.ndarray) -> np.ndarray:
    return apply_kernel(point[0].permute(1, 2, 0).numpy(), kernel)[..., 1]


def _in_equation_4(point: torch.Tensor, kernel: np.ndarray) -> np.ndarray:
    """What Eq. 4 finds between a point and its image, drawn as an image again."""
    blurred = ndimage.convolve(point[0, 0].numpy(), kernel, mode="wrap")
    found = fft_kernel(point, torch.from_numpy(blurred).expand_as(point), epsilon=1e-9, zeros=kernel.size - 1)
    image = np.zeros(point.shape[-2:])
    at = point[0, 0].argmax().item()
    row, column = at // image.shape[1], at % image.shape[1]
    image[row - 10 : row + 11, column - 10 : column + 11] = found[0, 0].numpy()
    return image


def _in_equation_6(point: torch.Tensor, kernel: np.ndarray) -> np.ndarray:
    return apply_kernels(point, torch.from_numpy(kernel)[None, None])[0, 1].numpy()


def _outside(point: torch.Tensor, kernel: np.ndarray) -> np.ndarray:
    return ndimage.convolve(point[0, 0].numpy(), kernel, mode="mirror")


@pytest.mark.parametrize("place", [_in_synthesis, _in_equation_4, _in_equation_6, _outside])
@pytest.mark.parametrize("size", [(48, 48), (41, 50)])
def test_a_point_becomes_the_kernel_unflipped_in_all_places(place, size):
    """Catches one of the three places correlating, transposing or being one pixel off."""
    kernel = np.zeros((21, 21))
    kernel[8:17, 6:12] = _lopsided(3, 9)[:, :6]
    kernel[1, 2] = 0.2
    kernel /= kernel.sum()
    point = torch.zeros(1, 3, *size, dtype=torch.float64)
    point[..., 20, 27] = 1
    expected = np.zeros(size)
    expected[10:31, 17:38] = kernel
    np.testing.assert_allclose(place(point, kernel), expected, atol=1e-7)


def test_the_drawn_degradation_blurs_unflipped_too():
    """Catches a degradation that hands its kernel over transposed: Gaussians hide a flip, this kernel does not."""

    class Lopsided:
        def kernel(self) -> np.ndarray:
            return _lopsided(1, 9)

    hr = np.zeros((30, 34, 3), np.uint8)
    hr[12, 15] = 255
    lr = BlindDegradation(blur=Lopsided(), shrinker="area").apply(hr, (30, 34))
    expected = np.zeros((30, 34))
    expected[8:17, 11:20] = np.rint(255 * _lopsided(1, 9))
    for channel in range(3):
        np.testing.assert_array_equal(lr[..., channel], expected)


@pytest.mark.parametrize("theta", [0.4, 2.5])
def test_all_targets_lean_the_way_the_blur_leans(theta):
    """Catches an angle that turns the other way in one of the targets; a Gaussian hides a flip but not a mirror."""
    blur = GaussianBlur(size=21, sigma_1=3.0, sigma_2=0.9, theta=theta)
    sharp = torch.rand(1, 3, 48, 48, dtype=torch.float64)
    lr = torch.from_numpy(ndimage.convolve(sharp.numpy(), blur.kernel()[None, None], mode="wrap"))
    axis = torch.arange(21, dtype=torch.float64) - 10
    for kernel in (fft_kernel(sharp, lr)[0, 0], analytic_kernel(blur, 1.0)[0], hr_kernel(blur)[0]):
        mixed = float((kernel * axis[:, None] * axis).sum())
        assert mixed * np.sin(2 * theta) > 0.5


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
@pytest.mark.parametrize("side", [1, 3, 7, 21])
@pytest.mark.parametrize("size", [(11, 12), (33, 20)])
def test_the_convolution_of_the_cycle_is_that_of_the_synthesis(dtype, limit, side, size):
    """Catches another border, channels or samples that get each other's kernel, and single precision in double."""
    rng = np.random.default_rng(side)
    images = torch.from_numpy(rng.random((3, 4, *size))).to(dtype)
    kernels = [_lopsided(seed, side, signed=True) for seed in range(3)] if side > 1 else [np.full((1, 1), 1.0)] * 3
    got = apply_kernels(images, torch.from_numpy(np.stack(kernels))[:, None])
    assert got.dtype == dtype
    for sample, kernel in enumerate(kernels):
        expected = apply_kernel(images[sample].permute(1, 2, 0).numpy(), kernel)
        np.testing.assert_allclose(got[sample].permute(1, 2, 0).numpy(), expected, atol=limit)


def test_gradients_reach_image_and_kernel():
    """Catches a detour through numpy, and a detached kernel."""
    images = torch.rand(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(apply_kernels, (images, kernels))


def test_an_image_that_cannot_be_reflected_is_an_error_in_the_cycle_and_blurred_in_the_synthesis():
    """Catches a silent change of the border rule where the kernel is larger than the image."""
    kernel = GaussianBlur(size=21, sigma_1=2, sigma_2=1, theta=0.3).kernel()
    with pytest.raises(RuntimeError, match=r"(?i)padding"):
        apply_kernels(torch.rand(1, 3, 10, 30), torch.from_numpy(kernel)[None, None])
    small = np.random.default_rng(0).random((4, 6))
    np.testing.assert_allclose(apply_kernel(small, kernel), ndimage.convolve(small, kernel, mode="mirror"), atol=1e-12)


def test_a_small_kernel_lies_in_the_middle_of_zeros():
    kernel = torch.from_numpy(_lopsided(0, 7))
    padded = centred(kernel)
    assert padded.shape == (21, 21)
    assert torch.equal(padded[7:14, 7:14], kernel)
    assert float(padded.sum()) == pytest.approx(1)
    assert torch.equal(centred(padded), padded)


@pytest.mark.parametrize("size", [4, 20, 23])
def test_even_and_larger_kernels_are_not_cut_or_shifted(size):
    with pytest.raises(ValueError, match=f"odd kernel of at most 21, got {size}"):
        centred(torch.ones(size, size))


def test_the_default_architecture_is_the_published_m():
    architecture = BlindArchitecture()
    assert (architecture.z, architecture.estimator) == (256, (64, 16))
