"""Records of a method's `recovery.py` as rows of numbers, and the columns of them that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

_MEASURES = (
    "kernel_l1",
    "kernel_psnr",
    "reblur_error",
    "reblur_psnr",
    "true_reblur_error",
    "true_reblur_psnr",
    "sharp_psnr",
)
KERNEL_TABLE = (
    ("image", "image", "{}"),
    ("scale", "scale", "x{:.10g}"),
    ("shrinker", "shrinker", "{}"),
    ("kernel_l1", "kernel L1", "{:.3f}"),
    ("kernel_psnr", "kernel PSNR", "{:.1f}"),
    ("reblur_error", "re-blur error", "{:.2f}"),
    ("true_reblur_error", "of the true one", "{:.2f}"),
    ("reblur_psnr", "re-blur PSNR", "{:.1f}"),
)
"""Of `kernel_rows`: (name, heading, format) each."""
STUDY_TABLE = (
    ("model", "model", "{}"),
    ("scale", "scale", "{}"),
    ("kernel_l1", "kernel L1", "{:.3f}"),
    ("reblur_psnr", "re-blur PSNR", "{:.2f}"),
    ("true_reblur_psnr", "of the true one", "{:.2f}"),
    ("sharp_psnr", "of no kernel", "{:.2f}"),
    ("estimate_spread", "estimates apart", "{:.3f}"),
    ("true_spread", "true ones apart", "{:.3f}"),
)
"""Of `study_rows`."""


def kernel_rows(records: Sequence[Any], weights: str) -> list[dict[str, Any]]:
    """A line per degradation: what made its LR image, and how near the estimate came.

    Args:
        records: What `Recovery.recover` gives.
        weights: Label of the weights, for the last column.
    """
    rows = []
    for index, record in enumerate(records):
        blur = record.degradation.blur
        rows.append(
            {
                "index": index,
                "image": record.image,
                "scale": record.scale,
                "lr_height": record.lr_size[0],
                "lr_width": record.lr_size[1],
                "shrinker": record.degradation.shrinker,
                "kernel_size": blur.size,
                "sigma_1": blur.sigma_1,
                "sigma_2": blur.sigma_2,
                "theta": blur.theta,
                "target": record.target,
                **{name: getattr(record, name) for name in _MEASURES},
                "weights": weights,
            }
        )
    return rows


def study_rows(results: Sequence[Any], images: int) -> list[dict[str, Any]]:
    """A line per model and scale, then one of the mean and one of the spread over the scales.

    Args:
        results: Of both models, what `Recovery.kernel_space` gives.
        images: How many the numbers are means over.
    """
    rows: list[dict[str, Any]] = []
    for name, result in zip(("kl", "kh"), results, strict=True):
        common = {"model": name, "target": result.target, "images": images}
        rows += [{**common, **asdict(figures)} for figures in result.scales]
        rows += [
            {**common, "scale": "mean", "kernel_l1": result.l1_mean, "reblur_psnr": result.psnr_mean},
            {
                **common,
                "scale": "spread",
                "kernel_l1": result.l1_spread,
                "reblur_psnr": result.psnr_spread,
                "estimate_spread": result.estimate_spread,
                "true_spread": result.true_spread,
            },
        ]
    return rows
