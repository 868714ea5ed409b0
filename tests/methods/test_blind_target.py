"""Eq. 4's LR-space kernel (test group 6), the identity case (group 7), HR against LR kernel space (group 14)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data

from bench.imaging.degrade import UNDEGRADED, BlindDegradation
from bench.imaging.kernels import GaussianBlur
from bench.training.degraded import DegradedConfig, DegradedPatch, draw_degraded
from bench.training.images import ImagePool
from bench.training.patches import step_generator
from methods.blind_assr.kernels import apply_kernels, centred
from methods.blind_assr.training.stage1 import RepresentationConfig, RepresentationTask
from methods.blind_assr.training.target import (
    FFT_TARGETS,
    analytic_kernel,
    clean_kernel,
    default_zeros,
    fft_kernel,
    fft_quotient,
    hr_kernel,
    weighted_l1,
)
from methods.blocks.sampled import to_tensor


@pytest.fixture(scope="module")
def photographs() -> ImagePool:
    return ImagePool((data.astronaut(), data.chelsea(), data.coffee()), ("astronaut", "chelsea", "coffee"))


def _noise(height: int = 48, width: int = 48, *, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((1, 3, height, width)))


def _lopsided(size: int = 21, seed: int = 0) -> np.ndarray:
    """A positive kernel without any symmetry that sums to 1."""
    kernel = (0.3 + np.random.default_rng(seed).random((size, size))) * np.linspace(0.2, 2, size)[:, None]
    return kernel / kernel.sum()


def _circular(image: torch.Tensor, kernel: np.ndarray) -> torch.Tensor:
    """scipy's convolution on a torus: what Eq. 4 takes every blur for."""
    return torch.from_numpy(ndimage.convolve(image.numpy(), kernel[None, None], mode="wrap"))


def _moments(kernel: torch.Tensor | np.ndarray) -> np.ndarray:
    """[[xx, xy], [xy, yy]] of a kernel (k, k) around its middle."""
    values = np.asarray(kernel)
    axis = np.arange(len(values)) - len(values) // 2
    x, y = np.meshgrid(axis, axis)
    mixed = (values * x * y).sum()
    return np.array([[(values * x * x).sum(), mixed], [mixed, (values * y * y).sum()]])


# --- group 6: the quotient ---


@pytest.mark.parametrize(
    ("size", "epsilon", "limit"),
    [
        ((48, 48), 1e-6, 1e-6),
        ((48, 48), 0.1, 1e-3),
        ((47, 48), 1e-6, 1e-6),
        ((48, 51), 1e-6, 1e-6),
        ((21, 32), 1e-6, 1e-6),
    ],
)
def test_quotient_recovers_a_circular_blur(size, epsilon, limit):
    """Catches a missing or misplaced conjugate, a crop that is a pixel off for odd or even sides, a transposed one."""
    kernel, sharp = _lopsided(), _noise(*size)
    found = fft_quotient(sharp, _circular(sharp, kernel), target="fft_paper", size=21, epsilon=epsilon)
    assert np.abs(found[0].numpy() - kernel).max() < limit


def test_each_image_of_a_batch_gets_its_own_kernel():
    """Catches a quotient over the batch."""
    kernels = [_lopsided(seed=seed) for seed in (1, 2)]
    sharp = torch.cat([_noise(seed=1), _noise(seed=2)])
    lr = torch.cat([_circular(sharp[i : i + 1], kernels[i]) for i in range(2)])
    found = fft_quotient(sharp, lr, target="fft_paper", size=21, epsilon=1e-6)
    np.testing.assert_allclose(found.numpy(), np.stack(kernels), atol=1e-6)


def test_a_smaller_crop_is_the_middle_of_the_larger_one():
    sharp = _noise()
    lr = _circular(sharp, _lopsided(9))
    whole = fft_quotient(sharp, lr, target="fft_paper", size=21)
    assert torch.equal(fft_quotient(sharp, lr, target="fft_paper", size=9), whole[:, 6:15, 6:15])
    padded = fft_kernel(sharp, lr, size=9)[0, 0]
    assert torch.equal(padded, centred(padded[6:15, 6:15]))
    assert float(padded.sum()) == pytest.approx(1)


def test_quotient_is_the_specified_one_on_a_natural_patch(photographs):
    """Catches a normalised transform (which moves epsilon), epsilon outside the quotient, an inverse per batch."""
    patch = draw_degraded(photographs, DegradedConfig(), step_generator(0, 3))[0]
    x, y = (np.float64(image).transpose(2, 0, 1) / 255 for image in (patch.sharp_lr(), patch.lr))
    for target, epsilon in (("fft_paper", 1e-2), ("fft_release", 1e-20)):
        colours = []
        for channel in range(3):
            fx, fy = np.fft.fft2(x[channel]), np.fft.fft2(y[channel])
            quotient = np.real(np.fft.ifft2(np.conj(fx) * fy / (np.conj(fx) * fx + epsilon)))
            colours.append([[quotient[i - 10, j - 10] for j in range(21)] for i in range(21)])
        expected = np.mean(colours, axis=0)
        expected[np.prod(colours, axis=0) <= 0] = 0
        found = fft_quotient(torch.from_numpy(x)[None], torch.from_numpy(y)[None], target=target, size=21)
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


def test_a_tap_on_which_the_colours_disagree_in_sign_vanishes():
    """Catches the sign test on the mean, and colours that are averaged first."""
    sharp, kernel = _noise(), _lopsided()
    blurred = []
    for channel in range(3):
        own = kernel.copy()
        own[4, 6] = -0.05 if channel == 1 else 0.1
        own[15, 3] = 0.1 + 0.01 * channel
        blurred.append(_circular(sharp[:, channel : channel + 1], own))
    found = fft_quotient(sharp, torch.cat(blurred, dim=1), target="fft_paper", size=21, epsilon=1e-6)[0]
    assert float(found[4, 6]) == 0
    assert float(found[15, 3]) == pytest.approx(0.11, abs=1e-6)


@pytest.mark.parametrize("target", FFT_TARGETS)
@pytest.mark.parametrize("shift", [(0, 0), (3, -5)])
def test_a_moved_image_gives_a_point_at_the_move(target, shift):
    """Catches a point that is off the centre (10, 10), and a move taken backwards; (0, 0) is the delta kernel."""
    sharp = _noise(60, 60)
    kernel = fft_kernel(sharp, sharp.roll(shift, dims=(-2, -1)), target=target)[0, 0]
    at = divmod(int(kernel.argmax()), 21)
    assert at == (10 + shift[0], 10 + shift[1])
    # the taper sees a moved image through a window that stayed
    assert float(kernel.max()) > (0.9 if target == "fft_joint_taper" and any(shift) else 0.99)


def test_a_sparse_lopsided_kernel_passes_the_whole_procedure_unflipped():
    """Catches a flip between quotient and padding: fewer taps than the threshold's rank stay as they are."""
    kernel = np.zeros((21, 21))
    places = np.random.default_rng(0).choice(441, 12, replace=False)
    kernel.flat[places] = np.linspace(1, 3, 12) / np.linspace(1, 3, 12).sum()
    sharp = _noise()
    found = fft_kernel(sharp, _circular(sharp, kernel), epsilon=1e-9)
    np.testing.assert_allclose(found[0, 0].numpy(), kernel, atol=1e-6)


def test_the_taper_makes_the_border_unimportant():
    """Catches a taper over one image only, or none: what lies on the border ring decides nothing."""
    sharp = _noise(seed=4)
    lr = _circular(sharp, _lopsided(7))
    spoiled = lr.clone()
    for row in (0, -1):  # another order of the same values leaves the mean, which is subtracted first
        spoiled[..., row, :] = spoiled[..., row, :].flip(-1)
        spoiled[..., row] = spoiled[..., row].flip(-1)

    def change(target: str) -> float:
        clean, other = (fft_quotient(sharp, y, target=target, size=21) for y in (lr, spoiled))
        return float((clean - other).abs().sum())

    assert change("fft_joint_taper") < 0.02 * change("fft_paper")


def test_the_joint_quotient_ignores_brightness_and_weighs_colours_by_their_power():
    """Catches a mean of quotients: a colour without contrast, all rounding noise, must not count."""
    sharp = _noise(seed=5)
    lr = _circular(sharp, _lopsided(7))
    expected = fft_kernel(sharp, lr, target="fft_joint_taper")
    assert torch.allclose(fft_kernel(sharp + 0.2, lr - 0.1, target="fft_joint_taper"), expected, atol=1e-9)
    rng = np.random.default_rng(1)
    flat = [torch.from_numpy(0.5 + 1e-4 * rng.random((1, 1, 48, 48))) for _ in range(2)]
    mixed = [torch.cat([image[:, :2], noise], dim=1) for image, noise in zip((sharp, lr), flat, strict=True)]
    two = fft_kernel(sharp[:, :2], lr[:, :2], target="fft_joint_taper")
    assert torch.allclose(fft_kernel(*mixed, target="fft_joint_taper"), two, atol=1e-4)


# --- group 6: the small values ---


def _clean_by_hand(raw: np.ndarray, rank: int) -> np.ndarray:
    threshold = 0.75 * sorted(raw.ravel(), reverse=True)[rank]
    side = len(raw)
    kernel = np.zeros((21, 21))
    for i in range(side):
        for j in range(side):
            kernel[10 - side // 2 + i, 10 - side // 2 + j] = min(max(raw[i, j] - threshold, 0), 1)
    return kernel / kernel.sum()


@pytest.mark.parametrize("side", [7, 13, 21])
@pytest.mark.parametrize("rank", [0, 1, 5, 22, 40])
def test_small_values_are_removed_by_subtracting_and_clamping(side, rank):
    """Catches a hard threshold, a rank that is one off, a threshold shared by the batch, taps above 1 that stay."""
    raw = np.random.default_rng(side).normal(0.05, 0.1, (3, side, side))
    raw[1] += np.eye(side) * 2
    raw[2] *= 0.01
    cleaned = clean_kernel(torch.from_numpy(raw), zeros=rank)
    assert cleaned.shape == (3, 1, 21, 21)
    for sample in range(3):
        threshold = 0.75 * np.sort(raw[sample].ravel())[::-1][rank]
        kernel = cleaned[sample, 0].numpy()
        np.testing.assert_allclose(kernel, _clean_by_hand(raw[sample], rank), atol=1e-12)
        inner = kernel[10 - side // 2 : 11 + side // 2, 10 - side // 2 : 11 + side // 2]
        small = raw[sample] <= threshold
        small[side // 2, side // 2] = False  # the middle has a safety term of 1e-20
        assert np.all(inner[small] == 0)
        if threshold > 0:
            assert np.count_nonzero(kernel) >= rank
        assert kernel.min() >= 0
        assert kernel.sum() == pytest.approx(1)


def test_nothing_left_is_a_point_in_the_middle():
    """Catches a division by zero, and the safety term beside the middle."""
    for raw in (torch.zeros(1, 21, 21), torch.full((1, 9, 9), -0.3)):
        kernel = clean_kernel(raw.double(), zeros=3)[0, 0]
        if float(raw.min()) == 0:
            assert float(kernel[10, 10]) == 1
        assert float(kernel.sum()) == pytest.approx(1)
        assert bool(torch.isfinite(kernel).all())


def test_the_rank_is_five_percent_of_the_taps():
    assert [default_zeros(size) for size in (7, 15, 21)] == [2, 11, 22]


@pytest.mark.parametrize("target", FFT_TARGETS)
def test_targets_of_natural_patches_are_kernels_with_enough_taps(photographs, target):
    """Catches a target that is negative, not normalised, of single precision, or empty."""
    for step in range(12):
        patch = draw_degraded(photographs, DegradedConfig(), step_generator(1, step))[0]
        sharp, lr = to_tensor(patch.sharp_lr())[None], to_tensor(patch.lr)[None]
        kernel = fft_kernel(sharp, lr, target=target)
        assert kernel.dtype == torch.float64
        assert kernel.shape == (1, 1, 21, 21)
        assert float(kernel.min()) >= 0
        assert float(kernel.sum()) == pytest.approx(1)
        raw = fft_quotient(sharp, lr, target=target, size=21)
        threshold = 0.75 * float(raw.flatten().sort(descending=True).values[22])
        small = raw[0] <= threshold
        small[10, 10] = False
        assert float(kernel[0, 0][small].abs().max()) == 0
        assert threshold > 0
        assert int((kernel > 0).sum()) >= 22


def test_reblurring_natural_patches_errs_no_more_than_measured_before(photographs):
    """Catches every fault that leaves the formula whole but not its use: another shrinker for the sharp image, a wrong
    border, a missing taper. The bounds are the 90th percentiles of the specification's table, which leaves out patches
    that the blur hardly changes (here: by less than two grey levels)."""
    bounds = {"fft_paper": 1.05, "fft_release": 1.54, "fft_joint_taper": 0.67, "analytic": 0.56}
    errors: dict[str, list[float]] = {name: [] for name in (*bounds, "kh")}
    for step in range(110):
        # of the largest side only: a smaller kernel cuts wide Gaussians off, which the analytic target leaves out
        patch = draw_degraded(photographs, DegradedConfig(kernel_sizes=(21,)), step_generator(1, step))[0]
        sharp, lr = (to_tensor(image)[None].double() for image in (patch.sharp_lr(), patch.lr))
        away = float((sharp - lr).abs().mean())
        if away < 2 / 255:
            continue
        blur = patch.degradation.blur
        kernels = {name: fft_kernel(sharp, lr, target=name) for name in FFT_TARGETS}
        kernels |= {"analytic": analytic_kernel(blur, patch.scale)[None], "kh": hr_kernel(blur)[None]}
        for name, kernel in kernels.items():
            errors[name].append(float((apply_kernels(sharp, kernel) - lr).abs().mean()) / away)
    assert len(errors["kh"]) > 80
    for name, bound in bounds.items():
        assert np.quantile(errors[name], 0.9) < bound, name
    median = {name: float(np.median(values)) for name, values in errors.items()}
    assert median["analytic"] < median["fft_joint_taper"] < median["fft_paper"] < median["fft_release"] < 1
    assert median["kh"] > 1  # worse than no blur at all


# --- group 6: what is refused, what degenerates ---


@pytest.mark.parametrize("target", ["analytic", "kh", "fft"])
def test_targets_that_are_no_quotient_are_refused(target):
    with pytest.raises(ValueError, match=f"fft_joint_taper, got '{target}'"):
        fft_kernel(_noise(), _noise(), target=target)


@pytest.mark.parametrize(("size", "side"), [(20, 48), (21, 20), (49, 48)])
def test_even_crops_and_crops_larger_than_the_image_are_refused(size, side):
    with pytest.raises(ValueError, match=rf"odd size of at most {side}, got {size}"):
        fft_kernel(_noise(side, 64), _noise(side, 64), size=size)


def test_crops_beyond_the_kernel_are_refused():
    with pytest.raises(ValueError, match="at most 21, got 23"):
        fft_kernel(_noise(), _noise(), size=23)


@pytest.mark.parametrize("target", FFT_TARGETS)
@pytest.mark.parametrize("level", [0.0, 0.4])
def test_flat_images_give_a_kernel_and_no_nan(target, level):
    """Catches 0 / 0: a flat patch says nothing about its blur."""
    flat = torch.full((1, 3, 32, 32), level)
    kernel = fft_kernel(flat, flat, target=target)
    assert bool(torch.isfinite(kernel).all())
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1)
    if level == 0:
        assert float(kernel[0, 0, 10, 10]) == 1


def test_kernel_loss_weighs_taps_of_the_target_double():
    """Catches a sum for the mean, weights by the estimate's sign, and a default of 1."""
    estimated, target = torch.zeros(2, 1, 21, 21), torch.zeros(2, 1, 21, 21)
    target[0, 0, 10, 10], target[1, 0, 0, 0] = 1, 0.5
    estimated[0, 0, 3, 3], estimated[1, 0, 0, 0] = -0.25, 0.75
    taps = 2 * 441
    assert weighted_l1(estimated, target).item() == pytest.approx((200 * 1 + 100 * 0.25 + 200 * 0.25) / taps)
    assert weighted_l1(estimated, target, weight=1).item() == pytest.approx(1.5 / taps)
    assert weighted_l1(target, target).item() == 0


# --- group 7: the identity ---


@pytest.mark.parametrize("shrinker", ["bicubic", "bilinear", "area"])
def test_no_blur_at_scale_one_changes_nothing_and_gives_a_point(photographs, shrinker):
    """Catches a shrinker that filters at scale 1, half a pixel of shift, an off-centre point."""
    hr = np.ascontiguousarray(photographs.images[0][100:148, 200:248])
    degradation = BlindDegradation(blur=UNDEGRADED.blur, shrinker=shrinker)
    patch = DegradedPatch(degradation.apply(hr, (48, 48)), hr, degradation, None, hr)
    np.testing.assert_array_equal(patch.lr, hr)
    np.testing.assert_array_equal(patch.sharp_lr(), hr)
    point = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    point[..., 10, 10] = 1
    lr = to_tensor(patch.lr)[None]
    for target in FFT_TARGETS:
        assert (fft_kernel(lr, lr, target=target) - point).abs().max() < 0.05, target
    assert (fft_kernel(lr, lr, epsilon=1e-9) - point).abs().max() < 1e-3
    assert (hr_kernel(degradation.blur) - point[0]).abs().max() < 1e-80
    assert (analytic_kernel(degradation.blur, patch.scale) - point[0]).abs().max() < 1e-80


@pytest.mark.parametrize("scale", [1.0, 2.3, 4.0])
def test_a_vanishing_covariance_is_a_point(scale):
    """Catches a covariance with a constant added, and the inverse of almost nothing going to NaN."""
    kernel = analytic_kernel(GaussianBlur(size=7, sigma_1=1e-3, sigma_2=1e-3, theta=1.0), scale)
    assert float(_moments(kernel[0]).max()) == 0
    assert float(kernel[0, 10, 10]) == 1


# --- group 14: k_h against k_l ---

BLUR = GaussianBlur(size=21, sigma_1=3.0, sigma_2=2.4, theta=1.1)
SCALES = (1.0, 1.1, 2.2, 3.0)


def _patch(blur: GaussianBlur, scale: float, photograph: np.ndarray, *, side: int = 48) -> DegradedPatch:
    hr = np.ascontiguousarray(photograph[: round(side * scale), 100 : 100 + round(side * scale)])
    degradation = BlindDegradation(blur=blur, shrinker="bicubic")
    return DegradedPatch(degradation.apply(hr, (side, side)), hr, degradation, None, hr)


def test_the_hr_target_is_the_padded_hr_kernel_at_every_scale(photographs):
    """Catches a kernel scaled into LR space under the name of the HR kernel, and padding that is off the middle."""
    blur = GaussianBlur(size=9, sigma_1=2.5, sigma_2=0.7, theta=0.5)
    task = RepresentationTask(RepresentationConfig(kl_target="kh"), photographs)
    found = task.target([_patch(blur, scale, photographs.images[0]) for scale in SCALES])
    assert found.shape == (4, 1, 21, 21)
    expected = np.pad(blur.kernel(), 6)
    for kernel in found:
        np.testing.assert_array_equal(kernel[0].numpy(), expected)


def test_the_lr_target_narrows_with_the_square_of_the_scale(photographs):
    """Catches sigma divided by the root of the scale, a scale of LR over HR, and one axis left as it is."""
    task = RepresentationTask(RepresentationConfig(kl_target="analytic"), photographs)
    found = task.target([_patch(BLUR, scale, photographs.images[0]) for scale in SCALES])
    for kernel, scale in zip(found, SCALES, strict=True):
        expected = _moments(BLUR.kernel()) / (round(48 * scale) / 48) ** 2
        np.testing.assert_allclose(_moments(kernel[0]), expected, rtol=0.2)
        assert float(kernel.sum()) == pytest.approx(1)


def test_the_kernel_of_the_images_themselves_narrows_with_the_scale_too(photographs):
    """Catches a sharp image of another scale in Eq. 4."""
    task = RepresentationTask(RepresentationConfig(kl_target="fft_joint_taper"), photographs)
    found = task.target([_patch(BLUR, scale, photographs.images[0]) for scale in SCALES])
    widths = [math.sqrt(np.trace(_moments(kernel[0]))) for kernel in found]
    assert widths[0] > widths[2] > widths[3]
    assert widths[3] < 0.8 * widths[0]


def test_at_scale_one_both_spaces_are_the_same():
    np.testing.assert_allclose(analytic_kernel(BLUR, 1.0).numpy(), hr_kernel(BLUR).numpy(), atol=1e-15)


@pytest.mark.parametrize("size", [7, 11, 15])
def test_the_lr_target_is_as_wide_as_the_kernel_that_is_applied(size):
    """Catches the covariance of the uncut Gaussian: a kernel of 7 x 7 with sigma 4 is a box, of a quarter of 16."""
    blur = GaussianBlur(size=size, sigma_1=4.0, sigma_2=4.0, theta=0.0)
    for scale in (1.0, 1.5):
        np.testing.assert_allclose(
            np.diag(_moments(analytic_kernel(blur, scale)[0])), np.diag(_moments(blur.kernel())) / scale**2, rtol=0.2
        )


def test_no_target_is_made_of_a_blur_that_is_no_gaussian():
    blur = GaussianBlur(size=21, sigma_1=2, sigma_2=2, theta=0, shape="plateau", beta=2)
    with pytest.raises(ValueError, match="'plateau'"):
        analytic_kernel(blur, 2.0)


def test_an_hr_kernel_beyond_21_is_refused():
    with pytest.raises(ValueError, match="at most 21, got 25"):
        hr_kernel(GaussianBlur(size=25, sigma_1=2, sigma_2=2, theta=0))
