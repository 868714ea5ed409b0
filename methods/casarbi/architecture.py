"""What decides the shape of a CasArbi network; its weights file carries it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from methods.liif.architecture import LiifArchitecture


class EncoderArchitecture(BaseModel):
    """One of the two EDSR encoders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=16, ge=0)


class ScheduleArchitecture(BaseModel):
    """[inferred] The paper gives no schedule; these are ResShift's for x4."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=15, ge=2)
    """T."""
    kappa: float = Field(default=2.0, gt=0)
    p: float = Field(default=0.3, gt=0)
    m: float = Field(default=0.04, gt=0)
    """Least noise: sqrt(eta_1) = min(m / kappa, m)."""
    end: float = Field(default=0.99, gt=0, lt=1)
    """sqrt(eta_T)."""


class CasArbiArchitecture(BaseModel):
    """The network's shape; the defaults are the general preset of the paper's size (36.4 M parameters)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prior: LiifArchitecture = LiifArchitecture()
    """The frozen arbitrary-scale network whose image the residuals are taken against."""
    lr_encoder: EncoderArchitecture = EncoderArchitecture()
    hr_encoder: EncoderArchitecture = EncoderArchitecture()
    base: int = Field(default=64, ge=8)
    """Channels of the UNet's first level; a multiple of 8, which is the number of normalisation groups."""
    mult: tuple[int, ...] = (1, 2, 4, 4)
    """Channels of the levels, in `base`."""
    blocks: int = Field(default=2, ge=1)
    """Residual blocks per encoder level; a decoder level has one more."""
    attention: bool = False
    """Self-attention in the middle (the face preset); off where large images are tiled."""
    octaves: int = Field(default=8, ge=1)
    """Fourier octaves of the coordinate encoder."""
    coord_adapter: bool = True
    """False (Table VIII): no coordinate encoder, no adapter, no modulation."""
    coord_frame: Literal["image", "patch"] = "patch"
    """What coordinates span: the whole image (faces), or whatever the network is shown (general scenes). [inferred]"""
    residual_domain: bool = True
    """Shift residuals against the prior's image; false: shift the images themselves, as ResShift does (ours)."""
    residual_shift: bool = True
    """False: l0 = 0, the second reading of "residual images" (ours)."""
    schedule: ScheduleArchitecture = ScheduleArchitecture()

    @model_validator(mode="after")
    def _fits(self) -> CasArbiArchitecture:
        if self.base % 8 or not self.mult:
            raise ValueError(f"base must be a multiple of 8 and mult not empty, got {self.base} and {self.mult}")
        return self
