"""What decides the shape of a CASR network, and what it was trained on; its weights file carries it.

`CasrArchitecture.lite()`, `.nano()` and `.full()` are the sizes. What may change on the same
weights (plan, tiles, merging, colour) is an option of the method, see `info.CasrOptions`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from methods.blocks.geometry import Padding, UNetArchitecture


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SsamArchitecture(_Part):
    """Superpixels: which network finds them, and on which grid."""

    backend: Literal["ssn", "slic"] = "ssn"
    """The superpixel network, or 9-neighbour k-means, which needs no weights."""
    width: float = Field(default=0.3, gt=0, le=1)
    """Channels of the superpixel network as a share of SuperPixel-FCN's; the paper prunes 35 %, so 0.65."""
    cell: int = Field(default=4, ge=1)
    """n: side of a grid cell in pixels (Table 7 of the paper: 4 is best)."""
    input_scale: Literal[1, 4] = 1
    """[inferred] 4 shows the network a bicubic enlargement, for weights made for cells of 16 pixels."""
    space: Literal["lr", "hr"] = "lr"
    """Whose pixels a cell counts: those of the cycle's input (the paper's notation), or of its bicubic enlargement."""
    up: Literal["vector", "maps", "nearest", "bicubic"] = "vector"
    """[inferred] How the superpixel image reaches the target size: each superpixel's probability is enlarged and the
    likeliest paints the pixel ("maps": the nine maps as they are, which leaves specks along the borders of cells), or
    the image itself is enlarged."""


class SarmArchitecture(_Part):
    """[inferred form] Self-attention over the tokens of all tiles, then attention to the semantics of the input."""

    heads: int = Field(default=12, ge=1)
    head_dim: int = Field(default=8, ge=1)
    lr_semantics: bool = True
    """False (Table 5 of the paper): no attention to the input's semantics."""
    position: Literal["none", "sincos"] = "none"
    """[inferred] Matching is by content; "sincos" adds the tokens' places in the whole image."""


class CasrArchitecture(_Part):
    """The network's shape; the defaults are those that weights without further word were trained with."""

    codec: Literal["unshuffle", "overlap", "vae"] = "unshuffle"
    """Between image and latent: pixel (un)shuffling, exact and without parameters; unshuffling and, back, a few trained
    convolutions whose kernels overlap, as those of a VAE's decoder do [ours]; or Stable Diffusion's VAE."""
    factor: int = Field(default=4, ge=1)
    """Image pixels per latent pixel, along one side."""
    decoder: tuple[int, ...] = (64, 48, 24)
    """Channels of the codec "overlap" on its way back: each after the first doubles the sides."""
    prediction: Literal["residual", "epsilon"] = "residual"
    """[inferred for lite] z + U(z), or the noise at t = 999 as SD-Turbo predicts it."""
    anchor: Literal["superpixels", "bicubic", "bicubic-unseen"] = "superpixels"
    """What a predicted residual is added to. [ours] bicubic: the UNet sees the bicubic enlargement of the cycle's input
    beside the superpixels, and the image is that enlargement plus a residual of mean zero; bicubic-unseen: the same,
    but the UNet sees the superpixels alone."""
    padding: Padding = "zeros"
    """What the convolutions of lite's UNet and ControlNet see around an image: zeros, as diffusers has it, or its
    border again [ours], so that a constant image has constant features."""
    timestep: int = Field(default=999, ge=0)
    unet: UNetArchitecture = UNetArchitecture()
    lora_unet: int = Field(default=0, ge=0)
    """Rank of the UNet's LoRA; 0: none, the UNet itself is trained."""
    lora_vae: int = Field(default=0, ge=0)
    """Rank of the LoRA in the VAE's encoder."""
    lora_alpha: int = Field(default=8, ge=1)
    """[inferred] LoRA counts alpha / rank; peft's default, which S3Diff leaves as it is."""
    train_conv_in: bool = False
    """S3Diff also trains the UNet's first convolution; the paper freezes everything pre-trained."""
    control_input: Literal["sp+depth", "depth3", "none"] = "sp+depth"
    """[inferred] The ControlNet sees the superpixel image and depth, or depth three times over (so that public depth
    ControlNets fit); "none": no ControlNet."""
    control_embedding: tuple[int, ...] = (16, 32, 64)
    """Channels of the ControlNet's stem: each after the first halves the sides."""
    conditioning_scale: float = Field(default=1.0, ge=0)
    """[inferred] Strength of what the ControlNet adds."""
    depth: Literal["proxy", "depth-anything", "none"] = "proxy"
    """"proxy" is an edge-aware luminance, not depth; "none" switches the ControlNet off (Table 4 of the paper)."""
    ssam: SsamArchitecture | None = SsamArchitecture()
    """None (Table 4): the network is shown the bicubic enlargement."""
    sarm: SarmArchitecture | None = SarmArchitecture()
    """None (Table 4, and stage 1 of the training): tiles do not see each other."""
    semantics: Literal["patch", "sam"] = "patch"
    """Tokens of the input image: a frozen random descriptor of 8x8 patches, or SAM's encoder."""
    semantic_dim: int = Field(default=64, ge=1)
    """Their width."""
    semantic_grid: int = Field(default=16, ge=1)
    """Their number along one side."""
    text: Literal["learned", "clip"] = "learned"
    """One learned token, or the prompt through the text encoder."""

    @model_validator(mode="after")
    def _fits(self) -> CasrArchitecture:
        if self.factor != 2 ** (len(self.control_embedding) - 1):
            raise ValueError(
                f"control_embedding of {len(self.control_embedding)} entries reduces by "
                f"{2 ** (len(self.control_embedding) - 1)}, but the codec's factor is {self.factor}"
            )
        if self.codec != "vae" and self.lora_vae:
            raise ValueError(f"the codec '{self.codec}' has no encoder to put a LoRA in: lora_vae must be 0")
        if self.anchored and self.prediction != "residual":
            raise ValueError(f"a residual is added to anchor {self.anchor}, but prediction is {self.prediction}")
        if self.codec == "overlap" and not self.anchored:
            raise ValueError("the codec 'overlap' does not give back what it was given: it needs anchor bicubic")
        if self.codec == "overlap" and self.factor != 2 ** (len(self.decoder) - 1):
            raise ValueError(
                f"decoder of {len(self.decoder)} entries enlarges by {2 ** (len(self.decoder) - 1)}, but the codec's "
                f"factor is {self.factor}"
            )
        if self.codec == "vae" and (self.anchor, self.padding) != ("superpixels", "zeros"):
            raise ValueError("anchor and padding are for networks without SD-Turbo")
        return self

    @property
    def anchored(self) -> bool:
        """Whether an image is the bicubic enlargement plus a residual."""
        return self.anchor != "superpixels"

    @property
    def latent_channels(self) -> int:
        """Channels of what the UNet predicts."""
        return 4 if self.codec == "vae" else 3 * self.factor**2

    @property
    def seen_channels(self) -> int:
        """Channels of what the UNet is shown."""
        return self.latent_channels * (2 if self.anchor == "bicubic" else 1)

    @property
    def has_control(self) -> bool:
        """Whether there is a ControlNet: it needs superpixels and depth."""
        return self.control_input != "none" and self.depth != "none" and self.ssam is not None

    @property
    def control_channels(self) -> int:
        """Channels of the ControlNet's input."""
        return 4 if self.control_input == "sp+depth" else 3

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return self.factor * self.unet.reduction

    @classmethod
    def lite(cls) -> CasrArchitecture:
        """Small, and made so that it leaves no lattice in its images."""
        return cls(codec="overlap", decoder=(64, 48, 32), anchor="bicubic", padding="replicate")

    @classmethod
    def nano(cls) -> CasrArchitecture:
        """Half of lite, for training on a CPU."""
        return cls(
            unet=UNetArchitecture(channels=(32, 48, 64), heads=(4, 6, 8)),
            sarm=SarmArchitecture(heads=8, head_dim=8),
        )

    @classmethod
    def full(cls) -> CasrArchitecture:
        """The paper's size: SD-Turbo (geometry of Stable Diffusion 2.1) with LoRA, DepthAnything-S, SAM ViT-B."""
        return cls(
            codec="vae",
            factor=8,
            prediction="epsilon",
            unet=UNetArchitecture(
                channels=(320, 640, 1280, 1280),
                layers=2,
                attention=(True, True, True, False),
                heads=(5, 10, 20, 20),
                groups=32,
                cross_dim=1024,
                linear_projection=True,
            ),
            lora_unet=32,
            lora_vae=16,
            control_embedding=(16, 32, 96, 256),
            depth="depth-anything",
            ssam=SsamArchitecture(width=0.65),
            sarm=SarmArchitecture(heads=20, head_dim=64),
            semantics="sam",
            semantic_dim=256,
            text="clip",
        )
