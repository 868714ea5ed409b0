"""The protocol: every knob between a file on disk and a number in a table, frozen and hashable.

The knobs are those of which published results are known to depend; each has a short token that goes into the signature.
A protocol has two halves. The *pair half* decides the HR and LR pixels, so it can change the SR image; the *scoring
half* only changes the number, so stored images can be scored again under another one.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, replace
from typing import Literal

from bench.api.scale import Size, format_scale

Downsampler = Literal["matlab-bicubic", "pillow-bicubic", "torch-bicubic", "opencv-area"]
Colour = Literal["rgb", "y601s", "y601s-u8", "yiq-u8"]
"""rgb; BT.601 studio luma unrounded; the same rounded to 8 bit; full-range YIQ luma rounded to 8 bit (pyiqa)."""

_PAIR_FIELDS = (
    "plane",
    "gray",
    "alpha",
    "source_crop",
    "source_side",
    "size_rule",
    "hr_mod",
    "lr_side",
    "lr_from",
    "downsampler",
    "coarse_above",
    "coarse_downsampler",
    "lr_depth",
    "degradation",
    "degradation_seed",
    "lr_given",
)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The knobs. `name`, `summary` and `source` are for people and are not part of any key or signature."""

    name: str
    summary: str
    source: str = ""

    # pair half
    plane: Literal["rgb", "y"] = "rgb"
    """"y": the image *is* its luma plane (studio Y rounded to 8 bit); a method gets it as three equal channels."""
    gray: Literal["rgb", "luma"] = "rgb"
    """A gray file: read as RGB, or (plane "y" only) taken as the luma as it is."""
    alpha: Literal["refuse", "white", "black"] = "refuse"
    source_crop: int | None = None
    """Centre crop of the source to a square of this side, before anything else."""
    source_side: int | None = None
    """The source is first centre-cropped to a square and resized (Pillow bicubic) to this side."""
    size_rule: Literal["floor-crop", "fixed-lr"] = "floor-crop"
    """floor-crop: LR = floor(HR / s), HR cropped top-left to round(LR * s). fixed-lr: LR side fixed, HR round(LR s)."""
    hr_mod: int = 1
    """Crop HR to multiples of this before the size rule."""
    lr_side: int | None = None
    """fixed-lr: the side of the square LR image."""
    lr_from: Literal["hr", "source"] = "hr"
    """fixed-lr: LR made from the resized HR (Kim et al.) or straight from the source (IDM, SR3)."""
    downsampler: Downsampler = "matlab-bicubic"
    coarse_above: float | None = None
    """Above this scale `coarse_downsampler` takes over (LIIF's benchmark tables)."""
    coarse_downsampler: Downsampler = "pillow-bicubic"
    lr_depth: Literal["u8", "float"] = "u8"
    degradation: Literal["none", "blind-assr", "real-esrgan"] = "none"
    """A seeded degradation applied per image id instead of plain downsampling; frozen in a manifest."""
    degradation_seed: int = 0
    """What the draws of run seed 0 are of; run seed k has those of degradation_seed + k."""
    lr_given: bool = False
    """The set comes with LR images (set by the harness, so that no signature names a downsampler that was not used)."""

    # scoring half
    sr_depth: Literal["u8", "u8-trunc", "float"] = "u8"
    """float: scored unrounded, at the 16-bit precision of the store (changes a PSNR of 40 dB by less than 1e-6 dB)."""
    psnr_colour: Colour = "rgb"
    ssim_colour: Colour = "rgb"
    shave: Literal["0", "s", "s+6"] | int = "0"
    """Border that psnr and ssim ignore; "s" is ceil(scale)."""
    ssim_clamp: bool = False
    """Clamp SSIM's contrast term at 0 (pyiqa does)."""
    aggregate: Literal["img", "batch8-mse"] = "img"
    """Mean of per-image values, or (psnr) of the PSNR of the mean MSE of batches of 8."""
    nr_colour: Colour = "yiq-u8"
    """The luma that NIQE reads; PI fixes its own."""
    nr_shave: int = 0
    nr_max_side: int | None = None
    """No-reference networks see the image shrunk to this longer side; None: full size."""
    first: int | None = None
    """Only the first so many images (sorted by id), as the paper's configuration did."""

    def __post_init__(self) -> None:
        """Refuse contradictory knobs."""
        if self.size_rule == "fixed-lr" and self.lr_side is None:
            raise ValueError("size_rule 'fixed-lr' needs lr_side")
        if self.gray == "luma" and self.plane != "y":
            raise ValueError("gray='luma' needs plane='y'")
        if isinstance(self.shave, int) and self.shave < 0:
            raise ValueError(f"shave must be at least 0, got {self.shave}")

    def downsampler_at(self, scale: float) -> Downsampler:
        """The downsampler in force at this scale."""
        if self.coarse_above is not None and scale > self.coarse_above:
            return self.coarse_downsampler
        return self.downsampler

    def shave_at(self, scale: float) -> int:
        """Pixels of border that psnr and ssim ignore at this scale."""
        if isinstance(self.shave, int):
            return self.shave
        return {"0": 0, "s": math.ceil(scale), "s+6": math.ceil(scale) + 6}[self.shave]

    def drawn(self, seed: int) -> Protocol:
        """The protocol of a run seed: where degradations are drawn, seed k has those of `degradation_seed` + k."""
        return self if self.degradation == "none" else replace(self, degradation_seed=self.degradation_seed + seed)

    def pair_id(self, scale: float) -> str:
        """16 hex digits that name how HR and LR are made at this scale: equal ids mean equal LR pixels."""
        values = {name: getattr(self, name) for name in _PAIR_FIELDS}
        values["downsampler"] = self.downsampler_at(scale)
        values["coarse_above"] = values["coarse_downsampler"] = None
        text = ";".join(f"{key}={values[key]}" for key in sorted(values))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def pair_tokens(self, scale: float) -> list[str]:
        """The pair half as signature tokens, defaults left out except the downsampler and the size rule."""
        if self.lr_given:
            tokens = ["lr:given"]
        else:
            plain = self.degradation == "none"
            lr = self.downsampler_at(scale) if plain else f"{self.degradation}@{self.degradation_seed}"
            tokens = [f"lr:{lr}{'-f' if self.lr_depth == 'float' else ''}"]
        if self.size_rule == "fixed-lr":
            tokens.append(f"size:fixed-lr-{self.lr_side}-from-{self.lr_from}")
        else:
            tokens.append(f"size:{self.size_rule}")
        if self.plane == "y":
            tokens.append(f"plane:y-gray-{self.gray}")
        if self.hr_mod != 1:
            tokens.append(f"mod:{self.hr_mod}")
        if self.source_crop is not None:
            tokens.append(f"crop:{self.source_crop}")
        if self.source_side is not None:
            tokens.append(f"src:{self.source_side}")
        if self.alpha != "refuse":
            tokens.append(f"alpha:{self.alpha}")
        return tokens

    def quantise_token(self) -> str:
        """How SR is rounded before it is scored: q:u8, q:u8-trunc or q:none."""
        return "q:none" if self.sr_depth == "float" else f"q:{self.sr_depth}"

    def shave_token(self) -> str:
        """The shave rule as a token, such as shave:s."""
        return f"shave:{self.shave}"

    def aggregate_token(self) -> str:
        """The aggregation as a token; a restriction to the first images is part of it."""
        return f"agg:{self.aggregate}" + (f"-first{self.first}" if self.first is not None else "")

    def differences(self, other: Protocol) -> dict[str, tuple[object, object]]:
        """The knobs in which two protocols differ: name -> (mine, theirs)."""
        skip = {"name", "summary", "source"}
        return {
            f.name: (getattr(self, f.name), getattr(other, f.name))
            for f in fields(self)
            if f.name not in skip and getattr(self, f.name) != getattr(other, f.name)
        }


def validity_warnings(*, lr: Size | None, hr: Size, scale: float, shave: int, metrics: tuple[str, ...]) -> list[str]:
    """What makes a number of this unit doubtful.

    Args:
        lr: LR (height, width), if there is one.
        hr: SR (height, width).
        scale: Nominal scale.
        shave: Border that is ignored, in pixels.
        metrics: Names of the metrics asked for.
    Returns:
        Sentences; empty where nothing is doubtful.
    """
    found = []
    if lr is not None and min(lr) < 16:
        found.append(f"x{format_scale(scale)}: an LR side is below 16 px, the methods see almost nothing")
    if {"niqe", "pi"} & set(metrics) and min(hr) < 96:
        found.append(f"x{format_scale(scale)}: a side is below 96 px, NIQE has too few blocks to mean anything")
    if shave * 2 > 0.1 * min(hr):
        found.append(f"x{format_scale(scale)}: the shave removes more than 10 % of an image side")
    return found
