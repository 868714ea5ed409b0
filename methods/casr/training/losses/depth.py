"""The depth loss: a frozen depth network should see the same scene in the result as in the ground truth.

Source: CASR, L_depth = |Norm(d) - Norm(d_gt)|^2. [inferred] Norm is min-max per image; "ssi" is MiDaS's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from methods.casr.ssam.depth import minmax

DepthNorm = Literal["minmax", "ssi"]
_EPSILON = 1e-6


def depth_loss(
    image: torch.Tensor,
    truth: torch.Tensor,
    depth: Callable[[torch.Tensor], torch.Tensor],
    *,
    norm: DepthNorm = "minmax",
) -> torch.Tensor:
    """Compare depths.

    Args:
        image: (B, 3, H, W) in [0, 1]; gradients flow into it through the network.
        truth: Alike, without gradients.
        depth: The network, (B, 3, H, W) -> (B, 1, h, w), its parameters frozen.
        norm: How depths lose their unknown scale and shift.
    Returns:
        The mean squared difference.
    """
    with torch.no_grad():
        wanted = normalised(depth(truth), norm)
    return (normalised(depth(image), norm) - wanted).square().mean()


def normalised(depth: torch.Tensor, norm: DepthNorm) -> torch.Tensor:
    """Depth without scale and shift, per image of (B, 1, h, w); the same for a d + b with a > 0.

    Args:
        depth: Any range; a constant becomes 0.
        norm: minmax: to [0, 1]; ssi: the median to 0 and the mean absolute deviation from it to 1.
    """
    if norm == "minmax":
        return minmax(depth)
    flat = depth.flatten(1)
    shift = flat.median(dim=1).values
    spread = (flat - shift[:, None]).abs().mean(dim=1)
    return (depth - shift[:, None, None, None]) / spread.clamp_min(_EPSILON)[:, None, None, None]
