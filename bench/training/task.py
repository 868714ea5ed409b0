"""The contract of a trainable method: its network, one batch as a function of the step, its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from bench.api import derive_seed
from bench.training import parallel
from bench.training.config import PatchConfig, TrainConfig
from bench.training.divergence import require_finite_loss
from bench.training.images import ImagePool
from bench.training.patches import step_generator

C = TypeVar("C", bound=TrainConfig)
Batch = dict[str, torch.Tensor]


class TrainingTask(ABC, Generic[C]):
    """What a method brings to the shared loop. A method's `training` package names its subclass `TASK`."""

    method: ClassVar[str]
    """Registered name."""
    Config: ClassVar[type[TrainConfig]]
    configs: ClassVar[Path]
    """Folder of the method's `lite.yaml` and `full.yaml`."""
    stage: ClassVar[str] = ""
    """Name of this stage, where a method is trained in several: a section of the configuration and a folder of the
    output have it."""
    after: ClassVar[type[TrainingTask[Any]] | None] = None
    """The stage before this one; `follow` is given its weights."""
    scores_images: ClassVar[bool] = True
    """Whether `upscale` is there, to validate on sets of images."""
    checkpoints_gradients: ClassVar[bool] = False
    """Whether `network` heeds `config.gradient_checkpointing`."""
    begun_with: Path | None = None
    """Weights of the stage before that `network` began with, for the card; None: there is no such stage."""

    def __init__(self, config: C, pool: ImagePool) -> None:
        """Args: config: checked configuration; pool: the training images."""
        self.config = config
        self.pool = pool

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """The shortest side of an image that a batch can be drawn from: an LR patch at the smallest scale must fit."""
        data = getattr(config, "data", None)
        return round(data.lr_patch * data.scale_min) if isinstance(data, PatchConfig) else 1

    @abstractmethod
    def network(self) -> nn.Module:
        """A freshly initialised network (the global generator is seeded before this is called)."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """The batch of a step on the CPU, drawn from this generator, which is the step's own."""

    @abstractmethod
    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalars to minimise; their names hold "loss"."""

    def critic(self) -> nn.Module | None:
        """The other side of an adversarial training, freshly initialised after the network; None: there is none.

        It has an optimiser of its own, is stored in checkpoints and not exported. With one, the loop asks `against`
        and `critic_losses` in place of `losses`.
        """
        return None

    def against(self, network: nn.Module, critic: nn.Module, batch: Batch) -> tuple[dict[str, torch.Tensor], Batch]:
        """The network's turn of a step.

        Returns:
            Scalars to minimise, and what the critic is shown at its turn, without gradients; if that is empty, the
            critic's turn is left out.
        """
        raise NotImplementedError(f"{type(self).__name__} has a critic but plays no game with it")

    def critic_losses(self, critic: nn.Module, shown: Batch) -> dict[str, torch.Tensor]:
        """The critic's turn: scalars to minimise; their names hold "loss" and none of the network's."""
        raise NotImplementedError(f"{type(self).__name__} has a critic but does not train it")

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(1, 3, h, w) in [0, 1] -> (1, 3, H, W), for validation; needed where `scores_images`."""
        raise NotImplementedError(f"{type(self).__name__} has no images to validate")

    def checks(self, network: nn.Module) -> dict[str, float]:
        """Further figures of a validation, without gradients and in evaluation mode; none by default."""
        return {}

    def follow(self, weights: Path) -> None:
        """Told where the stage before it left its weights, before `network` is called."""
        raise NotImplementedError(f"{type(self).__name__} follows no other stage")

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """What rebuilds the network; stored in the weights file."""

    def generator(self, batch: Batch, *purpose: str) -> torch.Generator:
        """What a loss draws from for a purpose: the same after every resume.

        Args:
            batch: Holds its `step`.
            purpose: Names the draws.
        """
        return torch.Generator().manual_seed(derive_seed(self.config.seed, *purpose, int(batch["step"])) % 2**63)

    def batch(self, step: int) -> Batch:
        """The batch of a step: the same on every machine and after every resume."""
        return self.draw(step_generator(self.config.seed, step), step)


def stages(task: type[TrainingTask[Any]]) -> list[type[TrainingTask[Any]]]:
    """The stages of a training, first to last."""
    before = [] if task.after is None else stages(task.after)
    return [*before, task]


class TaskModel(BaseModel):
    """A network and its task, as mmengine's Runner wants it."""

    def __init__(self, task: TrainingTask[Any]) -> None:
        super().__init__()
        self.network = task.network()
        self.critic = task.critic()
        self._task = task

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "loss") -> dict[str, torch.Tensor]:
        """The losses of one batch."""
        if mode != "loss":
            raise ValueError(f"only mode 'loss' is run by the loop, got '{mode}'")
        return self._task.losses(self.network, inputs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, torch.Tensor]:
        """One step; where there is a critic, the network's turn and then the critic's."""
        inputs: Batch = self.data_preprocessor(data, True)["inputs"]  # pyright: ignore[reportArgumentType, reportCallIssue]
        config = self._task.config
        parts = parallel.share(split(inputs, config.accumulate * parallel.processes(), size=config.batch))
        if self.critic is None or not isinstance(optim_wrapper, OptimWrapperDict):
            return self._turn(optim_wrapper, lambda part: (self._task.losses(self.network, part), {}), parts)[0]
        first, second, critic = optim_wrapper["network"], optim_wrapper["critic"], self.critic
        with _untrained(critic):
            told, shown = self._turn(first, lambda part: self._task.against(self.network, critic, part), parts)
        if shown:
            more, _ = self._turn(second, lambda part: (self._task.critic_losses(critic, part), {}), shown)
            told |= {name: value for name, value in more.items() if name != "loss"}
        return told

    def _turn(
        self,
        optimiser: OptimWrapper,
        losses_of: Callable[[Batch], tuple[dict[str, torch.Tensor], Batch]],
        parts: list[Batch],
    ) -> tuple[dict[str, torch.Tensor], list[Batch]]:
        """One update by the mean gradient of some parts; the mean losses, and what there is to show of each part.

        Raises:
            Diverged: a loss is not finite; the weights are those of the step before.
        """
        told: dict[str, torch.Tensor] = {}
        shown: list[Batch] = []
        for part in parts:
            with optimiser.optim_context(self):
                losses, seen = losses_of(part)
            total, logged = self.parse_losses(losses)
            require_finite_loss(total, logged)
            optimiser.backward(total / len(parts))
            for name, value in logged.items():
                share = value.detach() / len(parts)
                told[name] = told[name] + share if name in told else share
            shown += [seen] if seen else []
        parameters = [each for group in optimiser.optimizer.param_groups for each in group["params"]]
        parallel.average([each.grad for each in parameters if each.grad is not None])
        parallel.average(list(told.values()))
        optimiser.step()
        optimiser.zero_grad()
        return told, shown


def split(batch: Batch, parts: int, *, size: int) -> list[Batch]:
    """A batch in equal parts.

    Args:
        batch: Tensors whose first side is `size` hold a sample each; the others are of the whole batch.
        parts: How many; divides `size`.
        size: Samples of the batch.
    Raises:
        ValueError: several parts of a batch without samples.
    """
    if parts == 1:
        return [batch]
    samples = {name: tensor.chunk(parts) for name, tensor in batch.items() if tensor.dim() and len(tensor) == size}
    if not samples:
        raise ValueError(f"no tensor of this batch has {size} samples: {sorted(batch)}")
    return [{name: samples[name][part] if name in samples else batch[name] for name in batch} for part in range(parts)]


@contextmanager
def _untrained(module: nn.Module) -> Iterator[None]:
    """Gradients pass through the module without reaching its parameters."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
