"""What an ablation file may say, strictly: a method, its variants, where they are run, and what they are copies of."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.api import WrittenScale

BUDGET = ("steps", "batch", "lr", "schedule", "seed", "ema")
"""Options of a training that all variants of a file must share."""
Number = Annotated[str, Field(pattern=r"^-?\d*\.?\d+$")]
"""A number as printed."""


def _listed(value: object) -> object:
    """An option that is a list is typed with commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


OptionText = Annotated[str, BeforeValidator(_listed)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Strict(BaseModel):
    """Base of the parts: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Conditions(Strict):
    """Where the variants are run unless the command says otherwise."""

    scales: tuple[WrittenScale, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = Field(default=("sample",), min_length=1)
    protocol: str | None = None
    """None: the datasets' own."""
    metrics: tuple[str, ...] | None = Field(default=None, min_length=1)
    """None: those of the protocol."""
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)


class Drawing(Strict):
    """A figure of `bench figure` that takes the weights of variants, for a study that no table of images tells."""

    name: str
    """Its word behind `bench figure`."""
    datasets: tuple[str, ...] = Field(min_length=1, max_length=1)
    weights: dict[str, Name] = Field(min_length=1)
    """Option of the figure -> the variant whose weights it is given."""
    options: dict[str, str] = {}
    """Further options of the figure, as typed."""


class Budget(Strict):
    """What every training of the file has in common: the same configuration, and so the same steps."""

    config: str
    """Name of a file in the method's folder of configurations, or a file beside the ablation file."""
    set: tuple[str, ...] = ()
    """KEY=VALUE of the configuration, as `bench train --set` takes them."""


class VariantTraining(Strict):
    """How the training of one variant differs; nothing of the budget may."""

    set: tuple[str, ...] = ()
    """KEY=VALUE on top of the budget's."""
    stage: str = ""
    """Its last stage, where a method is trained in several; "": the last of all."""

    @model_validator(mode="after")
    def _keeps_the_budget(self) -> VariantTraining:
        for item in self.set:
            key, equals, _ = item.partition("=")
            if not equals:
                raise ValueError(f"expected KEY=VALUE, got '{item}'")
            if touched := set(key.strip().split(".")) & set(BUDGET):
                raise ValueError(f"'{item}' changes {min(touched)}: all variants are trained on one budget")
        return self


class Variant(Strict):
    """One row."""

    label: str = ""
    """What tables call it; "": its name."""
    method: str = ""
    """Another method than the file's, for a baseline."""
    options: dict[str, OptionText] = {}
    """Options of the method, as typed behind `--set METHOD.OPTION=`."""
    weights: str | None = None
    """A label of the method's weights, or a file in the folder of the method; None: the method's own."""
    train: VariantTraining | None = None
    """Has weights of its own; None: runs what is there."""
    reported: str = ""
    """The row of the reported table that it is a copy of, as printed."""
    cited: dict[str, Number] = {}
    """metric -> what the paper prints, where no reported table holds it."""

    @model_validator(mode="after")
    def _weights_stay_in_the_folder(self) -> Variant:
        path = PurePosixPath(self.weights or "")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"weights '{self.weights}': expected a label, or a file in the folder of the method")
        return self


class Citation(Strict):
    """Where the paper measured what is cited."""

    dataset: str
    scale: WrittenScale | None = None


class Ablation(Strict):
    """An ablation file."""

    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """The paper, its table and how it was measured there; "ours" where it is in no paper."""
    method: str = ""
    """Only in a file that lies in no method's folder."""
    reported: str = ""
    """The reported table that it is a copy of, such as "casarbi/table6"."""
    cited: Citation | None = None
    """Instead of `reported`: where the numbers are from that the variants cite."""
    run: Conditions | None = None
    figure: Drawing | None = None
    """Instead of `run`: the study is a figure."""
    training: Budget | None = None
    """Of the variants with a training of their own."""
    default: Name
    """The variant that the others are compared with."""
    variants: dict[Name, Variant] = Field(min_length=1)

    @model_validator(mode="after")
    def _parts_agree(self) -> Ablation:
        if (self.run is None) == (self.figure is None):
            raise ValueError("expected either 'run' or 'figure'")
        if self.default not in self.variants:
            raise ValueError(f"default '{self.default}' is none of the variants {', '.join(self.variants)}")
        labels = [self.label(name) for name in self.variants]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two variants are called '{label}'")
        for name, variant in self.variants.items():
            if variant.train is not None and self.training is None:
                raise ValueError(f"variant '{name}' is trained, but no 'training' says on which budget")
            if variant.reported and not self.reported:
                raise ValueError(f"variant '{name}' names a reported row, but 'reported' names no table")
            if variant.cited and self.cited is None:
                raise ValueError(f"variant '{name}' cites numbers, but 'cited' does not say where they are from")
        for option, name in (self.figure.weights if self.figure is not None else {}).items():
            if name not in self.variants:
                raise ValueError(f"the figure's {option} names '{name}', which is no variant")
        return self

    def label(self, name: str) -> str:
        """What tables call a variant."""
        return self.variants[name].label or name


def slug(text: str) -> str:
    """Letters, digits, '_', '.', '-' of a text: a name that may stand on a command line and in a path."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"


def first_fault(errors: list[Any]) -> Any:
    """The fault to mend first: a mistyped key, which is also a missing one, before all others."""
    return next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
