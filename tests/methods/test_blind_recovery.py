"""Kernels recovered from known degradations: LR images of the protocol, seen whole; right kernels, right figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.api import ImageRef, RequestError, Sample, get_protocol
from bench.data.pair import draw_degradation, prepare
from bench.imaging import write_png
from bench.imaging.degrade import BlindDegradation, draw_blind_assr
from bench.imaging.kernels import GaussianBlur
from bench.training.config import METADATA_KEY
from methods.blind_assr import recovery
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.network import BlindASSR, RepresentationNetwork
from methods.blind_assr.training.stage2 import load_representation
from methods.blind_assr.training.target import fft_kernel
from methods.blocks.arbsr import ArbSRArchitecture
from methods.blocks.sampled import to_tensor

ARCHITECTURE = BlindArchitecture(
    sr=ArbSRArchitecture(blocks=1, width=4, hidden=8, layers=1),
    encoder=(4, 6, 8),
    head=8,
    estimator=(6, 4),
    modulation=4,
)
WIDE = BlindDegradation(blur=GaussianBlur(size=21, sigma_1=1.2, sigma_2=2.8, theta=0.5), shrinker="bicubic")
DELTA = np.zeros((21, 21))
DELTA[10, 10] = 1.0


def photo(seed: int, size: tuple[int, int] = (70, 90)) -> np.ndarray:
    """Noise: every pixel and every frequency counts."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def write_weights(path: Path, network: torch.nn.Module, stage: str) -> Path:
    said = {"method": "blind_assr", "architecture": ARCHITECTURE.model_dump(mode="json"), "stage": stage}
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path, {METADATA_KEY: json.dumps(said)})
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Stage 1 and the whole model with the same E and M, whose statistics are those of no single image."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    first, whole = RepresentationNetwork(ARCHITECTURE), BlindASSR(ARCHITECTURE)
    for buffer_name, buffer in first.named_buffers():
        if buffer_name.endswith("running_mean"):
            buffer.normal_(0, 0.2)
        elif buffer_name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    whole.encoder.load_state_dict(first.encoder.state_dict())
    whole.estimator.load_state_dict(first.estimator.state_dict())
    return (
        write_weights(folder / "first.safetensors", first, "representation"),
        write_weights(folder / "whole.safetensors", whole, "sr"),
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The LR images that the estimator gets; it answers with a point."""
    images: list[np.ndarray] = []

    def look(_: object, lr: np.ndarray) -> np.ndarray:
        images.append(lr)
        return DELTA

    monkeypatch.setattr(recovery, "estimate", look)
    return images


@pytest.mark.parametrize("scale", [1.0, 1.7, 2.6])
def test_lr_images_are_those_of_the_protocol(scale: float, files, seen, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", photo(1, (77, 91)))
    protocol = get_protocol("blind-assr")
    wanted = prepare(Sample("a", ImageRef(tmp_path / "a.png")), scale, protocol).lr
    (found,) = recovery.recover(files[0], [("a", photo(1, (77, 91)))], [draw_degradation("a", protocol)], [scale])
    assert wanted is not None
    assert np.array_equal(seen[0], np.rint(wanted * 255))
    assert found.lr_size == seen[0].shape[:2]


def test_gray_images_are_three_equal_colours(files, seen) -> None:
    recovery.recover(files[0], [("a", photo(1)[..., 0])], [WIDE], [2.0])
    assert seen[0].shape == (35, 45, 3)
    assert np.array_equal(seen[0][..., 0], seen[0][..., 2])


def test_both_kinds_of_file_give_the_same_kernel_in_evaluation_mode(files) -> None:
    (first,), (whole,) = (recovery.recover(path, [("a", photo(2))], [WIDE], [2.0]) for path in files)
    assert np.array_equal(first.estimated, whole.estimated)
    network = load_representation(files[0])
    lr = torch.from_numpy(WIDE.apply(photo(2), (35, 45))).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        by_hand = network.estimator(network.representation(lr))[0, 0].numpy()
    assert np.allclose(first.estimated, by_hand, atol=1e-7)
    assert first.estimated.sum() == pytest.approx(1, abs=1e-5)


def test_the_estimate_is_of_the_whole_image_and_not_of_the_shown_crop(files) -> None:
    image, other = photo(3, (200, 200)), photo(3, (200, 200))
    other[:20, :20] = 0
    first, second = recovery.recover(files[0], [("a", image), ("b", other)], [WIDE] * 2, [2.0] * 2)
    assert first.crop.shape == (64, 64, 3)
    assert np.array_equal(first.crop, second.crop)
    assert np.array_equal(first.crop, WIDE.apply(image, (100, 100))[18:82, 18:82])
    assert not np.array_equal(first.estimated, second.estimated)


def test_the_analytic_kernel_has_the_covariance_of_the_blur_over_the_squared_scale(files, seen) -> None:
    (found,) = recovery.recover(files[0], [("a", photo(4))], [WIDE], [1.6])
    y, x = np.mgrid[-10:11, -10:11]
    moments = np.array([[(found.true * a * b).sum() for b in (x, y)] for a in (x, y)])
    assert np.allclose(moments, WIDE.blur.covariance() / 1.6**2, rtol=0.03)


@pytest.mark.parametrize("target", ["fft_paper", "fft_release", "fft_joint_taper"])
def test_fft_kernels_are_of_the_whole_image(target: str, files, seen) -> None:
    image = photo(5, (180, 170))
    degradation = BlindDegradation(blur=WIDE.blur, shrinker="area")
    (found,) = recovery.recover(files[0], [("a", image)], [degradation], [2.0], target=target)
    from skimage.measure import block_reduce

    sharp = np.rint(block_reduce(image, (2, 2, 1), np.mean)).astype(np.uint8)
    wanted = fft_kernel(to_tensor(sharp)[None], to_tensor(seen[0])[None], target=target)[0, 0].numpy()
    assert np.allclose(found.true, wanted)
    assert found.target == target


@pytest.mark.parametrize("shrinker", ["bicubic", "bilinear", "area"])
def test_no_blur_at_all_leaves_the_sharp_image_of_the_same_shrinker(shrinker, files, seen) -> None:
    point = GaussianBlur(size=7, sigma_1=0.05, sigma_2=0.05, theta=0.0)
    (found,) = recovery.recover(files[0], [("a", photo(6))], [BlindDegradation(blur=point, shrinker=shrinker)], [1.9])
    assert found.sharp_psnr == pytest.approx(100)
    assert found.true_reblur_psnr == pytest.approx(100)


def test_a_point_as_estimate_is_no_better_than_no_blur(files, seen) -> None:
    (found,) = recovery.recover(files[0], [("a", photo(7))], [WIDE], [1.5])
    assert found.reblur_error == pytest.approx(1)
    assert found.reblur_psnr == pytest.approx(found.sharp_psnr)
    assert found.kernel_l1 == pytest.approx(np.abs(found.true - DELTA).sum())
    mse = ((found.true - DELTA) ** 2).mean()
    assert found.kernel_psnr == pytest.approx(10 * math.log10(found.true.max() ** 2 / mse))


def test_the_true_kernel_as_estimate_is_perfect_and_nearly_reblurs(files, monkeypatch) -> None:
    smooth = np.clip(np.cumsum(np.cumsum(photo(8, (120, 120)) - 127.5, 0), 1) / 30 + 128, 0, 255).astype(np.uint8)
    monkeypatch.setattr(recovery, "estimate", lambda *_: recovery.analytic_kernel(WIDE.blur, 1.5)[0].numpy())
    (found,) = recovery.recover(files[0], [("a", smooth)], [WIDE], [1.5])
    assert found.kernel_l1 == pytest.approx(0)
    assert found.reblur_error == pytest.approx(found.true_reblur_error)
    assert found.reblur_psnr == pytest.approx(found.true_reblur_psnr)
    assert found.true_reblur_error < 0.3


def test_records_come_in_the_order_of_the_images(files) -> None:
    drawn = [draw_blind_assr(seed) for seed in range(3)]
    found = recovery.recover(files[0], ((str(i), photo(i)) for i in range(3)), drawn, [1.0, 2.0, 3.0])
    assert [(each.image, each.degradation, each.scale) for each in found] == list(
        zip("012", drawn, [1.0, 2.0, 3.0], strict=True)
    )


def test_the_study_is_that_of_the_papers_figure() -> None:
    blur = recovery.STUDY_DEGRADATION.blur
    assert (blur.sigma_1, blur.sigma_2, math.degrees(blur.theta)) == pytest.approx((1.1, 2.5, 65))
    assert set(recovery.STUDY_SCALES) == {2.2, 1.1, 3.0, 4.2, 6.0, 10.0}


def test_each_model_of_the_study_is_compared_with_its_own_kernel_on_the_same_images(files) -> None:
    images = [("a", photo(9)), ("b", photo(10))]
    kl, kh = recovery.kernel_space(files[0], files[1], iter(images), scales=(3.0, 1.5))
    assert [(record.image, record.scale) for record in kl.records] == [("a", 3), ("a", 1.5), ("b", 3), ("b", 1.5)]
    for ours, theirs in zip(kl.records, kh.records, strict=True):
        assert np.array_equal(ours.estimated, theirs.estimated)
        assert np.array_equal(ours.crop, theirs.crop)
        assert np.allclose(theirs.true, recovery.STUDY_DEGRADATION.blur.kernel())
    assert kh.true_spread == pytest.approx(0, abs=1e-12)
    assert kl.true_spread > 0.3
    assert kl.records[0].true.max() > kl.records[1].true.max()
    assert (kl.target, kh.target) == ("analytic", "kh")


def test_figures_of_the_study_are_means_over_images_and_spreads_over_scales(files) -> None:
    images = [(str(seed), photo(seed)) for seed in range(3)]
    result, _ = recovery.kernel_space(files[0], files[0], images, scales=(1.5, 2.0))
    l1 = np.array([record.kernel_l1 for record in result.records]).reshape(3, 2)
    psnr = np.array([record.reblur_psnr for record in result.records]).reshape(3, 2)
    errors = np.array([record.reblur_error for record in result.records]).reshape(3, 2)
    assert [row.kernel_l1 for row in result.scales] == pytest.approx(l1.mean(axis=0))
    assert [row.reblur_error for row in result.scales] == pytest.approx(np.median(errors, axis=0))
    assert (result.l1_mean, result.l1_spread) == pytest.approx((l1.mean(), l1.mean(axis=0).std()))
    assert (result.psnr_mean, result.psnr_spread) == pytest.approx((psnr.mean(), psnr.mean(axis=0).std()))


def test_the_spread_of_estimates_is_between_scales_and_not_between_images(files, monkeypatch) -> None:
    def by_image(_: object, lr: np.ndarray) -> np.ndarray:
        """One place per image, and for half of the scales another value there."""
        return np.roll(DELTA, 3 if lr.mean() > 127 else 0) * (1.0 if lr.shape[0] > 40 else 0.5)

    monkeypatch.setattr(recovery, "estimate", by_image)
    images = [("dark", photo(0) // 4), ("light", 255 - photo(0) // 4), ("dark too", photo(1) // 4)]
    result, _ = recovery.kernel_space(files[0], files[0], images, scales=(1.0, 2.0))
    assert result.estimate_spread == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("card", "wanted"),
    [
        ({"config": {"kl_target": "fft_joint_taper"}}, "fft_joint_taper"),
        ({"config": {"kl_target": "kh"}}, "analytic"),
        ({"config": {}}, "analytic"),
        ([1], "analytic"),
        (None, "analytic"),
    ],
)
def test_the_lr_space_model_is_compared_with_what_its_card_says(card, wanted: str, files, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(files[0].read_bytes())
    if card is not None:
        path.with_suffix(".json").write_text(json.dumps(card))
    kl, kh = recovery.kernel_space(path, files[0], [("a", photo(1))], scales=(1.5,))
    assert (kl.target, kh.target) == (wanted, "kh")
    assert kl.trained_for == (card["config"].get("kl_target") if isinstance(card, dict) else None)


def test_wrong_requests_say_what_is_wrong(files, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"'a' of 70 x 90 .* 17 x 22 px at x4.*largest scale for it is 3\.33"):
        recovery.recover(files[0], [("a", photo(1))], [WIDE], [4.0])
    with pytest.raises(RequestError, match="unknown kernel target 'best'; expected one of analytic, fft_paper"):
        recovery.recover(files[0], [], [], [], target="best")
    with pytest.raises(RequestError, match="no weights file"):
        recovery.recover(tmp_path / "none.safetensors", [], [], [])
    with pytest.raises(RequestError, match="at least one image"):
        recovery.kernel_space(files[0], files[0], [])
    with pytest.raises(ValueError, match="zip"):
        recovery.recover(files[0], [("a", photo(1))], [WIDE], [])


def test_the_largest_scale_that_an_error_names_works(files) -> None:
    assert recovery.recover(files[0], [("a", photo(1))], [WIDE], [3.33])[0].lr_size == (21, 27)
