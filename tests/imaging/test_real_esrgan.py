"""Real-ESRGAN's recipes against their published shares, and what is drawn against hand-made pipelines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.imaging import ImageError, draw_real_esrgan, imresize
from bench.imaging.degrade import DRAWS, UNDEGRADED
from bench.imaging.kernels import GaussianBlur, SincBlur, apply_kernel
from bench.imaging.manifest import read_manifest, write_manifest
from bench.imaging.real_esrgan import Noise, RealEsrganDegradation, Stage
from bench.imaging.real_esrgan_recipe import RECIPES

DRAWN = 1000
OFF = Stage(blur=None, ratio=None, interpolation="bicubic", noise=None, jpeg_quality=None)
IDENTITY = RealEsrganDegradation(first=OFF, second=OFF, final_interpolation="bicubic", final_sinc=None, jpeg_last=False)
U8 = NDArray[np.uint8]


def picture(height: int, width: int, *, gray: bool = False, seed: int = 0) -> U8:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3))
    fine = np.kron(coarse, np.ones((6, 6, 1)))[:height, :width]
    image = np.clip(fine + rng.normal(0, 4, fine.shape), 0, 255).astype(np.uint8)
    return image[:, :, 0].copy() if gray else image


def assert_share(hits: list[bool], probability: float) -> None:
    """Within five standard deviations of a binomial count, and never zero where it may happen."""
    spread = 5 * math.sqrt(probability * (1 - probability) / len(hits))
    assert abs(sum(hits) / len(hits) - probability) <= spread, (sum(hits), len(hits), probability)
    assert 0 < sum(hits) < len(hits) or probability in (0, 1)


SHARES: list[tuple[str, Callable[[RealEsrganDegradation], bool], float]] = [
    ("first up", lambda d: (d.first.ratio or 1) > 1, 0.2),
    ("first down", lambda d: (d.first.ratio or 1) < 1, 0.7),
    ("first keep", lambda d: d.first.ratio == 1, 0.1),
    ("first gaussian", lambda d: d.first.noise is not None and d.first.noise.kind == "gaussian", 0.5),
    ("first gray", lambda d: d.first.noise is not None and d.first.noise.gray, 0.4),
    ("first sinc", lambda d: isinstance(d.first.blur, SincBlur), 0.1),
    ("first round gaussian", lambda d: is_kernel(d.first.blur, "gaussian", True), 0.9 * 0.45),
    ("first oval gaussian", lambda d: is_kernel(d.first.blur, "gaussian", False), 0.9 * 0.25),
    ("first round generalised", lambda d: is_kernel(d.first.blur, "generalised", True), 0.9 * 0.12),
    ("first oval generalised", lambda d: is_kernel(d.first.blur, "generalised", False), 0.9 * 0.03),
    ("first round plateau", lambda d: is_kernel(d.first.blur, "plateau", True), 0.9 * 0.12),
    ("first oval plateau", lambda d: is_kernel(d.first.blur, "plateau", False), 0.9 * 0.03),
    ("first area", lambda d: d.first.interpolation == "area", 1 / 3),
    ("second bicubic", lambda d: d.second.interpolation == "bicubic", 1 / 3),
    ("final bilinear", lambda d: d.final_interpolation == "bilinear", 1 / 3),
    ("final sinc", lambda d: d.final_sinc is not None, 0.8),
    ("JPEG last", lambda d: d.jpeg_last, 0.5),
    ("no blur at first", lambda d: d.first.blur is None, 0.0),
]
SECOND: list[tuple[str, Callable[[Stage], bool], float]] = [
    ("up", lambda s: (s.ratio or 1) > 1, 0.3),
    ("down", lambda s: (s.ratio or 1) < 1, 0.4),
    ("keep", lambda s: s.ratio == 1, 0.3),
    ("gaussian", lambda s: s.noise is not None and s.noise.kind == "gaussian", 0.5),
    ("poisson", lambda s: s.noise is not None and s.noise.kind == "poisson", 0.5),
    ("gray", lambda s: s.noise is not None and s.noise.gray, 0.4),
    ("no blur", lambda s: s.blur is None, 0.2),
    ("sinc", lambda s: isinstance(s.blur, SincBlur), 0.8 * 0.1),
]


def is_kernel(blur: GaussianBlur | SincBlur | None, shape: str, round_: bool) -> bool:
    return isinstance(blur, GaussianBlur) and blur.shape == shape and (blur.sigma_1 == blur.sigma_2) == round_


@pytest.fixture(scope="module", params=list(RECIPES))
def drawn(request: pytest.FixtureRequest) -> tuple[str, list[RealEsrganDegradation]]:
    return request.param, [draw_real_esrgan(seed, request.param) for seed in range(DRAWN)]


def test_every_branch_is_hit_with_its_published_share(drawn: tuple[str, list[RealEsrganDegradation]]) -> None:
    """Catches exchanged probabilities of the stages, a branch that is never drawn, sinc drawn beside a Gaussian."""
    recipe, degradations = drawn
    for _, test, probability in SHARES:
        assert_share([test(d) for d in degradations], probability)
    seconds = [d.second for d in degradations if d.second.noise is not None]
    assert_share([d.second.noise is not None for d in degradations], RECIPES[recipe].second_order)
    for _, holds, probability in SECOND:
        assert_share([holds(stage) for stage in seconds], probability)


def test_light_halves_the_noise_and_leaves_all_else_of_a_seed() -> None:
    """Catches a light recipe with other kernels, ratios or qualities, and half of one end of a range only."""
    light_off = 0
    for seed in range(200):
        full, light = draw_real_esrgan(seed), draw_real_esrgan(seed, "real-esrgan-light")
        assert full.first.noise is not None
        assert light.first.noise is not None
        assert light.first.noise.strength == pytest.approx(full.first.noise.strength / 2, rel=1e-12)
        assert replace(light.first, noise=full.first.noise) == full.first
        assert (light.final_sinc, light.jpeg_last) == (full.final_sinc, full.jpeg_last)
        assert light.second.jpeg_quality == full.second.jpeg_quality
        if light.second.noise is None:
            light_off += 1
            assert (light.second.blur, light.second.ratio) == (None, None)
        else:
            assert full.second.noise is not None
            assert light.second.noise.strength == pytest.approx(full.second.noise.strength / 2, rel=1e-12)
            assert replace(light.second, noise=full.second.noise) == full.second
    assert 60 < light_off < 140


def test_small_sinc_kernels_keep_more_frequencies() -> None:
    """Catches one range of cut-offs for all sizes, or pi/5 for the small ones."""
    blurs = [draw_real_esrgan(seed).first.blur for seed in range(4000)]
    small = [b.cutoff for b in blurs if isinstance(b, SincBlur) and b.size < 13]
    large = [b.cutoff for b in blurs if isinstance(b, SincBlur) and b.size >= 13]
    assert math.pi / 3 <= min(small) < math.pi / 3 + 0.1
    assert math.pi / 5 <= min(large) < math.pi / 5 + 0.1
    assert max(small + large) <= math.pi


def test_padding_a_kernel_to_21_changes_nothing() -> None:
    """Catches a border treatment that depends on the kernel's side, as published code pads every kernel to 21."""
    image = picture(37, 53) / 255
    kernel = SincBlur(size=9, cutoff=1.5).kernel()
    np.testing.assert_allclose(apply_kernel(image, kernel), apply_kernel(image, np.pad(kernel, 6)), atol=1e-12)


@pytest.mark.parametrize("recipe", RECIPES)
def test_512_becomes_128_on_the_8_bit_grid_and_again_the_same(recipe: str) -> None:
    """Catches sizes by rounding a ratio, floats that leave [0, 1], a global random state."""
    hr = picture(512, 512)
    for seed in range(3):
        lr = draw_real_esrgan(seed, recipe).apply(hr, (128, 128))
        np.random.seed(seed)
        assert (lr.shape, lr.dtype) == ((128, 128, 3), np.uint8)
        np.testing.assert_array_equal(lr, draw_real_esrgan(seed, recipe).apply(hr, (128, 128)))
        assert np.any(lr != draw_real_esrgan(seed + 1, recipe).apply(hr, (128, 128)))


@pytest.mark.parametrize(("height", "width"), [(37, 53), (4, 4), (131, 510)])
@pytest.mark.parametrize("gray", [False, True])
def test_whole_images_of_any_side_give_the_floor(height: int, width: int, gray: bool) -> None:
    hr = picture(height, width, gray=gray)
    for seed in range(6):
        size = (height // 4, width // 4)
        lr = draw_real_esrgan(seed).apply(hr, size)
        assert lr.shape == (size if gray else (*size, 3))


def test_with_everything_off_it_is_bicubic() -> None:
    """Catches a JPEG, a rounding or a filter that stays when its switch is off; torch's kernel is the truth."""
    hr = picture(512, 512)
    tensor = torch.from_numpy(hr / 255.0).permute(2, 0, 1)[None]
    want = torch.nn.functional.interpolate(tensor, size=(128, 128), mode="bicubic", align_corners=False)
    expected = np.clip(want[0].permute(1, 2, 0).numpy(), 0, 1) * 255
    got = IDENTITY.apply(hr, (128, 128))
    assert np.abs(got - expected).max() <= 0.5 + 1e-3
    reduced = np.clip(np.rint(imresize(hr, (128, 128))), 0, 255)
    np.testing.assert_array_equal(UNDEGRADED.apply(hr, (128, 128)), reduced)


def test_steps_come_in_the_published_order() -> None:
    """Catches noise before the resize, a JPEG left out, and the final filter on the wrong side of the second JPEG."""
    hr = picture(64, 96)
    base = replace(IDENTITY, final_sinc=SincBlur(size=7, cutoff=1.2))
    blur = GaussianBlur(size=9, sigma_1=2, sigma_2=1, theta=0.4)
    noise = Noise(kind="gaussian", strength=9, gray=False, seed=5)
    stage = Stage(blur=blur, ratio=0.5, interpolation="area", noise=noise, jpeg_quality=60)
    one = replace(base, first=stage, final_sinc=None).apply(hr, (32, 48))
    blurred = apply_kernel(hr / 255, blur.kernel())
    noisy = noise.apply(blurred.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3)))
    assert np.abs(one - _jpeg_by_hand(noisy, 60).astype(int)).max() <= 1
    last = replace(base, second=replace(OFF, jpeg_quality=40), jpeg_last=True).apply(hr, (64, 96))
    filtered = apply_kernel(hr / 255, SincBlur(size=7, cutoff=1.2).kernel())
    np.testing.assert_array_equal(last, _jpeg_by_hand(filtered, 40))
    before = replace(base, second=replace(OFF, jpeg_quality=40)).apply(hr, (64, 96))
    wanted = apply_kernel(_jpeg_by_hand(hr / 255, 40) / 255, SincBlur(size=7, cutoff=1.2).kernel())
    np.testing.assert_array_equal(before, np.rint(np.clip(wanted, 0, 1) * 255))


def _jpeg_by_hand(image: NDArray[np.float64], quality: int) -> U8:
    """Through OpenCV, which links a libjpeg of its own, with its chroma halved on both axes."""
    import cv2

    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)[:, :, ::-1]
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    coded, stream = cv2.imencode(".jpg", pixels, options)
    assert coded
    decoded = cv2.imdecode(stream, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[:, :, ::-1].astype(np.uint8)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ImageError, match=r"'heavy'.*real-esrgan or real-esrgan-light"):
        draw_real_esrgan(0, "heavy")


def test_every_draw_survives_its_manifest(tmp_path: Path) -> None:
    """Catches a reader that refuses what is drawn, and None read as 0."""
    everything = {f"{name} {seed}": DRAWS[name](seed) for name in DRAWS for seed in range(300)}
    everything["identity"] = IDENTITY
    write_manifest(tmp_path / "m.json", everything)
    assert read_manifest(tmp_path / "m.json") == everything


BROKEN: list[tuple[tuple[str, ...], Any, str]] = [
    (("first", "ratio"), "abc", "ratio 'abc'"),
    (("first", "ratio"), 1e9, "ratio"),
    (("first", "ratio"), 10**400, "ratio"),
    (("first", "ratio"), True, "ratio 'True'"),
    (("second", "jpeg_quality"), 60.5, "jpeg_quality '60.5'"),
    (("second", "jpeg_quality"), 0, "jpeg_quality '0'"),
    (("second", "interpolation"), "nearest", "interpolation 'nearest'"),
    (("first", "noise", "kind"), "salt", "'salt': expected gaussian or poisson"),
    (("first", "noise", "strength"), float("nan"), "strength 'nan'"),
    (("first", "noise", "seed"), -1, "seed '-1'"),
    (("first", "noise", "gray"), 1, "gray '1'"),
    (("first", "noise"), [], "not a stored degradation"),
    (("first", "blur", "size"), 8, "size '8'"),
    (("first", "blur", "size"), 10**9 + 1, "size"),
    (("final_sinc",), {"size": 7, "cutoff": math.inf}, "cutoff 'inf'"),
    (("jpeg_last",), "no", "jpeg_last 'no'"),
    (("first",), None, "not a stored degradation"),
    (("extra",), 1, "extra"),
]


@pytest.mark.parametrize(("place", "value", "words"), BROKEN)
def test_a_damaged_manifest_is_refused_by_file_image_and_field(
    tmp_path: Path, place: tuple[str, ...], value: object, words: str
) -> None:
    """Catches a value that is taken as it comes, to fail in the middle of a run or to make another image."""
    path = tmp_path / "m.json"
    write_manifest(path, {"baby": draw_real_esrgan(3)})
    document = json.loads(path.read_text())
    entry = document["images"]["baby"]
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ImageError, match=rf"m\.json: image 'baby': .*{words}"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"format": "assr-bench degradations 1", "images": [1]}'])
def test_a_manifest_that_is_no_mapping_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ImageError, match=r"m\.json: expected"):
        read_manifest(tmp_path / "m.json")
