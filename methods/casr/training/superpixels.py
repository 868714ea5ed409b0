"""The training of the superpixel network, which comes before CASR's own two stages.

Source: the self-supervised loss of SuperPixel-FCN, or distillation from a wider network as in CASR. [inferred] Steps,
patches and rates are ours: the paper says none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from bench.api import RequestError, derive_seed
from bench.training.config import PatchConfig, TrainConfig
from bench.training.patches import draw_patch
from bench.training.task import Batch, TrainingTask
from bench.weights.reader import read_network, read_weights
from methods.blocks.resample import resample
from methods.blocks.sampled import to_tensor
from methods.casr.architecture import CasrArchitecture, SsamArchitecture
from methods.casr.ssam.assignment import choose, region_ids, region_means, render
from methods.casr.ssam.slic import slic
from methods.casr.ssam.ssn import SSN, load_released
from methods.casr.training.ssn_loss import distillation_loss, superpixel_losses

_RELEASED_CELL = 16
"""Of SuperPixel-FCN's release."""
_CHECKED = 64
"""Fixed patches on which superpixels are judged while training."""


class SuperpixelConfig(TrainConfig):
    """The training of the superpixel network alone."""

    architecture: CasrArchitecture = CasrArchitecture()
    data: PatchConfig = PatchConfig(lr_patch=64)
    """Patches are reduced by a scale from the range: a cycle sees LR images. With ssam.space hr they are enlarged
    again by that scale."""
    compactness: float = Field(default=10.0, ge=0)
    """m of the loss: what n pixels count, in units of CIELAB. [inferred] SLIC's."""
    teacher: Path | None = None
    """Weights of a wider network that this stage left, or SuperPixel-FCN's release, which is shown an enlargement
    (ssam.input_scale 4); given, its maps are learned (KL) instead."""

    @model_validator(mode="after")
    def _has_a_network(self) -> SuperpixelConfig:
        if self.architecture.ssam is None or self.architecture.ssam.backend != "ssn":
            raise ValueError("there is no superpixel network to train: set architecture.ssam.backend to ssn")
        return self


class SuperpixelTask(TrainingTask[SuperpixelConfig]):
    """The superpixel network on the shared loop."""

    method = "casr"
    stage = "superpixel"
    scores_images = False
    Config: ClassVar[type[TrainConfig]] = SuperpixelConfig
    configs = Path(__file__).parents[1] / "configs"
    _teacher: SSN | None = None
    _fixed: torch.Tensor | None = None

    def network(self) -> SSN:
        """The network of `config.architecture`."""
        return build(self.config.architecture)

    @property
    def _ssam(self) -> SsamArchitecture:
        ssam = self.config.architecture.ssam
        assert ssam is not None  # the configuration refuses it
        return ssam

    @property
    def cell(self) -> int:
        """n, in pixels of what the network is shown."""
        return self._ssam.cell * self._ssam.input_scale

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """image (B, 3, p, p) in [0, 1]."""
        return {"image": torch.stack([self._patch(rng) for _ in range(self.config.batch)])}

    def _patch(self, rng: np.random.Generator) -> torch.Tensor:
        """What SSAM shows the network of an image: its LR, or a window of that enlarged where cells count HR pixels."""
        drawn = draw_patch(self.pool, self.config.data, rng)
        lr, ssam = to_tensor(drawn.lr), self.config.architecture.ssam
        if ssam is None or ssam.space == "lr":
            return lr
        height, width = drawn.hr.shape[:2]
        side = lr.shape[-1]
        top, left = (height - side) // 2, (width - side) // 2
        enlarged = resample(lr[None], (height, width))[0].clamp(0, 1)
        return enlarged[:, top : top + side, left : left + side]

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Colours and places after soft pooling and unpooling, or the distance from the teacher's maps."""
        image = self._shown(batch["image"])
        scores = network(image)
        if self.config.teacher is None:
            return superpixel_losses(image, scores, self.cell, compactness=self.config.compactness)
        if self._teacher is None:
            self._teacher = self._read_teacher(self.config.teacher)
        teacher = self._teacher.to(image.device)
        with torch.no_grad():
            wanted = teacher(image)
        return {"loss_distillation": distillation_loss(scores, wanted, self.cell)}

    def _read_teacher(self, path: Path) -> SSN:
        """A teacher whose cells are as large in what it is shown as this network's.

        Raises:
            RequestError: another side of the cells; as `load_superpixels`.
        """
        weights = read_weights(path)
        said = CasrArchitecture.model_validate(weights.architecture or {}).ssam if weights.method else None
        cell = said.cell * said.input_scale if said is not None else _RELEASED_CELL
        if cell != self.cell:
            raise RequestError(
                f"superpixel.teacher {path} has cells of {cell} pixels of what it sees, this network of {self.cell}; "
                "set superpixel.architecture.ssam.cell and input_scale alike"
            )
        return load_superpixels(path)

    def _shown(self, image: torch.Tensor) -> torch.Tensor:
        """The patch, or its enlargement where the network is shown one."""
        larger = self.cell // self._ssam.cell
        if larger == 1:
            return image
        return resample(image, (image.shape[-2] * larger, image.shape[-1] * larger)).clamp(0, 1)

    def checks(self, network: nn.Module) -> dict[str, float]:
        """`superpixel_figures` on fixed patches."""
        if self._fixed is None:
            rng = np.random.default_rng(derive_seed(self.config.seed, "superpixel-checks"))
            self._fixed = torch.stack([self._patch(rng) for _ in range(_CHECKED)])
        image = self._shown(self._fixed.to(next(network.parameters()).device))
        return superpixel_figures(image, network(image), self.cell)

    def architecture(self) -> dict[str, Any]:
        """The fields of `CasrArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def superpixel_figures(image: torch.Tensor, scores: torch.Tensor, n: int) -> dict[str, float]:
    """How well superpixels paint an image.

    Args:
        image: (B, 3, h, w) in [0, 1].
        scores: (B, 9, h, w) of the network.
        n: Side of a cell.
    Returns:
        PSNR in dB between the image and itself in mean colours, over the batch: of the network's superpixels, of
        k-means (`slic`), and of the bare cells, which a network that has learned anything exceeds.
    """
    own = torch.zeros_like(scores)
    own[:, 4] = 1
    found = {"superpixel_psnr": scores, "slic_psnr": slic(image, n), "cell_psnr": own}
    return {name: _painted_psnr(image, maps, n) for name, maps in found.items()}


def _painted_psnr(image: torch.Tensor, maps: torch.Tensor, n: int) -> float:
    size = (image.shape[-2], image.shape[-1])
    assigned = choose(maps, size, n)
    painted = render(region_means(image, assigned, n), region_ids(assigned, size, n))
    return float(-10 * torch.log10(((painted - image) ** 2).mean().clamp_min(1e-10)))


def build(architecture: CasrArchitecture) -> SSN:
    """The superpixel network of an architecture.

    Raises:
        RequestError: it has none.
    """
    if architecture.ssam is None or architecture.ssam.backend != "ssn":
        raise RequestError("this architecture has no superpixel network: ssam.backend is not ssn")
    return SSN(architecture.ssam.width)


def load_superpixels(path: Path, architecture: CasrArchitecture | None = None) -> SSN:
    """The network that this stage left, in evaluation mode.

    Args:
        path: Its weights file; or SuperPixel-FCN as its authors release it, whose cells have 16 pixels of what it sees.
        architecture: Whose superpixels they must fit; None: whatever the file says.
    Raises:
        RequestError: missing, damaged, of another stage, or trained for other superpixels.
    """
    if not read_weights(path).method:
        wanted = architecture.ssam if architecture is not None else None
        if wanted is not None and (wanted.width != 1 or wanted.cell * wanted.input_scale != _RELEASED_CELL):
            raise RequestError(
                f"{path} is the released SuperPixel-FCN, for ssam.width=1, ssam.input_scale=4 and ssam.cell=4; "
                f"got {wanted.width:g}, {wanted.input_scale} and {wanted.cell}"
            )
        return load_released(path)
    seen: list[CasrArchitecture] = []

    def built(said: CasrArchitecture) -> SSN:
        seen.append(said)
        return build(said)

    network = read_network(path, CasrArchitecture, built, method="casr", stage="superpixel")
    said, wanted = seen[0].ssam, architecture.ssam if architecture is not None else None
    for name in ("width", "cell", "input_scale") if wanted is not None else ():
        if getattr(said, name) != getattr(wanted, name):
            raise RequestError(
                f"{path} was trained with ssam.{name} {getattr(said, name)}, expected {getattr(wanted, name)}"
            )
    return network.eval()
