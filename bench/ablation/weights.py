"""Weights of variants with a training of their own: where they lie below a run folder, and whether they are theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.ablation.files import AblationFile
from bench.api import RequestError
from bench.weights.card import WeightsCard

if TYPE_CHECKING:
    from bench.training.config import TrainConfig
    from bench.training.task import TrainingTask

FOLDER = "weights"
"""Below the run folder."""
NOT_TRAINED = "not trained"


def weights_target(out: Path, variant: str) -> Path:
    """The file of the weights that a variant was trained to."""
    return out / FOLDER / f"{variant}.safetensors"


def trained_weights(file: AblationFile, variant: str, out: Path) -> tuple[Path | None, str]:
    """The weights of a variant below a run folder, or why there are none that are its own.

    Args:
        file: The ablation.
        variant: Name of one of its variants that has a training.
        out: The run folder.
    """
    path = weights_target(out, variant)
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return None, NOT_TRAINED
    from bench.weights.reader import read_card

    task, config = trainings(file, variant)[-1]
    if _compared(task, read_card(path).config) != _compared(task, config.model_dump(mode="json")):
        return None, f"{NOT_TRAINED} as the file says ({path} is of another configuration)"
    return path, ""


def training_notes(cards: Mapping[str, WeightsCard]) -> list[str]:
    """Sentences on what variants were trained on, and whether that was the same.

    Args:
        cards: Label of a variant that has a training -> the card of its weights.
    """
    if not cards:
        return []
    trained = {label: (card.steps, json.dumps(card.data, sort_keys=True)) for label, card in cards.items()}
    said: dict[tuple[int, str], list[str]] = {}
    for label, key in trained.items():
        said.setdefault(key, []).append(label)
    parts = []
    for labels in said.values():
        card = cards[labels[0]]
        images = (
            f"{card.data.get('images', '?')} images of {', '.join(card.data.get('folders', ())) or 'unknown folders'}"
        )
        parts.append(f"{', '.join(labels)}: {card.steps} steps on {images}")
    head = "Trained for this table" if len(said) == 1 else "Not trained alike, so differences may be the training's"
    return [f"{head}: {'; '.join(parts)}."]


def trainings(file: AblationFile, variant: str) -> list[tuple[type[TrainingTask[Any]], TrainConfig]]:
    """The stages of a variant's training, first to last, each with its configuration.

    Raises:
        RequestError: the method has no such training, or an option that it does not take (names the variant).
    """
    from bench.training.config import read_config
    from bench.training.find import find_task
    from bench.training.task import stages

    chosen, budget = file.content.variants[variant], file.content.training
    if chosen.train is None or budget is None:
        raise RequestError(f"{file.name}: variant '{variant}' has no training of its own")
    chain = stages(find_task(file.method_of(chosen).info.name))
    names = [task.stage for task in chain]
    last = chosen.train.stage or names[-1]
    if last not in names:
        raise RequestError(
            f"{file.name}: variant '{variant}' is trained to stage '{last}'; there is {', '.join(names)}"
        )
    sections = tuple(names) if names[-1] else ()
    overrides = [*budget.set, *chosen.train.set]
    found = []
    for task in chain[: names.index(last) + 1]:
        path = task.configs / f"{budget.config}.yaml"
        path = path if path.is_file() else file.path.parent / budget.config
        try:
            config = read_config(task.Config, path, overrides, section=task.stage, sections=sections)
        except RequestError as fault:
            raise RequestError(f"{file.name}: training of variant '{variant}': {fault}") from None
        found.append((task, config))
    return found


def _compared(task: type[TrainingTask[Any]], config: dict[str, Any]) -> str:
    """A configuration as text; options that it lacks have their defaults."""
    from pydantic import ValidationError

    try:
        full = task.Config.model_validate(config)
    except ValidationError:  # of another version of this package
        return ""
    return json.dumps(full.model_dump(mode="json"), sort_keys=True)
