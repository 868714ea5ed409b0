"""The weight-shared ControlNet: one network that extracts L from the enlarged LR image and R from the reference.

Source: CasSR section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from methods.blocks.controlnet import ControlNet
from methods.cassr.architecture import Features


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
    controlnet: ControlNet,
    z: torch.Tensor,
    t: torch.Tensor | int,
    c: torch.Tensor,
    image: torch.Tensor,
    features: Features,
) -> ControlMaps:
    """Run it.

    Args:
        controlnet: Of any padding.
        z: (B, C, h, w), what the UNet sees.
        t: The timestep, one or (B,).
        c: (B, L, D), text tokens.
        image: (B, 3, H, W) in [0, 1].
        features: Which maps `keys` are.
    """
    h, maps = controlnet.features(z, t, c, image)
    down = controlnet.zeroed(maps)
    return ControlMaps(down, controlnet.controlnet_mid_block(h), maps if features == "pre_zero" else down)


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
