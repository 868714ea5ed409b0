"""diffusers' `UNet2DConditionModel` of an architecture's geometry, cut between its middle and its decoder.

`up(unet, *down_mid(unet, x, t, c, control), c)` computes what `unet.forward` computes, operation for operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from bench.api import RequestError
from methods.blocks.geometry import Padding, UNetArchitecture

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

M = TypeVar("M", bound=nn.Module)
Control = tuple[Sequence[torch.Tensor], torch.Tensor]
"""What a ControlNet adds: to every skip, and to the middle."""
_UNSUPPORTED = (
    "class_embed_type",
    "addition_embed_type",
    "encoder_hid_dim_type",
    "time_embedding_act_fn",
    "timestep_post_act",
)


def new_unet(said: UNetArchitecture, *, inputs: int, outputs: int, padding: Padding) -> UNet2DConditionModel:
    """A fresh UNet.

    Args:
        said: Its geometry.
        inputs, outputs: Channels.
        padding: Of its convolutions.
    """
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    heads: Any = said.heads
    unet = UNet2DConditionModel(
        in_channels=inputs,
        out_channels=outputs,
        block_out_channels=said.channels,
        layers_per_block=said.layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if each else "DownBlock2D" for each in said.attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(said.attention)),
        cross_attention_dim=said.cross_dim,
        attention_head_dim=heads,  # diffusers' name; it means the number of heads
        norm_num_groups=said.groups,
        use_linear_projection=said.linear_projection,
    )
    return padded(unet, padding)


def new_controlnet(
    unet: UNet2DConditionModel, *, channels: int, embedding: tuple[int, ...], padding: Padding
) -> ControlNetModel:
    """A ControlNet with the UNet's encoder weights and zero output convolutions; made before a LoRA is put in.

    Args:
        unet: Whose geometry and weights it has.
        channels: Of the image that it is shown.
        embedding: Channels of its stem; each after the first halves the sides.
        padding: Of its convolutions.
    """
    from diffusers.models.controlnets.controlnet import ControlNetModel

    controlnet = ControlNetModel.from_unet(
        unet, conditioning_channels=channels, conditioning_embedding_out_channels=embedding
    )
    return padded(controlnet, padding)


def padded(network: M, mode: Padding) -> M:
    """The same network, in which every convolution that pads does so by a mode of `torch.nn.Conv2d`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and mode != module.padding_mode and module.padding != (0, 0):
            # torch keeps the widths of the sides beside the mode, which the class decides at its making
            module.padding_mode = mode
    return network


def geometry_of(unet: UNet2DConditionModel) -> UNetArchitecture:
    """The architecture of a UNet that was loaded.

    Raises:
        RequestError: it has parts that the split does not compute.
    """
    config: Any = unet.config
    found = [name for name in _UNSUPPORTED if config.get(name) is not None]
    kinds = set(config.down_block_types) | set(config.up_block_types)
    known = {"CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}
    if found or kinds - known or config.mid_block_type != "UNetMidBlock2DCrossAttn" or config.center_input_sample:
        raise RequestError(
            f"this UNet has parts that are not known here ({', '.join([*found, *sorted(kinds - known)]) or 'middle'}); "
            "expected that of SD-Turbo or of Stable Diffusion 1 or 2"
        )
    levels = len(config.block_out_channels)
    heads = config.num_attention_heads or config.attention_head_dim
    return UNetArchitecture(
        channels=tuple(config.block_out_channels),
        layers=config.layers_per_block,
        attention=tuple(kind == "CrossAttnDownBlock2D" for kind in config.down_block_types),
        heads=(heads,) * levels if isinstance(heads, int) else tuple(heads),
        groups=config.norm_num_groups,
        cross_dim=config.cross_attention_dim,
        linear_projection=config.use_linear_projection,
    )


def down_mid(
    unet: UNet2DConditionModel, x: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, control: Control | None = None
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]:
    """The encoder and the middle.

    Args:
        unet: Of a kind that `geometry_of` accepts.
        x: (B, C, h, w), the sides multiples of the UNet's reduction.
        t: The timestep.
        c: (B, L, D), text tokens.
        control: Of a ControlNet.
    Returns:
        The bottleneck features (B, C', h/r, w/r), the skips from first to last, and the embedding of t.
    Raises:
        ValueError: sides that the levels do not divide.
    """
    model: Any = unet
    reduction = 2**model.num_upsamplers
    if x.shape[-2] % reduction or x.shape[-1] % reduction:
        raise ValueError(f"expected sides that are multiples of {reduction}, got {x.shape[-2]} x {x.shape[-1]}")
    emb = model.time_embedding(model.get_time_embed(sample=x, timestep=t))
    h = model.conv_in(x)
    h, skips = encode(model, h, emb, c)
    if control is not None:
        skips = tuple(skip + added for skip, added in zip(skips, control[0], strict=True))
        h = h + control[1]
    return h, skips, emb


def encode(
    model: Any, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """The levels and the middle of a UNet or a ControlNet, behind its first convolution.

    Args:
        model: Of diffusers.
        h: (B, C, h, w), what its first convolution gave.
        emb: The embedding of t.
        c: (B, L, D), text tokens.
    Returns:
        The bottleneck features, and the skips from first (h itself) to last.
    """
    skips: tuple[torch.Tensor, ...] = (h,)
    for block in model.down_blocks:
        h, found = (
            block(hidden_states=h, temb=emb, encoder_hidden_states=c)
            if getattr(block, "has_cross_attention", False)
            else block(hidden_states=h, temb=emb)
        )
        skips += tuple(found)
    return model.mid_block(h, emb, encoder_hidden_states=c), skips


def up(
    unet: UNet2DConditionModel, h: torch.Tensor, skips: Sequence[torch.Tensor], emb: torch.Tensor, c: torch.Tensor
) -> torch.Tensor:
    """The decoder, of what `down_mid` returned; (B, C, h, w)."""
    model: Any = unet
    left = tuple(skips)
    for block in model.up_blocks:
        count = len(block.resnets)
        left, used = left[:-count], left[-count:]
        said = {"encoder_hidden_states": c} if getattr(block, "has_cross_attention", False) else {}
        h = block(hidden_states=h, temb=emb, res_hidden_states_tuple=used, **said)
    if model.conv_norm_out is not None:
        h = model.conv_act(model.conv_norm_out(h))
    return model.conv_out(h)
