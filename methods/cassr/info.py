"""CasSR as a registered method (no torch here)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast

from pydantic import Field, model_validator

from bench.api import MethodInfo, MethodOptions, MethodSpec, Scale, Tiling
from methods.blocks.parts import content_of

_HERE = Path(__file__).parent
WEIGHTS_HOW = (
    "the paper's weights are not published: give a file that 'bench train cassr' made, with --weights cassr=PATH. "
    "Weights of the full size need Stable Diffusion 1.5 beside them: --set cassr.sd_path=FOLDER (a copy of "
    "stable-diffusion-v1-5/stable-diffusion-v1-5); --weights cassr=untrained runs it with adapters that change nothing"
)


class CassrOptions(MethodOptions):
    """What `--set cassr.KEY=VALUE` may change; all of it works on the same weights."""

    iam: Literal["scedit", "controlnet", "sr", "lr"] | None = None
    """Who makes the reference image (Table 2): SCEdit, the ControlNet on LR alone, a plain restorer, or nobody; null:
    scedit for the full size, else sr."""
    iam_weights: Path | None = None
    """A checkpoint that spandrel knows, such as Real-ESRGAN's, for iam "sr"; null: the weights' own restorer."""
    iam_steps: int | None = Field(default=None, ge=1, le=1000)
    """Steps of an iam that samples; null: 20 for the full size, else 5. [inferred]"""
    scedit_ckpt: Path | None = None
    """A CSC-Tuner for iam "scedit" of the full size; null: that of the weights."""
    steps: int | None = Field(default=None, ge=1, le=1000)
    """Sampling steps; null: 50 for the full size, else 10. [inferred]"""
    sampler: Literal["ddim", "ddpm"] = "ddim"
    """ddim draws no noise after the start; ddpm in every step. [inferred]"""
    cfg: float | None = Field(default=None, ge=0)
    """Guidance scale (the paper gives none); 1: no guidance; null: 7.5 for the full size, else 1. [inferred]"""
    start: Literal["lr", "noise"] = "lr"
    """Begin at the noised latent of the enlarged LR image (the paper's), or at noise alone."""
    prompt: Literal["desc", "null", "caption"] = "desc"
    """The general description (the paper's), nothing, or the text of `caption` (Table 3; full size)."""
    caption: str | None = None
    """A text of one's own for every image, added to the description."""
    negative: bool = False
    """true: PASD's and SeeSR's negative prompt in the unconditional branch (full size). [inferred]"""
    mam: bool = True
    """false: neither of the two attentions, so that ControlNet alone controls (Figure 6)."""
    mam_ref: bool = True
    """false: no reference attention."""
    mam_lr: bool = True
    """false: no LR attention."""
    mam_residual: bool | None = None
    """false: Eq. 1 and 2 as they are printed, without the residual; null: as trained. [inferred]"""
    mam_feat: Literal["pre_zero", "post_zero"] | None = None
    """Attend to the ControlNet's maps before or after its zero convolutions; null: as trained. [inferred]"""
    mam_order: Literal["inner", "outer"] | None = None
    """LR attention before the text attention, or after the block; null: as trained. [inferred]"""
    color_fix: Literal["none", "wavelet", "adain"] = "none"
    """Colours of the bicubic enlargement (StableSR's fixes); the paper names none. [inferred]"""
    arb: Literal["cascade", "direct", "x4_resize"] = "cascade"
    """Scales other than x4 [ours]: passes of at most s_max, one pass, or passes of x4 and a bicubic resize."""
    policy: Literal["paper", "uniform", "remainder_last", "remainder_first"] = "paper"
    """How a cascade splits a scale; "paper" is CASR's. [ours]"""
    s_max: float = Field(default=4.0, gt=2.25)
    """Largest scale of a cascade's pass: what the network was trained for; above 1.5 * 1.5, the least last scales."""
    tile: int | None = Field(default=None, ge=64)
    """Side of the tiles in output pixels; null: 512 for the full size, else 256."""
    overlap: int | None = Field(default=None, ge=0)
    """Least overlap of the tiles, whose predictions are averaged in every step; null: 128 (full) or 64."""
    merge: Literal["gauss", "none"] = "gauss"
    """Weights of overlapping tiles: a Gaussian around the middle, or all alike."""
    min_side: int | None = Field(default=None, ge=1)
    """Smaller images are mirrored to this side; null: 512 for the full size, else 64. [inferred]"""
    encode_tile: int = Field(default=1024, ge=128)
    """Side of the tiles that the VAE encodes, in pixels. [inferred]"""
    decode_tile: int = Field(default=64, ge=8)
    """Side of the tiles that the VAE decodes, in latent pixels. [inferred]"""
    decode_overlap: int = Field(default=8, ge=0)
    """Their overlap. [inferred]"""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the networks; schedule, restorer and the VAE's decoder stay in float32."""
    sd_path: Path | None = None
    """Stable Diffusion 1.5 (full size): a folder with unet, vae, text_encoder, tokenizer; or its hub id."""

    @model_validator(mode="after")
    def _fits(self) -> CassrOptions:
        if (self.prompt == "caption") != (self.caption is not None):
            raise ValueError("prompt caption needs a text, and only it has one: --set cassr.caption=TEXT")
        if self.iam_weights is not None and self.iam not in (None, "sr"):
            raise ValueError(f"iam_weights is for iam sr, got {self.iam}")
        if self.scedit_ckpt is not None and self.iam not in (None, "scedit"):
            raise ValueError(f"scedit_ckpt is for iam scedit, got {self.iam}")
        if self.iam_weights is not None and self.scedit_ckpt is not None:
            raise ValueError("iam_weights is for iam sr and scedit_ckpt for iam scedit: give one of them")
        if not self.mam and not (self.mam_ref and self.mam_lr):
            raise ValueError("mam=false switches both attentions off already")
        attends_lr, attends = self.mam and self.mam_lr, self.mam and (self.mam_lr or self.mam_ref)
        if not attends and (self.mam_residual, self.mam_feat) != (None, None):
            raise ValueError("mam_residual and mam_feat do nothing where both attentions are off")
        if not attends_lr and self.mam_order is not None:
            raise ValueError("mam_order is the place of LR attention, which is off")
        if self.negative and self.cfg == 1:
            raise ValueError("negative is the text of the unconditional branch, which cfg=1 does not compute")
        if self.prompt == "null" and not self.negative and self.cfg not in (None, 1):
            raise ValueError(
                "cfg does nothing with prompt null: both branches are the unconditional one, unless negative"
            )
        if self.arb != "cascade" and (self.policy, self.s_max) != ("paper", 4.0):
            raise ValueError(f"policy and s_max are for arb cascade, got {self.arb}")
        if self.tile is not None and self.tile < 2 * (self.overlap or 0):
            raise ValueError(f"tile must be at least twice the overlap, got {self.tile} and {self.overlap}")
        if self.decode_tile < 2 * self.decode_overlap:
            raise ValueError("decode_tile must be at least twice decode_overlap")
        return self


def fingerprint(options: MethodOptions, image: str, scale: Scale) -> str:
    """What the folder of Stable Diffusion holds, and the version of the library that runs `iam_weights`."""
    said = cast("CassrOptions", options)
    library = f"spandrel {version('spandrel')}" if said.iam_weights is not None else ""
    return "+".join(each for each in (content_of((("sd", said.sd_path),)), library) if each)


CASSR = MethodSpec(
    info=MethodInfo(
        name="cassr",
        display="CasSR",
        summary="an activated reference image and attention to it control a diffusion model, in passes of at most x4",
        paper="CasSR: Activating Image Power for Real-World Image Super-Resolution, arXiv 2403.11451",
        licence="Apache-2.0; Stable Diffusion 1.5 carries its own",
        stochastic=True,
        train_scales=(2.0, 4.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.INTERNAL,
        parameters=4_483_894,
    ),
    factory="methods.cassr.method:CassrMethod",
    root=_HERE,
    options=CassrOptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    minimised={"lite": ("lpips",)},
    default_weights="lite",
    weights_how=WEIGHTS_HOW,
    untrained=True,
    fingerprint=fingerprint,
    fingerprint_per_image=False,
)
