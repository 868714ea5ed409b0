"""The cycles: the same network again and again, each time on the image that it made before.

Source: CASR section 3 and the supplement's section 7. Images stay in floating point between cycles, clipped to
[-1, 1]; nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.api import Size
from methods.blocks.colour import ColourFix, fix_colours
from methods.blocks.plan import Policy, sizes
from methods.blocks.resample import resample
from methods.casr.network import Casr


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the cycles run; how an image goes through the network is `Casr.settings`.

    Attributes:
        policy, fixed, s_max, s_min: The plan, see `plan.sizes`.
        ssam: False: the network is shown the bicubic enlargement instead of superpixels.
        depth: False: no ControlNet.
        colour: Which colours an image is given.
        consistency: Back-projections of what a cycle's image lacks of its input. [ours]
    """

    policy: Policy = "paper"
    fixed: tuple[float, ...] | None = None
    s_max: float = 4.0
    s_min: float = 1.5
    ssam: bool = True
    depth: bool = True
    colour: ColourFix = "none"
    consistency: int = 0


@torch.no_grad()
def upscale(network: Casr, lr: torch.Tensor, size: Size, sampling: Sampling | None = None) -> list[torch.Tensor]:
    """Run the cycles.

    Args:
        network: In evaluation mode.
        lr: (B, 3, h, w) in [-1, 1], float32.
        size: (H, W), on no axis below the LR size.
        sampling: How; None: as in the paper.
    Returns:
        The image of every cycle, (B, 3, h_k, w_k) float32 in [-1, 1]; the last has `size`. Empty where LR has it.
    Raises:
        ValueError: a size below that of the LR image.
        RequestError: fixed factors that do not lead to the size.
    """
    said = sampling if sampling is not None else Sampling()
    first = (lr.shape[-2], lr.shape[-1])
    plan = sizes(first, size, s_max=said.s_max, s_min=said.s_min, policy=said.policy, fixed=said.fixed)
    images: list[torch.Tensor] = []
    for each in plan:
        images.append(cycle(network, images[-1] if images else lr, each, said))
    return images


@torch.no_grad()
def cycle(network: Casr, image: torch.Tensor, size: Size, sampling: Sampling) -> torch.Tensor:
    """One cycle: (B, 3, h, w) in [-1, 1] -> (B, 3, H, W) in [-1, 1]; arguments as in `upscale`."""
    s, depth = network.align(image, size, ssam=sampling.ssam, depth=sampling.depth)
    found = network.enhance(s, depth, image).float().clamp_(-1, 1)
    if sampling.colour != "none":
        found = fix_colours(found, resample(image, size), sampling.colour).clamp_(-1, 1)
    for _ in range(sampling.consistency):
        lacking = image - resample(found, (image.shape[-2], image.shape[-1]))
        found = found.add_(resample(lacking, size)).clamp_(-1, 1)
    return found
