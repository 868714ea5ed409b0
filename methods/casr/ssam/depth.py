"""Depth of an image, for the ControlNet and for the depth loss: DepthAnything, or a stand-in that needs no weights.

Source: CASR (a frozen DepthAnything sees the image of the cycle before). [inferred] its small variant, run once on the
whole image with the shorter side at 518, and depth brought to [0, 1] per image.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.api import RequestError, Size
from methods.blocks.published import complete, read_part

_LUMA = (0.299, 0.587, 0.114)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIGMA = 2.0
_EDGES = 0.5
DEPTH_ANYTHING = "DepthAnything (a copy of huggingface.co/LiheYoung/depth-anything-small-hf, or that hub id)"
_EPS = 1e-6
_FLAT = 1 / 255
"""Luminance that spans less does not span all depths: rounding errors of a flat image would become mountains."""


class Depth(nn.Module):
    """(B, 3, h, w) in [0, 1] -> (B, 1, h, w) in [0, 1], larger is nearer. Frozen; gradients reach the image."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """See the class."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Depth:
        """Always evaluates, whatever it is part of."""
        return super().train(False)


class ProxyDepth(Depth):
    """Luminance blurred at a standard deviation of 2, and half of its Sobel magnitude. It is *not* depth."""

    def __init__(self) -> None:
        super().__init__()
        off = torch.arange(-math.ceil(3 * _SIGMA), math.ceil(3 * _SIGMA) + 1)
        taps = torch.exp(-(off**2) / (2 * _SIGMA**2))
        self.register_buffer("taps", taps / taps.sum(), persistent=False)
        self.register_buffer("luma", torch.tensor(_LUMA)[:, None, None], persistent=False)

    taps: torch.Tensor
    luma: torch.Tensor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Borders are repeated; a constant image has depth 0, and one that is nearly so nearly 0."""
        smooth = _along_both((image * self.luma).sum(1, keepdim=True), self.taps, self.taps)
        rise, mean = smooth.new_tensor((-1.0, 0.0, 1.0)), smooth.new_tensor((1.0, 2.0, 1.0))
        down, across = _along_both(smooth, rise, mean), _along_both(smooth, mean, rise)
        return minmax(smooth + _EDGES * (down**2 + across**2 + _EPS**2).sqrt(), least=_FLAT)


class DepthAnything(Depth):
    """DepthAnything through transformers, from a folder (or a hub id, where a hub is reachable).

    Args:
        path: Folder with `config.json` and weights, such as a copy of LiheYoung/depth-anything-small-hf; or that name.
    Raises:
        RequestError: nothing that transformers can load as a depth network, or one with holes.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        from transformers import AutoModelForDepthEstimation

        # a folder's config.json may name code of its own, which is never run, nor is anybody asked whether to
        load = complete(AutoModelForDepthEstimation, path, dtype=torch.float32, trust_remote_code=False)
        model: Any = read_part(load, path, what=DEPTH_ANYTHING, option="casr.depth_path")
        self.model = model.requires_grad_(False).eval()
        self.short, self.multiple = _working_size(path), int(model.config.backbone_config.patch_size)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    mean: torch.Tensor
    std: torch.Tensor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The whole image at once, so that its parts share one normalisation."""
        size = (image.shape[-2], image.shape[-1])
        seen = working_size(size, short=self.short, multiple=self.multiple)
        inputs = functional.interpolate(image, size=seen, mode="bicubic", antialias=True).clamp(0, 1)
        found = self.model(pixel_values=(inputs - self.mean) / self.std).predicted_depth
        return minmax(functional.interpolate(found[:, None], size=size, mode="bilinear", align_corners=False))


def minmax(depth: torch.Tensor, *, least: float = _EPS) -> torch.Tensor:
    """To [0, 1] per image, (B, 1, h, w); to less where it spans less than `least`; a constant image becomes 0."""
    low, high = depth.amin(dim=(-3, -2, -1), keepdim=True), depth.amax(dim=(-3, -2, -1), keepdim=True)
    return (depth - low) / (high - low).clamp_min(least)


def working_size(size: Size, *, short: int, multiple: int) -> Size:
    """The size that a depth network sees: the shorter side at `short`, both sides rounded to multiples.

    The longer side stays within four times as much, or a strip of an image would need endless memory.
    """
    factor = min(short / min(size), 4 * short / max(size))
    rows, columns = (max(round(length * factor / multiple), 1) * multiple for length in size)
    return rows, columns


def _working_size(path: Path | str) -> int:
    """What the checkpoint's `preprocessor_config.json` names, else 518."""
    file = Path(path) / "preprocessor_config.json"
    if not file.is_file():
        return 518
    try:
        said = json.loads(file.read_text(encoding="utf-8")).get("size", 518)
        return int(min(said.values()) if isinstance(said, dict) else said)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as fault:
        raise RequestError(f"casr.depth_path={path}: {file.name} names no size ({fault}); get it again") from None


def _along_both(plane: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """Correlate the columns of (B, 1, h, w) with one row of taps and its rows with another; borders are repeated."""
    pads = (across.numel() // 2, across.numel() // 2, down.numel() // 2, down.numel() // 2)
    padded = functional.pad(plane, pads, mode="replicate")
    return functional.conv2d(functional.conv2d(padded, down[None, None, :, None]), across[None, None, None, :])
