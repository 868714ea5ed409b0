"""The superpixel network: which of nine cells does each pixel belong to.

Source: SuperPixel-FCN (Yang et al. 2020), its modules under the released names, at a share of its widths: CASR prunes
35 %. [inferred] All levels are pruned alike.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from bench.weights.reader import load_into, read_weights
from methods.blocks.padding import mirrored, to_multiple

_WIDTHS = (16, 32, 64, 128, 256)
_MEAN = (0.411, 0.432, 0.45)
_REDUCTION = 16


class SSN(nn.Module):
    """A UNet of four halvings.

    Args:
        width: Share of SuperPixel-FCN's channels, in (0, 1].
    """

    mean: torch.Tensor

    def __init__(self, width: float = 0.65) -> None:
        super().__init__()
        channels = [max(round(width * each), 1) for each in _WIDTHS]
        before = 3
        for level, own in enumerate(channels):
            setattr(self, f"conv{level}a", _convolution(before, own, stride=1 if level == 0 else 2))
            setattr(self, f"conv{level}b", _convolution(own, own))
            before = own
        for level in range(len(channels) - 2, -1, -1):
            own = channels[level]
            setattr(self, f"deconv{level}", _enlargement(channels[level + 1], own))
            setattr(self, f"conv{level}_1", _convolution(2 * own, own))
        self.pred_mask0 = nn.Conv2d(channels[0], 9, 3, padding=1)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=0.1)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores of the nine neighbours, before the softmax.

        Args:
            image: (B, 3, h, w) in [0, 1], of any size: it is mirrored to multiples of 16 and the result is cut.
        Returns:
            (B, 9, h, w); neighbours outside the grid are not yet masked.
        """
        height, width = image.shape[-2:]
        x = mirrored(image - self.mean, to_multiple((height, width), _REDUCTION))
        skips: list[torch.Tensor] = []
        for level in range(len(_WIDTHS)):
            x = getattr(self, f"conv{level}b")(getattr(self, f"conv{level}a")(x))
            skips.append(x)
        for level in range(len(_WIDTHS) - 2, -1, -1):
            x = getattr(self, f"deconv{level}")(x)
            x = getattr(self, f"conv{level}_1")(torch.cat((skips[level], x), dim=1))
        return self.pred_mask0(x)[..., :height, :width]


def load_released(path: Path) -> SSN:
    """SuperPixel-FCN as its authors release it (all widths, cells of 16 pixels: use it with `input_scale` 4).

    Raises:
        RequestError: missing, damaged, or another network.
    """
    network = SSN(1.0)
    named = read_weights(path).tensors
    auxiliary = tuple(f"pred_mask{level}." for level in range(1, len(_WIDTHS)))
    load_into(network, {name: each for name, each in named.items() if not name.startswith(auxiliary)}, path)
    return network.eval()


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)
    )


def _enlargement(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.1))
