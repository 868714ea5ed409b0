"""What tests of several methods share: tiny models in the folders that others publish, and a real image to score."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bench.api import Protocol, get_protocol
from bench.data import Pair, prepare, resolve_dataset
from bench.imaging import imresize
from bench.metrics.base import ScoredPair
from bench.training.images import ImagePool
from methods.blocks.controlnet import ControlNet
from methods.blocks.unet import UNet, padded


@dataclass(frozen=True)
class Published:
    """Folders as their makers lay them out."""

    sd: Path
    sam: Path
    depth: Path
    sd15: Path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """SD-Turbo and SD-1.5 (factor 8, two UNet levels), SAM (64 x 64), DepthAnything, each a few thousand parameters."""
    torch.manual_seed(7)
    root = tmp_path_factory.mktemp("published")
    found = Published(root / "sd-turbo", root / "sam", root / "depth", root / "sd-1.5")
    _save_sd(found.sd)
    _save_sam(found.sam)
    _save_depth(found.depth)
    _save_sd(found.sd15, first=True)
    return found


@pytest.fixture(scope="session")
def made_pool() -> ImagePool:
    """Two made-up photographs to train on, 70 and 90 pixels square: noise of three scales."""

    def photo(side: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        noise = sum(gaussian_filter(rng.normal(0, s * s, (side, side, 3)), (s, s, 0)) for s in (1, 2, 4))
        return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)

    return ImagePool((photo(70, 0), photo(90, 1)), ("made/0.png", "made/1.png"), (), ("made",))


@dataclass(frozen=True)
class Butterfly:
    """An image of Set5 as a method and a metric see it."""

    pair: Pair
    protocol: Protocol
    scale: float

    @property
    def lr(self) -> torch.Tensor:
        """(3, h, w) in [0, 1]."""
        return torch.from_numpy(self.pair.lr).permute(2, 0, 1)

    @property
    def bicubic(self) -> torch.Tensor:
        """The enlarged LR image, (3, H, W)."""
        return torch.from_numpy(imresize(self.pair.lr.astype(np.float64), self.pair.size)).permute(2, 0, 1)

    def scored(self, image: torch.Tensor) -> ScoredPair:
        """An SR image (3, H, W), stored with 8 bits."""
        pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        return ScoredPair(sr=pixels, hr=self.pair.hr, protocol=self.protocol, scale=self.scale, lr=self.pair.lr)


@pytest.fixture
def butterfly(reference_root: Path) -> Callable[[float, str], Butterfly]:
    """The butterfly at a scale, under a protocol."""

    def at(scale: float, name: str) -> Butterfly:
        protocol = get_protocol(name)
        sample = resolve_dataset(str(reference_root / "data" / "test" / "Set5")).samples(scale)[2]
        return Butterfly(prepare(sample, scale, protocol), protocol, scale)

    return at


def theirs_of(network: UNet | ControlNet) -> Any:
    """diffusers' own class of a UNet's or a ControlNet's geometry and padding, filled strictly with its tensors.

    Args:
        network: Ours, without adapters.
    """
    from diffusers import ControlNetModel, UNet2DConditionModel

    said: Any = network.architecture
    shared: Any = {
        "in_channels": network.conv_in.in_channels,
        "block_out_channels": said.channels,
        "layers_per_block": said.layers,
        "down_block_types": tuple("CrossAttnDownBlock2D" if on else "DownBlock2D" for on in said.attention),
        "cross_attention_dim": said.cross_dim,
        "attention_head_dim": said.heads,
        "norm_num_groups": said.groups,
        "use_linear_projection": said.linear_projection,
    }
    if isinstance(network, UNet):
        kinds = tuple("CrossAttnUpBlock2D" if on else "UpBlock2D" for on in reversed(said.attention))
        theirs: Any = UNet2DConditionModel(**shared, up_block_types=kinds, out_channels=network.conv_out.out_channels)
    else:
        stem = network.controlnet_cond_embedding
        widths = (stem.conv_in.out_channels, *(each.out_channels for each in list(stem.blocks)[1::2]))
        theirs = ControlNetModel(
            **shared,
            conditioning_channels=stem.conv_in.in_channels,
            conditioning_embedding_out_channels=widths,
        )
    theirs.to(network.conv_in.weight.dtype).load_state_dict(network.state_dict(), strict=True)
    return padded(theirs, network.conv_in.padding_mode).train(network.training)


def _save_sd(root: Path, *, first: bool = False) -> None:
    """Args: first: Stable Diffusion 1.5's kind of attention and scheduler instead of SD-Turbo's."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D") if first else ("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D") if first else ("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2 if first else (2, 4),
        norm_num_groups=4,
        use_linear_projection=not first,
    ).save_pretrained(root / "unet")
    AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
    ).save_pretrained(root / "vae")
    kind = PNDMScheduler if first else EulerDiscreteScheduler
    kind(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(root / "scheduler")
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=60,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=12,
            bos_token_id=58,
            eos_token_id=59,
            pad_token_id=59,
        )
    ).save_pretrained(root / "text_encoder")
    _save_tokenizer(root / "tokenizer")


def _save_tokenizer(folder: Path) -> None:
    """The letters, as CLIP's byte-pair files hold them; no pair is merged."""
    letters = "abcdefghijklmnopqrstuvwxyz-,."
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    said = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 12, "unk_token": "<|endoftext|>"}
    said |= {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))


def _save_sam(root: Path) -> None:
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    vision = SamVisionConfig(
        hidden_size=16,
        output_channels=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=8,
        window_size=4,
        global_attn_indexes=[1],
        mlp_dim=16,
        initializer_range=0.2,  # the default leaves features of 1e-22, which nothing can be learned from
    )
    prompt = SamPromptEncoderConfig(hidden_size=8, image_size=64, patch_size=8, mask_input_channels=4)
    decoder = SamMaskDecoderConfig(
        hidden_size=8, mlp_dim=8, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=8
    )
    SamModel(
        SamConfig(
            vision_config=vision.to_dict(),
            prompt_encoder_config=prompt.to_dict(),
            mask_decoder_config=decoder.to_dict(),
        )
    ).save_pretrained(root)


def _save_depth(root: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=16,
            reassemble_factors=[2, 1],
            neck_hidden_sizes=[8, 8],
            fusion_hidden_size=8,
            head_hidden_size=8,
            patch_size=14,
        )
    ).save_pretrained(root)
    (root / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 28, "width": 28}}))
