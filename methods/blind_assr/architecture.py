"""What decides the shape of the blind arbitrary-scale networks; their weights files carry it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from methods.blocks.arbsr import ArbSRArchitecture

Wavelet = Literal["high", "ll+high", "rgb"]
"""What the encoder sees: the nine high-frequency Haar sub-bands (the paper), all twelve, or the image itself."""


class BlindArchitecture(BaseModel):
    """The shape of E, M, projector, head and SR network; the defaults are the paper's size (3.68 M trained)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sr: ArbSRArchitecture = ArbSRArchitecture()
    wavelet: Wavelet = "high"
    encoder: tuple[int, int, int] = (64, 128, 256)
    """Channels of E's three levels; the last is the length of z."""
    head: int = Field(default=512, ge=1)
    """Hidden width of SimSiam's prediction head G."""
    estimator: tuple[int, int] = (64, 16)
    """Widths of M's two fully connected layers."""
    moments: bool = False
    """[ours] While stage 1 trains, a linear layer says the second moments of the kernel from z, beside M. Kernels are
    small, their taps say little about their direction, and a short training would stop before it is found."""
    modulation: int = Field(default=64, ge=1)
    """Hidden width of the two layers that make a block's gains from z."""
    z_window: int = Field(default=0, ge=0)
    """[inferred] At inference z is the mean over overlapping windows of this side, which cover the image: as large as
    the patches that E was trained on, whose borders are a large part of what it sees. 0: the whole image at once, as
    the paper says."""
    implicit: bool = True
    """Modulate the SR network by z. False: the plain network, the same for every z (Table 2's "w/o implicit")."""

    @property
    def z(self) -> int:
        """Length of the degradation representation."""
        return self.encoder[-1]
