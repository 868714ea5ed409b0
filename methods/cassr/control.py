"""The weight-shared ControlNet: one network that extracts L from the enlarged LR image and R from the reference.

Source: CasSR section 3.3; the ControlNet is diffusers', whose forward is written out here because it returns its maps
only behind the zero convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from methods.blocks.unet import encode
from methods.cassr.architecture import Features

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel


class ControlMaps(NamedTuple):
    """What the ControlNet says of an image.

    Attributes:
        down: What is added to the UNet's skips, first to last.
        mid: What is added to its middle.
        keys: What MAM attends to, one map per skip.
    """

    down: tuple[torch.Tensor, ...]
    mid: torch.Tensor
    keys: tuple[torch.Tensor, ...]

    def halves(self) -> tuple[ControlMaps, ControlMaps]:
        """Those of the first and of the second half of a batch."""
        first, second = zip(*(each.chunk(2) for each in (*self.down, self.mid, *self.keys)), strict=True)
        count = len(self.down)
        return ControlMaps(first[:count], first[count], first[count + 1 :]), ControlMaps(
            second[:count], second[count], second[count + 1 :]
        )


def control_maps(
    controlnet: ControlNetModel,
    z: torch.Tensor,
    t: torch.Tensor | int,
    c: torch.Tensor,
    image: torch.Tensor,
    features: Features,
) -> ControlMaps:
    """Run it.

    Args:
        controlnet: Of diffusers.
        z: (B, C, h, w), what the UNet sees.
        t: The timestep, one or (B,).
        c: (B, L, D), text tokens.
        image: (B, 3, H, W) in [0, 1].
        features: Which maps `keys` are.
    """
    model: Any = controlnet
    steps = torch.as_tensor(t, device=z.device).expand(len(z))
    emb = model.time_embedding(model.time_proj(steps).to(z.dtype))
    h = model.conv_in(z) + model.controlnet_cond_embedding(image)
    h, maps = encode(model, h, emb, c)
    down = tuple(zero(each) for each, zero in zip(maps, model.controlnet_down_blocks, strict=True))
    return ControlMaps(down, model.controlnet_mid_block(h), maps if features == "pre_zero" else down)


def add_control(
    skips: Sequence[torch.Tensor], h: torch.Tensor, lr: ControlMaps | None, ref: ControlMaps | None
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Skips and middle with the maps of both images added. [inferred] Both count alike.

    Args:
        skips, h: Of the UNet.
        lr, ref: L and R; None: none.
    """
    for maps in (lr, ref):
        if maps is not None:
            skips = [skip + added for skip, added in zip(skips, maps.down, strict=True)]
            h = h + maps.mid
    return tuple(skips), h
