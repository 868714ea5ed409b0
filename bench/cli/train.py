"""`bench train METHOD`: train a method on folders of images, resume it, and export its weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.api import RequestError, counted, user_path
from bench.cli import options as opt
from bench.cli.output import fail, say, warn

if TYPE_CHECKING:
    from bench.training.config import TrainConfig
    from bench.training.task import TrainingTask

_CONFIG_FILE = "config.yaml"
_WEIGHTS = "weights.safetensors"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help="Train a method, resume a training, or export its weights.")(train)


def train(
    method: Annotated[str, typer.Argument(help="A method that can be trained here, such as liif.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and, at the end, the weights.")],
    data: Annotated[str | None, typer.Option(help="Folders of training images, separated by commas.")] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="lite, full or another of the method's own, or a YAML file; default lite, and what the training began "
            "with on --resume."
        ),
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Folders of test images that must not be trained on.")] = None,
    validate: Annotated[str | None, typer.Option(help="Folders of HR images to score while training.")] = None,
    scales: Annotated[str, typer.Option(help="Scales of the validation.")] = "2,3,4",
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the training, over the configuration's.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop with a checkpoint after so many minutes; go on with --resume.", metavar="N"),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="Only this stage of a method that is trained in several; default all, in order.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Train nothing: write the newest checkpoint's weights here.")
    ] = None,
    note: Annotated[str, typer.Option(help="With --export: a sentence for the card.", show_default=False)] = "",
    half: Annotated[bool, typer.Option("--half", help="With --export: 16-bit floats, half the size.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the configuration, such as data.lr_patch=32.")
    ] = None,
    device: opt.Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw batches; 0 draws in the main process.")] = 0,
) -> None:
    """Train a method."""
    from bench.engine.inference import resolve_device
    from bench.training import parallel
    from bench.training.find import find_task
    from bench.training.task import stages

    last = find_task(method)
    chain = stages(last)
    chosen = [_stage(chain, stage)] if stage is not None else chain
    if steps is not None and len(chosen) > 1:
        raise RequestError(f"'{method}' is trained in stages; name the one that --steps is of: {_names(chain)}")
    if (half or note) and export is None:
        raise RequestError("--half and --note are for --export: trainings go on from 32-bit weights")
    if export is not None:
        _export(_folder(out, chosen[-1]), export, note=note, half=half)
        return
    until = None if minutes is None else time.monotonic() + 60 * minutes
    # every stage's configuration is read before the first is trained: a mistake in the last shows at once
    checked = {
        each.stage: _configuration(
            each, out, config, resume=resume, overrides=set_, steps=steps if each in chosen else None
        )
        for each in chain
    }
    device = resolve_device(device)
    parallel.join(device)
    first = parallel.is_first()
    if len(chain) > 1 and first:
        _write_config(out, checked)
    for task_class in chosen:
        folder = _folder(out, task_class)
        again = resume and (len(chosen) == 1 or (folder / "last_checkpoint").is_file())
        if task_class is not chosen[-1] and _finished(folder):
            say(f"stage '{task_class.stage}' is finished: {folder / _WEIGHTS}")
            continue
        task = _task(task_class, checked[task_class.stage], data, exclude)
        if task_class.after is not None and _finished(_folder(out, task_class.after)):
            task.follow(_folder(out, task_class.after) / _WEIGHTS)
        done = _run(task, folder, validate, scales, resume=again, device=device, workers=workers, until=until)
        if done < task.config.steps:
            if first:
                _say_stopped(task, folder, done)
            return
        if first:
            _export(folder, folder / _WEIGHTS)
        parallel.wait()  # the next stage begins with these weights
    if len(chain) > 1 and chosen[-1] is last and first:
        _export(_folder(out, last), out / _WEIGHTS)


def _stage(chain: list[type[TrainingTask[Any]]], name: str) -> type[TrainingTask[Any]]:
    if len(chain) == 1:
        raise RequestError(f"'{chain[0].method}' is trained in one go; leave --stage out")
    for task_class in chain:
        if task_class.stage == name:
            return task_class
    raise RequestError(f"unknown stage '{name}' of '{chain[0].method}'; its stages are {_names(chain)}")


def _names(chain: list[type[TrainingTask[Any]]]) -> str:
    return ", ".join(task_class.stage for task_class in chain)


def _folder(out: Path, task_class: type[TrainingTask[Any]]) -> Path:
    return out / task_class.stage if task_class.stage else out


def _finished(folder: Path) -> bool:
    return (folder / _WEIGHTS).is_file()


def _configuration(
    task_class: type[TrainingTask[Any]],
    out: Path,
    name: str | None,
    *,
    resume: bool,
    overrides: list[str] | None,
    steps: int | None,
) -> TrainConfig:
    from bench.training.config import read_config
    from bench.training.find import find_task
    from bench.training.task import stages

    # what this stage, or else the whole training, began with
    begun = [folder / _CONFIG_FILE for folder in (_folder(out, task_class), out)]
    path = next((each for each in begun if name is None and resume and each.is_file()), None)
    if path is None:
        path = task_class.configs / f"{name or 'lite'}.yaml"
        path = path if path.is_file() else user_path(name or "lite")
        if not path.exists():
            shipped = ", ".join(sorted(file.stem for file in task_class.configs.glob("*.yaml")))
            raise RequestError(
                f"--config {path}: neither a YAML file nor a configuration of {task_class.method}, which has {shipped}"
            )
    sections = tuple(each.stage for each in stages(find_task(task_class.method))) if task_class.stage else ()
    return read_config(task_class.Config, path, overrides, section=task_class.stage, sections=sections, steps=steps)


def _write_config(folder: Path, content: dict[str, TrainConfig] | TrainConfig) -> None:
    import yaml

    from bench.imaging.atomic import atomic_write

    if isinstance(content, dict):
        values: Any = {stage: checked.model_dump(mode="json") for stage, checked in content.items()}
    else:
        values = content.model_dump(mode="json")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / _CONFIG_FILE) as file:
        yaml.safe_dump(values, file, sort_keys=False)


def _task(
    task_class: type[TrainingTask[Any]], config: TrainConfig, data: str | None, exclude: str | None
) -> TrainingTask[Any]:
    from bench.training.images import load_pool

    if not data:
        raise RequestError("no training images; give folders with --data FOLDER,FOLDER")
    pool = load_pool(_folders(data), exclude=_folders(exclude), smallest=task_class.smallest_image(config))
    say(f"{counted(len(pool.images), 'training image')} from {', '.join(pool.folders)}")
    if pool.excluded:
        warn(f"{len(pool.excluded)} left out (too small, or a test image): {', '.join(pool.excluded[:8])}")
    return task_class(config, pool)


def _run(
    task: TrainingTask[Any],
    out: Path,
    validate: str | None,
    scales: str,
    *,
    resume: bool,
    device: str,
    workers: int,
    until: float | None,
) -> int:
    """Train; the steps that were done in all."""
    from bench.api import parse_scales
    from bench.training import parallel
    from bench.training.divergence import Diverged
    from bench.training.runner import make_runner
    from bench.training.validation import SetValidation

    sets = [SetValidation(folder, parse_scales(scales)) for folder in _folders(validate)] if task.scores_images else []
    runner = make_runner(task, out, device=device, validation=sets, resume=resume, workers=workers, until=until)
    if parallel.is_first():
        _write_config(out, {task.stage: task.config} if task.stage else task.config)
    try:
        runner.train()
    except KeyboardInterrupt:
        warn(
            f"stopped; {out} keeps the checkpoints: go on with --resume, "
            "or write the newest one's weights with --export FILE.safetensors"
        )
        raise typer.Exit(130) from None
    except Diverged as fault:
        fail(_diverged(task, out, runner.iter, str(fault)))
        raise typer.Exit(1) from None
    return runner.iter


def _diverged(task: TrainingTask[Any], out: Path, done: int, reason: str) -> str:
    from bench.training.export import newest_checkpoint

    where = f"step {done + 1}{f' of stage {task.stage!r}' if task.stage else ''}"
    try:
        kept = newest_checkpoint(out).name
    except RequestError:
        return f"the training diverged at {where}: {reason}; no checkpoint was written before; try a lower --set lr"
    key = f"{task.stage}.lr" if task.stage else "lr"
    return (
        f"the training diverged at {where}: {reason}; {out} keeps {kept}, from before: go on from it with --resume and "
        f"another rate, such as --set {key}={task.config.lr / 2:g}, or write its weights with --export FILE.safetensors"
    )


def _say_stopped(task: TrainingTask[Any], folder: Path, done: int) -> None:
    from bench.training.schedule import ending

    steps, soonest = task.config.steps, ending(task.config.schedule, done, task.config.steps)
    where = f"stage '{task.stage}' " if task.stage else ""
    say(f"{where}stopped at step {done} of {steps} as --minutes asks; {folder} keeps a checkpoint: go on with --resume")
    if soonest < steps:
        stage = f"--stage {task.stage} " if task.stage else ""
        say(f"to end it soonest: --resume {stage}--steps {soonest}, where the fall of the learning rate begins now")


def _export(out: Path, target: Path, *, note: str = "", half: bool = False) -> None:
    from bench.training.export import export_weights

    card = export_weights(out, target, note=note, half=half)
    figures = ", ".join(f"{key} {value}" for key, value in card.validation.items())
    say(f"{target}: step {card.steps}, sha256 {card.sha256}")
    if figures:
        say(f"validated at step {card.validated_at_step}: {figures}")


def _folders(text: str | None) -> list[Path]:
    return [user_path(part.strip()) for part in (text or "").split(",") if part.strip()]
