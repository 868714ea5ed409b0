"""What the kernel estimator recovers of known degradations, and the study of k_h against k_l (`bench figure`).

Source: the blind arbitrary-scale paper, sections 3.2 and 4.2 (Figure 4); the LR images are made as the protocol makes
them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import RequestError, Size, format_scale, lr_size, sr_size
from bench.imaging.degrade import BlindDegradation
from bench.imaging.kernels import GaussianBlur
from bench.training.degraded import DegradedPatch
from methods.blind_assr.kernels import KERNEL_SIZE
from methods.blind_assr.method import load_network
from methods.blind_assr.network import BlindASSR, RepresentationNetwork
from methods.blind_assr.training.stage1 import RepresentationTask, kernel_figures
from methods.blind_assr.training.stage2 import load_representation
from methods.blind_assr.training.target import FFT_TARGETS, KernelTarget, analytic_kernel, fft_kernel, hr_kernel
from methods.blocks.sampled import to_tensor
from methods.blocks.weights import read_weights

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Networks = RepresentationNetwork | BlindASSR

TARGETS: tuple[str, ...] = ("analytic", *FFT_TARGETS)
"""What may stand for the true k_l."""
STUDY_SCALES = (1.1, 2.2, 3.0, 4.2, 6.0, 10.0)
"""Scales of the paper's Figure 4, sorted."""
STUDY_DEGRADATION = BlindDegradation(
    blur=GaussianBlur(size=KERNEL_SIZE, sigma_1=1.1, sigma_2=2.5, theta=math.radians(65)), shrinker="bicubic"
)
"""The one degradation of Figure 4. [inferred] The paper names neither the side of its kernel nor the shrinker."""
_CROP = 64
"""LR pixels a side that a record keeps for the figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """One degradation and the kernel that was estimated from its LR image.

    Attributes:
        image: Id of the HR image.
        degradation: What made the LR image.
        scale: Nominal scale.
        target: What `true` is: one of `TARGETS`, or "kh".
        lr_size: (height, width) of the LR image, all of which E sees.
        crop: uint8 (c, c', 3), the middle of the LR image, at most 64 pixels a side.
        true, estimated: (21, 21), summing to 1.
        kernel_l1: Sum of |estimated - true|.
        kernel_psnr: In dB, against the largest tap of `true`.
        reblur_error: mean |x-down-s * estimated - y| / mean |x-down-s - y|: 0 is perfect, 1 no better than no blur.
            Without meaning where the blur hardly changes the image.
        reblur_psnr: Of x-down-s * estimated against y, in dB.
        true_reblur_error, true_reblur_psnr: The same of `true`, which no estimate needs to surpass.
        sharp_psnr: Of x-down-s itself against y, in dB.
    """

    image: str
    degradation: BlindDegradation
    scale: float
    target: str
    lr_size: Size
    crop: U8
    true: F64
    estimated: F64
    kernel_l1: float
    kernel_psnr: float
    reblur_error: float
    reblur_psnr: float
    true_reblur_error: float
    true_reblur_psnr: float
    sharp_psnr: float


@dataclass(frozen=True, kw_only=True)
class ScaleFigures:
    """A model at one scale: means over the images, of `reblur_error` the median; fields as in `Recovered`."""

    scale: float
    kernel_l1: float
    kernel_psnr: float
    reblur_error: float
    reblur_psnr: float
    true_reblur_psnr: float
    sharp_psnr: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceResult:
    """One model of the study.

    Attributes:
        target: What its kernels are compared with.
        trained_for: What its card says that it was trained for; None where there is no such card.
        records: Image by image, each at all scales in their order.
        scales: Its figures per scale.
        l1_mean, l1_spread: Of `kernel_l1` over the scales: mean and standard deviation.
        psnr_mean, psnr_spread: Of `reblur_psnr`.
        estimate_spread: How far the kernels estimated from one image lie apart: mean over the scales of the L1 distance
            to their mean, then over the images. Estimates of k_h should not depend on the scale at all.
        true_spread: The same of the true kernels; 0 for k_h.
    """

    target: str
    trained_for: str | None
    records: tuple[Recovered, ...]
    scales: tuple[ScaleFigures, ...]
    l1_mean: float
    l1_spread: float
    psnr_mean: float
    psnr_spread: float
    estimate_spread: float
    true_spread: float


def recover(
    weights: Path,
    images: Iterable[tuple[str, U8]],
    degradations: Iterable[BlindDegradation],
    scales: Iterable[float],
    *,
    target: str = "analytic",
) -> list[Recovered]:
    """Degrade images and estimate each one's kernel from the whole LR image.

    Args:
        weights: A file of stage 1 or of the whole model.
        images: (id, uint8 (H, W) or (H, W, 3)); may be read one by one.
        degradations, scales: One per image.
        target: The true kernel: one of `TARGETS`, or "kh". The FFT ones look at the whole image too.
    Returns:
        One record per image.
    Raises:
        RequestError: weights that cannot be read, an unknown target, or an image too small for its scale.
        ValueError: not as many degradations and scales as images.
    """
    kind = _target(target)
    networks = load_networks(weights)
    return [
        _record(networks, name, _degraded(name, hr, degradation, scale), scale, kind)
        for (name, hr), degradation, scale in zip(images, degradations, scales, strict=True)
    ]


def kernel_space(
    kl: Path,
    kh: Path,
    images: Iterable[tuple[str, U8]],
    *,
    scales: Sequence[float] = STUDY_SCALES,
    target: str | None = None,
    degradation: BlindDegradation = STUDY_DEGRADATION,
) -> tuple[SpaceResult, SpaceResult]:
    """The paper's study: one blur at several scales, estimated in LR space and in HR space.

    Args:
        kl: Weights trained for the LR-space kernel.
        kh: Weights trained for the HR-space kernel; compared with k_h.
        images: As in `recover`; the figures are means over them.
        scales: Different ones.
        target: What `kl` is compared with; None: what its card says, else analytic.
        degradation: The blur and the shrinker of all images.
    Returns:
        The results of `kl` and of `kh`, on the same LR images.
    Raises:
        RequestError: as `recover`; no image, or no scale.
    """
    trained = trained_for(kl), trained_for(kh)
    kinds = _target(target or (trained[0] if trained[0] in TARGETS else None) or "analytic"), _target("kh")
    networks = load_networks(kl), load_networks(kh)
    records: tuple[list[Recovered], list[Recovered]] = ([], [])
    for name, hr in images:
        for scale in scales:
            patch = _degraded(name, hr, degradation, scale)
            for side in (0, 1):
                records[side].append(_record(networks[side], name, patch, scale, kinds[side]))
    if not records[0]:
        raise RequestError("the study needs at least one image and one scale")
    first, second = (
        _space_result(found, scales, kind, said) for found, kind, said in zip(records, kinds, trained, strict=True)
    )
    return first, second


def load_networks(path: Path) -> Networks:
    """E and M from a file of stage 1 or of the whole model, in evaluation mode.

    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    staged = read_weights(path).extra.get("stage") == RepresentationTask.stage
    return (load_representation(path) if staged else load_network(path)).eval()


def trained_for(path: Path) -> str | None:
    """The `kl_target` in the card beside a weights file of stage 1; None without a readable card that names one."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        said = card["config"]["kl_target"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) else None


def estimate(networks: Networks, lr: U8) -> F64:
    """M's kernel of an image: uint8 (h, w, 3) -> (21, 21), summing to 1."""
    with torch.inference_mode():
        z = networks.representation(to_tensor(lr)[None], window=networks.architecture.z_window)
        return networks.estimator(z)[0, 0].double().numpy()


def true_kernel(patch: DegradedPatch, scale: float, target: KernelTarget) -> F64:
    """The kernel that an estimate is compared with; (21, 21), summing to 1."""
    blur = patch.degradation.blur
    if target == "kh":
        return hr_kernel(blur)[0].numpy()
    if target == "analytic":
        return analytic_kernel(blur, scale)[0].numpy()
    sharp, lr = to_tensor(patch.sharp_lr()), to_tensor(patch.lr)
    return fft_kernel(sharp[None], lr[None], target=target)[0, 0].numpy()


def _degraded(name: str, hr: U8, degradation: BlindDegradation, scale: float) -> DegradedPatch:
    """The floor-crop rule of the protocol, on RGB."""
    small = lr_size((hr.shape[0], hr.shape[1]), scale)
    if min(small) < KERNEL_SIZE:
        raise RequestError(
            f"image '{name}' of {hr.shape[0]} x {hr.shape[1]} px (height x width) is {small[0]} x {small[1]} px at "
            f"x{format_scale(scale)}, less than the {KERNEL_SIZE} px of a kernel; the largest scale for it is "
            f"{format_scale(math.floor(min(hr.shape[:2]) / KERNEL_SIZE * 100) / 100)}"
        )
    rgb = hr if hr.ndim == 3 else np.repeat(hr[:, :, None], 3, axis=2)
    height, width = sr_size(small, scale)
    whole = np.ascontiguousarray(rgb[:height, :width])
    return DegradedPatch(degradation.apply(whole, small), whole, degradation, None, whole)


def _record(networks: Networks, name: str, patch: DegradedPatch, scale: float, target: KernelTarget) -> Recovered:
    true, estimated = true_kernel(patch, scale, target), estimate(networks, patch.lr)
    sharp, lr = (to_tensor(pixels)[None] for pixels in (patch.sharp_lr(), patch.lr))
    wanted = torch.from_numpy(true)[None, None]
    found = kernel_figures(torch.from_numpy(estimated)[None, None], wanted, sharp, lr)
    best = kernel_figures(wanted, wanted, sharp, lr)
    return Recovered(
        image=name,
        degradation=patch.degradation,
        scale=scale,
        target=target,
        lr_size=(patch.lr.shape[0], patch.lr.shape[1]),
        crop=_middle(patch.lr),
        true=true,
        estimated=estimated,
        kernel_l1=found["kernel_l1"],
        kernel_psnr=found["kernel_psnr"],
        reblur_error=found["reblur_error"],
        reblur_psnr=found["reblur_psnr"],
        true_reblur_error=best["reblur_error"],
        true_reblur_psnr=best["reblur_psnr"],
        sharp_psnr=float(-10 * torch.log10(((sharp - lr) ** 2).mean().clamp_min(1e-10))),
    )


def _space_result(
    records: Sequence[Recovered], scales: Sequence[float], target: KernelTarget, said: str | None
) -> SpaceResult:
    rows = [
        ScaleFigures(
            scale=scale,
            kernel_l1=float(np.mean([record.kernel_l1 for record in at])),
            kernel_psnr=float(np.mean([record.kernel_psnr for record in at])),
            reblur_error=float(np.median([record.reblur_error for record in at])),
            reblur_psnr=float(np.mean([record.reblur_psnr for record in at])),
            true_reblur_psnr=float(np.mean([record.true_reblur_psnr for record in at])),
            sharp_psnr=float(np.mean([record.sharp_psnr for record in at])),
        )
        for scale, at in ((scale, records[place :: len(scales)]) for place, scale in enumerate(scales))
    ]
    l1, psnr = [row.kernel_l1 for row in rows], [row.reblur_psnr for row in rows]
    return SpaceResult(
        target=target,
        trained_for=said,
        records=tuple(records),
        scales=tuple(rows),
        l1_mean=float(np.mean(l1)),
        l1_spread=float(np.std(l1)),
        psnr_mean=float(np.mean(psnr)),
        psnr_spread=float(np.std(psnr)),
        estimate_spread=_spread([record.estimated for record in records], len(scales)),
        true_spread=_spread([record.true for record in records], len(scales)),
    )


def _spread(kernels: Sequence[F64], scales: int) -> float:
    """Kernels image by image, each at all scales -> mean L1 distance from the mean kernel of the same image."""
    grouped = np.stack(kernels).reshape(-1, scales, KERNEL_SIZE * KERNEL_SIZE)
    return float(np.abs(grouped - grouped.mean(axis=1, keepdims=True)).sum(axis=-1).mean())


def _middle(pixels: U8) -> U8:
    height, width = min(pixels.shape[0], _CROP), min(pixels.shape[1], _CROP)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width].copy()


def _target(name: str) -> KernelTarget:
    if name not in (*TARGETS, "kh"):
        raise RequestError(f"unknown kernel target '{name}'; expected one of {', '.join(TARGETS)}")
    return name  # type: ignore[return-value]
