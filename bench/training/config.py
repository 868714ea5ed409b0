"""The training configuration that every method shares: strict (unknown keys are refused), frozen, read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.api import RequestError
from bench.api.yaml_text import YamlError, load_yaml
from bench.imaging.regular import read_regular

C = TypeVar("C", bound="TrainConfig")


class Strict(BaseModel):
    """Base of configuration parts: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScheduleConfig(Strict):
    """The learning rate over the steps, as a factor of `lr`."""

    kind: Literal["constant", "halving", "cosine", "wsd"] = "constant"
    """halving: x0.5 at each of `milestones`; cosine: to `floor`; wsd: constant, then linear to `floor` over the last
    `cooldown` share of the steps (warmup-stable-decay), so that a run can be ended early by lowering `steps`."""
    warmup: int = Field(default=0, ge=0)
    """Steps over which the rate rises linearly from near zero."""
    milestones: tuple[float, ...] = ()
    """Shares of the steps, rising, each in (0, 1)."""
    cooldown: float = Field(default=0.2, gt=0, le=1)
    floor: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _milestones_rise(self) -> ScheduleConfig:
        if any(not 0 < share < 1 for share in self.milestones) or list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones are rising shares of the steps between 0 and 1, got {self.milestones}")
        return self


class PatchConfig(Strict):
    """Training pairs: an HR crop of round(lr_patch * scale) and its antialiased bicubic reduction to lr_patch."""

    lr_patch: int = Field(default=48, ge=4)
    scale_min: float = Field(default=1.0, ge=1)
    scale_max: float = Field(default=4.0, ge=1)
    augment: bool = True
    """Both flips and the transposition, each with probability one half."""

    @model_validator(mode="after")
    def _scales_ordered(self) -> PatchConfig:
        if self.scale_max < self.scale_min:
            raise ValueError(f"scale_max {self.scale_max} is below scale_min {self.scale_min}")
        return self


class TrainConfig(Strict):
    """What the loop needs; a method's configuration extends it with its network and data."""

    steps: int = Field(default=1_000_000, ge=1)
    batch: int = Field(default=16, ge=1)
    lr: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)
    """Above 0 the optimiser is AdamW, otherwise Adam."""
    schedule: ScheduleConfig = ScheduleConfig()
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the averaged weights, which are then the ones validated and exported; None: no averaging."""
    clip: float | None = Field(default=None, gt=0)
    """Largest gradient norm."""
    accumulate: int = Field(default=1, ge=1)
    """Parts of a batch that go through the network one after the other; their gradients are averaged. Less memory for
    the same step, but for what is computed over a batch (batch normalisation, the norms of a critic's weights)."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, a third more time; refused
    by methods that do not know how."""
    amp: bool = False
    """Mixed precision; only where the device is CUDA."""
    seed: int = Field(default=0, ge=0)
    validate_every: int = Field(default=1000, ge=1)
    checkpoint_every: int = Field(default=1000, ge=1)
    keep_checkpoints: int = Field(default=3, ge=1)
    log_every: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _parts_are_whole(self) -> TrainConfig:
        if self.batch % self.accumulate:
            raise ValueError(f"accumulate divides the batch into equal parts, got {self.accumulate} of {self.batch}")
        return self


def read_config(
    kind: type[C],
    path: Path,
    overrides: list[str] | None = None,
    *,
    section: str = "",
    sections: tuple[str, ...] = (),
    **fixed: Any,
) -> C:
    """Read and check a configuration.

    Args:
        kind: The method's configuration class.
        path: The YAML file.
        overrides: "key=value" or "part.key=value" from the command line, values in YAML; with sections
            "section.key=value".
        section: Of a method that is trained in stages: the top-level key whose value is wanted.
        sections: All such keys.
        **fixed: Further values of the configuration that win over everything (None is left out).
    Returns:
        The configuration.
    Raises:
        RequestError: unreadable file, unknown key or bad value; names the file and the key.
    """
    try:
        data = load_yaml(read_regular(path)) or {}
    except (OSError, YamlError) as fault:
        raise RequestError(f"cannot read the training configuration {path}: {fault}") from fault
    if not isinstance(data, dict):
        raise RequestError(f"{path}: expected a mapping of options at the top, got {type(data).__name__}")
    for text in overrides or []:
        _override(data, text)
    if section:
        data = _section(data, section, sections, path)
    data.update({key: value for key, value in fixed.items() if value is not None})
    try:
        return kind.model_validate(data)
    except ValidationError as fault:
        lines = [f"  {'.'.join(map(str, e['loc'])) or '(top)'}: {e['msg']}" for e in fault.errors()]
        keys = ", ".join(kind.model_fields)
        where = f"section '{section}' of {path}" if section else str(path)
        raise RequestError(
            f"{where} is not a valid {kind.__name__}:\n" + "\n".join(lines) + f"\nKeys: {keys}"
        ) from fault


def _section(data: dict[str, Any], section: str, sections: tuple[str, ...], path: Path) -> dict[str, Any]:
    unknown = sorted(set(data) - set(sections))
    if unknown:
        raise RequestError(
            f"{path}: unknown key '{unknown[0]}'; this method is trained in stages, so each option stands under "
            f"{' or '.join(sections)}, such as {section}.steps"
        )
    part = data.get(section) or {}
    if not isinstance(part, dict):
        raise RequestError(f"{path}: expected a mapping of options under '{section}', got {type(part).__name__}")
    return dict(part)


def _override(data: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RequestError(f"--set expects KEY=VALUE, such as --set lr=2e-4 or --set data.lr_patch=32; got '{text}'")
    *parents, last = key.strip().split(".")
    part = data
    for name in parents:
        part = part.setdefault(name, {})
        if not isinstance(part, dict):
            raise RequestError(f"--set {text}: '{name}' is a value, not a group of options")
    part[last] = _parse(text, value)


def _parse(text: str, value: str) -> Any:
    try:
        parsed = load_yaml(value)
    except YamlError as fault:
        raise RequestError(f"--set {text[:60]}: the value cannot be read: {fault}") from None
    if isinstance(parsed, str):  # YAML 1.1 reads 1e-4 as text
        try:
            return float(parsed)
        except ValueError:
            return parsed
    return parsed
