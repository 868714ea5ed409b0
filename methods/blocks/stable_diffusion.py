"""Stable Diffusion from what others published: the folders of diffusers' layout, whole or in half precision."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api import RequestError
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.published import complete, read_part
from methods.blocks.text import ClipText
from methods.blocks.unet import geometry_of

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


def read_stable_diffusion(
    path: Path, *, what: str, option: str
) -> tuple[UNet2DConditionModel, AutoencoderKL, ClipText]:
    """The UNet, the VAE and the text encoder of a model that predicts noise, in float32 on the CPU.

    Args:
        path: A folder in diffusers' layout, or a hub id; files in half precision alone will do.
        what: What is expected there, and where one gets it.
        option: Its name, such as casr.sd_path.
    Raises:
        RequestError: a part is missing or has holes, or the model predicts something else.
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
    return unet.float(), vae.float(), ClipText(tokenizer, encoder.float())


def vae_factor(vae: AutoencoderKL) -> int:
    """Image pixels per latent pixel, along one side."""
    config: Any = vae.config
    return 2 ** (len(config.block_out_channels) - 1)


def check_base(
    unet: UNet2DConditionModel, vae: AutoencoderKL, *, wanted: UNetArchitecture, factor: int, whose: str, option: str
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
    seen, reduction = geometry_of(unet), vae_factor(vae)
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
