"""Builds mmengine's Runner for a task: averaging, checkpoints, logs, schedule, mixed precision, exact resume."""

from __future__ import annotations

import time
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from bench.api import RequestError
from bench.training import parallel
from bench.training.config import TrainConfig
from bench.training.divergence import require_finite_weights
from bench.training.export import newest_checkpoint
from bench.training.loop import StepTrainLoop, TaskValLoop, step_loader
from bench.training.schedule import ScheduledLR
from bench.training.story import StoryHook
from bench.training.task import TaskModel, TrainingTask
from bench.training.validation import SetValidation
from bench.weights.reader import read_content


class PlainCheckpointHook(Hook):
    """Leaves only tensors and plain values in a checkpoint, so that it loads with `weights_only=True`.

    mmengine stores its log histories as pickled objects, which torch >= 2.6 refuses to read by default, rightly.
    """

    priority = "LOWEST"

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Drop the log histories (they only smooth the printed numbers)."""
        hub = checkpoint["message_hub"]
        info = {key: value for key, value in hub["runtime_info"].items() if type(value) in (int, float, str)}
        checkpoint["message_hub"] = {
            "log_scalars": {},
            "runtime_info": info,
            "resumed_keys": {key: value for key, value in hub["resumed_keys"].items() if key in info},
        }


class TimedCheckpointHook(CheckpointHook):
    """Writes checkpoints at their interval, and ends the training with one when its time is up."""

    def __init__(self, *, until: float | None, **settings: Any) -> None:
        """Args: until: a time of `time.monotonic`; None: never; settings: mmengine's own."""
        super().__init__(**settings)
        self._until = until

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """As mmengine does; the last step of all is written by mmengine itself."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._until is None or self.is_last_train_iter(runner):
            return
        if not parallel.agreed(time.monotonic() >= self._until, next(runner.model.parameters()).device):
            return
        if not self.every_n_train_iters(runner, self.interval):
            self._save_checkpoint(runner)
        runner.train_loop.stop_training = True  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]

    def _save_checkpoint(self, runner: Runner) -> None:
        """As mmengine does, which removes the oldest checkpoint first: only for weights that are worth it."""
        require_finite_weights(runner.model)
        super()._save_checkpoint(runner)


class SafeRunner(Runner):
    """A Runner that never unpickles code."""

    def wrap_model(self, model_wrapper_cfg: Any, model: Any) -> Any:
        """The model as it is, where it is: `TaskModel` averages gradients over the processes itself."""
        return model

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = True, revise_keys: Any = ()
    ) -> dict[str, Any]:
        """Load a checkpoint of this program; keys are taken as they are.

        Raises:
            RequestError: not readable as tensors and plain values, or of another network.
        """
        try:
            checkpoint = read_content(Path(filename))
        except RequestError as fault:
            raise RequestError(f"cannot resume: {fault}") from fault
        if not isinstance(checkpoint, dict) or not {"state_dict", "meta"} <= checkpoint.keys():
            raise RequestError(f"cannot resume from {filename}: it is no checkpoint of a training; move it away")
        _check_shapes(checkpoint, self.model, filename)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        self.model.load_state_dict(checkpoint["state_dict"], strict=strict)
        self._has_loaded = True
        self.logger.info(f"loaded {filename}")
        return checkpoint


def make_runner(
    task: TrainingTask[Any],
    out: Path,
    *,
    device: str = "cpu",
    validation: list[SetValidation] | None = None,
    resume: bool = False,
    workers: int = 0,
    until: float | None = None,
) -> Runner:
    """A runner that is ready to `train()`.

    Args:
        task: What is trained.
        out: Folder of logs and checkpoints.
        device: "cpu", "cuda" or "cuda:N".
        validation: Sets to score every `validate_every` steps.
        resume: Go on from the newest checkpoint in `out`.
        workers: Processes that draw batches; 0 draws in this one.
        until: A time of `time.monotonic`, after which a checkpoint is written and the training stops, however many
            steps are left.
    Returns:
        The runner.
    Raises:
        RequestError: `resume` without a checkpoint, a fresh run where one already is, or gradient checkpointing of a
            method that does not know it.
    """
    config = task.config
    if config.gradient_checkpointing and not task.checkpoints_gradients:
        raise RequestError(f"'{task.method}' cannot recompute activations; leave gradient_checkpointing out")
    together = config.accumulate * parallel.processes()
    if config.batch % together:
        raise RequestError(
            f"{parallel.processes()} processes with accumulate {config.accumulate} share a batch in {together} equal "
            f"parts; a batch of {config.batch} has none"
        )
    start = newest_checkpoint(out) if resume else None
    if not resume and (out / "last_checkpoint").is_file():
        raise RequestError(f"{out} already holds a training; add --resume to go on, or give another --out")
    torch.manual_seed(config.seed)
    model = TaskModel(task)
    hooks: list[Any] = [PlainCheckpointHook(), StoryHook(task, device=device)]
    if config.ema is not None:
        hooks.append(EMAHook(ema_type="MomentumAnnealingEMA", momentum=1 - config.ema, gamma=10))
    sets = (validation or []) if task.scores_images else []
    validate: dict[str, Any] = {}
    if sets or type(task).checks is not TrainingTask.checks:
        validate = {
            "val_dataloader": DataLoader([0]),  # pyright: ignore[reportArgumentType]
            "val_cfg": {"type": TaskValLoop, "task": task, "sets": sets},
            "val_evaluator": [],
        }
    checkpoints = {
        "type": TimedCheckpointHook,
        "until": until,
        "interval": config.checkpoint_every,
        "by_epoch": False,
        "max_keep_ckpts": config.keep_checkpoints,
        "save_last": True,
    }
    default_hooks: dict[str, Any] = {
        "logger": {"type": "LoggerHook", "interval": config.log_every},
        "checkpoint": checkpoints,
        "sampler_seed": None,  # the sampler is the step itself
    }
    model.to(device)
    return SafeRunner(
        model=model,
        work_dir=str(out),
        train_dataloader=step_loader(task, workers=workers),
        train_cfg={"type": StepTrainLoop, "max_iters": config.steps, "val_interval": config.validate_every},
        optim_wrapper=_optimisers(model, config, amp=config.amp and torch.device(device).type == "cuda"),
        param_scheduler={"type": ScheduledLR, "schedule": config.schedule, "steps": config.steps, "by_epoch": False},
        default_hooks=default_hooks,
        custom_hooks=hooks,
        log_processor={"by_epoch": False, "window_size": config.log_every},
        randomness={"seed": config.seed},
        load_from=str(start) if start else None,
        resume=resume,
        launcher="pytorch" if parallel.processes() > 1 else "none",
        # mmengine shares its log state between runners of one name in a process
        experiment_name=f"{task.method}-{out.name}-{uuid4().hex[:8]}",
        **validate,
    )


def _optimisers(model: TaskModel, config: TrainConfig, *, amp: bool) -> dict[str, Any] | OptimWrapperDict:
    """One optimiser, or one each for the network and its critic, alike."""
    kind = "AdamW" if config.weight_decay > 0 else "Adam"
    settings: dict[str, Any] = {
        "type": "AmpOptimWrapper" if amp else "OptimWrapper",
        "optimizer": {"type": kind, "lr": config.lr, "betas": config.betas, "weight_decay": config.weight_decay},
    }
    if config.clip is not None:
        settings["clip_grad"] = {"max_norm": config.clip}
    if model.critic is None:
        return settings
    return OptimWrapperDict(
        network=build_optim_wrapper(model.network, deepcopy(settings)),
        critic=build_optim_wrapper(model.critic, deepcopy(settings)),
    )


def _check_shapes(checkpoint: dict[str, Any], model: torch.nn.Module, filename: str) -> None:
    seen = {name: tuple(tensor.shape) for name, tensor in checkpoint.get("state_dict", {}).items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    differing = sorted(name for name in wanted.keys() | seen.keys() if wanted.get(name) != seen.get(name))
    if differing:
        name = differing[0]
        raise RequestError(
            f"{filename} belongs to another network than this configuration: tensor '{name}' has shape "
            f"{seen.get(name, 'none')}, expected {wanted.get(name, 'none')}; resume with the one it began with"
        )
