"""CASR: superpixels, codec, one-step UNet with a ControlNet, and SARM, as one module.

`cycle.upscale` runs it again and again; `passes` is what happens to the tiles of one image.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from bench.api import Size
from methods.blocks.borrowed import leave_out
from methods.blocks.codec import OverlapCodec, UnshuffleCodec, VaeCodec, in_float32
from methods.blocks.controlnet import ControlNet
from methods.blocks.padding import mirrored, mirrored_before, to_multiple
from methods.blocks.resample import resample
from methods.blocks.schedule import alpha_bar
from methods.blocks.text import ClipText, LearnedText
from methods.blocks.tiles import Tile, decode_tiled, grid
from methods.blocks.unet import UNet
from methods.casr.architecture import CasrArchitecture
from methods.casr.lora import UNET_TARGETS, VAE_TARGETS, add_lora, is_lora, lora_parameters
from methods.casr.passes import Scene, TileSettings, phase_offsets, predict
from methods.casr.sarm import Sarm
from methods.casr.semantics import PatchSemantics, SamSemantics
from methods.casr.ssam import Depth, ProxyDepth, Ssam, depth_at
from methods.casr.text import Prompter
from methods.casr.unet import build_controlnet, build_unet

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a full network takes from elsewhere, frozen; see `loading`.

    Attributes:
        unet, vae, text: Of SD-Turbo.
        semantics: SAM's encoder; None: SARM is off.
        depth: DepthAnything; None: the ControlNet is off.
    """

    unet: UNet
    vae: AutoencoderKL
    text: ClipText
    semantics: SamSemantics | None = None
    depth: Depth | None = None


class Casr(nn.Module):
    """Everything that a cycle needs. Of a full network `state_dict` holds what CASR adds, not what `Parts` brought."""

    def __init__(self, architecture: CasrArchitecture | None = None, parts: Parts | None = None) -> None:
        """Build it.

        Args:
            architecture: Its shape; None: lite.
            parts: Needed with the codec "vae", and only there.
        Raises:
            ValueError: parts that are missing or not asked for.
        """
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else CasrArchitecture()
        if (parts is None) == (arch.codec == "vae"):
            raise ValueError(f"codec '{arch.codec}' {'needs parts' if parts is None else 'takes no parts'}")
        self.ssam: Ssam | None = None
        self.semantics: PatchSemantics | SamSemantics | None = None
        self.unet: UNet = build_unet(arch) if parts is None else parts.unet
        self.controlnet: ControlNet | None = build_controlnet(self.unet, arch) if arch.has_control else None
        self.codec: UnshuffleCodec | VaeCodec  # an OverlapCodec is an UnshuffleCodec
        self.text: LearnedText | ClipText
        if parts is None:
            self.codec = (
                OverlapCodec(arch.factor, arch.decoder, arch.padding)
                if arch.codec == "overlap"
                else UnshuffleCodec(arch.factor)
            )
            self.text = LearnedText(arch.unet.cross_dim)
            if arch.sarm is not None and arch.sarm.lr_semantics:
                self.semantics = PatchSemantics(arch.semantic_dim, arch.semantic_grid)
        else:
            add_lora(parts.unet, arch.lora_unet, UNET_TARGETS, alpha=arch.lora_alpha)
            add_lora(parts.vae, arch.lora_vae, VAE_TARGETS, alpha=arch.lora_alpha)
            self.codec, self.text = VaeCodec(parts.vae), parts.text
            self.semantics = parts.semantics
        if arch.ssam is not None:
            self.ssam = Ssam(arch.ssam, depth=ProxyDepth() if arch.depth == "proxy" else parts and parts.depth)
        self.sarm: Sarm | None = None
        if arch.sarm is not None:
            self.sarm = Sarm(arch.unet.channels[-1], arch.semantic_dim, arch.sarm)
        self.settings = (
            TileSettings() if arch.codec != "vae" else TileSettings(tile=512, overlap=64, smallest=512, keys=16384)
        )
        self.prompter = Prompter()
        leave_out(self, self._names_of(parts))
        self.train(self.training)

    @property
    def multiple(self) -> int:
        """Image pixels per bottleneck token, along one side."""
        return self.architecture.multiple

    def train(self, mode: bool = True) -> Casr:
        """As usual, but the superpixels stay in evaluation mode."""
        super().train(mode)
        if self.ssam is not None:
            self.ssam.eval()
        return self

    @torch.no_grad()
    def align(
        self, image: torch.Tensor, size: Size, *, ssam: bool = True, depth: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the network is shown of an image: its superpixels at the new size, and its depth.

        Args:
            image: (B, 3, h, w) in [-1, 1].
            size: (H, W) of the cycle's result.
            ssam: False: the bicubic enlargement instead of superpixels (Table 4).
            depth: False: no depth, so no ControlNet.
        Returns:
            (B, 3, H, W) in [-1, 1], and (B, 1, H, W) in [0, 1] or None.
        """
        wanted = depth and self.controlnet is not None
        if self.ssam is None or not ssam:
            return resample(image.float(), size).clamp(-1, 1), self._depth(image, size) if wanted else None
        found = self.ssam((image.float() / 2 + 0.5).clamp(0, 1), size, depth=wanted)
        return found.image.mul_(2).sub_(1), found.depth

    def _depth(self, image: torch.Tensor, size: Size) -> torch.Tensor | None:
        if self.ssam is None or self.ssam.depth is None:
            return None
        return depth_at(self.ssam.depth, (image.float() / 2 + 0.5).clamp(0, 1), size)

    def enhance(
        self,
        s: torch.Tensor,
        depth: torch.Tensor | None,
        reference: torch.Tensor,
        *,
        tiles: list[Tile] | None = None,
    ) -> torch.Tensor:
        """One cycle's network; differentiable.

        Args:
            s: (B, 3, H, W) in [-1, 1], from `align`.
            depth: (B, 1, H, W) in [0, 1], from `align`; None: no ControlNet.
            reference: (B, 3, h, w) in [-1, 1], the image that the cycle enlarges: for semantics and prompt.
            tiles: Of the image once it is mirrored to multiples of `multiple`; None: as `settings` says.
        Returns:
            (B, 3, H, W), nominally in [-1, 1], not clipped.
        """
        settings = self.settings
        semantics = None
        if settings.sarm and settings.lr_semantics and self.sarm is not None and self.semantics is not None:
            semantics = self.semantics(reference)
        text = self.text(self.prompter(reference))
        size: Size = (s.shape[-2], s.shape[-1])
        anchor = None
        if self.architecture.anchored:
            anchor = resample(reference.float(), size).clamp(-1, 1)
        shown = anchor if self.architecture.anchor == "bicubic" else None
        whole = Scene(s, depth, text, None if semantics is None else semantics.to(text.dtype), shown)
        offsets = phase_offsets(self.codec.factor, settings.phases)
        images = [self._painted(whole, offset, tiles) for offset in offsets]
        image = images[0] if len(images) == 1 else torch.stack(images).mean(dim=0)
        if anchor is None:
            return image
        # an enlargement keeps the mean colour; without this, what a cycle adds to a flat image adds up over the cycles
        return anchor + (image - image.mean(dim=(-2, -1), keepdim=True)).float()

    def _painted(self, scene: Scene, offset: tuple[int, int], tiles: list[Tile] | None) -> torch.Tensor:
        """The decoded image of a scene that is begun so many rows and columns earlier, cut to its own size."""
        settings, (top, left) = self.settings, offset
        height, width = scene.s.shape[-2:]
        padded = to_multiple((height + top, width + left), self.multiple, smallest=settings.smallest)

        def laid(image: torch.Tensor | None) -> torch.Tensor | None:
            return None if image is None else mirrored(mirrored_before(image, offset), padded)

        s = laid(scene.s)
        assert s is not None
        scene = scene._replace(s=s, depth=laid(scene.depth), anchor=laid(scene.anchor))
        if tiles is None:
            tiles = grid(padded, tile=settings.tile, overlap=settings.overlap)
        latent = predict(self, scene, tiles, settings)
        if len(tiles) == 1 or type(self.codec) is UnshuffleCodec:
            image = self.codec.decode(latent)
        else:
            image = torch.cat([self._decoded_in_tiles(each[None]) for each in latent])
        return image[..., top : top + height, left : left + width]

    def _decoded_in_tiles(self, latent: torch.Tensor) -> torch.Tensor:
        """One latent, (1, C, h, w) -> (1, 3, H, W)."""
        tile, codec = self.settings.decode_tile, self.codec
        alike = codec.shared_statistics(latent, tile=tile) if isinstance(codec, VaeCodec) else nullcontext()
        with alike:
            return decode_tiled(
                codec.decode, latent, factor=codec.factor, tile=tile, overlap=self.settings.decode_overlap
            )

    def clean(self, z: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """The clean latent: z plus the predicted residual (that alone where the bicubic image is its anchor), or
        one step from the predicted noise at t."""
        if self.architecture.anchored:
            return predicted
        if self.architecture.prediction == "residual":
            return z + predicted
        kept = alpha_bar(self.architecture.timestep)
        # at t = 999 this divides by 0.068: what half precision rounds would be multiplied by 15
        return (z.float() - math.sqrt(1 - kept) * predicted.float()) / math.sqrt(kept)

    def trainable(self, stage: int) -> list[nn.Parameter]:
        """Freeze everything but what a stage trains, and return that.

        Args:
            stage: 1: LoRA and ControlNet (lite: the UNet, the ControlNet and the text token); 2: SARM.
        Raises:
            ValueError: another stage, or a network without SARM in stage 2.
        """
        found: list[nn.Parameter] = []
        if stage == 2 and self.sarm is not None:
            found = list(self.sarm.parameters())
        elif stage == 1:
            if self.architecture.codec != "vae":
                found = [*self.unet.parameters(), *self.text.parameters(), *self.codec.parameters()]
            else:
                found = [*lora_parameters(self.unet), *lora_parameters(self.codec)]
                if self.architecture.train_conv_in:
                    found += self.unet.conv_in.parameters()
            if self.controlnet is not None:
                found += self.controlnet.parameters()
        else:
            raise ValueError(f"expected stage 1, or 2 of a network with SARM, got {stage}")
        self.requires_grad_(False)
        for parameter in found:
            parameter.requires_grad_(True)
        return found

    def recompute(self) -> None:
        """Keep fewer activations for the backward pass: UNet, ControlNet and VAE compute them again."""
        vae = self.codec.vae if isinstance(self.codec, VaeCodec) else None
        for part in (self.unet, self.controlnet, vae):
            if part is not None:
                part.enable_gradient_checkpointing()

    def place(self, device: torch.device, dtype: torch.dtype) -> Casr:
        """Move it for inference: the UNet and what feeds it in a dtype; superpixels, the decoder, and the convolutions
        whose outputs make the clean latent in float32."""
        self.to(device)
        for part in (self.unet, self.controlnet):
            if part is not None:
                part.to(memory_format=torch.channels_last)  # an eighth faster on a CPU
        for part in (self.unet, self.controlnet, self.text, self.sarm):
            if part is not None:
                part.to(dtype)
        in_float32(self.unet.conv_out)
        self.codec.place(dtype)
        return self.eval()

    def _names_of(self, parts: Parts | None) -> frozenset[str]:
        """Tensors that came with the parts."""
        if parts is None:
            return frozenset()
        whole = [module for module in (parts.text, parts.semantics, parts.depth) if module is not None]
        prefixes = tuple(f"{name}." for name, module in self.named_modules() if any(module is each for each in whole))
        mixed = ("unet.", "codec.", *prefixes)
        own = "unet.conv_in." if self.architecture.train_conv_in else None
        return frozenset(
            name
            for name in nn.Module.state_dict(self)
            if name.startswith(mixed) and not is_lora(name) and not (own and name.startswith(own))
        )
