"""CASR's UNet and ControlNet, of its architecture's geometry."""

from __future__ import annotations

from torch import nn

from methods.blocks.controlnet import ControlNet
from methods.blocks.unet import UNet
from methods.casr.architecture import CasrArchitecture


def build_unet(architecture: CasrArchitecture) -> UNet:
    """A fresh UNet of an architecture's geometry; its last convolution is zero where it predicts a residual."""
    unet = UNet(
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


def build_controlnet(unet: UNet, architecture: CasrArchitecture) -> ControlNet:
    """A ControlNet with the UNet's encoder weights and zero output convolutions; made before a LoRA is put in."""
    return ControlNet(
        unet,
        channels=architecture.control_channels,
        embedding=architecture.control_embedding,
        padding=architecture.padding,
    )
