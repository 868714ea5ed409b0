"""The protocol: every knob between a file on disk and a number in a table, frozen and hashable.

The knobs are those of which published results are known to depend; each has a short token that goes into the signature.
A protocol has two halves. The *pair half* decides the HR and LR pixels, so it can change the SR image; the *scoring
half* only changes the number, so stored images can be scored again under another one.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.api.knobs import Half, label, pair, read_knobs, scoring
from bench.api.scale import Scale, ScalePair, largest_factor
from bench.api.signature import PLAIN, Averaging
from bench.api.sizes import Border, wider

Downsampler = Literal["matlab-bicubic", "pillow-bicubic", "torch-bicubic", "opencv-area"]
DegradationName = Literal["none", "blind-assr", "real-esrgan", "real-esrgan-light"]
Colour = Literal["rgb", "y601s", "y601s-u8", "yiq-u8"]
"""rgb; BT.601 studio luma unrounded; the same rounded to 8 bit; full-range YIQ luma rounded to 8 bit (pyiqa)."""
Shave = Literal["0", "s", "floor-s", "s+6", "s-max-8"] | int
"""A border in pixels: none, ceil(scale), floor(scale), ceil(scale) + 6, ceil(scale) but at most 8, or so many. Of a
pair of factors each axis has its own."""


def _lr_token(protocol: Protocol, scale: Scale) -> str:
    if protocol.lr_given:
        return "lr:given"
    drawn = f"{protocol.degradation}@{protocol.degradation_seed}"
    lr = protocol.downsampler_at(scale) if protocol.degradation == "none" else drawn
    return f"lr:{lr}{'-f' if protocol.lr_depth == 'float' else ''}"


def _size_token(protocol: Protocol, _: Scale) -> str:
    fixed = protocol.size_rule == "fixed-lr"
    return f"size:{protocol.size_rule}" + (f"-{protocol.lr_side}-from-{protocol.lr_from}" if fixed else "")


def _plane_token(protocol: Protocol, _: Scale) -> str:
    return f"plane:y-gray-{protocol.gray}" if protocol.plane == "y" else ""


def _rounding_token(protocol: Protocol, _: Scale) -> str:
    return "q:none" if protocol.sr_depth == "float" else f"q:{protocol.sr_depth}"


def _averaging_token(protocol: Protocol, _: Scale) -> str:
    return Averaging(protocol.aggregate, protocol.first).token


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The knobs. Each field says which half it belongs to; tokens stand in signatures in the order of the fields."""

    name: str = field(metadata=label())
    summary: str = field(metadata=label())
    source: str = field(default="", metadata=label())
    metrics: tuple[str, ...] = field(default=(), metadata=label())
    """The metrics of its tables, for a run that asks for none; empty: the usual ones."""

    downsampler: Downsampler = field(default="matlab-bicubic", metadata=pair(_lr_token))
    coarse_above: float | None = field(default=None, metadata=pair())
    """Above this scale `coarse_downsampler` takes over (LIIF's benchmark tables)."""
    coarse_downsampler: Downsampler = field(default="pillow-bicubic", metadata=pair())
    lr_depth: Literal["u8", "float"] = field(default="u8", metadata=pair())
    degradation: DegradationName = field(default="none", metadata=pair())
    """A seeded degradation applied per image id instead of plain downsampling; frozen in a manifest."""
    degradation_seed: int = field(default=0, metadata=pair())
    """What the draws of run seed 0 are of; run seed k has those of degradation_seed + k."""
    lr_given: bool = field(default=False, metadata=pair())
    """The set comes with LR images (set by the harness, so that no signature names a downsampler that was not used)."""
    size_rule: Literal["floor-crop", "round", "ceil", "fixed-lr"] = field(
        default="floor-crop", metadata=pair(_size_token)
    )
    """floor-crop: LR = floor(HR / s), HR cropped top-left to round(LR * s). round, ceil: LR of that many pixels made of
    the whole HR on the nominal grid, as MATLAB's `imresize(HR, 1/s)` (which rounds up); a method is asked for
    round(LR * s), and what SR and HR share from the top left is compared. fixed-lr: LR side fixed, HR round(LR s)."""
    lr_side: int | None = field(default=None, metadata=pair())
    """fixed-lr: the side of the square LR image."""
    lr_from: Literal["hr", "source"] = field(default="hr", metadata=pair())
    """fixed-lr: LR made from the resized HR (Kim et al.) or straight from the source (IDM, SR3)."""
    plane: Literal["rgb", "y"] = field(default="rgb", metadata=pair(_plane_token))
    """"y": the image *is* its luma plane (studio Y rounded to 8 bit); a method gets it as three equal channels."""
    gray: Literal["rgb", "luma"] = field(default="rgb", metadata=pair())
    """A gray file: read as RGB, or (plane "y" only) taken as the luma as it is."""
    hr_mod: int = field(default=1, metadata=pair("mod"))
    """Crop HR to multiples of this before the size rule."""
    source_crop: int | None = field(default=None, metadata=pair("crop"))
    """Centre crop of the source to a square of this side, before anything else."""
    source_side: int | None = field(default=None, metadata=pair("src"))
    """The source is first centre-cropped to a square and resized (Pillow bicubic) to this side."""
    alpha: Literal["refuse", "white", "black"] = field(default="refuse", metadata=pair("alpha"))

    sr_depth: Literal["u8", "u8-trunc", "float"] = field(default="u8", metadata=scoring(_rounding_token))
    """float: scored unrounded, at the 16-bit precision of the store (changes a PSNR of 40 dB by less than 1e-6 dB)."""
    sr_size: Literal["exact", "within-1"] = field(default="exact", metadata=scoring("sr-size"))
    """Images made elsewhere: refused unless of the exact size, or taken where a side is at most one pixel off. Then the
    pixel too many is dropped from SR, or from HR, at the bottom and the right."""
    aggregate: str = field(default=PLAIN, metadata=scoring(_averaging_token))
    """Mean of per-image values, or an aggregation of that name for the metrics that define it (psnr: batch8-mse)."""
    first: int | None = field(default=None, metadata=scoring())
    """Only the first so many images (sorted by id), as the paper's configuration did."""
    # The metrics that read these sign them.
    psnr_colour: Colour = field(default="rgb", metadata=scoring())
    ssim_colour: Colour = field(default="rgb", metadata=scoring())
    shave: Shave = field(default="0", metadata=scoring())
    """Border that psnr and ssim ignore."""
    ssim_shave: Shave | None = field(default=None, metadata=scoring())
    """Border that ssim ignores where it is another one; None: `shave`."""
    ssim_clamp: bool = field(default=False, metadata=scoring())
    """Clamp SSIM's contrast term at 0 (pyiqa does)."""
    nr_colour: Colour = field(default="yiq-u8", metadata=scoring())
    """The luma that NIQE reads; PI fixes its own."""
    nr_shave: int = field(default=0, metadata=scoring())
    nr_max_side: int | None = field(default=None, metadata=scoring())
    """No-reference networks see the image shrunk to this longer side; None: full size."""

    def __post_init__(self) -> None:
        """Refuse contradictory knobs."""
        if self.size_rule == "fixed-lr" and self.lr_side is None:
            raise ValueError("size_rule 'fixed-lr' needs lr_side")
        if self.gray == "luma" and self.plane != "y":
            raise ValueError("gray='luma' needs plane='y'")
        for name in ("shave", "ssim_shave"):
            rule = getattr(self, name)
            if isinstance(rule, int) and rule < 0:
                raise ValueError(f"{name} must be at least 0, got {rule}")
        plain = self.downsampler == "matlab-bicubic" and self.coarse_above is None and self.degradation == "none"
        if self.size_rule in ("round", "ceil") and not plain:
            # a nominal grid reaches beyond the image, which the other libraries' resizing cannot express
            raise ValueError(f"size_rule '{self.size_rule}' needs matlab-bicubic at every scale and no degradation")

    def downsampler_at(self, scale: Scale) -> Downsampler:
        """The downsampler in force at this scale; of a pair the larger factor decides, for it leaves less of LR."""
        if self.coarse_above is not None and largest_factor(scale) > self.coarse_above:
            return self.coarse_downsampler
        return self.downsampler

    def shave_at(self, scale: Scale) -> Border:
        """Pixels of border that psnr ignores at this scale, and ssim unless it has a border of its own."""
        return shave_pixels(self.shave, scale)

    def ssim_shave_at(self, scale: Scale) -> Border:
        """Pixels of border that ssim ignores at this scale."""
        return shave_pixels(self._ssim_shave, scale)

    def widest_shave_at(self, scale: Scale) -> Border:
        """Pixels of border that psnr or ssim ignores at this scale."""
        return wider(self.shave_at(scale), self.ssim_shave_at(scale))

    def refused(self, scale: Scale) -> str:
        """Why this protocol has no such scale; empty where it has."""
        if self.size_rule == "fixed-lr" and isinstance(scale, ScalePair):
            return f"{self.name} makes a square LR image of a square HR image, so it has no scale per axis"
        return ""

    @property
    def slack(self) -> int:
        """Pixels per side by which an image made elsewhere may be off."""
        return 1 if self.sr_size == "within-1" else 0

    def drawn(self, seed: int) -> Protocol:
        """The protocol of a run seed: where degradations are drawn, seed k has those of `degradation_seed` + k."""
        return self if self.degradation == "none" else replace(self, degradation_seed=self.degradation_seed + seed)

    def pair_id(self, scale: Scale) -> str:
        """16 hex digits that name how HR and LR are made at this scale: equal ids mean equal LR pixels."""
        values = {name: getattr(self, name) for name, knob in KNOBS.items() if knob.half is Half.PAIR}
        values["downsampler"] = self.downsampler_at(scale)
        values["coarse_above"] = values["coarse_downsampler"] = None
        text = ";".join(f"{key}={values[key]}" for key in sorted(values))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def pair_tokens(self, scale: Scale) -> list[str]:
        """The pair half as signature tokens, defaults left out except the downsampler and the size rule."""
        return self._tokens(Half.PAIR, scale)

    def scoring_tokens(self, scale: Scale) -> list[str]:
        """What every metric signs of the scoring half: how SR is rounded, and how numbers are averaged."""
        return self._tokens(Half.SCORING, scale)

    def shave_token(self) -> str:
        """The shave rule as a token, such as shave:s, for the metrics that follow it."""
        return f"shave:{self.shave}"

    def ssim_shave_token(self) -> str:
        """The same for ssim."""
        return f"shave:{self._ssim_shave}"

    @property
    def _ssim_shave(self) -> Shave:
        return self.shave if self.ssim_shave is None else self.ssim_shave

    def differences(self, other: Protocol) -> dict[str, tuple[object, object]]:
        """The knobs in which two protocols differ: name -> (mine, theirs)."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in KNOBS}
        return {name: (mine, theirs) for name, (mine, theirs) in pairs.items() if mine != theirs}

    def _tokens(self, half: Half, scale: Scale) -> list[str]:
        makers = [knob.token for knob in KNOBS.values() if knob.half is half and knob.token is not None]
        return [token for make in makers if (token := make(self, scale))]


def shave_pixels(rule: Shave, scale: Scale) -> Border:
    """Pixels of border that a rule ignores on every side at this scale.

    A pair of factors has the border of each axis (above and below, left and right): ArbSR's tables, the first with such
    scales, ignore ceil(scale) rows and columns so.

    >>> shave_pixels("s", 3.6), shave_pixels("s", parse_scale("1.5x4")), shave_pixels("s+6", parse_scale("1.5x1.6"))
    (4, (2, 4), 8)
    """
    if isinstance(rule, int):
        return rule
    if isinstance(scale, ScalePair):
        return wider((_one_border(rule, scale.height), 0), (0, _one_border(rule, scale.width)))
    return _one_border(rule, scale)


def _one_border(rule: str, scale: float) -> int:
    up = math.ceil(scale)
    return {"0": 0, "s": up, "floor-s": math.floor(scale), "s+6": up + 6, "s-max-8": min(up, 8)}[rule]


KNOBS = {name: knob for name, knob in read_knobs(Protocol).items() if knob.half is not Half.LABEL}
"""name -> what the field says of itself; the fields that are for people are left out."""
