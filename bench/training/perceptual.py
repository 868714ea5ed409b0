"""LPIPS as a loss: the metric's own parameters, differentiable, on batches and on any device; and the random window
through which perceptual and adversarial terms look at images.

Source: Zhang et al. 2018 (arXiv 1801.03924), version 0.1, through `bench.metrics.lpips_network`, whose values these
are to float32 rounding (tests/training/test_perceptual.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.metrics.download import obtain
from bench.metrics.lpips_files import ALEX, VGG, LPIPSFiles
from bench.metrics.lpips_network import EPSILON, SCALE, SHIFT, load_features, load_heads

NETWORKS: dict[str, LPIPSFiles] = {files.net: files for files in (ALEX, VGG)}
"""What a training may ask for, by the name in the literature."""


class PerceptualDistance(nn.Module):
    """LPIPS of batches; gradients reach the images, never the network."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, features: nn.Sequential, heads: list[torch.Tensor], read_after: tuple[int, ...]) -> None:
        """Args: features: frozen layers; heads: (channels,) per compared layer; read_after: indices of those layers."""
        super().__init__()
        self.features = features[: max(read_after) + 1].requires_grad_(False)
        self.read_after = read_after
        self.register_buffer("shift", SHIFT.clone())
        self.register_buffer("scale", SCALE.clone())
        self.heads = nn.ParameterList(nn.Parameter(head.clone(), requires_grad=False) for head in heads)

    @property
    def smallest_side(self) -> int:
        """The shortest side in pixels of which every compared layer still sees something (AlexNet 31, VGG-16 16)."""
        side = 1
        for layer in reversed(self.features):
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                kernel, stride, padding = map(_one, (layer.kernel_size, layer.stride, layer.padding))
                side = max((side - 1) * stride + kernel - 2 * padding, 1)
        return side

    def forward(self, images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        """Compare.

        Args:
            images: (B, 3, H, W) in [-1, 1].
            references: Alike; no gradient flows to them.
        Returns:
            (B,), LPIPS of each pair.
        """
        with torch.no_grad():
            wanted = list(self._normalised(references))
        total = images.new_zeros(images.shape[0])
        for mine, theirs, head in zip(self._normalised(images), wanted, self.heads, strict=True):
            total = total + ((mine - theirs).square() * head[:, None, None]).sum(dim=1).mean(dim=(1, 2))
        return total

    def _normalised(self, images: torch.Tensor) -> Iterator[torch.Tensor]:
        x = (images - self.shift) / self.scale
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.read_after:
                # the root has no derivative at 0, where a flat patch lights no channel
                norm = x.square().sum(dim=1, keepdim=True).clamp_min(EPSILON**2).sqrt()
                yield x / (norm + EPSILON)


def _one(length: Any) -> int:
    return int(length[0] if isinstance(length, tuple) else length)


def random_window(
    images: Sequence[torch.Tensor], rng: torch.Generator, *, shift: int, zoom: float = 1.0
) -> tuple[torch.Tensor, ...]:
    """The same random window of several batches of images, the same way turned.

    A network of strided layers looks at an image on a grid. One that is trained through it learns to put its errors
    where that grid does not look, if the grid always lies alike; so every perceptual and adversarial term looks
    through a window that lies elsewhere in each step, and may look at it more closely.

    Args:
        images: Each (B, C, H, W), of one size.
        rng: On the CPU.
        shift: The window is so many pixels shorter than the image on either axis, and begins at 0..shift.
        zoom: Where this is above 1, the window is shorter by a factor from U(1, zoom) again, lies anywhere, and is
            enlarged (bilinearly) to what it would have been.
    Returns:
        The windows, flipped along either axis and transposed with probability one half each; gradients flow.
    Raises:
        ValueError: a window that would be empty.
    """
    height, width = images[0].shape[-2:]
    if not 0 <= shift < min(height, width) or zoom < 1:
        raise ValueError(f"no window is left of {height} x {width} with a shift of {shift} and a zoom of {zoom}")
    seen_size = (height - shift, width - shift)
    factor = 1 + (zoom - 1) * float(torch.rand((), generator=rng)) if zoom > 1 else 1.0
    rows, columns = (max(round(length / factor), 1) for length in seen_size)
    top = int(torch.randint(height - rows + 1, (), generator=rng))
    left = int(torch.randint(width - columns + 1, (), generator=rng))
    down, across, transposed = (torch.rand(3, generator=rng) < 0.5).tolist()
    axes = [axis for axis, flipped in ((-2, down), (-1, across)) if flipped]
    seen = []
    for image in images:
        window = image[..., top : top + rows, left : left + columns].flip(axes)
        if (rows, columns) != seen_size:
            window = functional.interpolate(window, size=seen_size, mode="bilinear", align_corners=False)
        seen.append(window.transpose(-2, -1) if transposed else window)
    return tuple(seen)


def load_distance(net: str, weights_root: Path | None = None) -> PerceptualDistance:
    """LPIPS from the published files, found (or fetched, where allowed) as the metric finds them.

    Args:
        net: "alex" or "vgg".
        weights_root: None: `TORCH_HOME`, else torch's default.
    Raises:
        Unavailable: a file is missing or not the published one; says which and how to get it.
    """
    files = NETWORKS[net]
    features = load_features(files, obtain(files.backbone, weights_root))
    return PerceptualDistance(features, load_heads(files), files.read_after).eval()
