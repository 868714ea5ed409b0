"""The kernel that M learns: Eq. 4's LR-space kernel in its variants, the analytic one, and the HR kernel.

Source: the blind arbitrary-scale paper, section 3.2 and Eq. 4; the steps around the quotient (crop, agreement of the
colours, threshold) as in DCLS and the authors' release (facts only).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from bench.imaging.kernels import GaussianBlur
from methods.blind_assr.kernels import KERNEL_SIZE, centred

KernelTarget = Literal["fft_paper", "fft_release", "fft_joint_taper", "analytic", "kh"]
"""[inferred] fft_paper: Eq. 4 per colour with epsilon 1e-2; fft_release: epsilon 1e-20; fft_joint_taper: one quotient
over the colours of tapered images, which errs half as much; analytic: the Gaussian with the covariance of k_h over s^2;
kh: the HR kernel itself (the paper's section 4.2 shows why not)."""

FFT_TARGETS = ("fft_paper", "fft_release", "fft_joint_taper")
_EPSILON = {"fft_paper": 1e-2, "fft_release": 1e-20, "fft_joint_taper": 1e-2}
_TAPER = 10
"""Border pixels over which the taper rises; the non-circular border is Eq. 4's main error."""


def default_zeros(size: int) -> int:
    """How many of the largest taps the threshold is taken from: 5 % of them (22 of 21 x 21)."""
    return round(0.05 * size * size)


def fft_kernel(
    sharp: torch.Tensor,
    lr: torch.Tensor,
    *,
    target: KernelTarget = "fft_paper",
    size: int = KERNEL_SIZE,
    epsilon: float | None = None,
    zeros: int | None = None,
) -> torch.Tensor:
    """Eq. 4: the kernel that turns the sharp LR image into the LR image.

    Args:
        sharp: (B, C, h, w), x reduced without blur, in [0, 1].
        lr: (B, C, h, w), the LR image, reduced the same way.
        target: One of `FFT_TARGETS`.
        size: Odd side of the crop, at most 21; that of k_h in the paper's procedure.
        epsilon: Of the quotient; None: the variant's.
        zeros: Rank of the tap whose 0.75-fold is the threshold; None: 5 % of the taps.
    Returns:
        (B, 1, 21, 21) float64, not negative, each summing to 1.
    Raises:
        ValueError: another target, an even size, images smaller than it, or a rank beyond the taps.
    """
    if target not in FFT_TARGETS:
        raise ValueError(f"expected one of {', '.join(FFT_TARGETS)}, got '{target}'")
    if zeros is not None and not 0 <= zeros < size * size:
        raise ValueError(f"zeros ranks one of {size * size} taps, got {zeros}")
    return clean_kernel(
        fft_quotient(sharp, lr, target=target, size=size, epsilon=epsilon),
        zeros=default_zeros(size) if zeros is None else zeros,
    )


def fft_quotient(
    sharp: torch.Tensor, lr: torch.Tensor, *, target: KernelTarget, size: int, epsilon: float | None = None
) -> torch.Tensor:
    """The quotient of Eq. 4 before small values are removed; (B, size, size) float64; arguments as in `fft_kernel`."""
    height, width = lr.shape[-2:]
    if size % 2 == 0 or size > min(height, width):
        raise ValueError(f"expected an odd size of at most {min(height, width)}, got {size}")
    x, y = sharp.double(), lr.double()
    joint = target == "fft_joint_taper"
    if joint:
        window = _taper(height, x.device)[:, None] * _taper(width, x.device)
        x, y = (image - image.mean(dim=(-2, -1), keepdim=True) for image in (x, y))
        x, y = x * window, y * window
    fx, fy = torch.fft.fft2(x), torch.fft.fft2(y)
    cross, power = fx.conj() * fy, fx.abs() ** 2
    if joint:
        cross, power = cross.sum(dim=1, keepdim=True), power.sum(dim=1, keepdim=True)
    spatial = torch.fft.ifft2(cross / (power + (_EPSILON[target] if epsilon is None else epsilon))).real
    shifted = torch.fft.fftshift(spatial, dim=(-2, -1))
    top, left = height // 2 - size // 2, width // 2 - size // 2
    crop = shifted[..., top : top + size, left : left + size]
    # a tap stays where the colours agree in sign, as their product says
    return crop.mean(dim=1) * (crop.prod(dim=1) > 0) if not joint else crop[:, 0]


def clean_kernel(raw: torch.Tensor, *, zeros: int) -> torch.Tensor:
    """Subtract 0.75 of the (zeros + 1)-th largest tap, drop what is negative, divide by the sum, pad to 21.

    Args:
        raw: (B, k, k).
        zeros: See above; at most k * k - 1.
    Returns:
        (B, 1, 21, 21).
    """
    size = raw.shape[-1]
    ranked = raw.flatten(1).sort(dim=-1, descending=True).values
    kernel = (raw - 0.75 * ranked[:, zeros, None, None]).clamp(0, 1)
    kernel[:, size // 2, size // 2] += 1e-20
    return centred(kernel / kernel.sum(dim=(-2, -1), keepdim=True))[:, None]


def analytic_kernel(blur: GaussianBlur, scale: float) -> torch.Tensor:
    """k_h in LR pixels: the Gaussian with its covariance over scale^2, cut off where k_h is.

    Args:
        blur: k_h; a side that is small for its sigma cuts the Gaussian, and the kernel that blurs is the cut one.
        scale: HR over LR side.
    Returns:
        (1, 21, 21) float64 that sums to 1; at scale 1 it is k_h. [inferred] LR pixels that the cut passes through count
        by the share that it leaves of them.
    Raises:
        ValueError: a blur of another shape.
    """
    if blur.shape != "gaussian":
        raise ValueError(f"the analytic target is for Gaussians, got '{blur.shape}'")
    small = GaussianBlur(size=KERNEL_SIZE, sigma_1=blur.sigma_1 / scale, sigma_2=blur.sigma_2 / scale, theta=blur.theta)
    offset = np.abs(np.arange(KERNEL_SIZE) - KERNEL_SIZE // 2)
    share = np.clip(blur.size / (2 * scale) - offset + 0.5, 0, 1)
    share[KERNEL_SIZE // 2] = 1.0  # the centre stays, however small the kernel
    kernel = small.kernel() * share[:, None] * share
    return torch.from_numpy(kernel / kernel.sum())[None]


def hr_kernel(blur: GaussianBlur) -> torch.Tensor:
    """k_h itself, zero-padded; (1, 21, 21) float64."""
    return centred(torch.from_numpy(np.ascontiguousarray(blur.kernel())))[None]


def weighted_l1(estimated: torch.Tensor, target: torch.Tensor, *, weight: float | None = None) -> torch.Tensor:
    """L_k: mean |difference| of (B, 1, 21, 21), weighted.

    Args:
        estimated: M's kernels.
        target: Their targets.
        weight: For every tap; None: the release's 200 where the target is positive and 100 elsewhere, without which
            entries of about 1e-3 would vanish beside the contrastive loss. 1 is the paper's formula.
    """
    difference = (estimated - target).abs()
    weights = torch.where(target > 0, 200.0, 100.0).to(difference.dtype) if weight is None else weight
    return (weights * difference).mean()


def _taper(length: int, device: torch.device) -> torch.Tensor:
    """Raised-cosine rise from 0 to 1 over the first and last ten pixels."""
    ramp = torch.ones(length, dtype=torch.float64, device=device)
    count = min(_TAPER, length // 2)
    rise = torch.tensor([0.5 - 0.5 * math.cos(math.pi * (i + 0.5) / count) for i in range(count)], dtype=torch.float64)
    ramp[:count], ramp[length - count :] = rise, rise.flip(0)
    return ramp
