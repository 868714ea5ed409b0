"""The adversarial loss: a critic on frozen DINO features at several levels, and lite's small PatchGAN.

Source: CASR (vision-aided GAN, Kumari et al. 2022, DINO backbone); the heads, the levels and the loss
"multilevel_sigmoid_s" are those of its release, which S3Diff uses too. Critics return one map of scores per level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from bench.api import RequestError
from methods.blocks.published import complete, read_part
from methods.casr.training.losses.augment import augmented

REAL = 0.8
"""What a real image should score: the release smooths this label, not that of fakes."""
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.229, 0.224, 0.225)
"""CLIP's mean with ImageNet's deviation, as the release has them."""
_DINO = (
    "a DINO ViT (a copy of huggingface.co/facebook/dino-vitb16, or that hub id; loss.critic=patch needs no such file)"
)
_LAST, _LEVELS = 8, (0, 4, 7)
"""Which of the last layers' outputs are looked at."""


def adversarial_loss(scores: Sequence[torch.Tensor], wanted: float) -> torch.Tensor:
    """Cross entropy of scores (logits) against a label, averaged over each level and summed over the levels.

    Args:
        scores: (B, ...) per level.
        wanted: REAL for real images and for fakes that should pass, 0 for fakes that should not.
    """
    total = scores[0].new_zeros(())
    for level in scores:
        total = total + functional.binary_cross_entropy_with_logits(level, torch.full_like(level, wanted))
    return total


class Critic(nn.Module):
    """Tells real images from fakes."""

    def forward(self, images: torch.Tensor, rng: torch.Generator) -> list[torch.Tensor]:
        """Scores, one map per level.

        Args:
            images: (B, 3, H, W), nominally in [-1, 1].
            rng: For augmentation, on the CPU.
        """
        raise NotImplementedError


class PatchCritic(Critic):
    """Lite's: strided convolutions with spectral normalisation, a score per patch."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 128)) -> None:
        """Args: widths: channels of the layers, each of which halves the sides but the last."""
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for index, width in enumerate(widths):
            last = index == len(widths) - 1
            kernel, stride = (3, 1) if last else (4, 2)
            layers += [spectral_norm(nn.Conv2d(before, width, kernel, stride, padding=1)), nn.LeakyReLU(0.2)]
            before = width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 3, padding=1)))

    def forward(self, images: torch.Tensor, rng: torch.Generator) -> list[torch.Tensor]:
        """(B, 1, H / 8, W / 8), from the images as they are."""
        return [self.layers(images)]


class DinoFeatures(nn.Module):
    """A frozen DINO vision transformer: two maps of patch features and the class token of the last layer."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, path: str) -> None:
        """Args: path: folder of a transformers ViT such as facebook/dino-vitb16, or a hub id where a hub is reachable.

        Raises:
            RequestError: nothing there that transformers can read as a ViT of at least 8 layers.
        """
        super().__init__()
        from transformers import ViTModel

        load = complete(ViTModel, path, add_pooling_layer=False)
        self.vit: Any = read_part(load, path, what=_DINO, option="loss.dino").float().eval().requires_grad_(False)
        self.side, self.width = int(self.vit.config.image_size), int(self.vit.config.hidden_size)
        self.grid = self.side // int(self.vit.config.patch_size)
        if int(self.vit.config.num_hidden_layers) < _LAST:
            raise RequestError(f"the ViT at '{path}' has fewer than {_LAST} layers; expected facebook/dino-vitb16")
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) nominally in [-1, 1] -> two (B, D, g, g) and one (B, D)."""
        seen = functional.interpolate(images / 2 + 0.5, size=(self.side, self.side), mode="area")
        states = self.vit((seen - self.mean) / self.std, output_hidden_states=True).hidden_states
        found = [self.vit.layernorm(states[len(states) - _LAST + level]) for level in _LEVELS]
        maps = [each[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid)) for each in found[:-1]]
        return [*maps, found[-1][:, 0]]


class VisionAidedCritic(Critic):
    """Trained heads on frozen features of augmented images."""

    def __init__(self, features: DinoFeatures, width: int = 128) -> None:
        """Args: features: the frozen network, not part of this module's parameters or state; width: of the heads."""
        super().__init__()
        # in a tuple, so that checkpoints and averages hold the heads alone
        self._features = (features,)
        self.maps = nn.ModuleList(_map_head(features.width, width) for _ in _LEVELS[:-1])
        self.whole = nn.Sequential(
            spectral_norm(nn.Linear(features.width, width)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(width, 1))
        )

    def forward(self, images: torch.Tensor, rng: torch.Generator) -> list[torch.Tensor]:
        """Two maps (B, 1, h, w) and (B, 1)."""
        *maps, token = self._features[0](augmented(images, rng))
        return [*(head(each) for head, each in zip(self.maps, maps, strict=True)), self.whole(token)]

    def _apply(self, fn: Any, recurse: bool = True) -> VisionAidedCritic:
        self._features[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)


class Blur(nn.Module):
    """Anti-aliasing before a stride: the binomial filter [1, 3, 3, 1] along both axes, zeros around.

    Source: BlurPool (Zhang 2019, arXiv 1904.11486), filter size 4.
    """

    taps: torch.Tensor

    def __init__(self, channels: int, *, extra: int = 0) -> None:
        """Args: extra: zeros around in addition to those that keep the size."""
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("taps", torch.outer(taps, taps).repeat(channels, 1, 1, 1), persistent=False)
        self.padding = (1 + extra, 2 + extra, 1 + extra, 2 + extra)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> the same size, larger by 2 `extra`."""
        return functional.conv2d(functional.pad(x, self.padding), self.taps, groups=self.taps.shape[0])


def _map_head(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        Blur(inputs, extra=1),
        spectral_norm(nn.Conv2d(inputs, width, 3, stride=2)),
        nn.LeakyReLU(0.2),
        Blur(width),
        spectral_norm(nn.Conv2d(width, 1, 1, stride=2)),
    )
