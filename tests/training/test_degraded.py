"""Training pairs with drawn degradations (test group 8): ranges, shared draws, replay, mixing, refused options."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from torch.nn import functional

from bench.api import RequestError
from bench.imaging import ImageError, imresize
from bench.imaging.degrade import KERNEL_SIZES, UNDEGRADED, BlindDegradation, draw_blind_assr, shrink
from bench.imaging.kernels import GaussianBlur
from bench.imaging.manifest import read_manifest, write_manifest
from bench.training.degraded import DegradedConfig, DegradedPatch, draw_degraded
from bench.training.images import ImagePool
from bench.training.patches import step_generator
from methods.blocks.sampled import shared_draws, to_tensor

SHRINKERS = ("bicubic", "bilinear", "area")


def _smooth(seed: int, height: int, width: int) -> np.ndarray:
    values = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width, 3)), (1.5, 1.5, 0))
    return np.clip(128 + 300 * values, 0, 255).astype(np.uint8)


def _pool(*pictures: np.ndarray) -> ImagePool:
    return ImagePool(tuple(pictures), tuple(f"folder/{i}.png" for i in range(len(pictures))))


@pytest.fixture(scope="module")
def pool() -> ImagePool:
    return _pool(_smooth(1, 70, 90), _smooth(2, 64, 66))


@pytest.fixture(scope="module")
def large() -> ImagePool:
    return _pool(_smooth(3, 200, 210))


def _draw(
    images: ImagePool, config: DegradedConfig, step: int, *, seed: int = 0, crops: int = 1
) -> list[DegradedPatch]:
    return draw_degraded(images, config, step_generator(seed, step), crops=crops)


def _batch(
    images: ImagePool, config: DegradedConfig, step: int, *, seed: int = 0, count: int = 8
) -> list[DegradedPatch]:
    """A batch as the tasks draw it."""
    rng, shared = step_generator(seed, step), shared_draws(config, seed=seed, step=step, batch=count)
    return [draw_degraded(images, config, rng, shared=shared)[0] for _ in range(count)]


def _same(a: DegradedPatch, b: DegradedPatch) -> bool:
    pixels = np.array_equal(a.lr, b.lr) and np.array_equal(a.hr, b.hr)
    return pixels and a.degradation == b.degradation and a.seed == b.seed


def _shared(patch: DegradedPatch) -> tuple[int, int, str]:
    """Scale (as the side of the HR crop), kernel side, shrinker."""
    return patch.hr.shape[0], patch.degradation.blur.size, patch.degradation.shrinker


# --- kernels ---


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63 - 1))
def test_drawn_kernels_sum_to_one_and_have_the_moments_that_they_name(seed):
    """Catches an even side, sigma taken for variance, x and y swapped, the angle's sign. Sigmas lie where the sampled
    sum is the integral (two thirds of a pixel and more) and three of them lie inside the kernel."""
    blur = draw_blind_assr(seed, sizes=(21,), low=0.7, high=10 / 3).blur
    kernel = blur.kernel()
    assert kernel.shape == (21, 21)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    axis = np.arange(21) - 10
    x, y = np.meshgrid(axis, axis)
    mixed = (kernel * x * y).sum()
    found = np.array([[(kernel * x * x).sum(), mixed], [mixed, (kernel * y * y).sum()]])
    cos, sin = math.cos(blur.theta), math.sin(blur.theta)
    rotation = np.array([[cos, -sin], [sin, cos]])
    expected = rotation @ np.diag([blur.sigma_1**2, blur.sigma_2**2]) @ rotation.T
    assert np.abs(found - expected).max() < 0.02 * max(blur.sigma_1, blur.sigma_2) ** 2


def test_every_paper_kernel_is_a_kernel_down_to_the_narrowest():
    """Catches an inverse of a tiny covariance that overflows, and sizes outside 7, 9, ..., 21."""
    assert KERNEL_SIZES == (7, 9, 11, 13, 15, 17, 19, 21)
    for size in KERNEL_SIZES:
        kernel = GaussianBlur(size=size, sigma_1=0.2, sigma_2=4.0, theta=0.3).kernel()
        assert kernel.shape == (size, size)
        assert kernel.sum() == pytest.approx(1)
        assert kernel.min() >= 0


@pytest.mark.parametrize(
    ("config", "sizes", "low", "high"),
    [
        (DegradedConfig(lr_patch=8), set(range(7, 22, 2)), 0.2, 4.0),
        (DegradedConfig(lr_patch=8, kernel_sizes=(21,), sigma_min=0.6, sigma_max=5.0), {21}, 0.6, 5.0),
        (DegradedConfig(lr_patch=8, eigenvalue="variance"), set(range(7, 22, 2)), math.sqrt(0.2), 2.0),
    ],
    ids=["paper", "release", "variance"],
)
def test_degradations_fill_the_ranges_of_the_configuration(pool, config, sizes, low, high):
    """Catches a range that is ignored on the way, an option that is never drawn, an angle beyond pi."""
    drawn = [_draw(pool, config, step)[0].degradation for step in range(400)]
    assert {each.blur.size for each in drawn} == sizes
    for sigmas in ([each.blur.sigma_1 for each in drawn], [each.blur.sigma_2 for each in drawn]):
        assert low <= min(sigmas) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(sigmas) <= high
    angles = [each.blur.theta for each in drawn]
    assert 0 <= min(angles) < 0.05 * math.pi
    assert 0.95 * math.pi < max(angles) <= math.pi
    assert min(sum(each.shrinker == name for each in drawn) for name in SHRINKERS) > 100
    assert all(each.blur.shape == "gaussian" for each in drawn)


def test_variances_are_drawn_uniformly_and_not_their_roots(pool):
    """Catches the square instead of the root, and uniform sigmas under the other reading."""
    config = DegradedConfig(lr_patch=8, eigenvalue="variance")
    squares = [_draw(pool, config, step)[0].degradation.blur.sigma_1 ** 2 for step in range(400)]
    assert np.mean(squares) == pytest.approx(2.1, abs=0.2)


# --- sizes and pixels ---


def test_lr_is_exactly_48_and_the_scale_uniform_between_one_and_four(large):
    """Catches LR sizes that come from rounding a ratio, and scales drawn from another range or uniformly in side^2."""
    scales = []
    for step in range(150):
        patch = _draw(large, DegradedConfig(), step)[0]
        assert patch.lr.shape == (48, 48, 3)
        assert patch.hr.shape[0] == patch.hr.shape[1]
        assert patch.scale == patch.hr.shape[0] / 48
        scales.append(patch.scale)
    assert 1 <= min(scales) < 1.1
    assert 3.9 < max(scales) <= 4
    assert np.mean(scales) == pytest.approx(2.5, abs=0.2)
    assert len(set(scales)) > 60


def test_pixels_are_8_bit_grid_values(large):
    """Catches a float LR image, truncation instead of rounding, and a range other than [0, 1] in the tensor."""
    patch = _draw(large, DegradedConfig(), 0)[0]
    assert patch.lr.dtype == patch.hr.dtype == patch.sharp_lr().dtype == np.uint8
    tensor = to_tensor(patch.lr)
    assert tensor.dtype == torch.float32
    assert 0 <= float(tensor.min()) <= float(tensor.max()) <= 1
    assert torch.equal((tensor * 255).round() / 255, tensor)
    assert np.array_equal((tensor * 255).round().permute(1, 2, 0).numpy(), patch.lr)


def _shrunk(image: np.ndarray, size: tuple[int, int], shrinker: str) -> np.ndarray:
    """Another library's downsamplers; MATLAB's bicubic has its own tests."""
    if shrinker == "bicubic":
        small = imresize(image, size)
    else:
        tensor = torch.from_numpy(np.asarray(image, np.float64)).permute(2, 0, 1)[None]
        options = {"align_corners": False} if shrinker == "bilinear" else {}
        small = functional.interpolate(tensor, size=size, mode=shrinker, **options)[0].permute(1, 2, 0).numpy()
    return np.clip(small, 0, 255)


@pytest.mark.parametrize("shrinker", SHRINKERS)
def test_lr_and_its_sharp_twin_come_from_the_same_crop_and_shrinker(pool, shrinker):
    """Catches a sharp image always made by bicubic, one of another crop, rounding between blur and shrinking, and an
    order of shrink and blur."""
    patches = [_draw(pool, DegradedConfig(lr_patch=20, scale_min=1.5, scale_max=3.0), step)[0] for step in range(40)]
    chosen = [patch for patch in patches if patch.degradation.shrinker == shrinker]
    assert len(chosen) > 5
    for patch in chosen:
        kernel = patch.degradation.blur.kernel()[:, :, None]
        blurred = ndimage.convolve(patch.hr.astype(np.float64), kernel, mode="mirror")
        # half a grey level of rounding, and a little for the order of summation
        assert np.abs(patch.lr - _shrunk(blurred, (20, 20), shrinker)).max() < 0.5 + 1e-6
        assert np.abs(patch.sharp_lr() - _shrunk(patch.hr, (20, 20), shrinker)).max() < 0.5 + 1e-6


@pytest.mark.parametrize("shrinker", SHRINKERS)
def test_without_blur_the_sharp_twin_is_the_lr_image(pool, shrinker):
    degradation = BlindDegradation(blur=UNDEGRADED.blur, shrinker=shrinker)
    hr = pool.images[0][:60, :60]
    patch = DegradedPatch(degradation.apply(hr, (24, 24)), hr, degradation, None, hr)
    np.testing.assert_array_equal(patch.sharp_lr(), patch.lr)


def test_crops_are_turned_before_they_are_degraded(pool):
    """Catches an LR image that is degraded first and turned with its crop: its kernel would be mirrored."""
    config = DegradedConfig(lr_patch=20, scale_min=1.5, scale_max=2.0)
    for step in range(30):
        for patch in _draw(pool, config, step, crops=2):
            np.testing.assert_array_equal(patch.degradation.apply(patch.hr, (20, 20)), patch.lr)


def test_both_crops_share_image_scale_and_degradation_and_nothing_else():
    """Catches a second draw of the degradation, and a second crop that is the first."""
    pictures = [np.full((90, 90, 3), value, np.uint8) for value in (20, 120, 220)]
    ramp = np.arange(90, dtype=np.uint8)[:, None]
    pool = _pool(*(picture + (ramp // 3)[:, :, None] for picture in pictures))
    moved = 0
    for step in range(30):
        first, second = _draw(pool, DegradedConfig(lr_patch=16, augment=False), step, crops=2)
        assert first.degradation == second.degradation
        assert first.seed == second.seed
        assert first.hr.shape == second.hr.shape
        assert abs(float(first.hr.mean()) - float(second.hr.mean())) < 40  # the same picture
        moved += not np.array_equal(first.hr, second.hr)
    assert moved > 20


def test_the_same_crop_twice_gives_the_same_lr():
    """Catches a degradation with a state: where an image leaves no choice of crop, both crops are all of it."""
    pool = _pool(_smooth(5, 30, 30))
    for step in range(20):
        first, second = _draw(pool, DegradedConfig(lr_patch=20, scale_min=1.6, augment=False), step, crops=2)
        np.testing.assert_array_equal(first.hr, pool.images[0])
        np.testing.assert_array_equal(first.hr, second.hr)
        np.testing.assert_array_equal(first.lr, second.lr)
        assert first.scale == 1.5  # what fits, not what was drawn


def test_orientations_are_drawn_for_every_crop():
    """Catches one turn for both crops, and patches that are never turned."""
    picture = np.zeros((12, 12, 3), np.uint8)
    picture[0, 1] = 255
    places, different = set(), 0
    for step in range(80):
        found = _draw(_pool(picture), DegradedConfig(lr_patch=12, scale_max=1.0), step, crops=2)
        pair = [tuple(int(i) for i in np.argwhere(patch.hr[..., 0])[0]) for patch in found]
        places |= set(pair)
        different += pair[0] != pair[1]
    assert len(places) == 8
    assert different > 50


# --- draws ---


@pytest.mark.parametrize("mixing", ["sample", "batch", "pool"])
def test_a_batch_is_a_function_of_seed_and_step(pool, mixing):
    """Catches global random state and draws that depend on what was drawn before."""
    config = DegradedConfig(lr_patch=12, mixing=mixing, pool=32, clean_share=0.3)
    np.random.seed(1)
    torch.manual_seed(1)
    forth = [_batch(pool, config, step) for step in range(6)]
    np.random.seed(2)
    torch.manual_seed(2)
    back = [_batch(pool, config, step) for step in reversed(range(6))][::-1]
    for first, again in zip(forth, back, strict=True):
        assert all(_same(a, b) for a, b in zip(first, again, strict=True))
    seen = [*forth[3], *_batch(pool, config, 4), *_batch(pool, config, 3, seed=1)]
    assert not any(_same(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_patches_of_a_batch_draw_everything_on_their_own(pool):
    """Catches one degradation for the batch under `mixing: sample`."""
    found = _batch(pool, DegradedConfig(lr_patch=12), 0, count=30)
    assert len({patch.degradation.blur.size for patch in found}) > 4
    assert {patch.degradation.shrinker for patch in found} == set(SHRINKERS)
    assert len({patch.hr.shape for patch in found}) > 10
    assert len({patch.degradation.blur.theta for patch in found}) == 30


def test_a_batch_shares_scale_kernel_side_and_shrinker_but_no_kernel(pool):
    """Catches a kernel for the whole batch, and batches that all share one draw."""
    config = DegradedConfig(lr_patch=12, mixing="batch")
    batches = [_batch(pool, config, step) for step in range(25)]
    for found in batches:
        assert len({_shared(patch) for patch in found}) == 1
        assert len({patch.degradation.blur.sigma_1 for patch in found}) == 8
        assert len({patch.degradation.blur.theta for patch in found}) == 8
    sides, sizes, shrinkers = zip(*(_shared(found[0]) for found in batches), strict=True)
    assert len(set(sides)) > 10
    assert len(set(sizes)) > 4
    assert set(shrinkers) == set(SHRINKERS)


def test_a_pool_mixes_the_draws_of_the_last_batches_only(pool):
    """Catches a pool that is a batch under another name, one that forgets its size, and draws of the future."""
    config = DegradedConfig(lr_patch=12, mixing="pool", pool=32)
    drawn = [_shared(_batch(pool, DegradedConfig(lr_patch=12, mixing="batch"), step)[0]) for step in range(14)]
    used: set[int] = set()
    for step in range(14):
        found = [_shared(patch) for patch in _batch(pool, config, step)]
        assert set(found) <= set(drawn[max(step - 3, 0) : step + 1])  # 32 patches are four batches of eight
        used |= {step - drawn.index(each) for each in found}
        if step >= 3:
            assert len(set(found)) > 1
    assert used == {0, 1, 2, 3}


@pytest.mark.parametrize("pool_size", [1, 8, 15])
def test_a_pool_no_larger_than_a_batch_holds_that_batch(pool, pool_size):
    """Catches a pool of no batches."""
    config = DegradedConfig(lr_patch=12, mixing="pool", pool=pool_size)
    batch = DegradedConfig(lr_patch=12, mixing="batch")
    for step in (0, 9):
        assert {_shared(p) for p in _batch(pool, config, step)} == {_shared(p) for p in _batch(pool, batch, step)}


# --- patches that are only reduced ---


def test_the_clean_share_is_the_share_of_patches_reduced_by_bicubic_alone(pool):
    """Catches a share of the blurred ones, a clean patch by another shrinker or with a seed, and a blur left on it."""
    found = [_draw(pool, DegradedConfig(lr_patch=12, clean_share=0.25), step)[0] for step in range(400)]
    clean = [patch for patch in found if patch.seed is None]
    assert len(clean) / 400 == pytest.approx(0.25, abs=0.06)
    for patch in clean:
        assert patch.degradation == UNDEGRADED
        np.testing.assert_array_equal(patch.lr, np.clip(np.rint(imresize(patch.hr, (12, 12))), 0, 255))
        np.testing.assert_array_equal(patch.lr, patch.sharp_lr())
    assert all(patch.degradation != UNDEGRADED for patch in found if patch.seed is not None)


def test_none_and_all_may_be_clean_and_the_crops_stay_the_same(pool):
    """Catches an off-by-one at the ends of the share, and a switch that moves every later draw."""
    none = [_draw(pool, DegradedConfig(lr_patch=12), step)[0] for step in range(40)]
    every = [_draw(pool, DegradedConfig(lr_patch=12, clean_share=1.0), step)[0] for step in range(40)]
    assert not any(patch.seed is None for patch in none)
    assert all(patch.seed is None for patch in every)
    for a, b in zip(none, every, strict=True):
        np.testing.assert_array_equal(a.hr, b.hr)


def test_the_undegraded_kernel_is_a_single_point():
    kernel = UNDEGRADED.blur.kernel()
    assert kernel[3, 3] == 1
    assert np.sort(kernel.ravel())[-2] < 1e-80


# --- replay ---


def test_a_drawn_degradation_can_be_drawn_again_from_its_seed(pool):
    """Catches a seed that is recorded but not the one that was used."""
    config = DegradedConfig(lr_patch=12, kernel_sizes=(9, 15), sigma_min=0.6, sigma_max=5.0, eigenvalue="variance")
    for step in range(30):
        patch = _draw(pool, config, step)[0]
        again = draw_blind_assr(patch.seed, eigenvalue="variance", sizes=(9, 15), low=0.6, high=5.0)
        assert patch.degradation == again


@pytest.mark.parametrize("mixing", ["sample", "batch", "pool"])
def test_stored_degradations_replay_the_very_same_pixels(pool, tmp_path, mixing):
    """Catches values of numpy's types, which JSON does not take, digits that get lost, and a patch whose LR came from
    more than its degradation."""
    config = DegradedConfig(lr_patch=12, mixing=mixing, pool=32, clean_share=0.3)
    found = {f"{step} {i}": patch for step in range(4) for i, patch in enumerate(_batch(pool, config, step))}
    assert any(patch.seed is None for patch in found.values())
    write_manifest(tmp_path / "m.json", {name: patch.degradation for name, patch in found.items()})
    stored = read_manifest(tmp_path / "m.json")
    for name, patch in found.items():
        assert stored[name] == patch.degradation
        np.testing.assert_array_equal(stored[name].apply(patch.hr, (12, 12)), patch.lr)


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"kernel_sizes": ()}, "kernel_sizes are odd"),
        ({"kernel_sizes": (7, 8)}, "kernel_sizes are odd"),
        ({"kernel_sizes": (-3,)}, "kernel_sizes are odd"),
        ({"kernel_sizes": (0,)}, "kernel_sizes are odd"),
        ({"sigma_min": 0.0}, "sigma_min"),
        ({"sigma_min": 3.0, "sigma_max": 2.0}, "sigma_max 2.0 is below sigma_min 3.0"),
        ({"clean_share": -0.1}, "clean_share"),
        ({"clean_share": 1.1}, "clean_share"),
        ({"mixing": "epoch"}, "mixing"),
        ({"pool": 0}, "pool"),
        ({"eigenvalue": "std"}, "eigenvalue"),
        ({"scale_min": 3.0, "scale_max": 2.0}, "scale_max"),
        ({"scale_min": 0.5}, "scale_min"),
        ({"lr_patch": 2}, "lr_patch"),
        ({"kernel_size": 7}, "kernel_size"),
    ],
)
def test_bad_options_are_refused_by_name(options, named):
    """Catches an option that is swallowed, and ranges that fail in the middle of a training."""
    with pytest.raises(ValidationError, match=named):
        DegradedConfig(**options)


def test_equal_ends_of_a_range_are_allowed(pool):
    config = DegradedConfig(lr_patch=12, sigma_min=1.5, sigma_max=1.5, scale_min=2.0, scale_max=2.0)
    patch = _draw(pool, config, 0)[0]
    assert (patch.degradation.blur.sigma_1, patch.degradation.blur.sigma_2, patch.scale) == (1.5, 1.5, 2.0)


def test_an_image_smaller_than_a_patch_is_named():
    with pytest.raises(RequestError, match=r"folder/0\.png is 11 px"):
        _draw(_pool(_smooth(0, 40, 11)), DegradedConfig(lr_patch=12), 0)


def test_unknown_shrinkers_are_refused():
    with pytest.raises(ImageError, match="'lanczos': expected bicubic, bilinear or area"):
        shrink(np.zeros((4, 4)), (2, 2), "lanczos")
