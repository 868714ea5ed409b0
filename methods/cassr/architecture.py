"""What decides the shape of a CasSR network; its weights file carries it.

`CassrArchitecture.lite()`, `.nano()` and `.full()` are the sizes. What may change on the same weights (steps, guidance,
tiles, the image activation module) is an option of the method, see `info.CassrOptions`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from methods.blocks.geometry import Padding, UNetArchitecture

Features = Literal["pre_zero", "post_zero"]
"""Which of the ControlNet's maps MAM attends to: before or after its zero convolutions."""
Order = Literal["inner", "outer"]
"""Where LR attention sits: before the text attention of a transformer block, or after the whole block."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MamArchitecture(_Part):
    """The multiple attention module: reference and LR attention in layers of the UNet's decoder."""

    layers: tuple[int, ...] = (0, 1, 2, 3)
    """Which layers, counted from the middle outwards."""
    head_dim: int | None = 8
    """Channels of a head; null: 8 heads."""
    residual: bool = True
    """[inferred] X + W Attn(X, R) with a zero-initialised W; false: Eq. 1 and 2 as they are printed, without X."""
    features: Features = "pre_zero"
    """[inferred] pre_zero starts faster: behind zero convolutions keys and values are constant at first."""
    order: Order = "inner"
    """[inferred] inner: reference attention, self-attention, LR attention, text attention."""


class CscArchitecture(_Part):
    """SCEdit's CSC-Tuner: edits of the skips by a hint image."""

    stem: tuple[int, ...] = (16, 32, 64)
    """Channels of the stem on the hint image; each after the first halves the sides."""
    kernel: Literal[1, 3] = 1
    """[inferred] Of the dense hint convolutions: 1 gives SCEdit's published size, 3 is its open-source example."""
    ratio: float = Field(default=1.0, gt=0)
    """Hidden width of a tuner as a share of its channels."""


class RestorerArchitecture(_Part):
    """A plain restorer on the bicubic enlargement, for image activation "sr"."""

    blocks: int = Field(default=8, ge=1)
    width: int = Field(default=32, ge=1)


class CassrArchitecture(_Part):
    """The network's shape; the defaults are lite's."""

    codec: Literal["overlap", "unshuffle", "vae"] = "overlap"
    """What is noised: the residual image itself, which the UNet sees unshuffled and paints by convolutions that overlap
    [ours]; unshuffled pixels; or the latent of Stable Diffusion's VAE."""
    factor: int = Field(default=4, ge=1)
    """Image pixels per pixel of the UNet, along one side."""
    decoder: tuple[int, ...] = (64, 48, 32)
    """Channels of the codec "overlap" on the way back: each after the first doubles the sides."""
    anchor: Literal["none", "bicubic", "reference"] = "reference"
    """[ours] What the residual image is added to: the bicubic enlargement, or the activated image; "none" elsewhere."""
    gain: float = Field(default=8.0, gt=0)
    """[ours] The residual image (in [-1, 1]) counts so many times, for a spread of about 1."""
    quiet: float = Field(default=1 / 255, ge=0)
    """[ours] Local spread of the enlargement, in [0, 1], at which half of the residual is let through; where the
    enlargement is flat nothing is added, so that grey in is grey out. 0: everything everywhere."""
    padding: Padding = "replicate"
    """What convolutions see around an image; "zeros" is diffusers'."""
    prediction: Literal["epsilon", "v", "sample"] = "sample"
    """What the network predicts: the noise, the velocity, or the clean latent (all give the noise of Eq. 3)."""
    schedule: Literal["cosine", "stable-diffusion"] = "cosine"
    unet: UNetArchitecture = UNetArchitecture()
    control_embedding: tuple[int, ...] = (16, 32, 64)
    """Channels of the ControlNet's stem: each after the first halves the sides."""
    mam: MamArchitecture = MamArchitecture()
    csc: CscArchitecture | None = CscArchitecture()
    """null: the weights hold no CSC-Tuner."""
    restorer: RestorerArchitecture | None = RestorerArchitecture()
    """null: the weights hold no plain restorer."""
    text: Literal["learned", "clip"] = "learned"
    """One learned token for the description and one for none, or CLIP's text encoder."""

    @model_validator(mode="after")
    def _fits(self) -> CassrArchitecture:
        if self.factor != 2 ** (len(self.control_embedding) - 1):
            raise ValueError(
                f"control_embedding of {len(self.control_embedding)} entries is not for factor {self.factor}"
            )
        if self.csc is not None and self.factor != 2 ** (len(self.csc.stem) - 1):
            raise ValueError(f"csc.stem of {len(self.csc.stem)} entries is not for factor {self.factor}")
        if self.codec == "overlap" and self.factor != 2 ** (len(self.decoder) - 1):
            raise ValueError(f"decoder of {len(self.decoder)} entries is not for factor {self.factor}")
        if (self.codec == "overlap") == (self.anchor == "none"):
            raise ValueError("an anchor belongs to the codec 'overlap', and only to it")
        layers = len(self.unet.channels) * (self.unet.layers + 1)
        if any(not 0 <= layer < layers for layer in self.mam.layers):
            raise ValueError(f"mam.layers {self.mam.layers} are not among the decoder's {layers} layers")
        return self

    @property
    def unet_channels(self) -> int:
        """Channels of what the UNet takes and gives."""
        return 4 if self.codec == "vae" else 3 * self.factor**2

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return self.factor * self.unet.reduction

    @property
    def freeze_base(self) -> bool:
        """Whether there is a prior to keep; without one, base and adapters are trained jointly."""
        return self.codec == "vae"

    @classmethod
    def lite(cls) -> CassrArchitecture:
        """Small, and made so that it leaves no lattice in its images."""
        return cls()

    @classmethod
    def literal(cls) -> CassrArchitecture:
        """Lite on unshuffled pixels with v-prediction and zero padding."""
        return cls(codec="unshuffle", anchor="none", padding="zeros", prediction="v")

    @classmethod
    def nano(cls) -> CassrArchitecture:
        """Half of lite, for training on a CPU."""
        return cls(unet=UNetArchitecture(channels=(32, 48, 64), heads=(4, 6, 8)))

    @classmethod
    def full(cls) -> CassrArchitecture:
        """The paper's size: Stable Diffusion 1.5."""
        return cls(
            codec="vae",
            factor=8,
            anchor="none",
            padding="zeros",
            prediction="epsilon",
            schedule="stable-diffusion",
            unet=UNetArchitecture(
                channels=(320, 640, 1280, 1280),
                layers=2,
                attention=(True, True, True, False),
                heads=(8, 8, 8, 8),
                groups=32,
                cross_dim=768,
            ),
            control_embedding=(16, 32, 96, 256),
            mam=MamArchitecture(layers=tuple(range(3, 12)), head_dim=None),
            csc=CscArchitecture(stem=(16, 32, 96, 256)),
            restorer=None,
            text="clip",
        )
