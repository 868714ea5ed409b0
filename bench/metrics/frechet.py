"""The Fréchet distance between two Gaussians fitted to samples, in float64, without a matrix square root.

d² = |m1 - m2|² + tr(S1) + tr(S2) - 2 tr((S1 S2)^1/2) (Heusel et al. 2017, arXiv 1706.08500). With S = AᵀA the last
trace is the sum of the singular values of A1 A2ᵀ, which stays real and stable for fewer samples than dimensions, where
the usual square root needs a small multiple of the identity added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def frechet_distance(a: Float64, b: Float64) -> float:
    """The squared Fréchet distance of two samples, as FID reports it.

    Args:
        a, b: (samples, dimensions), at least 2 samples each; covariances are unbiased (n - 1).
    Returns:
        At least 0 up to rounding.
    Raises:
        ValueError: fewer than 2 samples, different dimensions, or values that are not finite.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"expected two (samples, dimensions) tables of at least 2 samples, got {a.shape}, {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the features are not finite")
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    overlap = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    shift = float(np.sum((mean_a - mean_b) ** 2))
    return float(shift + np.sum(root_a**2) + np.sum(root_b**2) - 2 * overlap)


def _moments(sample: Float64) -> tuple[Float64, Float64]:
    """The mean, and a matrix A with AᵀA = the covariance, of as few rows as will do."""
    mean = sample.mean(axis=0)
    root = (sample - mean) / np.sqrt(len(sample) - 1)
    if len(root) > root.shape[1]:
        root = np.asarray(np.linalg.qr(root, mode="r"))
    return mean, root
