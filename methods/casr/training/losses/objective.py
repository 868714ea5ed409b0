"""What the two stages minimise: L_rec + lambda_4 L_depth, and + lambda_5 L_corr, by one configuration.

Source: CASR, the two totals and lambda = (2, 5, 0.5, 1, 1). Frozen networks are loaded when the objective is made, so a
missing file ends a training before it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from bench.api import RequestError
from bench.training.config import Strict
from bench.training.perceptual import random_window
from methods.blocks.resample import resample
from methods.casr.network import Casr
from methods.casr.semantics import SamSemantics
from methods.casr.training.losses.correlation import CorrNorm, autocorrelation_loss, gram_loss, patch_tokens
from methods.casr.training.losses.depth import DepthNorm, depth_loss
from methods.casr.training.losses.gan import Critic, DinoFeatures, PatchCritic, VisionAidedCritic
from methods.casr.training.losses.reconstruction import Distance, Perceptual, perceptual_distance


class LossConfig(Strict):
    """Weights and forms of the losses; the defaults are the paper's."""

    l2: float = Field(default=2.0, ge=0)
    """lambda_1."""
    l1: float = Field(default=0.0, ge=0)
    """Of the mean absolute error. [ours]"""
    consistency: float = Field(default=0.0, ge=0)
    """Of the mean absolute difference between the image, reduced as LR is, and the LR that was drawn (in a second
    cycle: what the first one began with). [ours]"""
    shift: int = Field(default=0, ge=0)
    """The perceptual and the adversarial term look through a random window, so many pixels shorter than the crop, and
    turned at random. [ours] 0: they look at the crops as they are."""
    zoom: float = Field(default=1.0, ge=1)
    """Where there is a shift: the perceptual term sees a part of its window, enlarged by up to this. [ours] AlexNet's
    stride of 4 sees little of what a person sees in a single pixel; enlarged, it does."""
    lpips: float = Field(default=5.0, ge=0)
    """lambda_2, of the perceptual term."""
    perceptual: Perceptual = "lpips-vgg"
    """[inferred] S3Diff's. laplacian: a pyramid of Charbonnier distances, which needs no weights."""
    gan: float = Field(default=0.5, ge=0)
    """lambda_3; 0: no critic at all."""
    critic: Literal["vision-aided", "patch"] = "vision-aided"
    """patch: lite's small PatchGAN. [ours]"""
    dino: str = "facebook/dino-vitb16"
    """Folder or hub id of the ViT that the vision-aided critic looks through."""
    gan_from: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps after which the critic joins. [ours]"""
    depth: float = Field(default=1.0, ge=0)
    """lambda_4."""
    depth_norm: DepthNorm = "minmax"
    """[inferred] Norm: min-max per image; ssi: median and mean absolute deviation."""
    corr: float = Field(default=1.0, ge=0)
    """lambda_5; only stage sarm has this term."""
    corr_mode: Literal["gram", "fft"] = "gram"
    """gram: products of tokens; fft: circular autocorrelation of the image (ours)."""
    corr_norm: CorrNorm = "l2"
    """[inferred] Tokens of length 1, so that lambda_5 = 1 is in proportion; raw: as they are, R divided by their
    width."""
    corr_chunk: int = Field(default=1024, ge=1)
    """Rows of R in memory at once."""


class Objective:
    """The losses of a stage, with the frozen networks that they look through.

    Args:
        config: Weights and forms.
        network: What is trained; its depth network and semantics are looked through.
        correlation: Whether the self-similarity term is wanted.
    Raises:
        RequestError: a network that a weight above 0 asks for is missing; says which weight.
    """

    def __init__(self, config: LossConfig, network: Casr, *, correlation: bool) -> None:
        self.config = config
        self.correlation = correlation and config.corr > 0
        self.distance: Distance | None = perceptual_distance(config.perceptual) if config.lpips > 0 else None
        if config.depth > 0 and (network.ssam is None or network.ssam.depth is None):
            raise RequestError("loss.depth is above 0, but this network has no depth: set loss.depth=0 or give it one")

    def terms(
        self, network: Casr, image: torch.Tensor, truth: torch.Tensor, lr: torch.Tensor, rng: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Every weighted term but the adversarial one.

        Args:
            network: As above.
            image: (B, 3, H, W), nominally in [-1, 1].
            truth: Alike.
            lr: (B, 3, h, w), what the image should reduce to.
            rng: For the window, on the CPU.
        """
        config = self.config
        with torch.autocast(image.device.type, enabled=False):
            image, truth = image.float(), truth.float()
            found = {"loss_l2": config.l2 * (image - truth).square().mean()}
            if config.l1 > 0:
                found["loss_l1"] = config.l1 * (image - truth).abs().mean()
            if config.consistency > 0:
                off = resample(image, (lr.shape[-2], lr.shape[-1])) - lr
                found["loss_consistency"] = config.consistency * off.abs().mean()
            if self.distance is not None:
                seen = window(self.config, (image, truth), rng, zoom=config.zoom)
                found["loss_perceptual"] = config.lpips * self._distance(image.device)(*seen).mean()
            if config.depth > 0 and network.ssam is not None and network.ssam.depth is not None:
                pair = (image / 2 + 0.5, truth / 2 + 0.5)
                off = depth_loss(*pair, network.ssam.depth, norm=config.depth_norm)
                found["loss_depth"] = config.depth * off
            if self.correlation:
                found["loss_corr"] = config.corr * self._correlation(network, image, truth)
        return found

    def _correlation(self, network: Casr, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if self.config.corr_mode == "fft":
            return autocorrelation_loss(image, truth)
        sam = network.semantics if isinstance(network.semantics, SamSemantics) else None
        tokens = patch_tokens if sam is None else sam.tokens
        with torch.no_grad():
            wanted = tokens(truth)
        return gram_loss(tokens(image), wanted, norm=self.config.corr_norm, chunk=self.config.corr_chunk)

    def _distance(self, device: torch.device) -> Distance:
        assert self.distance is not None
        if isinstance(self.distance, nn.Module):
            self.distance.to(device)
        return self.distance


def window(
    config: LossConfig, images: Sequence[torch.Tensor], rng: torch.Generator, *, zoom: float = 1.0
) -> tuple[torch.Tensor, ...]:
    """What the perceptual and the adversarial term see of images; the images themselves where `shift` is 0."""
    return random_window(images, rng, shift=config.shift, zoom=zoom) if config.shift else tuple(images)


def build_critic(config: LossConfig) -> Critic | None:
    """The critic that a configuration asks for; None where `gan` is 0.

    Raises:
        RequestError: no DINO where the vision-aided critic should look through one.
    """
    if config.gan == 0:
        return None
    return PatchCritic() if config.critic == "patch" else VisionAidedCritic(DinoFeatures(config.dino))
