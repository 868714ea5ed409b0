"""Any scale out of passes that were made for x4. [inferred] The paper knows x4 alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from bench.api import Size, derive_seed
from methods.blocks.plan import Policy, sizes
from methods.blocks.resample import resample
from methods.cassr.network import Cassr

Arbitrary = Literal["cascade", "direct", "x4_resize"]
"""cascade: passes of at most s_max to exact sizes; direct: one pass; x4_resize: passes of x4, then one resize."""
_NATIVE = 4


def stage_sizes(
    lr_size: Size, size: Size, *, arb: Arbitrary = "cascade", policy: Policy = "paper", s_max: float = 4.0
) -> list[Size]:
    """The sizes of the passes' images; none where no axis grows.

    Args:
        lr_size, size: (h, w), and (H, W) on no axis below it.
        arb, policy, s_max: How.
    """
    if lr_size == size:
        return []
    if arb == "direct":
        return [size]
    if arb == "cascade":
        return sizes(lr_size, size, policy=policy, s_max=s_max)
    found = [lr_size]
    while found[-1][0] < size[0] or found[-1][1] < size[1]:
        found.append((found[-1][0] * _NATIVE, found[-1][1] * _NATIVE))
    return found[1:]


def upscale(
    network: Cassr,
    x_lr: torch.Tensor,
    size: Size,
    seeds: Sequence[int],
    *,
    arb: Arbitrary = "cascade",
    policy: Policy = "paper",
    s_max: float = 4.0,
) -> list[torch.Tensor]:
    """Run the passes.

    Args:
        network: In evaluation mode.
        x_lr: (B, 3, h, w) in [0, 1], float32.
        size: (H, W). An axis that shrinks is resized first, antialiased.
        seeds: One per image; every pass derives its own.
        arb, policy, s_max: How.
    Returns:
        The image of every pass, (B, 3, h_k, w_k) in [0, 1]; the last has `size` (under x4_resize that of the resize).
        Where no axis grows, the resized image alone.
    """
    lr_size: Size = (x_lr.shape[-2], x_lr.shape[-1])
    base: Size = (min(lr_size[0], size[0]), min(lr_size[1], size[1]))
    image = x_lr if base == lr_size else resample(x_lr, base).clamp(0, 1)
    images: list[torch.Tensor] = []
    for number, each in enumerate(stage_sizes(base, size, arb=arb, policy=policy, s_max=s_max)):
        image = network.upscale(image, each, [derive_seed(seed, "stage", number) for seed in seeds])
        images.append(image)
    if (image.shape[-2], image.shape[-1]) != size:
        images.append(resample(image, size).clamp(0, 1))
    return images or [image]
