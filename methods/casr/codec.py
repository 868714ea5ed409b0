"""Between image and latent: pixel (un)shuffling, exact and without parameters, or Stable Diffusion's VAE.

Both share one interface: `encode((B, 3, H, W) in [-1, 1]) -> z`, `decode(z) -> (B, 3, H, W)`, `factor` (image pixels
per latent pixel along a side) and `channels` (of z). Sides must be multiples of the factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


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
        vae: Any = self.vae
        dtype = next(vae.decoder.parameters()).dtype
        return vae.decode((latent / self.scaling).to(dtype)).sample

    def place(self, dtype: torch.dtype) -> None:
        """The encoder in a dtype; the decoder stays in float32, in half precision it may overflow."""
        vae: Any = self.vae
        for part in (vae.encoder, vae.quant_conv):
            if part is not None:
                part.to(dtype)
        for part in (vae.decoder, vae.post_quant_conv):
            if part is not None:
                part.float()
