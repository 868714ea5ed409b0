"""The UNet's decoder with MAM in it: diffusers' blocks written out, so that two attentions find their place inside.

Without MAM `decode` computes what `methods.blocks.unet.up` computes, operation for operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from bench.api import RequestError
from methods.cassr.attention import LayerAttention, MamSettings, MultipleAttention
from methods.cassr.control import ControlMaps

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class Seen(NamedTuple):
    """What one decoder layer attends to.

    Attributes:
        attention: Its two attentions.
        lr, ref: Maps (B, C', h, w) of L and R.
        settings: How.
    """

    attention: LayerAttention
    lr: torch.Tensor
    ref: torch.Tensor
    settings: MamSettings


def decode(
    unet: UNet2DConditionModel,
    h: torch.Tensor,
    skips: Sequence[torch.Tensor],
    emb: torch.Tensor,
    c: torch.Tensor,
    *,
    mam: MultipleAttention | None = None,
    maps: tuple[ControlMaps, ControlMaps] | None = None,
    settings: MamSettings | None = None,
) -> torch.Tensor:
    """The decoder.

    Args:
        unet: Of a kind that `check_decoder` accepts.
        h, skips, emb: Of `methods.blocks.unet.down_mid`, edited.
        c: (B, L, D), text tokens.
        mam: None: the plain decoder.
        maps: L and R.
        settings: How MAM is used.
    Returns:
        (B, C, h, w).
    """
    model: Any = unet
    left, layer = list(skips), 0
    for block in model.up_blocks:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for resnet, transformer in zip(block.resnets, attentions, strict=True):
            place = len(left) - 1
            skip, seen = left.pop(), None
            attention = mam.at(layer) if mam is not None else None
            if attention is not None and maps is not None:
                seen = Seen(attention, maps[0].keys[place], maps[1].keys[place], settings or MamSettings())
            if torch.is_grad_enabled() and block.gradient_checkpointing:
                h = checkpoint(_layer, resnet, transformer, h, skip, emb, c, seen, use_reentrant=False)
            else:
                h = _layer(resnet, transformer, h, skip, emb, c, seen)
            layer += 1
        for upsampler in block.upsamplers or ():
            h = upsampler(h, None)
    if model.conv_norm_out is not None:
        h = model.conv_act(model.conv_norm_out(h))
    return model.conv_out(h)


def decoder_shape(unet: UNet2DConditionModel) -> tuple[list[int], list[int], list[int], list[int]]:
    """Channels of the decoder's layers and of the skips that they consume; channels and reductions of the encoder's
    skips from first to last.
    """
    config: Any = unet.config
    widths, count = list(config.block_out_channels), config.layers_per_block
    skips, reductions = [widths[0]], [1]
    for level, width in enumerate(widths):
        skips += [width] * count
        reductions += [2**level] * count
        if level < len(widths) - 1:
            skips.append(width)
            reductions.append(2 ** (level + 1))
    layers = [width for width in reversed(widths) for _ in range(count + 1)]
    return layers, skips[::-1], skips, reductions


def check_decoder(unet: UNet2DConditionModel) -> None:
    """Refuse a UNet whose transformer blocks are not written out here.

    Raises:
        RequestError: attention of another kind than Stable Diffusion 1.5's.
    """
    model: Any = unet
    for block in model.up_blocks:
        for transformer in getattr(block, "attentions", ()):
            kinds = {each.norm_type for each in transformer.transformer_blocks}
            if kinds != {"layer_norm"} or any(each.only_cross_attention for each in transformer.transformer_blocks):
                raise RequestError(
                    "this UNet's attention is of a kind that cassr does not know; expected Stable Diffusion 1.5"
                )


def _layer(
    resnet: Any,
    transformer: Any,
    h: torch.Tensor,
    skip: torch.Tensor,
    emb: torch.Tensor,
    c: torch.Tensor,
    seen: Seen | None,
) -> torch.Tensor:
    h = resnet(torch.cat((h, skip), dim=1), emb)
    if transformer is not None:
        return _transformed(transformer, h, c, seen)
    if seen is None:
        return h
    # [inferred, lite] levels without a transformer: both attentions after the residual block
    tokens = h.flatten(2).transpose(1, 2)
    tokens = seen.attention.see_reference(tokens, seen.ref, seen.settings)
    tokens = seen.attention.see_lr(tokens, seen.lr, seen.settings)
    return tokens.transpose(1, 2).reshape(h.shape)


def _transformed(transformer: Any, h: torch.Tensor, c: torch.Tensor, seen: Seen | None) -> torch.Tensor:
    """diffusers' `Transformer2DModel` on a map."""
    size = h.shape[-2:]
    x = transformer.norm(h)
    if transformer.use_linear_projection:
        x = transformer.proj_in(x.flatten(2).transpose(1, 2))
    else:
        x = transformer.proj_in(x).flatten(2).transpose(1, 2)
    for block in transformer.transformer_blocks:
        x = _block(block, x, c, seen)
    if transformer.use_linear_projection:
        return transformer.proj_out(x).transpose(1, 2).unflatten(2, size).contiguous() + h
    return transformer.proj_out(x.transpose(1, 2).unflatten(2, size).contiguous()) + h


def _block(block: Any, x: torch.Tensor, c: torch.Tensor, seen: Seen | None) -> torch.Tensor:
    """diffusers' `BasicTransformerBlock`, with reference attention before and LR attention after its self-attention."""
    if seen is not None:
        x = seen.attention.see_reference(x, seen.ref, seen.settings)  # Eq. 1
    x = block.attn1(block.norm1(x)) + x
    if seen is not None and seen.settings.order == "inner":
        x = seen.attention.see_lr(x, seen.lr, seen.settings)  # Eq. 2
    x = block.attn2(block.norm2(x), encoder_hidden_states=c) + x
    x = block.ff(block.norm3(x)) + x
    if seen is not None and seen.settings.order == "outer":
        x = seen.attention.see_lr(x, seen.lr, seen.settings)
    return x
