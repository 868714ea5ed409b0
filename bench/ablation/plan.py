"""From an ablation file, a sweep, or both, to the rows of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.ablation.files import AblationFile
from bench.ablation.schema import Ablation, Variant, slug
from bench.ablation.sweep import Sweep, grid
from bench.ablation.weights import trained_weights
from bench.api import MethodSpec, RequestError, unknown_name
from bench.engine.choice import read_options
from bench.session.config import RunConfig, make_config

RUNS = Path("results/runs/ablations")


@dataclass(frozen=True, kw_only=True)
class PlannedVariant:
    """One row of the table.

    Attributes:
        name: Of its row in the run; letters, digits, '_', '.', '-'.
        label: What tables call it.
        method: Registered name.
        options: As typed.
        weights: A label, or a file; None: the method's own.
        settings: Option -> value of the sweeps.
        of: Name of the file's variant behind it; "" for a point of a sweep without a file.
        absent: Why it cannot be run; "" where it can.
    """

    name: str
    label: str
    method: str
    options: Mapping[str, str] = field(default_factory=dict)
    weights: str | Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    of: str = ""
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class AblationPlan:
    """What is run and what it is compared with.

    Attributes:
        name: "METHOD/NAME", or the method where there is only a sweep.
        title: Of the table.
        spec: The method.
        variants: Rows in order.
        default: Name of the row that the others are compared with.
        content: The file; None without one.
        sweeps: Over options.
    """

    name: str
    title: str
    spec: MethodSpec
    variants: tuple[PlannedVariant, ...]
    default: str
    content: Ablation | None = None
    sweeps: tuple[Sweep, ...] = ()

    @property
    def ready(self) -> tuple[PlannedVariant, ...]:
        """Those that can be run."""
        return tuple(variant for variant in self.variants if not variant.absent)

    @property
    def absent(self) -> tuple[PlannedVariant, ...]:
        """Those that cannot."""
        return tuple(variant for variant in self.variants if variant.absent)

    def config(self, values: Mapping[str, Any]) -> RunConfig:
        """The request: every variant that can be run is a row of its own name.

        Args:
            values: Fields of `RunConfig` that the command gives; None leaves what the file says.
        Raises:
            RequestError: the default cannot be run, or a value is wrong.
        """
        lacking = next((v for v in self.absent if v.name == self.default), None)
        if lacking is not None:
            raise RequestError(
                f"the default of {self.name}, '{lacking.label}', is {lacking.absent}: add --train --data FOLDER,FOLDER"
            )
        run = self.content.run if self.content is not None else None
        said = run.model_dump(exclude_none=True) if run is not None else {}
        rows = {
            "methods": [f"{v.name}={v.method}" for v in self.ready],
            "weights": {v.name: str(v.weights) for v in self.ready if v.weights is not None} or None,
            "set": [f"{v.name}.{option}={value}" for v in self.ready for option, value in v.options.items()],
            "name": [f"{v.name}={v.label}" for v in self.ready],
        }
        given = {key: value for key, value in values.items() if value is not None}
        return make_config({**said, **rows, **given})


def plan_ablation(
    file: AblationFile, *, out: Path, sweeps: Sequence[Sweep] = (), only: Sequence[str] = ()
) -> AblationPlan:
    """The variants of a file, each at every point of a grid.

    Args:
        file: What was read.
        out: The run folder, below which trained weights lie.
        sweeps: Over options of the file's method; empty: the variants as they are.
        only: Names of variants; the default is always among them; empty: all.
    Raises:
        RequestError: a variant that is not in the file, or a sweep over an option that a variant sets.
    """
    content = file.content
    for name in only:
        if name not in content.variants:
            raise unknown_name(f"variant of {file.name}", name, content.variants, f"bench ablate {file.name} --dry-run")
    _check_sweeps(sweeps, file.spec)
    chosen = {n: v for n, v in content.variants.items() if not only or n in (*only, content.default)}
    planned = [
        point
        for name, variant in chosen.items()
        for point in _points(_planned(file, name, variant, out), sweeps, file.spec.info.name)
    ]
    default = _usual([variant for variant in planned if variant.of == content.default], file.spec)
    return AblationPlan(
        name=file.name,
        title=content.title,
        spec=file.spec,
        variants=tuple(planned),
        default=default,
        content=content,
        sweeps=tuple(sweeps),
    )


def plan_sweep(spec: MethodSpec, sweeps: Sequence[Sweep]) -> AblationPlan:
    """A grid over the options of a method.

    Raises:
        RequestError: an option or a value that the method does not have, or no sweep over an option.
    """
    if not sweeps:
        raise RequestError(f"name an ablation of {spec.info.name}, or sweep over an option: --sweep METHOD.OPTION=…")
    _check_sweeps(sweeps, spec)
    bare = PlannedVariant(name="", label="", method=spec.info.name)
    points = _points(bare, sweeps, spec.info.name)
    return AblationPlan(
        name=spec.info.name,
        title=f"Sweep over {' and '.join(sweep.option for sweep in sweeps)}",
        spec=spec,
        variants=tuple(points),
        default=_usual(points, spec),
        sweeps=tuple(sweeps),
    )


def _planned(file: AblationFile, name: str, variant: Variant, out: Path) -> PlannedVariant:
    shipped = file.shipped_weights(variant)
    weights: str | Path | None = variant.weights if shipped is None else shipped
    absent = ""
    spec = file.method_of(variant)
    path = shipped if shipped is not None else spec.weights.get(variant.weights or spec.default_weights or "")
    if variant.train is not None and (path is None or not path.exists() or variant.weights is None):
        weights, absent = trained_weights(file, name, out)
    elif path is not None and not path.exists():
        absent = f"without its weights: no file {path}"
    return PlannedVariant(
        name=name,
        label=file.content.label(name),
        method=spec.info.name,
        options=dict(variant.options),
        weights=weights,
        of=name,
        absent=absent,
    )


def _points(variant: PlannedVariant, sweeps: Sequence[Sweep], method: str) -> list[PlannedVariant]:
    """A variant at every point of the grid; one of another method is left as it is."""
    if not sweeps or variant.method != method:
        return [variant]
    found = []
    for settings in grid(sweeps):
        double = settings.keys() & variant.options.keys()
        if double:
            raise RequestError(
                f"--sweep {method}.{min(double)}: variant '{variant.name}' sets {min(double)} itself; "
                "sweep over another option, or without the file"
            )
        said = ", ".join(f"{option}={value}" for option, value in settings.items())
        found.append(
            replace(
                variant,
                name="_".join(filter(None, [variant.name, *(slug(f"{o}-{v}") for o, v in settings.items())])),
                label=", ".join(filter(None, [variant.label, said])),
                options={**variant.options, **settings},
                settings=settings,
            )
        )
    return _apart(found)


def _usual(points: Sequence[PlannedVariant], spec: MethodSpec) -> str:
    """The name of the point at which no swept option differs from what the method has by itself, else of the first."""
    for point in points:
        bare = {option: value for option, value in point.options.items() if option not in point.settings}
        if point.settings and read_options(spec, point.name, point.options) == read_options(spec, point.name, bare):
            return point.name
    return points[0].name


def _apart(variants: Sequence[PlannedVariant]) -> list[PlannedVariant]:
    """The same with names that differ, where values differ only in characters that a name cannot hold."""
    names = [variant.name for variant in variants]
    return [
        v if names.count(v.name) == 1 else replace(v, name=f"{v.name}.{names[:i].count(v.name) + 1}")
        for i, v in enumerate(variants)
    ]


def _check_sweeps(sweeps: Sequence[Sweep], spec: MethodSpec) -> None:
    for sweep in sweeps:
        if sweep.method != spec.info.name:
            raise RequestError(
                f"--sweep {sweep.method}.{sweep.option}: this ablation is of {spec.info.name}; sweep over its options"
            )
        for value in sweep.values:
            read_options(spec, spec.info.name, {sweep.option: value})
