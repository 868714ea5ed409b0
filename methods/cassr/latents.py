"""What is noised: the residual of an image to its anchor [ours], unshuffled pixels, or a VAE's latent.

All share one interface; images are in [0, 1] here, sides multiples of the architecture's `multiple`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn import functional

from methods.blocks.codec import UnshuffleCodec, VaeCodec

_WINDOW = 9
"""Side of the window in which the spread of the enlargement is measured, in output pixels."""


class Latents(Protocol):
    """Between images and what is noised."""

    factor: int
    channels: int

    def encode(self, image: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1], and what the image would be without details -> (B, C, H/factor, W/factor)."""
        ...

    def encode_training(
        self, image: torch.Tensor, anchor: torch.Tensor, draw: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """What a network is trained on: `encode`, of a VAE a draw of the posterior instead of its mode.

        Args:
            image, anchor: As in `encode`.
            draw: Standard normal noise of the latent's shape; asked for where it is needed.
        """
        ...

    def compose(self, decoded: torch.Tensor, anchor: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """The image, not clipped, of what a codec decoded (cut to its size), its anchor and the enlargement."""
        ...


class CodedLatents:
    """Those of a codec on whole images."""

    def __init__(self, codec: UnshuffleCodec | VaeCodec) -> None:
        self.codec, self.factor, self.channels = codec, codec.factor, codec.channels

    def encode(self, image: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        """See `Latents`; the mode of a VAE's posterior."""
        return self.codec.encode(image * 2 - 1)

    def encode_training(
        self, image: torch.Tensor, anchor: torch.Tensor, draw: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """See `Latents`."""
        if isinstance(self.codec, VaeCodec):
            return self.codec.encode(image * 2 - 1, draw())
        return self.encode(image, anchor)

    def compose(self, decoded: torch.Tensor, anchor: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """See `Latents`."""
        return decoded.float() / 2 + 0.5


class ResidualLatents:
    """The residual image itself, several times larger.

    Composing lets it through where the enlargement is not flat, without its mean: the colour is the anchor's, and
    what is grey stays grey whatever the network says.
    """

    factor, channels = 1, 3

    def __init__(self, gain: float, quiet: float) -> None:
        """Args: gain: factor on the residual in [-1, 1]; quiet: spread at which half of it is let through."""
        self.gain, self.quiet = gain, quiet

    def encode(self, image: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        """See `Latents`."""
        return (image - anchor) * (2 * self.gain)

    def encode_training(
        self, image: torch.Tensor, anchor: torch.Tensor, draw: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """See `Latents`."""
        return self.encode(image, anchor)

    def compose(self, decoded: torch.Tensor, anchor: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """See `Latents`."""
        residual = decoded.float() / (2 * self.gain)
        share = liveliness(up.float(), self.quiet)
        total = share.sum(dim=(-2, -1), keepdim=True).clamp_min(1e-12)
        mean = (residual * share).sum(dim=(-2, -1), keepdim=True) / total
        return anchor + share * (residual - mean)


def liveliness(image: torch.Tensor, quiet: float) -> torch.Tensor:
    """(B, 1, H, W) in [0, 1): v / (v + quiet²) of the local variance v, the mean over channels; 1 where quiet is 0.

    Args:
        image: (B, C, H, W).
        quiet: Spread at which it is a half.
    """
    if quiet == 0:
        return torch.ones_like(image[:, :1])
    variance = _blurred((image - _blurred(image)).square()).mean(dim=1, keepdim=True)
    return variance / (variance + quiet**2)


def _blurred(image: torch.Tensor) -> torch.Tensor:
    margin = _WINDOW // 2
    return functional.avg_pool2d(functional.pad(image, (margin,) * 4, mode="replicate"), _WINDOW, stride=1)
