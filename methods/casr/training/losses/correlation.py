"""The self-similarity loss: which parts of an image resemble which should be as in the ground truth.

Source: CASR, L_corr = |R - R_gt|^2 with R = e e^T of the tokens of SAM's encoder. [inferred] Tokens are L2-normalised,
so R holds cosine similarities; lite's tokens are patches. The circular autocorrelation is ours: the abstract speaks of
an autocorrelation, which the method's description does not bear out.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

CorrNorm = Literal["l2", "raw"]
LAGS = 64
"""Side of the square of lags that the autocorrelations are compared on."""
_SHORTEST = 1e-2
"""Tokens shorter than this are divided by it: those of a flat patch point nowhere and must not be followed."""


def gram_loss(tokens: torch.Tensor, truth: torch.Tensor, *, norm: CorrNorm = "l2", chunk: int = 1024) -> torch.Tensor:
    """Compare R = e e^T, a block of rows at a time.

    Args:
        tokens, truth: (B, N, D) of the result and of the ground truth.
        norm: l2: tokens of length 1; raw: R / D.
        chunk: Rows of R in memory at once, in the backward pass too.
    Returns:
        The mean squared difference of the N x N entries.
    """
    e, g = scaled(tokens, norm), scaled(truth, norm)
    count = e.shape[1]
    total = e.new_zeros(())
    for start in range(0, count, chunk):
        rows = slice(start, start + chunk)
        total = total + checkpoint(_block, e[:, rows], e, g[:, rows], g, use_reentrant=False)
    return total / (e.shape[0] * count**2)


def scaled(tokens: torch.Tensor, norm: CorrNorm) -> torch.Tensor:
    """Tokens (B, N, D) whose products are the entries of R."""
    return functional.normalize(tokens, dim=-1, eps=_SHORTEST) if norm == "l2" else tokens / tokens.shape[-1] ** 0.5


def gram(tokens: torch.Tensor, norm: CorrNorm = "l2") -> torch.Tensor:
    """R itself, (B, N, D) -> (B, N, N)."""
    e = scaled(tokens, norm)
    return e @ e.transpose(1, 2)


def patch_tokens(image: torch.Tensor, side: int = 8) -> torch.Tensor:
    """Lite's tokens: RGB patches without overlap, each without its mean.

    Args:
        image: (B, 3, H, W); what is left over at the lower and right border is not looked at.
        side: Of a patch.
    Returns:
        (B, N, 3 side^2).
    """
    patches = functional.unfold(image, side, stride=side).transpose(1, 2)
    return patches - patches.mean(dim=-1, keepdim=True)


def autocorrelation(image: torch.Tensor) -> torch.Tensor:
    """Circular autocorrelation per channel: entry (y, x) is the sum of I(p) I(p + (y, x)); lag 0 is the energy.

    Args:
        image: (..., H, W), real.
    Returns:
        Alike.
    """
    spectrum = torch.fft.rfft2(image)
    power = spectrum.real.square() + spectrum.imag.square()
    return torch.fft.irfft2(power, s=(image.shape[-2], image.shape[-1]))


def autocorrelation_loss(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of the autocorrelations, normalised by lag 0, on the central lags.

    Args:
        image, truth: (B, C, H, W).
    """
    return (_central(image) - _central(truth)).square().mean()


def _central(image: torch.Tensor) -> torch.Tensor:
    found = autocorrelation(image)
    found = found / found[..., :1, :1].clamp_min(_SHORTEST)
    height, width = (min(LAGS, length) for length in found.shape[-2:])
    return found.roll((height // 2, width // 2), dims=(-2, -1))[..., :height, :width]


def _block(e_rows: torch.Tensor, e: torch.Tensor, g_rows: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    return (e_rows @ e.transpose(1, 2) - g_rows @ g.transpose(1, 2)).square().sum()
