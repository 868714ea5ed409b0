"""CASR's UNet and ControlNet, of its architecture's geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from methods.blocks.unet import new_controlnet, new_unet
from methods.casr.architecture import CasrArchitecture

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


def build_unet(architecture: CasrArchitecture) -> UNet2DConditionModel:
    """A fresh UNet of an architecture's geometry; its last convolution is zero where it predicts a residual."""
    unet = new_unet(
        architecture.unet,
        inputs=architecture.seen_channels,
        outputs=architecture.latent_channels,
        padding=architecture.padding,
    )
    if architecture.codec == "overlap":  # the decoder's last convolution is what begins at zero
        nn.init.kaiming_normal_(unet.conv_out.weight, nonlinearity="relu")
    elif architecture.prediction == "residual":
        nn.init.zeros_(unet.conv_out.weight)
        if unet.conv_out.bias is not None:
            nn.init.zeros_(unet.conv_out.bias)
    return unet


def build_controlnet(unet: UNet2DConditionModel, architecture: CasrArchitecture) -> ControlNetModel:
    """A ControlNet with the UNet's encoder weights and zero output convolutions; made before a LoRA is put in."""
    return new_controlnet(
        unet,
        channels=architecture.control_channels,
        embedding=architecture.control_embedding,
        padding=architecture.padding,
    )
