"""The contrastive loss that trains the degradation encoder, and the watch over its collapse.

Source: the blind arbitrary-scale paper, Eq. 3; SimSiam (Chen and He, CVPR 2021) for the stop-gradient.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def contrastive_loss(q1: torch.Tensor, p1: torch.Tensor, q2: torch.Tensor, p2: torch.Tensor) -> torch.Tensor:
    """Eq. 3: the symmetric negative cosine similarity with a stop-gradient on the side that is not predicted.

    Args:
        q1, q2: (B, D) projections of two crops with the same degradation.
        p1, p2: (B, D) predictions G(q1), G(q2).
    Returns:
        A scalar in [-1, 1].
    """
    first = functional.cosine_similarity(p1, q2.detach(), dim=-1).mean()
    second = functional.cosine_similarity(p2, q1.detach(), dim=-1).mean()
    return -(first + second) / 2


def spread(q: torch.Tensor) -> torch.Tensor:
    """The collapse watch: mean standard deviation of the normalised q; about 1 / sqrt(D) is healthy, 0 is collapse."""
    return functional.normalize(q, dim=-1).std(dim=0).mean()
