"""`bench train METHOD`: train a method on folders of images, resume it, and export its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.api import RequestError
from bench.cli import options as opt
from bench.cli.output import say, warn

if TYPE_CHECKING:
    from bench.training.config import TrainConfig
    from bench.training.task import TrainingTask

_CONFIG_FILE = "config.yaml"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help="Train a method, resume a training, or export its weights.")(train)


def train(
    method: Annotated[str, typer.Argument(help="A method with a train.py, such as liif.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and, at the end, the weights.")],
    data: Annotated[str | None, typer.Option(help="Folders of training images, separated by commas.")] = None,
    config: Annotated[
        str | None,
        typer.Option(help="lite, full or a YAML file; default lite, and what the training began with on --resume."),
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Folders of test images that must not be trained on.")] = None,
    validate: Annotated[str | None, typer.Option(help="Folders of HR images to score while training.")] = None,
    scales: Annotated[str, typer.Option(help="Scales of the validation.")] = "2,3,4",
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the training, over the configuration's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Train nothing: write the newest checkpoint's weights here.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the configuration, such as data.lr_patch=32.")
    ] = None,
    device: opt.Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw batches; 0 draws in the main process.")] = 0,
) -> None:
    """Train a method."""
    from bench.training.find import find_task

    task_class = find_task(method)
    if export is not None:
        _export(out, export)
        return
    checked = _configuration(task_class, out, config, resume=resume, overrides=set_, steps=steps)
    task = _task(task_class, checked, data, exclude)
    _run(task, out, validate, scales, resume=resume, device=device, workers=workers)
    _export(out, out / "weights.safetensors")


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

    if name is None and resume and (out / _CONFIG_FILE).is_file():
        path = out / _CONFIG_FILE
    else:
        path = task_class.configs / f"{name or 'lite'}.yaml"
        path = path if path.is_file() else Path(name or "lite").expanduser()
    return read_config(task_class.Config, path, overrides, steps=steps)


def _task(
    task_class: type[TrainingTask[Any]], config: TrainConfig, data: str | None, exclude: str | None
) -> TrainingTask[Any]:
    from bench.training.images import load_pool

    if not data:
        raise RequestError("no training images; give folders with --data FOLDER,FOLDER")
    pool = load_pool(_folders(data), exclude=_folders(exclude), smallest=task_class.smallest_image(config))
    say(f"{len(pool.images)} training images from {', '.join(pool.folders)}")
    if pool.excluded:
        warn(f"{len(pool.excluded)} left out (too small, or a test image): {', '.join(pool.excluded[:8])}")
    return task_class(config, pool)


def _run(
    task: TrainingTask[Any], out: Path, validate: str | None, scales: str, *, resume: bool, device: str, workers: int
) -> None:
    import yaml

    from bench.api import parse_scales
    from bench.engine.inference import resolve_device
    from bench.imaging.atomic import atomic_write
    from bench.training.runner import make_runner
    from bench.training.validation import SetValidation

    sets = [SetValidation(folder, parse_scales(scales)) for folder in _folders(validate)]
    runner = make_runner(task, out, device=resolve_device(device), validation=sets, resume=resume, workers=workers)
    with atomic_write(out / _CONFIG_FILE) as file:
        yaml.safe_dump(task.config.model_dump(mode="json"), file, sort_keys=False)
    try:
        runner.train()
    except KeyboardInterrupt:
        warn(
            f"stopped; {out} keeps the checkpoints: go on with --resume, "
            "or write the newest one's weights with --export FILE.safetensors"
        )
        raise typer.Exit(130) from None


def _export(out: Path, target: Path) -> None:
    from bench.training.export import export_weights

    card = export_weights(out, target)
    figures = ", ".join(f"{key} {value}" for key, value in card["validation"].items())
    say(f"{target}: step {card['steps']}, sha256 {card['sha256']}")
    if figures:
        say(f"validated at step {card['validated_at_step']}: {figures}")


def _folders(text: str | None) -> list[Path]:
    return [Path(part.strip()).expanduser() for part in (text or "").split(",") if part.strip()]
