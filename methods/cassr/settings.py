"""How a CasSR network is run; all of it works on the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from methods.blocks.colour import ColourFix
from methods.blocks.tiles import Weights
from methods.cassr.attention import MamSettings
from methods.cassr.diffusion import Sampler
from methods.cassr.text import DESCRIPTION, NOTHING

Activation = Literal["scedit", "controlnet", "sr", "lr"]
"""Who makes the reference image: SCEdit's tuner, the ControlNet on LR alone, a plain restorer, or nobody."""
Start = Literal["lr", "noise"]
"""Where sampling begins: at the noised LR latent, or at noise alone."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How.

    Attributes:
        iam: The image activation module.
        steps, cfg, sampler, start: Of the sampling. [inferred but for guidance and the start from LR]
        iam_steps: Of an image activation module that samples. [inferred]
        prompt, negative: What is said of an image, and in the unconditional branch.
        mam: How the multiple attention module is used.
        colour: Which colours the image is given, against the bicubic enlargement.
        tile, overlap: Of the tiles in output pixels; predictions are averaged inside every step.
        weights: How overlapping tiles are weighted.
        smallest: Images are mirrored up to at least this side. [inferred]
        encode_tile, encode_overlap: Of the VAE's encoder, in pixels.
        decode_tile, decode_overlap: Of the VAE's decoder, in latent pixels.
    """

    iam: Activation = "sr"
    steps: int = 10
    cfg: float = 1.0
    sampler: Sampler = "ddim"
    start: Start = "lr"
    iam_steps: int = 5
    prompt: str = DESCRIPTION
    negative: str = NOTHING
    mam: MamSettings = field(default_factory=MamSettings)
    colour: ColourFix = "none"
    tile: int = 256
    overlap: int = 64
    weights: Weights = "gauss"
    smallest: int = 64
    encode_tile: int = 1024
    encode_overlap: int = 64
    decode_tile: int = 64
    decode_overlap: int = 8

    def __post_init__(self) -> None:
        if self.overlap < 0 or self.tile < max(2 * self.overlap, 2):
            raise ValueError(f"a tile must be at least twice its overlap, got {self.tile} and {self.overlap}")


def full_settings(mam: MamSettings) -> Settings:
    """Those of the paper's size. [inferred] 50 steps and a guidance of 7.5; the paper says neither."""
    return Settings(iam="scedit", steps=50, cfg=7.5, iam_steps=20, mam=mam, tile=512, overlap=128, smallest=512)
