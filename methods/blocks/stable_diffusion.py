"""Stable Diffusion from what others published: the folders of diffusers' layout, whole or in half precision."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.api import RequestError
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.published import complete, read_part
from methods.blocks.text import ClipText
from methods.blocks.unet import UNet
from methods.blocks.unet_layers import NORM_EPS

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

_KINDS = {
    *("CrossAttnDownBlock2D", "DownBlock2D", "UNetMidBlock2DCrossAttn", "UpBlock2D", "CrossAttnUpBlock2D"),
}
_ABSENT = (
    *("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type"),
    *("time_embedding_act_fn", "timestep_post_act", "time_cond_proj_dim", "time_embedding_dim"),
    *("reverse_transformer_layers_per_block", "cross_attention_norm"),
)
"""Of a configuration of diffusers: what must not be there."""
_EXPECTED: dict[str, object] = {
    "center_input_sample": False,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "time_embedding_type": "positional",
    "act_fn": "silu",
    "norm_eps": NORM_EPS,
    "downsample_padding": 1,
    "mid_block_scale_factor": 1,
    "resnet_time_scale_shift": "default",
    "resnet_skip_time_act": False,
    "resnet_out_scale_factor": 1.0,
    "dropout": 0.0,
    "attention_type": "default",
    "transformer_layers_per_block": 1,
    "only_cross_attention": False,
    "mid_block_only_cross_attention": False,
    "dual_cross_attention": False,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
}
"""What our class computes where such a configuration leaves a choice; upcast_attention is none in torch's kernel."""


def read_stable_diffusion(path: Path, *, what: str, option: str) -> tuple[UNet, AutoencoderKL, ClipText]:
    """The UNet, the VAE and the text encoder of a model that predicts noise, in float32 on the CPU.

    Args:
        path: A folder in diffusers' layout, or a hub id; files in half precision alone will do.
        what: What is expected there, and where one gets it.
        option: Its name, such as casr.sd_path.
    Raises:
        RequestError: a part is missing or has holes, the UNet is of another kind, or the model predicts something
            else.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    if not path.is_dir() or (path / "scheduler").is_dir():
        load = partial(DDPMScheduler.load_config, str(path), subfolder="scheduler")
        said = read_part(load, path, what=what, option=option)
        kind = said.get("prediction_type", "epsilon")
        if kind != "epsilon":
            raise RequestError(f"{option}={path} predicts '{kind}'; expected 'epsilon', the noise")

    def part(kind: Any, folder: str) -> Any:
        return read_part(complete(kind, path, folder), path, what=what, option=option, folder=folder)

    unet, vae, encoder = (
        part(UNet2DConditionModel, "unet"),
        part(AutoencoderKL, "vae"),
        part(CLIPTextModel, "text_encoder"),
    )
    words = partial(CLIPTokenizer.from_pretrained, str(path), subfolder="tokenizer")
    tokenizer = read_part(words, path, what=what, option=option, folder="tokenizer")
    # without its vocabulary a tokenizer of transformers loads all the same, and knows nothing but its special tokens
    if not encoder.config.vocab_size // 2 <= len(tokenizer) <= encoder.config.vocab_size:
        raise RequestError(
            f"{option}={path}: the tokenizer knows {len(tokenizer)} tokens, the text encoder "
            f"{encoder.config.vocab_size}: a file of {path}/tokenizer is missing or another's. Expected {what}"
        )
    return own_unet(unet), vae.float(), ClipText(tokenizer, encoder.float())


def own_unet(published: UNet2DConditionModel) -> UNet:
    """The same UNet, of our class; it shares its tensors, brought to float32.

    Raises:
        RequestError: it has parts that our class does not compute.
    """
    geometry, config = geometry_of(published), published.config
    with torch.device("meta"):
        unet = UNet(geometry, inputs=config["in_channels"], outputs=config["out_channels"], padding="zeros")
    unet.load_state_dict(published.float().state_dict(), assign=True)
    return unet.train(published.training)


def geometry_of(published: UNet2DConditionModel) -> UNetArchitecture:
    """The architecture of a UNet that was loaded.

    Raises:
        RequestError: it has parts that our class does not compute.
    """
    config: Any = published.config
    strange = [name for name, value in _EXPECTED.items() if config.get(name, value) not in (value, None)]
    strange += [name for name in _ABSENT if config.get(name) is not None]
    kinds = {config.mid_block_type, *config.down_block_types, *config.up_block_types}
    strange += sorted(str(kind) for kind in kinds - _KINDS)
    if not isinstance(config.layers_per_block, int) or not isinstance(config.cross_attention_dim, int):
        strange.append("levels of different depth or text")
    if strange:
        raise RequestError(
            f"this UNet has parts that are not known here ({', '.join(strange)}); expected that of SD-Turbo or of "
            "Stable Diffusion 1 or 2"
        )
    levels = len(config.block_out_channels)
    heads = config.num_attention_heads or config.attention_head_dim
    return UNetArchitecture(
        channels=tuple(config.block_out_channels),
        layers=config.layers_per_block,
        attention=tuple(kind == "CrossAttnDownBlock2D" for kind in config.down_block_types),
        heads=(heads,) * levels if isinstance(heads, int) else tuple(heads),
        groups=config.norm_num_groups,
        cross_dim=config.cross_attention_dim,
        linear_projection=config.use_linear_projection,
    )


def vae_factor(vae: AutoencoderKL) -> int:
    """Image pixels per latent pixel, along one side."""
    config: Any = vae.config
    return 2 ** (len(config.block_out_channels) - 1)


def check_base(
    unet: UNet, vae: AutoencoderKL, *, wanted: UNetArchitecture, factor: int, whose: str, option: str
) -> None:
    """Refuse a UNet or VAE that adapters do not belong to.

    Args:
        unet, vae: What was loaded.
        wanted, factor: The UNet's geometry and the VAE's reduction that the adapters were made for.
        whose: What says so, for messages.
        option: The name of what says where the model lies.
    Raises:
        RequestError: another geometry or reduction.
    """
    seen, reduction = unet.architecture, vae_factor(vae)
    if seen != wanted or reduction != factor:
        raise RequestError(
            f"{whose} belong to another UNet or VAE than that in {option}: {wanted} and a factor of {factor}, expected "
            f"{seen} and {reduction}"
        )


def blank_vae(latent_channels: int = 4) -> AutoencoderKL:
    """Stable Diffusion's VAE with fresh weights, for counting on torch's meta device."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    blocks = 4
    build: Any = AutoencoderKL  # it declares tuples of a single item
    return build(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=2,
        latent_channels=latent_channels,
    )
