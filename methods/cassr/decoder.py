"""The UNet's decoder with MAM in it: its layers one by one, so that two attentions find their place inside.

Without MAM `decode` computes what `UNet.up` computes, operation for operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from methods.blocks.unet import UNet, UpLevel
from methods.blocks.unet_layers import Transformer, TransformerBlock
from methods.cassr.attention import LayerAttention, MamSettings, MultipleAttention
from methods.cassr.control import ControlMaps


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
    unet: UNet,
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
        unet: Of any geometry.
        h, skips, emb: Of its `down_mid`, edited.
        c: (B, L, D), text tokens.
        mam: None: the plain decoder.
        maps: L and R.
        settings: How MAM is used.
    Returns:
        (B, C, h, w).
    """
    left, layer = list(skips), 0
    for block in unet.up_blocks:
        assert isinstance(block, UpLevel)
        for resnet, transformer in block.layers():
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
        h = block.enlarged(h)
    return unet.predicted(h)


def decoder_shape(unet: UNet) -> tuple[list[int], list[int], list[int], list[int]]:
    """Channels of the decoder's layers and of the skips that they consume; channels and reductions of the encoder's
    skips from first to last.
    """
    widths, count = list(unet.architecture.channels), unet.architecture.layers
    skips, reductions = [widths[0]], [1]
    for level, width in enumerate(widths):
        skips += [width] * count
        reductions += [2**level] * count
        if level < len(widths) - 1:
            skips.append(width)
            reductions.append(2 ** (level + 1))
    layers = [width for width in reversed(widths) for _ in range(count + 1)]
    return layers, skips[::-1], skips, reductions


def _layer(
    resnet: nn.Module,
    transformer: Transformer | None,
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


def _transformed(transformer: Transformer, h: torch.Tensor, c: torch.Tensor, seen: Seen | None) -> torch.Tensor:
    """A transformer on a map, its block one attention after the other."""
    x = transformer.tokens(h)
    for block in transformer.transformer_blocks:
        assert isinstance(block, TransformerBlock)
        x = _block(block, x, c, seen)
    return transformer.added(x, h)


def _block(block: TransformerBlock, x: torch.Tensor, c: torch.Tensor, seen: Seen | None) -> torch.Tensor:
    """A transformer's block, with reference attention before and LR attention after its self-attention."""
    if seen is not None:
        x = seen.attention.see_reference(x, seen.ref, seen.settings)  # Eq. 1
    x = block.attn1(block.norm1(x)) + x
    if seen is not None and seen.settings.order == "inner":
        x = seen.attention.see_lr(x, seen.lr, seen.settings)  # Eq. 2
    x = block.attn2(block.norm2(x), c) + x
    x = block.ff(block.norm3(x)) + x
    if seen is not None and seen.settings.order == "outer":
        x = seen.attention.see_lr(x, seen.lr, seen.settings)
    return x
