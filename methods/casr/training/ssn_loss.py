"""The self-supervised loss of the superpixel network: colours and positions should survive soft pooling and unpooling.

Source: SuperPixel-FCN (Yang et al. 2020), the SLIC form of its loss. [inferred] CASR distils its network from a larger
one by a loss that it does not state.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from methods.casr.ssam.assignment import masked, probabilities, soft_pool, soft_unpool
from methods.casr.ssam.lab import rgb_to_lab
from methods.casr.ssam.slic import positions


def superpixel_losses(
    image: torch.Tensor, scores: torch.Tensor, n: int, *, compactness: float = 10.0
) -> dict[str, torch.Tensor]:
    """Both terms; their sum is what is minimised.

    Args:
        image: (B, 3, h, w) in [0, 1].
        scores: (B, 9, h, w) of the network, before softmax.
        n: Side of a cell.
        compactness: m. [inferred] SLIC's 10 in units of CIELAB; the released network was trained on segmentation
            labels, to which its 0.003 belongs.
    Returns:
        loss_colour: mean over the pixels of |lab - its reconstruction|^2; loss_place: of m^2 / n^2 |p - its
        reconstruction|^2.
    """
    with torch.autocast(image.device.type, enabled=False):
        image, q = image.float(), probabilities(scores.float(), n)
        place = positions(image)
        # positions are pooled about each image's middle, where float32 is exact enough
        place = place - place.mean(dim=(-2, -1), keepdim=True)
        features = torch.cat((rgb_to_lab(image), place), dim=1)
        off = (features - soft_unpool(soft_pool(features, q, n), q, n)) ** 2
    return {
        "loss_colour": off[:, :3].sum(1).mean(),
        "loss_place": (compactness / n) ** 2 * off[:, 3:].sum(1).mean(),
    }


def distillation_loss(scores: torch.Tensor, teacher: torch.Tensor, n: int) -> torch.Tensor:
    """KL divergence from a larger network's nine-way maps to the student's; mean over the pixels.

    Args:
        scores, teacher: (B, 9, h, w), before softmax.
        n: Side of a cell.
    """
    # neighbours outside the grid are left out by a finite number: 0 * log 0 would be NaN
    student, wanted = (masked(each.float(), n, -1e4).log_softmax(dim=1) for each in (scores, teacher))
    found = functional.kl_div(student, wanted, reduction="none", log_target=True)
    return found.sum(1).mean()
