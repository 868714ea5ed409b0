"""Between image and latent: pixel (un)shuffling, exact or back by trained convolutions, or Stable Diffusion's VAE.

All share one interface: `encode((B, 3, H, W) in [-1, 1]) -> z`, `decode(z) -> (B, 3, H, W)`, `factor` (image pixels
per latent pixel along a side) and `channels` (of z). Sides must be multiples of the factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.geometry import Padding

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


class OverlapCodec(UnshuffleCodec):
    """Space to depth; back to an image by convolutions on ever larger features. [ours]

    Pixel shuffling paints each of a cell's pixels by a channel of its own, and nothing makes neighbours agree: networks
    leave the cells' lattice in what they paint. Here features are enlarged and then convolved, as in Stable Diffusion's
    decoder, so constant features are a constant image whatever the weights are.
    """

    def __init__(self, factor: int, widths: tuple[int, ...], padding: Padding) -> None:
        """Args: factor: as above; widths: channels, each after the first at twice the side; padding: of convolutions.

        The last convolution begins at zero, the others keep the spread of their inputs: by torch's own initial values
        each would halve it, and the last would see next to nothing.
        """
        super().__init__(factor)
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, padding_mode=padding)
        layers: list[nn.Module] = [conv(self.channels, widths[0]), nn.SiLU()]
        for before, width in pairwise(widths):
            layers += [conv(before, width), nn.SiLU(), nn.Upsample(scale_factor=2, mode="nearest")]
        last = conv(widths[-1], 3)
        layers += [conv(widths[-1], widths[-1]), nn.SiLU(), last]
        self.back = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        nn.init.zeros_(last.weight)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 3 f², h, w) -> (B, 3, h f, w f)."""
        return self.back(latent.to(next(self.back.parameters()).dtype))

    def place(self, dtype: torch.dtype) -> None:
        """The convolutions stay in float32, as a VAE's decoder does."""


class VaeCodec(nn.Module):
    """An `AutoencoderKL`: the mode of the posterior or a draw of it, scaled as the diffusion model expects it.

    No skip connections from encoder to decoder [inferred]: they would bring back what the superpixels removed.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        config: Any = vae.config
        self.vae = vae
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        self.channels = int(config.latent_channels)
        self.scaling = float(config.scaling_factor)

    def encode(self, image: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, 4, H/8, W/8); float32 once `place` was called.

        Args:
            image: Encoded to a normal distribution.
            noise: Standard normal, of the result's shape: what a draw is made of; None: the mode.
        """
        found: Any = self.vae.encode(image.to(next(self.vae.encoder.parameters()).dtype))
        posterior = found.latent_dist
        latent = posterior.mode() if noise is None else posterior.mean + posterior.std * noise
        return latent * self.scaling

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 4, h, w) -> (B, 3, 8 h, 8 w), not clipped, of the decoder's dtype."""
        vae: Any = self.vae
        dtype = next(vae.decoder.parameters()).dtype
        return vae.decode((latent / self.scaling).to(dtype)).sample

    @contextmanager
    def shared_statistics(self, latent: torch.Tensor, *, tile: int) -> Iterator[None]:
        """Within it, all tiles of a latent are normalised alike.

        The decoder's group normalisations take mean and variance over a whole feature map. Tile by tile each would have
        its own, and a grey tile beside a bright one another contrast: seams. Here they are those of the whole latent,
        brought to the size of a tile by leaving pixels out. Source: the fast mode of Tiled VAE (the web UI's
        multidiffusion-upscaler). What attention in the middle sees is still a tile.

        Args:
            latent: (1, C, h, w).
            tile: Longest side of a tile; where the latent fits, nothing is changed.
        """
        longest = max(latent.shape[-2:])
        if longest <= tile:
            yield
            return
        norms: list[nn.GroupNorm] = [each for each in self.vae.decoder.modules() if isinstance(each, nn.GroupNorm)]
        size = [max(length * tile // longest, 1) for length in latent.shape[-2:]]
        try:
            for norm in norms:
                norm.forward = partial(_normalised_first, norm)
            self.decode(functional.interpolate(latent, size=size, mode="nearest-exact"))
            yield
        finally:
            for norm in norms:
                norm.__dict__.pop("forward", None)

    def place(self, dtype: torch.dtype) -> None:
        """The encoder in a dtype, its last layers and the decoder in float32: in half precision it may overflow."""
        vae: Any = self.vae
        vae.encoder.to(dtype)
        vae.decoder.float()
        for part in (vae.encoder.conv_out, vae.quant_conv, vae.post_quant_conv):
            if part is not None:
                in_float32(part)


def _normalised_first(norm: nn.GroupNorm, input: torch.Tensor) -> torch.Tensor:
    """Normalise by the statistics of this map, and every later map by the same."""
    groups = input.reshape(len(input), norm.num_groups, -1).float()
    variance, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
    norm.forward = partial(_normalised_by, norm, mean, (variance + norm.eps).rsqrt())
    return norm.forward(input)


def _normalised_by(norm: nn.GroupNorm, mean: torch.Tensor, scale: torch.Tensor, input: torch.Tensor) -> torch.Tensor:
    """Group normalisation by given means and reciprocal deviations, (1, G, 1)."""
    groups = (input.reshape(len(input), norm.num_groups, -1).float() - mean) * scale
    shape = (1, -1, *(1,) * (input.dim() - 2))
    return (groups.reshape(input.shape) * norm.weight.view(shape) + norm.bias.view(shape)).to(input.dtype)


def in_float32(module: nn.Module) -> None:
    """Keep a module in float32 whatever its inputs come as; its outputs are float32."""
    module.float()
    if not getattr(module, "_takes_any", False):
        module.register_forward_pre_hook(lambda _, inputs: tuple(each.float() for each in inputs))
        setattr(module, "_takes_any", True)  # noqa: B010 - torch types attributes as modules and tensors
