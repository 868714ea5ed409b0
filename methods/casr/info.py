"""CASR as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from bench.api import MethodInfo, MethodOptions, MethodSpec, Scale, Tiling
from methods.blocks.parts import content_of

_HERE = Path(__file__).parent
WEIGHTS_HOW = (
    "the paper's weights are not published: give a file that 'bench train casr' made, with --weights casr=PATH. "
    "Weights of the full size need SD-Turbo beside them: --set casr.sd_path=FOLDER (a copy of stabilityai/sd-turbo); "
    "--weights casr=untrained runs SD-Turbo with adapters that change nothing"
)


class CasrOptions(MethodOptions):
    """What `--set casr.KEY=VALUE` may change; all of it works on the same weights."""

    policy: Literal["paper", "uniform", "remainder_last", "remainder_first", "single"] = "paper"
    """How a scale is split into cycles: fewest, descending, the last at least s_min; "single" is Table 6, row 1."""
    fixed: tuple[float, ...] | None = None
    """The scales of the cycles, such as 4,3,1.5 (Table 6); null: as policy says."""
    s_max: float = Field(default=4.0, gt=1)
    """Largest scale of a cycle: what the network was trained for."""
    s_min: float = Field(default=1.5, ge=1)
    """Least last scale of policy "paper". [inferred]"""
    ssam: bool = True
    """false: bicubic enlargements instead of superpixels (Table 4, on weights that were trained with them)."""
    depth: bool = True
    """false: no depth and so no ControlNet (Table 4)."""
    sarm: bool = True
    """false: tiles do not see each other (Table 4)."""
    lr_semantics: bool = True
    """false: SARM does not attend to the semantics of a cycle's input (Table 5)."""
    sp_backend: Literal["ssn", "slic"] | None = None
    """Superpixels by the network or by k-means; null: as the weights say."""
    sp_space: Literal["lr", "hr"] | None = None
    """Whose pixels a cell counts: the input's or its enlargement's [inferred]; null: as trained."""
    sp_up: Literal["vector", "maps", "nearest", "bicubic"] | None = None
    """How superpixels reach the target size [inferred]; null: as trained."""
    merge: Literal["none", "gauss"] = "none"
    """Weights of overlapping tiles: all alike (MultiDiffusion), or a Gaussian around the middle."""
    tile: int | None = Field(default=None, ge=64)
    """Side of the tiles in output pixels; null: 512 for the full size, else 256."""
    overlap: int | None = Field(default=None, ge=0)
    """Least overlap of the tiles; null: 64 for the full size, else 32."""
    min_side: int | None = Field(default=None, ge=1)
    """Smaller images are mirrored to this side; null: 512 for the full size, else 64. [inferred]"""
    colour: Literal["none", "wavelet", "adain"] = "none"
    """Colours of the bicubic enlargement for every cycle's image (StableSR's fixes); the paper has none. [inferred]"""
    phases: Literal[1, 4] = 1
    """4: the mean of four images, for which the latent's grid lies differently [ours]; four times the work."""
    consistency: int = Field(default=0, ge=0)
    """Back-projections of what a cycle's image, reduced, lacks of the cycle's input [ours]; only with phases=4."""
    batch: int = Field(default=4, ge=1)
    """Tiles computed at once."""
    kept: int | None = Field(default=None, ge=0)
    """Megabytes of encoder features kept while SARM sees all tiles; beyond that encoders run twice, for the same image.
    null: a quarter of the memory that is free when the weights are loaded."""
    keys: int | None = Field(default=None, ge=1)
    """Above so many tokens SARM attends to averages over squares of tokens [ours]; null: 16384 for the full size, else
    4096."""
    decode_tile: int = Field(default=64, ge=8)
    """Side of the tiles that the VAE decodes, in latent pixels. [inferred]"""
    decode_overlap: int = Field(default=8, ge=0)
    """Their overlap. [inferred]"""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of UNet, ControlNet, SARM and encoders; superpixels and the VAE's decoder stay in float32."""
    sd_path: Path | None = None
    """SD-Turbo (full size): a folder with unet, vae, text_encoder, tokenizer; or the hub id stabilityai/sd-turbo."""
    sam_path: Path | None = None
    """SAM (full size): a folder or hub id such as facebook/sam-vit-base; null: SARM is off."""
    depth_path: Path | None = None
    """DepthAnything (full size): a folder or hub id, LiheYoung/depth-anything-small-hf; null: ControlNet is off."""
    prompt: Literal["fixed", "ram", "empty"] = "fixed"
    """Text of the full size: one for all [inferred], the tags of each cycle's input (the paper's), or none."""
    tagger: str | None = None
    """PACKAGE.MODULE:NAME of a callable from a (3, h, w) image in [0, 1] to tags, for prompt "ram"."""

    @field_validator("fixed", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part for part in value.replace("x", ",").split(",") if part) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> CasrOptions:
        wrong = [factor for factor in self.fixed or () if not 1 < factor <= self.s_max]
        if wrong or self.fixed == ():
            raise ValueError(
                f"fixed lists the scales of cycles, each above 1 and at most s_max = {self.s_max:g}, got "
                f"{f'{wrong[0]:g}' if wrong else 'none'}"
            )
        if self.s_min**2 > self.s_max:
            raise ValueError(f"s_min * s_min must be at most s_max, got {self.s_min} and {self.s_max}")
        if self.tile is not None and self.tile < 2 * (self.overlap or 0):
            raise ValueError(f"tile must be at least twice the overlap, got {self.tile} and {self.overlap}")
        if self.decode_tile < 2 * self.decode_overlap:
            raise ValueError("decode_tile must be at least twice decode_overlap")
        if self.consistency and self.phases == 1:
            raise ValueError(
                "consistency is for phases=4: without it, a second cycle enlarges what back-projection brings back"
            )
        if self.prompt == "ram" and self.tagger is None:
            raise ValueError("prompt ram needs a tagger: --set casr.tagger=PACKAGE.MODULE:NAME")
        return self


def fingerprint(options: MethodOptions, image: str, scale: Scale) -> str:
    """What the folders of SD-Turbo, SAM and DepthAnything hold; hub ids are options and stand for themselves."""
    said = cast("CasrOptions", options)
    return content_of((("sd", said.sd_path), ("sam", said.sam_path), ("depth", said.depth_path)))


CASR = MethodSpec(
    info=MethodInfo(
        name="casr",
        display="CASR",
        summary="one small-scale model applied in cycles of at most x4, on superpixel images and depth",
        paper="A Robust Cyclic Framework for Arbitrary Large-Scale Super-Resolution, arXiv 2602.22159",
        licence="Apache-2.0; SD-Turbo, SAM and DepthAnything carry their own",
        train_scales=(1.0, 4.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.INTERNAL,
        parameters=4_342_563,
    ),
    factory="methods.casr.method:CasrMethod",
    root=_HERE,
    options=CasrOptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    default_weights="lite",
    weights_how=WEIGHTS_HOW,
    minimised={"lite": ("lpips",)},
    untrained=True,
    fingerprint=fingerprint,
    fingerprint_per_image=False,
)
