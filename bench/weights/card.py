"""The card beside a weights file: what made the weights, and on what; a JSON file of the same name."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

METADATA_KEY = "assr-bench"
"""Under this one key a weights file itself says what it is, as JSON. One key, because safetensors writes several in no
fixed order, and the same weights must make the same bytes."""

_OPTIONAL = ("stage", "stored", "note", "before")
"""Left out of the file where they are empty."""


class WeightsCard(BaseModel):
    """What a card tells, in the order in which it is written.

    Attributes:
        file, sha256, bytes: Of the weights file.
        method, stage: Registered name, and whose weights of a training in stages.
        parameters: How many, without what is stored beside them (running statistics).
        stored: "float16" where the file is halved.
        made_by: Program and command.
        note: A sentence of whoever exported it.
        steps, train_seconds, machine, seed: Of the training.
        data: Its folders, number of images, and images that were left out.
        validation, validated_at_step: Figures of the last validation; those that are no finite number, which JSON does
            not have, are left out.
        config: The configuration of the training.
        before: Of each stage before, first to last, what its card tells of its training.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = ""
    sha256: str = ""
    bytes: int = 0
    method: str = ""
    stage: str = ""
    parameters: int = 0
    stored: str = ""
    made_by: str = ""
    note: str = ""
    steps: int = 0
    train_seconds: int = 0
    machine: str = ""
    seed: int = 0
    data: dict[str, Any] = {}
    validation: dict[str, float] = {}
    validated_at_step: int = 0
    config: dict[str, Any] = {}
    before: list[dict[str, Any]] = []

    def to_json(self) -> str:
        """The text of the file."""
        fields = self.model_dump()
        kept = {name: value for name, value in fields.items() if value or name not in _OPTIONAL}
        return json.dumps(kept, indent=2, allow_nan=False) + "\n"

    @field_validator("validation")
    @classmethod
    def _finite(cls, figures: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in figures.items() if math.isfinite(value)}
