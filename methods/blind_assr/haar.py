"""One level of the orthonormal Haar transform and what of it the degradation encoder sees.

Source: the blind arbitrary-scale paper, section 3.1 (high-frequency sub-bands only); filters of the 2x2 block
(a b; c d) as in the standard transform. Sub-bands are those of an image in [0, 1]: they ignore offsets but scale with
gain.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from methods.blind_assr.architecture import Wavelet

CHANNELS = {"high": 9, "ll+high": 12, "rgb": 3}
"""Channels that the encoder gets from an RGB image."""


def decompose(image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The four sub-bands.

    Args:
        image: (B, C, h, w), any range. [inferred] Odd sizes get one reflected row or column, a single one is repeated:
            zero padding would make a false edge.
    Returns:
        "ll", "lh", "hl", "hh", each (B, C, ceil(h / 2), ceil(w / 2)): (a+b+c+d)/2, (a+b-c-d)/2, (a-b+c-d)/2,
        (a-b-c+d)/2. "lh" therefore sees edges between rows, "hl" edges between columns.
    """
    height, width = image.shape[-2:]
    if height % 2:
        image = functional.pad(image, (0, 0, 0, 1), mode="reflect" if height > 1 else "replicate")
    if width % 2:
        image = functional.pad(image, (0, 1, 0, 0), mode="reflect" if width > 1 else "replicate")
    a, b = image[..., 0::2, 0::2], image[..., 0::2, 1::2]
    c, d = image[..., 1::2, 0::2], image[..., 1::2, 1::2]
    return {
        "ll": (a + b + c + d) / 2,
        "lh": (a + b - c - d) / 2,
        "hl": (a - b + c - d) / 2,
        "hh": (a - b - c + d) / 2,
    }


def encoder_input(image: torch.Tensor, wavelet: Wavelet = "high") -> torch.Tensor:
    """What the encoder sees of an LR image.

    Args:
        image: (B, 3, h, w) in [0, 1].
        wavelet: Which sub-bands.
    Returns:
        "high": (B, 9, ...) in the order HH, LH, HL, three colours each; "ll+high": LL before them; "rgb": the image.
    """
    if wavelet == "rgb":
        return image
    bands = decompose(image)
    names = ("hh", "lh", "hl") if wavelet == "high" else ("ll", "hh", "lh", "hl")
    return torch.cat([bands[name] for name in names], dim=1)
