"""What a network is made of, part by part, without memory for it: every tensor lies on torch's meta device.

The paper says 529.04 M. [inferred] It counts what CASR adds to SD-Turbo, whose UNet and VAE alone have 950 M, together
with DepthAnything and SAM; 524.05 M is what our reading of the parts gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from methods.blocks.stable_diffusion import blank_vae
from methods.casr.architecture import CasrArchitecture
from methods.casr.lora import lora_parameters
from methods.casr.network import Casr, Parts
from methods.casr.ssam import Depth
from methods.casr.unet import build_unet

PAPER = 529_040_000
"""Supplement, Table 1."""


@dataclass(frozen=True)
class Part:
    """One line of the account.

    Attributes:
        name: What it is.
        parameters: How many.
        counted: Whether the paper's number holds them; the frozen SD-Turbo is not counted.
    """

    name: str
    parameters: int
    counted: bool = True


def account(architecture: CasrArchitecture) -> list[Part]:
    """The parts of a network of this architecture, counted ones first."""
    with torch.device("meta"):
        network = Casr(architecture, _blank(architecture) if architecture.codec == "vae" else None)
    parts = [
        Part("ControlNet", _count(network.controlnet)),
        Part("UNet LoRA", _total(lora_parameters(network.unet))),
        Part("VAE encoder LoRA", _total(lora_parameters(network.codec))),
        Part("superpixel network", _count(network.ssam and network.ssam.ssn)),
        Part("depth", _count(network.ssam and network.ssam.depth)),
        Part("semantics", _count(network.semantics)),
        Part("SARM", _count(network.sarm)),
    ]
    adapted = architecture.codec == "vae"
    frozen = [
        Part("UNet", _count(network.unet) - parts[1].parameters, counted=not adapted),
        Part("VAE", _count(network.codec) - parts[2].parameters, counted=not adapted),
        Part("text", _count(network.text), counted=not adapted),
    ]
    return [part for part in [*parts, *frozen] if part.parameters]


def counted(parts: list[Part]) -> int:
    """The sum that the paper's number is compared with."""
    return sum(part.parameters for part in parts if part.counted)


def _total(parameters: list[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _count(module: nn.Module | None) -> int:
    return 0 if module is None else _total(list(module.parameters()))


class _BlankDepth(Depth):
    """DepthAnything's small network, without weights."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

        dinov2: Any = Dinov2Config  # a backbone's features are keywords that its class does not declare
        backbone = dinov2(
            hidden_size=384,
            num_hidden_layers=12,
            num_attention_heads=6,
            image_size=518,
            patch_size=14,
            out_features=["stage9", "stage10", "stage11", "stage12"],
            reshape_hidden_states=False,
            apply_layernorm=True,
        )
        config = DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=384,
            neck_hidden_sizes=[48, 96, 192, 384],
            fusion_hidden_size=64,
            head_hidden_size=32,
            patch_size=14,
        )
        self.model = DepthAnythingForDepthEstimation(config)


def _blank(architecture: CasrArchitecture) -> Parts:
    """The published parts as their configurations have them; the text encoder is left out, nobody counts it."""
    from transformers import SamVisionConfig
    from transformers.models.sam.modeling_sam import SamVisionEncoder

    from methods.casr.semantics import SamSemantics

    text: Any = nn.Module()
    return Parts(
        unet=build_unet(architecture),
        vae=blank_vae(architecture.latent_channels),
        text=text,
        semantics=SamSemantics(SamVisionEncoder(SamVisionConfig()), architecture.semantic_grid),
        depth=_BlankDepth(),
    )
