"""What a run is asked to do, resolved to specs, datasets and a protocol before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from bench.api import (
    UNTRAINED,
    Dataset,
    MethodOptions,
    MethodSpec,
    Protocol,
    RequestError,
    as_typed,
    unknown_name,
    weights_label,
)
from bench.engine.keys import digest, weights_hash
from bench.plugins import method_spec


@dataclass(frozen=True)
class MethodChoice:
    """A method with the weights and options it is to run with: one row of the table.

    Attributes:
        spec: The registered method.
        weights: The file or folder to load; None for a method without weights.
        options: Validated options.
        variant: How the row differs from the bare method ("lite", "lite,ensemble=False"); "" where it does not.
        default: True for the shipped variant without overrides, whose folder is the bare method name.
        label: A name for tables that stands for all of this; "" where the paper's name and the variant do.
    """

    spec: MethodSpec
    weights: Path | None
    options: MethodOptions
    variant: str
    default: bool
    label: str = ""

    @property
    def name(self) -> str:
        """The registered name."""
        return self.spec.info.name

    @property
    def display(self) -> str:
        """The name in tables: the paper's name with the variant in brackets."""
        if self.label:
            return self.label
        return f"{self.spec.info.display} ({self.variant})" if self.variant else self.spec.info.display

    @property
    def minimised(self) -> tuple[str, ...]:
        """Metrics that these weights were trained to minimise."""
        return self.spec.minimised.get(weights_label(self.variant), ())

    @property
    def folder(self) -> str:
        """The folder name in the run: the method, with the variant where it is not the default one."""
        if self.default:
            return self.name
        return f"{self.name}+" + re.sub(r"[^A-Za-z0-9_.=-]+", "-", self.variant)[:80]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A resolved request.

    Attributes:
        methods: Rows.
        datasets: Blocks.
        scales: Columns.
        metrics: Names, in the order of the table.
        protocol: The knobs.
        seeds: Seeds of stochastic methods, and of the degradations that a protocol draws; what depends on neither runs
            seed 0 only.
        out: The run folder.
        device: auto, cpu or cuda.
        limit: Only the first so many images of each dataset.
        workers: Scoring processes; None: as many as fit the machine and the work.
        tile: LR tile side to use from the start, for methods that allow tiling.
        weights_root: Where metric parameters lie; None: `TORCH_HOME`, else torch's default.
        command: What the user typed, to say how to go on.
    """

    methods: tuple[MethodChoice, ...]
    datasets: tuple[Dataset, ...]
    scales: tuple[float, ...]
    metrics: tuple[str, ...]
    protocol: Protocol
    seeds: tuple[int, ...] = (0,)
    out: Path
    device: str = "auto"
    limit: int | None = None
    workers: int | None = None
    tile: int | None = None
    weights_root: Path | None = None
    command: str = ""

    def describe(self) -> dict[str, Any]:
        """The request as plain data for run.json."""
        return {
            "command": self.command,
            "methods": [
                {"method": m.name, "variant": m.variant, "weights": str(m.weights or "")} for m in self.methods
            ],
            "datasets": [d.name for d in self.datasets],
            "scales": list(self.scales),
            "metrics": list(self.metrics),
            "protocol": self.protocol.name,
            "seeds": list(self.seeds),
            "device": self.device,
            "limit": self.limit,
            "tile": self.tile,
        }


def choose_methods(names: Sequence[str], *, weights: str | None, overrides: Sequence[str]) -> tuple[MethodChoice, ...]:
    """Resolve method names, `--weights` and `--set` to table rows.

    Args:
        names: Registered names.
        weights: One of: None; a label or a path for every method that takes weights; "name=label-or-path,..."
        overrides: "name.option=value" items.
    Raises:
        RequestError: an unknown name or option, weights that are not there, or an override nobody takes.
    """
    specs = {name: method_spec(name) for name in dict.fromkeys(names)}
    if not specs:
        raise RequestError("no method given; choose some with --methods bicubic,liif ('bench methods' lists them all)")
    values = _split_overrides(overrides, specs)
    wanted = _split_weights(weights, specs)
    return tuple(_choose(spec, wanted.get(name), values.get(name, {})) for name, spec in specs.items())


def _choose(spec: MethodSpec, weights: str | None, values: Mapping[str, str]) -> MethodChoice:
    name = spec.info.name
    options = _options(spec, values)
    label, path = _find_weights(spec, weights)
    changed = [f"{key}={_short(getattr(options, key))}" for key in sorted(values)]
    variant = ",".join(([label] if label else []) + changed)
    default = not changed and (label or None) == spec.default_weights
    if path is not None and not path.exists():
        raise RequestError(f"weights of {name}: no file {path}; {spec.weights_how or 'give another --weights PATH'}")
    return MethodChoice(spec, path, options, variant, default)


def _options(spec: MethodSpec, values: Mapping[str, str]) -> MethodOptions:
    name = spec.info.name
    if values and not spec.options.model_fields:
        raise RequestError(f"--set {name}.{next(iter(values))}: '{name}' takes no options; leave it out")
    for key in values:
        if key not in spec.options.model_fields:
            raise unknown_name(f"option of {name}", key, spec.options.model_fields, f"bench methods {name}")
    absent = {key for key, value in values.items() if value == "null" and _may_be_absent(spec, key)}
    try:
        options = spec.options.model_validate_strings({k: v for k, v in values.items() if k not in absent})
        given = options.model_dump(exclude_unset=True) | dict.fromkeys(absent)
        return spec.options.model_validate(given) if absent else options
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "options"
        if first["type"] == "missing":
            raise RequestError(f"'{name}' needs to know its {where}: give it with --set {name}.{where}=VALUE") from None
        raise RequestError(
            f"{name}.{where}: {first['msg'].lower()}, got {first.get('input')!r}; use --set {name}.{where}=VALUE"
        ) from None


def _may_be_absent(spec: MethodSpec, key: str) -> bool:
    return type(None) in get_args(spec.options.model_fields[key].annotation)


def _find_weights(spec: MethodSpec, weights: str | None) -> tuple[str, Path | None]:
    if weights is None:
        if spec.default_weights is None:
            return "", None
        return spec.default_weights, spec.weights[spec.default_weights]
    if weights in spec.weights:
        return weights, spec.weights[weights]
    if weights == UNTRAINED and spec.untrained:
        return UNTRAINED, None
    path = Path(weights).expanduser()
    if path.exists():
        return f"{path.stem}-{weights_hash(spec, path)[:6]}", path
    labels = ", ".join(spec.weights) or "none"
    raise RequestError(
        f"weights '{weights}' of {spec.info.name}: neither a shipped label ({labels}) nor a file; "
        f"{spec.weights_how or 'give a path to a file'}"
    )


def _short(value: object) -> str:
    """An option's value as a variant shows it: a path by its name and a few digits that keep two of them apart."""
    return f"{value.name}-{digest(str(value))[:4]}" if isinstance(value, Path) else as_typed(value)


def check_device(device: str) -> str:
    """The device as it was typed.

    Raises:
        RequestError: there is no such kind of device.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise RequestError(f"device '{device}' is unknown; use --device auto, cpu or cuda")
    return device


def takes_weights(spec: MethodSpec) -> bool:
    """True where a method has something to load."""
    return bool(spec.weights or spec.weights_how)


def _split_weights(weights: str | None, specs: Mapping[str, MethodSpec]) -> dict[str, str]:
    if weights is None:
        return {}
    takers = [name for name, spec in specs.items() if takes_weights(spec)]
    named = dict(part.split("=", 1) for part in weights.split(",") if "=" in part and part.split("=", 1)[0] in specs)
    if named:
        return named
    if not takers:
        raise RequestError(f"--weights {weights}: none of {', '.join(specs)} takes weights")
    is_label = any(weights in specs[name].weights for name in takers) or weights in ("lite", "full")
    if len(takers) > 1 and not is_label:
        raise RequestError(
            f"--weights {weights} could mean {' or '.join(takers)}; say which: --weights {takers[0]}={weights}"
        )
    return dict.fromkeys(takers, weights)


def _split_overrides(overrides: Sequence[str], specs: Mapping[str, MethodSpec]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for item in overrides:
        target, equals, value = item.partition("=")
        name, dot, key = target.partition(".")
        if not equals or not dot or not key:
            raise RequestError(f"--set {item}: expected METHOD.OPTION=VALUE, such as --set liif.ensemble=false")
        if name not in specs:
            raise RequestError(f"--set {item}: '{name}' is not among the methods of this run ({', '.join(specs)})")
        found.setdefault(name, {})[key] = value
    return found
