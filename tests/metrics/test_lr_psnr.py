"""LR-PSNR: the protocol's own downsampler and depth, against the LR that was given."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from bench.api import UnitError, get_protocol
from bench.imaging import downsample
from bench.metrics.base import ScoredPair
from bench.metrics.lr_psnr import LRPSNR

SAMPLE = get_protocol("sample")


def make_lr(sr, size, protocol, scale=4.0):
    lr = downsample(sr, size, kernel=protocol.downsampler_at(scale), depth=protocol.lr_depth) / 255
    return (lr if lr.ndim == 3 else np.repeat(lr[:, :, None], 3, axis=2)).astype(np.float32)


def score(sr, lr, protocol=SAMPLE, scale=4.0):
    return LRPSNR().compute(ScoredPair(sr=sr, hr=None, lr=lr, scale=scale, protocol=protocol))


@pytest.mark.parametrize("kernel", ["matlab-bicubic", "pillow-bicubic", "opencv-area"])
def test_consistent_result_is_infinite_under_its_own_downsampler_only(kernel):
    protocol = replace(SAMPLE, downsampler=kernel)
    sr = data.chelsea()
    lr = make_lr(sr, (75, 112), protocol)
    assert score(sr, lr, protocol) == math.inf
    other = replace(SAMPLE, downsampler="opencv-area" if kernel != "opencv-area" else "matlab-bicubic")
    assert 20 < score(sr, lr, other) < 60


def test_float_lr_is_compared_unrounded():
    protocol = replace(SAMPLE, lr_depth="float")
    sr = data.chelsea()
    lr = make_lr(sr, (75, 112), protocol)
    assert score(sr, lr, protocol) > 120  # float32 storage of LR is all that differs
    assert score(sr, np.rint(lr * 255).astype(np.float32) / 255, protocol) == pytest.approx(58.9, abs=1.5)


def test_known_difference_gives_its_psnr():
    sr = np.full((64, 64, 3), 100, np.uint8)
    lr = np.full((16, 16, 3), 102 / 255, np.float32)
    assert score(sr, lr) == pytest.approx(20 * math.log10(255 / 2), abs=1e-6)


def test_luma_result_meets_the_luma_lr_and_sixteen_bit_is_rounded():
    luma = data.camera()
    lr = make_lr(luma, (128, 128), SAMPLE)
    assert score(luma, lr) == math.inf
    deep = np.minimum(luma.astype(np.int64) * 257 + 100, 65535).astype(np.uint16)
    assert score(deep, lr) == math.inf


@pytest.mark.parametrize("offset", [-128, 128])
def test_a_sixteen_bit_result_is_rounded_to_the_nearer_level_from_both_sides(offset):
    """Catches 16-bit results that are floored: half of their values would fall a grey level."""
    luma = np.clip(data.camera(), 1, 254)
    lr = make_lr(luma, (128, 128), SAMPLE)
    assert score((luma.astype(np.int64) * 257 + offset).astype(np.uint16), lr) == math.inf


def test_the_coarse_downsampler_takes_over():
    protocol = get_protocol("liif-benchmark")
    sr = data.chelsea()
    lr = make_lr(sr, (50, 75), protocol, scale=6.0)
    assert score(sr, lr, protocol, scale=6.0) == math.inf
    assert score(sr, lr, protocol, scale=4.0) < 80


def test_no_lr_or_another_degradation_has_a_reason():
    sr = data.chelsea()
    with pytest.raises(UnitError, match="not at hand"):
        score(sr, None)
    with pytest.raises(UnitError, match="degradation 'blind-assr'"):
        score(sr, make_lr(sr, (75, 112), SAMPLE), get_protocol("blind-assr"))
