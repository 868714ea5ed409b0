"""Winograd's convolution against the definition, and LPIPS in numpy against the same network in torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import correlate

from bench.metrics.winograd import Winograd, transforms


@pytest.mark.parametrize(("kernel", "side"), [(3, 6), (5, 7), (2, 6), (6, 7)])
def test_one_axis_is_the_correlation_not_the_convolution(kernel: int, side: int) -> None:
    bt, g, at = transforms(kernel, side)
    rng = np.random.default_rng(kernel)
    signal, taps = rng.normal(size=side), rng.normal(size=kernel)
    assert np.allclose(at @ ((g @ taps) * (bt @ signal)), np.correlate(signal, taps, "valid"), atol=1e-12)


@pytest.mark.parametrize(("kernel", "side"), [(3, 6), (5, 7)])
@pytest.mark.parametrize("shape", [(13, 9), (5, 31), (40, 70)])
def test_sizes_that_no_tile_divides_keep_their_last_row_and_column(
    kernel: int, side: int, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(*shape, 4)).astype(np.float32)
    weight = rng.normal(size=(6, 4, kernel, kernel)).astype(np.float32)
    bias = rng.normal(size=6).astype(np.float32)
    planes = [
        sum(correlate(x[..., c].astype(float), weight[o, c].astype(float), "valid") for c in range(4)) + bias[o]
        for o in range(6)
    ]
    expected = np.maximum(np.stack(planes, axis=-1), 0)
    result = Winograd(weight, bias, side).apply(x)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < 1e-5 * np.abs(expected).max()


def test_scoring_with_the_default_metrics_needs_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import bench.metrics.lpips_alex, bench.metrics.catalog as catalog, bench.metrics.scorer\n"
        "catalog.choose_metrics(catalog.DEFAULT_METRICS)\n"
        "import bench.engine.work, bench.session.calls, methods.precomputed.files"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
