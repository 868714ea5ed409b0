"""Kernels against their moments and scipy, draws against their published ranges, degradations against themselves."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from bench.imaging import ImageError, apply_kernel, draw_blind_assr, draw_real_esrgan, imresize
from bench.imaging.degrade import BlindDegradation, shrink
from bench.imaging.kernels import GaussianBlur, SincBlur
from bench.imaging.manifest import from_json, read_manifest, to_json, write_manifest
from bench.imaging.real_esrgan import Noise, RealEsrganDegradation, Stage, _resize


@pytest.fixture(scope="module")
def hr():
    rng = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(rng.normal(size=(96, 120, 3)), (3, 3, 0))
    return np.clip(128 + 400 * smooth, 0, 255).astype(np.uint8)


def moments(kernel: np.ndarray) -> np.ndarray:
    axis = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(axis, axis)
    return np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )


@pytest.mark.parametrize("theta", [0.0, 0.5, 1.2, 2.8])
def test_kernel_has_the_covariance_it_names(theta):
    """Catches sigma taken for variance, x and y swapped, the angle's sign."""
    kernel = GaussianBlur(size=41, sigma_1=3.0, sigma_2=1.0, theta=theta).kernel()
    rotation = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    np.testing.assert_allclose(moments(kernel), rotation @ np.diag([9.0, 1.0]) @ rotation.T, rtol=0.02, atol=0.02)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)


def test_generalised_and_plateau_kernels_follow_their_formulas():
    """Catches the exponent applied outside the form, and one shape taken for the other."""
    form = (np.arange(5)[None] - 2.0) ** 2 + (np.arange(5)[:, None] - 2.0) ** 2
    for shape, values in (("generalised", np.exp(-0.5 * form**2.5)), ("plateau", 1 / (1 + form**2.5))):
        blur = GaussianBlur(size=5, sigma_1=1, sigma_2=1, theta=0.3, shape=shape, beta=2.5)
        np.testing.assert_allclose(blur.kernel(), values / values.sum(), atol=1e-12)


def test_sinc_kernel_passes_low_and_stops_high_frequencies():
    """Catches a cut-off in the wrong unit; the truth is the filter's own frequency response."""
    kernel = SincBlur(size=21, cutoff=math.pi / 2).kernel()
    response = np.abs(np.fft.fft2(kernel, (256, 256)))[0]
    radians = np.arange(128) * 2 * math.pi / 256
    assert response[:128][radians < 0.3 * math.pi] == pytest.approx(1, abs=0.15)
    assert response[:128][radians > 0.7 * math.pi].max() < 0.15
    np.testing.assert_array_equal(kernel, kernel.T)


def test_apply_kernel_is_convolution_with_a_mirrored_border():
    """Catches correlation (a flipped kernel), a repeated edge pixel, channels mixed; small and DFT-sized kernels."""
    rng = np.random.default_rng(0)
    for size in (3, 7, 15, 21):
        image, kernel = rng.normal(size=(31, 40, 3)), rng.random((size, size))
        expected = np.stack([ndimage.convolve(image[:, :, c], kernel, mode="mirror") for c in range(3)], axis=2)
        np.testing.assert_allclose(apply_kernel(image, kernel), expected, atol=1e-9)
        np.testing.assert_allclose(apply_kernel(image[:, :, 0], kernel), expected[:, :, 0], atol=1e-9)


def test_a_point_becomes_the_kernel_unflipped():
    point, kernel = np.zeros((21, 21)), np.arange(49.0).reshape(7, 7)
    point[10, 10] = 1
    np.testing.assert_allclose(apply_kernel(point, kernel)[7:14, 7:14], kernel, atol=1e-12)


def test_images_smaller_than_the_kernel_are_blurred_too():
    """Catches a padding that needs more pixels than there are."""
    kernel = GaussianBlur(size=21, sigma_1=2, sigma_2=2, theta=0).kernel()
    for shape in ((1, 1, 3), (2, 5), (5, 1, 3)):
        np.testing.assert_allclose(apply_kernel(np.full(shape, 7.0), kernel), 7, atol=1e-9)


def test_even_kernels_are_refused():
    with pytest.raises(ImageError, match="odd"):
        apply_kernel(np.zeros((9, 9)), np.ones((4, 4)))
    with pytest.raises(ImageError, match="odd kernel size, got 8"):
        GaussianBlur(size=8, sigma_1=1, sigma_2=1, theta=0).kernel()


def test_blind_draws_fill_their_published_ranges():
    """Catches an even size, an exclusive end, an angle up to 2 pi, one shrinker never drawn."""
    draws = [draw_blind_assr(seed) for seed in range(3000)]
    assert {d.blur.size for d in draws} == set(range(7, 22, 2))
    for values, low, high in (
        ([d.blur.sigma_1 for d in draws], 0.2, 4.0),
        ([d.blur.sigma_2 for d in draws], 0.2, 4.0),
        ([d.blur.theta for d in draws], 0.0, math.pi),
    ):
        assert low <= min(values) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, rel=0.05)
    counts = [sum(d.shrinker == name for d in draws) for name in ("bicubic", "bilinear", "area")]
    assert min(counts) > 900


def test_variance_reading_takes_the_root():
    a, b = draw_blind_assr(5), draw_blind_assr(5, eigenvalue="variance")
    assert b.blur.sigma_1 == pytest.approx(math.sqrt(a.blur.sigma_1))


def test_blind_degradation_is_blur_then_shrink_then_round(hr):
    """Catches shrinking first, rounding between, correlation, and a non-antialiased bicubic."""
    blur = GaussianBlur(size=15, sigma_1=2.5, sigma_2=0.8, theta=0.7)
    got = BlindDegradation(blur=blur, shrinker="bicubic").apply(hr, (27, 33))
    blurred = np.stack([ndimage.convolve(hr[:, :, c].astype(float), blur.kernel(), mode="mirror") for c in range(3)], 2)
    np.testing.assert_array_equal(got, np.clip(np.rint(imresize(blurred, (27, 33))), 0, 255))


@pytest.mark.parametrize(("shrinker", "options"), [("bilinear", {"align_corners": False}), ("area", {})])
def test_shrinkers_are_torchs_plain_ones(hr, shrinker, options):
    """Catches an antialiased bilinear and OpenCV's area."""
    tensor = torch.from_numpy(hr.astype(np.float64)).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(tensor, size=(29, 31), mode=shrinker, **options)
    np.testing.assert_allclose(shrink(hr, (29, 31), shrinker), expected[0].permute(1, 2, 0).numpy(), atol=1e-9)


@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(40, 51), (130, 150)])
def test_real_esrgan_resizes_as_torch_without_antialias(hr, interpolation, size):
    """Catches a = -0.5, which is the antialiased kernel's."""
    tensor = torch.from_numpy(hr / 255).permute(2, 0, 1)[None]
    options = {} if interpolation == "area" else {"align_corners": False}
    expected = torch.nn.functional.interpolate(tensor, size=size, mode=interpolation, **options)
    got = _resize(hr / 255, size, interpolation)
    np.testing.assert_allclose(got, expected[0].permute(1, 2, 0).numpy(), atol=1e-5)


def test_gaussian_noise_has_the_strength_it_names():
    """Catches sigma on the wrong scale, and gray noise that differs between channels."""
    flat = np.full((200, 200, 3), 0.5)
    coloured = Noise(kind="gaussian", strength=20, gray=False, seed=1).apply(flat) - flat
    gray = Noise(kind="gaussian", strength=20, gray=True, seed=1).apply(flat) - flat
    assert coloured.std() * 255 == pytest.approx(20, rel=0.03)
    assert np.ptp(gray, axis=2).max() == 0
    assert np.ptp(coloured, axis=2).max() > 0


def test_poisson_noise_grows_with_the_root_of_the_signal():
    """Catches Gaussian noise under the name, and the peak not being the number of levels."""
    dark, bright = np.full((300, 150), 51.0), np.full((300, 150), 204.0)
    image = np.concatenate([dark, bright], axis=1) / 255
    noise = Noise(kind="poisson", strength=0.05, gray=False, seed=4).apply(image) - image
    spread = noise[:, :150].std(), noise[:, 150:].std()
    assert spread[1] / spread[0] == pytest.approx(2, rel=0.05)
    assert spread[0] == pytest.approx(0.05 * math.sqrt(0.2 / 2), rel=0.05)  # two levels: a peak of 2
    assert abs(noise.mean()) < 0.01


def test_real_esrgan_draws_have_the_published_shares():
    """Catches swapped probabilities and ranges of the two stages."""
    draws = [draw_real_esrgan(seed) for seed in range(3000)]
    first, second = [d.first for d in draws], [d.second for d in draws]
    share = lambda test, items: sum(map(test, items)) / len(items)  # noqa: E731
    assert share(lambda s: s.blur is None, first) == 0
    assert share(lambda s: s.blur is None, second) == pytest.approx(0.2, abs=0.03)
    assert share(lambda s: isinstance(s.blur, SincBlur), first) == pytest.approx(0.1, abs=0.02)
    assert share(lambda s: s.ratio < 1, first) == pytest.approx(0.7, abs=0.03)
    assert share(lambda s: s.ratio > 1, second) == pytest.approx(0.3, abs=0.03)
    assert share(lambda s: s.noise.kind == "gaussian", first) == pytest.approx(0.5, abs=0.03)
    assert share(lambda s: s.noise.gray, second) == pytest.approx(0.4, abs=0.03)
    assert share(lambda d: d.final_sinc is not None, draws) == pytest.approx(0.8, abs=0.03)
    assert share(lambda d: d.jpeg_last, draws) == pytest.approx(0.5, abs=0.03)
    for stages, ratio, gauss, poisson, sigma in ((first, (0.15, 1.5), 30, 3, 3), (second, (0.3, 1.2), 25, 2.5, 1.5)):
        ratios = [s.ratio for s in stages]
        assert ratio[0] <= min(ratios) < ratio[0] + 0.02
        assert ratio[1] - 0.02 < max(ratios) <= ratio[1]
        assert max(s.noise.strength for s in stages if s.noise.kind == "gaussian") == pytest.approx(gauss, rel=0.02)
        assert max(s.noise.strength for s in stages if s.noise.kind == "poisson") == pytest.approx(poisson, rel=0.02)
        assert {s.jpeg_quality for s in stages} == set(range(30, 96))
        blurs = [s.blur for s in stages if isinstance(s.blur, GaussianBlur)]
        assert max(b.sigma_1 for b in blurs) == pytest.approx(sigma, rel=0.02)
        assert share(lambda b: b.sigma_1 == b.sigma_2, blurs) == pytest.approx(0.69, abs=0.03)
        betas = [b.beta for b in blurs if b.shape == "generalised"]
        assert 0.5 <= min(betas) < 0.6
        assert 3.9 < max(betas) <= 4
        assert all(1 <= b.beta <= 2 for b in blurs if b.shape == "plateau")


@pytest.mark.parametrize("draw", [draw_blind_assr, draw_real_esrgan])
def test_every_draw_gives_the_exact_size(hr, draw):
    """Catches LR sizes that come from rounding a ratio."""
    for seed in range(12):
        for image, size in ((hr, (24, 30)), (hr[:, :, 0], (37, 11)), (hr[:9, :8], (3, 2))):
            lr = draw(seed).apply(image, size)
            assert lr.shape == (*size, *image.shape[2:])
            assert lr.dtype == np.uint8


def test_the_order_of_the_last_jpeg_and_the_sinc_filter_is_kept(hr):
    """Catches the flag being ignored, or deciding over more than the order."""
    clean = Noise(kind="gaussian", strength=0, gray=False, seed=0)
    stages = [Stage(blur=None, ratio=1, interpolation="bilinear", noise=clean, jpeg_quality=q) for q in (95, 30)]
    last, first = (
        RealEsrganDegradation(
            first=stages[0], second=stages[1], final_interpolation="area", final_sinc=None, jpeg_last=jpeg_last
        ).apply(np.ascontiguousarray(hr[:96, :96]), (48, 48))
        for jpeg_last in (True, False)
    )
    np.testing.assert_array_equal(last, first)  # nothing between the two: the order cannot matter
    sinc = SincBlur(size=7, cutoff=1.2)
    with_sinc = [
        RealEsrganDegradation(
            first=stages[0], second=stages[1], final_interpolation="area", final_sinc=sinc, jpeg_last=jpeg_last
        ).apply(hr, (48, 48))
        for jpeg_last in (True, False)
    ]
    assert np.any(with_sinc[0] != with_sinc[1])


@pytest.mark.parametrize("draw", [draw_blind_assr, draw_real_esrgan])
def test_degradations_are_the_same_in_every_process(hr, tmp_path, draw):
    """Catches hash randomisation, global random state and draws that depend on call order."""
    np.random.seed(1)
    Image.fromarray(hr).save(tmp_path / "hr.png")
    here = draw(99).apply(hr, (24, 30))
    code = (
        "import sys, hashlib; from bench.imaging import degrade, read_image;"
        f"lr = degrade.{draw.__name__}(99).apply(read_image(sys.argv[1]).pixels, (24, 30));"
        "print(hashlib.sha256(lr.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "hr.png")], capture_output=True, text=True)
    assert done.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest(), done.stderr


def test_the_frozen_stream_does_not_move():
    """Catches a change of the drawing order or of numpy's stream, which would silently change every stored LR set."""
    blind = draw_blind_assr(2026)
    assert to_json(blind) == {
        "kind": "blind-assr",
        "blur": {
            "size": 9,
            "sigma_1": 2.6316700297175872,
            "sigma_2": 1.9756199243452433,
            "theta": 1.1639617341137898,
            "shape": "gaussian",
            "beta": 1.0,
        },
        "shrinker": "bilinear",
    }


def test_manifest_keeps_every_digit(hr, tmp_path):
    """Catches rounding in JSON, lost kinds, ids that are not ASCII."""
    drawn = {f"画像 {seed}": (draw_blind_assr, draw_real_esrgan)[seed % 2](seed) for seed in range(40)}
    write_manifest(tmp_path / "m.json", drawn)
    read = read_manifest(tmp_path / "m.json")
    assert read == drawn
    np.testing.assert_array_equal(read["画像 1"].apply(hr, (24, 30)), drawn["画像 1"].apply(hr, (24, 30)))


def test_unusable_manifests_name_the_file_and_the_image(tmp_path):
    path = tmp_path / "m.json"
    with pytest.raises(ImageError, match=r"m\.json: expected a degradation manifest"):
        read_manifest(path)
    path.write_text("{")
    with pytest.raises(ImageError, match=r"m\.json: expected a degradation manifest"):
        read_manifest(path)
    path.write_text("[]")
    with pytest.raises(ImageError, match='"format"'):
        read_manifest(path)
    write_manifest(path, {"baby": draw_blind_assr(1)})
    document = json.loads(path.read_text())
    document["images"]["baby"]["blur"]["sigma_3"] = 1
    path.write_text(json.dumps(document))
    with pytest.raises(ImageError, match=r"m\.json: image 'baby': .*sigma_3"):
        read_manifest(path)
    with pytest.raises(ImageError, match=r"'rain'.*real-esrgan"):
        from_json({"kind": "rain"})


def test_seeds_and_pixels_out_of_range_are_refused(hr):
    with pytest.raises(ValueError, match="-1"):
        draw_blind_assr(-1)
    for draw in (draw_blind_assr, draw_real_esrgan):
        with pytest.raises(ImageError, match="float"):
            draw(0).apply(hr.astype(np.float32), (9, 9))
        with pytest.raises(ImageError, match="at least 1 x 1"):
            draw(0).apply(hr, (0, 9))
