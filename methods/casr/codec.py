"""Between image and latent: pixel (un)shuffling, exact or back by trained convolutions, or Stable Diffusion's VAE.

All share one interface: `encode((B, 3, H, W) in [-1, 1]) -> z`, `decode(z) -> (B, 3, H, W)`, `factor` (image pixels
per latent pixel along a side) and `channels` (of z). Sides must be multiples of the factor.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


class UnshuffleCodec(nn.Module):
    """Space to depth, and back: the latent of lite. A linear bijection, so merging latents is merging images."""

    def __init__(self, factor: int = 4) -> None:
        super().__init__()
        self.factor, self.channels = factor, 3 * factor**2

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> (B, 3 f², H/f, W/f)."""
        return functional.pixel_unshuffle(image, self.factor)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 3 f², h, w) -> (B, 3, h f, w f)."""
        return functional.pixel_shuffle(latent, self.factor)

    def place(self, dtype: torch.dtype) -> None:
        """Nothing to cast."""


class OverlapCodec(UnshuffleCodec):
    """Space to depth; back to an image by convolutions on ever larger features. [ours]

    Pixel shuffling paints each of a cell's pixels by a channel of its own, and nothing makes neighbours agree: networks
    leave the cells' lattice in what they paint. Here features are enlarged and then convolved, as in Stable Diffusion's
    decoder, so constant features are a constant image whatever the weights are.
    """

    def __init__(self, factor: int, widths: tuple[int, ...], padding: str) -> None:
        """Args: factor: as above; widths: channels, each after the first at twice the side; padding: of convolutions.

        The last convolution begins at zero, the others keep the spread of their inputs: by torch's own initial values
        each would halve it, and the last would see next to nothing.
        """
        super().__init__(factor)
        mode: Any = padding
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, padding_mode=mode)
        layers: list[nn.Module] = [conv(self.channels, widths[0]), nn.SiLU()]
        for before, width in pairwise(widths):
            layers += [conv(before, width), nn.SiLU(), nn.Upsample(scale_factor=2, mode="nearest")]
        layers += [conv(widths[-1], widths[-1]), nn.SiLU(), conv(widths[-1], 3)]
        self.back = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.back[-1].weight)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 3 f², h, w) -> (B, 3, h f, w f)."""
        return self.back(latent.to(self.back[0].weight.dtype))

    def place(self, dtype: torch.dtype) -> None:
        """The convolutions stay in float32, as a VAE's decoder does."""


class VaeCodec(nn.Module):
    """An `AutoencoderKL`: the mode of the posterior (no noise), scaled as the diffusion model expects it.

    No skip connections from encoder to decoder [inferred]: they would bring back what the superpixels removed.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        config: Any = vae.config
        self.vae = vae
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        self.channels = int(config.latent_channels)
        self.scaling = float(config.scaling_factor)

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, 4, H/8, W/8), of the encoder's dtype."""
        found: Any = self.vae.encode(image.to(next(self.vae.encoder.parameters()).dtype))
        return found.latent_dist.mode() * self.scaling

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 4, h, w) -> (B, 3, 8 h, 8 w), not clipped, of the decoder's dtype."""
        dtype = next(self.vae.decoder.parameters()).dtype
        found: Any = self.vae.decode((latent / self.scaling).to(dtype))
        return found.sample

    def place(self, dtype: torch.dtype) -> None:
        """The encoder in a dtype; the decoder stays in float32, in half precision it may overflow."""
        vae: Any = self.vae
        for part in (vae.encoder, vae.quant_conv):
            if part is not None:
                part.to(dtype)
        for part in (vae.decoder, vae.post_quant_conv):
            if part is not None:
                part.float()
