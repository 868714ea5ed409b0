"""From a sample to pixels: the pair half of a protocol, carried out for one image.

HR-only samples are cropped and degraded as the protocol says, paired samples keep the LR image they came with, LR-only
samples have no reference. Sources of the rules: LIIF's wrappers (floor-crop), Kim et al. and IDM (fixed-lr), SRCNN (the
luma plane), LeRF (ceil), StableSR's crops of RealSR (centre crop of a pair).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.api import (
    ImageRef,
    Protocol,
    Sample,
    Scale,
    ScalePair,
    Size,
    UnitError,
    derive_seed,
    factors,
    format_scale,
    lr_size,
    sr_size,
)
from bench.api.sizes import LrRule
from bench.data.crops import centre, centre_pair, centre_square, hw, square, top_left
from bench.data.decoded import read_once
from bench.imaging.colour import studio_luma_u8
from bench.imaging.degrade import DRAWS, Degradation
from bench.imaging.downsample import downsample, pillow_bicubic
from bench.imaging.errors import ImageError
from bench.imaging.io import LoadedImage

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """The pixels of one unit.

    Attributes:
        hr: uint8 (H, W, 3), or (H, W) under `plane="y"`; None for an LR-only sample.
        lr: float32 (h, w, 3) on the scale 0..1, three equal channels under `plane="y"`; None where nobody asked.
            With `lr_depth="float"` it is not clipped: bicubic may overshoot by a few grey levels, as in MATLAB.
        lr_shape: (h, w).
        size: (H, W) that is scored.
        whole: (H, W) that a method is asked for where that is more: the result is cut to `size` from the top left.
    """

    hr: U8 | None
    lr: F32 | None
    lr_shape: Size
    size: Size
    whole: Size | None = None

    @property
    def asked(self) -> Size:
        """(H, W) that a method is asked for; the effective ratio per axis is asked / lr_shape."""
        return self.size if self.whole is None else self.whole


def prepare(sample: Sample, scale: Scale, protocol: Protocol, *, need_lr: bool = True) -> Pair:
    """Read one sample and make its HR and LR images.

    Args:
        sample: What to read.
        scale: Nominal scale, at least 1.
        protocol: Its pair half decides every pixel.
        need_lr: False leaves out making the LR image.
    Returns:
        The pair; the same for every caller and process.
    Raises:
        UnitError: an image is unreadable or too small for the protocol, HR and LR sizes do not fit, or the LR image
            would be empty (says the HR size, the scale and the largest scale possible).
    """
    try:
        if sample.hr is None:
            return _lr_only(sample, scale, protocol, need_lr)
        if sample.lr is not None:
            return _given_pair(sample.hr, sample.lr, scale, protocol, need_lr)
        if protocol.size_rule == "fixed-lr":
            return _fixed_lr(sample, scale, protocol, need_lr)
        return _by_rule(sample, scale, protocol, need_lr)
    except ImageError as fault:
        raise UnitError(str(fault)) from fault
    except MemoryError as fault:
        raise UnitError(f"{sample.id} is too large for the memory that is free: its LR image cannot be made") from fault


def _by_rule(sample: Sample, scale: Scale, protocol: Protocol, need_lr: bool) -> Pair:
    hr = _source(sample, protocol)
    whole = hr.shape[:2]
    if protocol.hr_mod > 1:
        hr = top_left(hr, (whole[0] - whole[0] % protocol.hr_mod, whole[1] - whole[1] % protocol.hr_mod))
    rule = _lr_rule(protocol)
    lr_shape = lr_size(hw(hr), scale, rule)
    if min(lr_shape) < 1:
        largest = f"the largest scale for it is {min(hr.shape[:2])}"
        if isinstance(scale, ScalePair):
            largest = f"the largest factors for it are {hr.shape[0]} x {hr.shape[1]}"
        raise UnitError(
            f"x{format_scale(scale)} leaves no LR image: HR is {hr.shape[0]} x {hr.shape[1]} px (height x width), so "
            f"LR would be {lr_shape[0]} x {lr_shape[1]}; {largest}"
        )
    asked = sr_size(lr_shape, scale)
    size = _shared(hw(hr), asked)
    cropped = np.ascontiguousarray(top_left(hr, size))
    lr = None
    if need_lr and rule == "floor-crop":
        lr = _degraded(cropped, lr_shape, sample.id, scale, protocol)
    elif need_lr:
        # the whole image: a nominal grid may reach beyond its last pixel, or leave some out
        kernel, depth = protocol.downsampler_at(scale), protocol.lr_depth
        lr = _as_lr(downsample(hr, lr_shape, kernel=kernel, depth=depth, scale=factors(scale)))
    return Pair(_as_plane(cropped, protocol), lr, lr_shape, size, asked)


def _fixed_lr(sample: Sample, scale: Scale, protocol: Protocol, need_lr: bool) -> Pair:
    if reason := protocol.refused(scale):
        raise UnitError(f"x{format_scale(scale)}: {reason}")
    source = square(_source(sample, protocol))
    side = protocol.lr_side or 0  # Protocol refuses a fixed-lr rule without it
    (target, _) = size = sr_size((side, side), scale)
    if target > source.shape[0]:
        raise UnitError(
            f"{side} px at x{format_scale(scale)} needs an HR image of {target} px, the source has {source.shape[0]}; "
            f"the largest scale for it is {format_scale(source.shape[0] / side)}"
        )
    kernel = protocol.downsampler_at(scale)
    hr = downsample(source, size, kernel=kernel, depth="u8").astype(np.uint8)
    base = hr if protocol.lr_from == "hr" else source
    lr = _degraded(base, (side, side), sample.id, scale, protocol) if need_lr else None
    return Pair(_as_plane(hr, protocol), lr, (side, side), size)


def _given_pair(hr_ref: ImageRef, lr_ref: ImageRef, scale: Scale, protocol: Protocol, need_lr: bool) -> Pair:
    """The LR image of the set. Such a pair is gray only where both files are: otherwise the gray one is read as RGB, so
    that luma of both is on one range."""
    hr_file, lr_file = _load(hr_ref, protocol), _load(lr_ref, protocol)
    both_gray = hr_file.gray and lr_file.gray
    hr, lr = (_pixels(file, protocol, gray=both_gray) for file in (hr_file, lr_file))
    if not pair_fits(hw(hr), hw(lr), scale, _lr_rule(protocol)):
        need = sr_size(hw(lr), scale)
        raise UnitError(
            f"HR {hr_ref.path.name} of {hr.shape[0]} x {hr.shape[1]} px and LR {lr_ref.path.name} of {lr.shape[0]} x "
            f"{lr.shape[1]} do not fit x{format_scale(scale)}: expected HR of {need[0]} x {need[1]}, or less "
            "than one LR pixel more; nothing is resized silently"
        )
    if protocol.source_crop is not None:
        hr, lr = centre_pair(hr, lr, scale, protocol.source_crop)
    asked = sr_size(hw(lr), scale)
    size = _shared(hw(hr), asked)
    hr = np.ascontiguousarray(top_left(hr, size))
    return Pair(_as_plane(hr, protocol), _as_lr(lr) if need_lr else None, hw(lr), size, asked)


def _lr_only(sample: Sample, scale: Scale, protocol: Protocol, need_lr: bool) -> Pair:
    if sample.lr is None:
        raise UnitError(f"{sample.id} has neither an HR nor an LR image")
    file = _load(sample.lr, protocol)
    lr = _pixels(file, protocol, gray=file.gray)
    return Pair(None, _as_lr(lr) if need_lr else None, hw(lr), sr_size(hw(lr), scale))


def pair_fits(hr: Size, lr: Size, scale: Scale, rule: LrRule = "floor-crop") -> bool:
    """Whether an LR image belongs to an HR image at this scale.

    HR must be LR times the scale, or be larger by less than one LR pixel, which is cropped; under another rule than
    "floor-crop", LR may also have the size that the rule gives.
    """
    if rule != "floor-crop" and lr == lr_size(hr, scale, rule):
        return True
    need, floor = sr_size(lr, scale), lr_size(hr, scale)
    return all(hr[axis] == need[axis] or (hr[axis] > need[axis] and floor[axis] == lr[axis]) for axis in (0, 1))


def _lr_rule(protocol: Protocol) -> LrRule:
    return "floor-crop" if protocol.size_rule == "fixed-lr" else protocol.size_rule


def _shared(a: Size, b: Size) -> Size:
    return min(a[0], b[0]), min(a[1], b[1])


def _load(ref: ImageRef, protocol: Protocol) -> LoadedImage:
    image = read_once(ref.path, alpha=protocol.alpha)
    if ref.centre_crop is None:
        return image
    height, width = image.pixels.shape[:2]
    pixels = centre(image.pixels, (min(height, ref.centre_crop[0]), min(width, ref.centre_crop[1])))
    return LoadedImage(pixels, image.gray, image.bits)


def _source(sample: Sample, protocol: Protocol) -> U8:
    """The HR source after the crops and the resize that come before everything else: (H, W), or (H, W, 3) RGB."""
    if sample.hr is None:
        raise UnitError(f"{sample.id} has no HR image")
    file = _load(sample.hr, protocol)
    pixels = file.pixels
    if protocol.source_crop is not None:
        pixels = centre_square(pixels, protocol.source_crop)
    if protocol.source_side is not None:
        pixels = pillow_bicubic(np.ascontiguousarray(square(pixels)), (protocol.source_side, protocol.source_side))
    return _pixels(LoadedImage(pixels, file.gray, file.bits), protocol, gray=file.gray)


def _pixels(file: LoadedImage, protocol: Protocol, *, gray: bool) -> U8:
    """What the protocol takes a file for: its luma plane, gray (H, W), or RGB (H, W, 3)."""
    if protocol.plane == "y":
        if gray and protocol.gray == "luma":
            return file.pixels
        return studio_luma_u8(_rgb(file.pixels))
    return file.pixels if gray else _rgb(file.pixels)


def draw_degradation(image_id: str, protocol: Protocol) -> Degradation | None:
    """What a protocol does to one image beside shrinking it: the same for every method, scale and process.

    Args:
        image_id: The sample's id; with `degradation_seed` it decides everything.
        protocol: Its `degradation` names the recipe.
    Returns:
        The degradation, or None where the protocol only downsamples.
    """
    if protocol.degradation == "none":
        return None
    return DRAWS[protocol.degradation](derive_seed(protocol.degradation_seed, image_id))


def _degraded(hr: U8, size: Size, image_id: str, scale: Scale, protocol: Protocol) -> F32:
    degradation = draw_degradation(image_id, protocol)
    if degradation is None:
        return _as_lr(downsample(hr, size, kernel=protocol.downsampler_at(scale), depth=protocol.lr_depth))
    # a gray photograph gets colour noise like any other; under plane "y" the image is one plane
    return _as_lr(degradation.apply(_as_plane(hr, protocol), size))


def _as_lr(values: F32 | U8) -> F32:
    """0..255 values, (h, w) or (h, w, 3), as (h, w, 3) on the scale 0..1."""
    scaled = np.divide(values, np.float32(255), dtype=np.float32)
    return scaled if scaled.ndim == 3 else np.repeat(scaled[:, :, None], 3, axis=2)


def _as_plane(hr: U8, protocol: Protocol) -> U8:
    return hr if protocol.plane == "y" else _rgb(hr)


def _rgb(pixels: U8) -> U8:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
