"""SelfSSIM: the convention of the table, and both kernels against independent ones."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity

from bench.api import MetricKind, UnitError
from bench.api.presets import PRESETS
from bench.imaging import imresize
from bench.metrics.catalog import make_metric
from bench.metrics.msssim import WEIGHTS, ms_ssim
from bench.metrics.selfssim import nearest, self_ms_ssim_nearest, self_ssim

PROTOCOL = next(iter(PRESETS.values()))
SIDES = (85, 112, 160, 192)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return skimage.data.astronaut()[:256, 100:356]


@pytest.fixture(scope="module")
def outputs(photo: np.ndarray) -> list[np.ndarray]:
    """One photo at four sizes: the outputs of a perfectly consistent method."""
    return [np.rint(imresize(photo, (side, side)).clip(0, 255)).astype(np.uint8) for side in SIDES]


def test_equal_outputs_give_one(photo: np.ndarray) -> None:
    assert self_ssim(photo, photo) == pytest.approx(1, abs=1e-12)
    assert self_ms_ssim_nearest(photo, photo) == pytest.approx(1, abs=1e-12)


def test_column_is_the_reference_size_so_below_the_diagonal_is_higher(outputs: list[np.ndarray]) -> None:
    table = np.array([[self_ssim(a, b) for b in outputs] for a in outputs])
    for coarse in range(len(SIDES)):
        for fine in range(coarse + 1, len(SIDES)):
            assert table[fine, coarse] > table[coarse, fine] + 0.01, (SIDES[fine], SIDES[coarse])
    assert table[np.tril_indices(len(SIDES), -1)].min() > 0.99
    assert table[np.triu_indices(len(SIDES), 1)].min() > 0.9


def test_the_first_image_is_resized_to_the_second(outputs: list[np.ndarray]) -> None:
    a, b = outputs[2], outputs[0]
    resized = imresize(a, b.shape[:2])
    values = []
    for c in range(3):
        _, full = structural_similarity(
            resized[..., c],
            b[..., c].astype(np.float64),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        values.append(full[5:-5, 5:-5].mean())
    assert self_ssim(a, b) == pytest.approx(np.mean(values), abs=1e-9)


def test_metrics_compare_pairs_at_the_size_of_the_second(outputs: list[np.ndarray]) -> None:
    a, b = outputs[3], outputs[1]
    for name, function in (("selfssim", self_ssim), ("selfssim_msssim_nn", self_ms_ssim_nearest)):
        metric = make_metric(name)
        assert metric.info.kind is MetricKind.CROSS_SCALE
        assert metric.compute_pair(a, b) == function(a, b) != function(b, a)
        assert "|ref:column|" in metric.signature(PROTOCOL, 4.0)


def test_16_bit_and_planes(outputs: list[np.ndarray]) -> None:
    a, b = outputs[2], outputs[1]
    wide = self_ssim(a.astype(np.uint16) * 257, b)
    assert wide == pytest.approx(self_ssim(a, b), abs=1e-12)
    plane = self_ssim(a[..., 0], b[..., 0])
    assert plane == pytest.approx(self_ssim(np.stack([a[..., 0]] * 3, 2), np.stack([b[..., 0]] * 3, 2)), abs=1e-12)
    with pytest.raises(UnitError, match="channels"):
        self_ssim(a[..., 0], b)
    with pytest.raises(UnitError, match="at least 11"):
        self_ssim(a, b[:8])


def naive_ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """The definition with dense two-dimensional windows, channel by channel."""
    value = 1.0
    for level, weight in enumerate(WEIGHTS):
        size = min(11, *a.shape[:2])
        x = np.arange(size) - (size - 1) / 2
        window = np.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * (1.5 * size / 11) ** 2))
        window /= window.sum()
        full, contrast = [], []
        for c in range(3):
            p, q = a[..., c], b[..., c]
            mp, mq, pp, qq, pq = (convolve2d(z, window, "valid") for z in (p, q, p * p, q * q, p * q))
            term = (2 * (pq - mp * mq) + 58.5225) / (pp - mp**2 + qq - mq**2 + 58.5225)
            contrast.append(term.mean())
            full.append((term * (2 * mp * mq + 6.5025) / (mp**2 + mq**2 + 6.5025)).mean())
        value *= max(float(np.mean(full if level == 4 else contrast)), 0.0) ** weight
        a, b = (z.reshape(z.shape[0] // 2, 2, z.shape[1] // 2, 2, 3).mean((1, 3)) if level < 4 else z for z in (a, b))
    return value


@pytest.mark.parametrize("side", [192, 96, 64])
def test_ms_ssim_equals_the_definition_also_where_windows_shrink(photo: np.ndarray, side: int) -> None:
    a = photo[:side, :side].astype(np.float64)
    b = a + np.random.default_rng(0).normal(0, 20, a.shape)
    assert ms_ssim(a, b) == pytest.approx(naive_ms_ssim(a, b), abs=1e-10)


def test_nearest_equals_torch(photo: np.ndarray) -> None:
    import torch

    for size in ((85, 112), (300, 171)):
        tensor = torch.from_numpy(photo.astype(np.float64)).permute(2, 0, 1)[None]
        want = torch.nn.functional.interpolate(tensor, size)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(nearest(photo.astype(np.float64), size), want)


def test_negative_contrast_counts_as_zero_not_as_nan(photo: np.ndarray) -> None:
    a = photo.astype(np.float64)
    assert ms_ssim(a, 255 - a) == 0
    with pytest.raises(UnitError, match="at least 16"):
        self_ms_ssim_nearest(photo, photo[:12])
