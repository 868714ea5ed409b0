"""The network of one step: the diffusion model, the weight-shared ControlNet, MAM and the CSC-Tuner.

Source: CasSR sections 3.2 to 3.4. `network.Cassr` samples with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import nn

from methods.blocks.borrowed import leave_out
from methods.blocks.codec import OverlapCodec, UnshuffleCodec, VaeCodec, in_float32
from methods.blocks.controlnet import ControlNet
from methods.blocks.text import ClipText
from methods.blocks.unet import UNet, padded
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.attention import MamSettings, MultipleAttention
from methods.cassr.control import ControlMaps, add_control, control_maps
from methods.cassr.csc import CscTuner
from methods.cassr.decoder import decode, decoder_shape
from methods.cassr.diffusion import Diffusion
from methods.cassr.latents import CodedLatents, Latents, ResidualLatents
from methods.cassr.restorer import Restorer
from methods.cassr.settings import Settings, full_settings
from methods.cassr.text import LearnedTexts

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a full network takes from Stable Diffusion 1.5, frozen."""

    unet: UNet
    vae: AutoencoderKL
    text: ClipText


class Denoiser(nn.Module):
    """Everything that a step needs. Of a full network `state_dict` holds what CasSR adds, not what `Parts` brought.

    Attributes:
        settings: How it runs.
    """

    def __init__(self, architecture: CassrArchitecture | None = None, parts: Parts | None = None) -> None:
        """Build it.

        Args:
            architecture: Its shape; None: lite.
            parts: Needed with the codec "vae", and only there.
        Raises:
            ValueError: parts that are missing or not asked for.
        """
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else CassrArchitecture.lite()
        if (parts is None) == (arch.codec == "vae"):
            raise ValueError(f"codec '{arch.codec}' {'needs parts' if parts is None else 'takes no parts'}")
        self.unet = _fresh_unet(arch) if parts is None else parts.unet
        self.controlnet = ControlNet(self.unet, channels=3, embedding=arch.control_embedding, padding=arch.padding)
        layers, keys, skips, reductions = decoder_shape(self.unet)
        self.mam = MultipleAttention(arch.mam, layers, keys)
        self.csc = padded(CscTuner(arch.csc, skips, reductions), arch.padding) if arch.csc is not None else None
        self.restorer = Restorer(arch.restorer) if arch.restorer is not None else None
        self.head: OverlapCodec | None = None
        self.codec: VaeCodec | None = None
        self.text: LearnedTexts | ClipText
        if parts is None:
            self.text = LearnedTexts(arch.unet.cross_dim)
            if arch.codec == "overlap":
                self.head = OverlapCodec(arch.factor, arch.decoder, arch.padding)
                self.latents: Latents = ResidualLatents(arch.gain, arch.quiet)
            else:
                self.latents = CodedLatents(UnshuffleCodec(arch.factor))
        else:
            self.codec, self.text = VaeCodec(parts.vae), parts.text
            self.latents = CodedLatents(self.codec)
            parts.unet.requires_grad_(False)
            parts.vae.requires_grad_(False)
        self.diffusion = Diffusion(arch.schedule, arch.prediction)
        said = arch.mam
        mam = MamSettings(residual=said.residual, features=said.features, order=said.order)
        self.settings = full_settings(mam) if arch.codec == "vae" else Settings(mam=mam)
        borrowed = ("unet.", "codec.", "text.") if parts is not None else ()
        leave_out(
            self, frozenset(name for name in nn.Module.state_dict(self) if borrowed and name.startswith(borrowed))
        )

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return self.architecture.multiple

    def encode_controls(
        self, z: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, up: torch.Tensor, x_r: torch.Tensor
    ) -> tuple[ControlMaps, ControlMaps]:
        """L and R: what the one ControlNet says of the enlarged LR image and of the reference.

        Args:
            z: (B, C, h, w), z_t.
            t: The timestep, one or (B,).
            c: (B, L, D), text tokens.
            up, x_r: (B, 3, H, W) in [0, 1]. The same tensor twice: L and R are one.
        """
        seen, features = self._seen(z, c), self.settings.mam.features
        if up is x_r:
            maps = control_maps(self.controlnet, seen, t, c, up.to(c.dtype), features)
            return maps, maps
        steps = t.repeat(2) if isinstance(t, torch.Tensor) and t.ndim else t
        both = control_maps(
            self.controlnet,
            torch.cat((seen, seen)),
            steps,
            torch.cat((c, c)),
            torch.cat((up, x_r)).to(c.dtype),
            features,
        )
        return both.halves()

    def predict(
        self,
        z: torch.Tensor,
        t: torch.Tensor | int,
        c: torch.Tensor,
        lr: ControlMaps | None,
        ref: ControlMaps | None,
    ) -> torch.Tensor:
        """What the network predicts, in the terms of `architecture.prediction`; differentiable.

        Args:
            z, t, c: As in `encode_controls`.
            lr, ref: L and R; without R there is no MAM, without both it is the base.
        Returns:
            (B, C, h, w).
        """
        h, skips, emb = self.unet.down_mid(self._seen(z, c), t, c)
        skips, h = add_control(skips, h, lr, ref)
        maps = (lr, ref) if lr is not None and ref is not None else None
        return self._painted(decode(self.unet, h, skips, emb, c, mam=self.mam, maps=maps, settings=self.settings.mam))

    def predict_scedit(self, z: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """The prediction of the base whose skips the CSC-Tuner edits; the encoder gets no gradients.

        Args:
            z, t, c, up: As in `encode_controls`.
        """
        assert self.csc is not None
        with torch.no_grad():
            h, skips, emb = self.unet.down_mid(self._seen(z, c), t, c)
        return self._painted(decode(self.unet, h, self.csc(skips, up.to(c.dtype)), emb, c))

    def eps(
        self,
        z: torch.Tensor,
        t: torch.Tensor | int,
        c: torch.Tensor,
        lr: ControlMaps | None,
        ref: ControlMaps | None,
    ) -> torch.Tensor:
        """The noise of Eq. 3, whatever the network predicts; arguments as in `predict`."""
        return self.diffusion.parts(z, self.predict(z, t, c, lr, ref), torch.as_tensor(t).reshape(-1))[1]

    def _seen(self, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return (z if self.head is None else self.head.encode(z)).to(c.dtype)

    def _painted(self, h: torch.Tensor) -> torch.Tensor:
        return h if self.head is None else self.head.decode(h)

    def trainable_parameters(self, stage: str) -> list[nn.Parameter]:
        """Freeze everything but what a stage trains, and return that.

        Args:
            stage: restorer or csc: that image activation module; control: ControlNet and MAM, and where no prior is to
                be kept the base too.
        Raises:
            ValueError: another stage, or a module that this network lacks.
        """
        modules: list[nn.Module | None]
        if stage == "control":
            modules = [self.controlnet, self.mam]
            if not self.architecture.freeze_base:
                modules += [each for each in (self.unet, self.text, self.head) if each is not None]
        elif stage in ("restorer", "csc"):
            modules = [getattr(self, stage)]
        else:
            raise ValueError(f"expected stage restorer, csc or control, got {stage}")
        if any(module is None for module in modules):
            raise ValueError(f"this network has no {stage}")
        found = [parameter for module in modules if module is not None for parameter in module.parameters()]
        self.requires_grad_(False)
        for parameter in found:
            parameter.requires_grad_(True)
        return found

    def recompute(self) -> None:
        """Keep fewer activations for the backward pass: UNet and ControlNet compute them again."""
        self.unet.enable_gradient_checkpointing()
        self.controlnet.enable_gradient_checkpointing()

    def place(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Move it for inference: networks in a dtype; the VAE's decoder, the restorer and the convolutions that make
        predictions in float32, as the schedule is."""
        self.to(device)
        for part in (self.unet, self.controlnet):
            part.to(memory_format=torch.channels_last)
        for part in (self.unet, self.controlnet, self.text, self.mam, self.csc):
            if part is not None:
                part.to(dtype)
        in_float32(self.unet.conv_out)
        if self.codec is not None:
            self.codec.place(dtype)
        return self.eval()


def _fresh_unet(arch: CassrArchitecture) -> UNet:
    unet = UNet(arch.unet, inputs=arch.unet_channels, outputs=arch.unet_channels, padding=arch.padding)
    if arch.codec == "overlap":  # the head's last convolution is what begins at zero
        nn.init.kaiming_normal_(unet.conv_out.weight, nonlinearity="relu")
    else:
        nn.init.zeros_(unet.conv_out.weight)
        assert unet.conv_out.bias is not None
        nn.init.zeros_(unet.conv_out.bias)
    return unet
