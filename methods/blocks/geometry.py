"""The geometry of a diffusion UNet, as an architecture states it (no torch here)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Padding = Literal["zeros", "replicate"]
"""What convolutions see around an image: modes of `torch.nn.Conv2d`."""


class UNetArchitecture(BaseModel):
    """Geometry of diffusers' `UNet2DConditionModel`; the ControlNet has the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[int, ...] = (48, 64, 96)
    layers: int = Field(default=1, ge=1)
    """Residual blocks per encoder level; a decoder level has one more."""
    attention: tuple[bool, ...] = (False, False, True)
    """Which levels attend to themselves and to the text."""
    heads: tuple[int, ...] = (6, 8, 12)
    """Attention heads of the levels."""
    groups: int = Field(default=16, ge=1)
    """Normalisation groups."""
    cross_dim: int = Field(default=32, ge=1)
    """Width of the text tokens."""
    linear_projection: bool = False
    """Linear layers around attention instead of 1x1 convolutions, as Stable Diffusion 2 has them."""

    @model_validator(mode="after")
    def _fits(self) -> UNetArchitecture:
        levels = len(self.channels)
        if not levels or len(self.attention) != levels or len(self.heads) != levels:
            raise ValueError(f"channels, attention and heads must have one entry per level, got {self}")
        if any(c % self.groups or c % h for c, h in zip(self.channels, self.heads, strict=True)):
            raise ValueError(f"channels must be multiples of the groups and of their heads, got {self}")
        return self

    @property
    def reduction(self) -> int:
        """Latent pixels per bottleneck token, along one side."""
        return 2 ** (len(self.channels) - 1)
