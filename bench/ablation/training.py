"""Training the variants that need weights of their own: one budget, one set of images, equal stages only once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.ablation.files import AblationFile
from bench.ablation.plan import AblationPlan
from bench.ablation.weights import FOLDER, trainings, weights_target
from bench.api import RequestError, counted

if TYPE_CHECKING:
    from bench.training.config import TrainConfig
    from bench.training.images import ImagePool
    from bench.training.task import TrainingTask

_STAGES = ".stages"
"""Below the folder of weights: the stages of trainings, each under a name that is what it is made of."""
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """What all variants are trained on.

    Attributes:
        folders: Of training images.
        exclude: Of test images, which are left out.
    """

    folders: tuple[Path, ...]
    exclude: tuple[Path, ...] = ()


def untrained(file: AblationFile, plan: AblationPlan) -> list[str]:
    """The variants of a file that a plan lacks and that a training would give."""
    names = dict.fromkeys(variant.of for variant in plan.absent)
    return [name for name in names if file.content.variants[name].train is not None]


def train_variants(
    file: AblationFile,
    names: Sequence[str],
    images: TrainingImages,
    *,
    out: Path,
    device: str,
    say: Callable[[str], None],
) -> None:
    """Train variants one after the other and write their weights below the run folder.

    A stage that was finished is not trained again, one that was stopped goes on, and variants share a stage in which
    they do not differ.

    Args:
        file: The ablation.
        names: Variants with a training.
        images: What is trained on.
        out: The run folder.
        device: "cpu" or "cuda".
        say: Is told what begins and what is written.
    Raises:
        RequestError: no images, or a configuration that is not valid; nothing was trained then.
    """
    from bench.training.export import export_weights

    # all of the file, whichever are trained now: a mistake in the last shows at once, and all see the same images
    chains = {name: trainings(file, name) for name, v in file.content.variants.items() if v.train is not None}
    pool = _pool(images, chains)
    for name in names:
        before: Path | None = None
        for task_class, config in chains[name]:
            before = _stage(task_class, config, pool, before, out=out, device=device, say=_of(say, name))
        if before is not None:
            weights_target(out, name).parent.mkdir(parents=True, exist_ok=True)
            export_weights(before.parent, weights_target(out, name))
            say(f"{weights_target(out, name)}: weights of '{file.content.label(name)}'")


def _pool(images: TrainingImages, chains: dict[str, list[tuple[type[TrainingTask[Any]], TrainConfig]]]) -> ImagePool:
    """The images of all variants: large enough for the one that needs most, so that all see the same."""
    from bench.training.images import load_pool

    if not images.folders:
        raise RequestError("no training images; give folders with --data FOLDER,FOLDER")
    smallest = max(task.smallest_image(config) for chain in chains.values() for task, config in chain)
    return load_pool(images.folders, exclude=images.exclude, smallest=smallest)


def _content(pool: ImagePool) -> str:
    """The hash of all training images and their order."""
    content = hashlib.sha256()
    for image in pool.images:
        content.update(str(image.shape).encode() + image.tobytes())
    return content.hexdigest()


def _stage(
    task_class: type[TrainingTask[Any]],
    config: TrainConfig,
    pool: ImagePool,
    before: Path | None,
    *,
    out: Path,
    device: str,
    say: Callable[[str], None],
) -> Path:
    """The weights of one stage, trained if they are not there."""
    from bench.training.export import export_weights
    from bench.training.runner import make_runner

    made_of = [config.model_dump(mode="json"), _content(pool), before.parent.name if before is not None else ""]
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    folder = out / FOLDER / _STAGES / f"{task_class.method}-{task_class.stage or 'all'}-{key}"
    weights = folder / _WEIGHTS
    if weights.is_file():
        return weights
    folder.mkdir(parents=True, exist_ok=True)
    task = task_class(config, pool)
    if task_class.after is not None and before is not None:
        task.follow(before)
    stage = f"stage '{task_class.stage}', " if task_class.stage else ""
    say(f"{stage}{config.steps} steps on {counted(len(pool.images), 'image')}")
    make_runner(task, folder, device=device, resume=(folder / "last_checkpoint").is_file()).train()
    export_weights(folder, weights)
    return weights


def _of(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: say(f"training '{name}': {text}")
