"""`bench methods | datasets | metrics | protocols`: what is registered, whether it is ready, and what is missing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from bench.api import PRESETS, MethodSpec, Protocol, RequestError, as_typed, format_scale, get_protocol
from bench.api.protocol import KNOBS
from bench.cli import options as opt
from bench.cli.listing import Column, columns_of, show_pairs, show_rows

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Json = Annotated[bool, typer.Option("--json", help="Print JSON with every field.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("methods", help="List the methods, or show one with its options.")(methods)
    app.command("datasets", help="List the datasets and where they are.")(datasets)
    app.command("metrics", help="List the metrics and what is missing for them.")(metrics)
    app.command("protocols", help="List the protocols, or show every knob of one.")(protocols)


@dataclass(frozen=True)
class MethodRow:
    """One line of `bench methods`."""

    name: str
    display: str
    weights: tuple[str, ...]
    scales: str
    stochastic: bool
    licence: str
    paper: str
    status: str
    summary: str
    origin: str


@dataclass(frozen=True)
class MetricRow:
    """One line of `bench metrics`."""

    name: str
    kind: str
    better: str
    licence: str
    summary: str
    status: str


@dataclass(frozen=True)
class ProtocolRow:
    """One line of `bench protocols`."""

    name: str
    lr: str
    sr: str
    psnr: str
    ssim: str
    shave: str
    summary: str


def methods(
    name: Annotated[str | None, typer.Argument(help="Show this one with its options.")] = None,
    plugin: opt.Plugin = None,
    json: Json = False,
) -> None:
    """List the methods."""
    from bench.plugins import load_plugin, method_spec
    from bench.registry import METHODS

    for path in plugin or []:
        load_plugin(path)
    if name is not None:
        spec = method_spec(name)
        row = method_row(spec, METHODS.origin(name))
        show_pairs(f"{row.name}: {row.summary}", _method_pairs(spec, row), as_json=json, row=_method_json(spec, row))
        return
    rows = []
    for known in METHODS.names():
        try:
            rows.append(method_row(method_spec(known), METHODS.origin(known)))
        except RequestError as fault:
            rows.append(_broken(known, METHODS.origin(known), str(fault)))
    columns = columns_of(MethodRow, wide=("licence", "paper"))
    shown = [column for column in columns if column.key not in ("summary", "origin")]
    show_rows(rows, shown, as_json=json, note="'bench methods NAME' shows one with its options")


def method_row(spec: MethodSpec, origin: str) -> MethodRow:
    """What a list says of a method."""
    info = spec.info
    return MethodRow(
        name=info.name,
        display=info.display,
        weights=tuple(label if path.exists() else f"{label} (not here)" for label, path in spec.weights.items()),
        scales=_scales(spec),
        stochastic=info.stochastic,
        status=_status(spec),
        licence=info.licence,
        paper=info.paper,
        summary=info.summary,
        origin=origin,
    )


def datasets(data_root: opt.DataRoot = None, json: Json = False) -> None:
    """List the datasets."""
    from bench.data import dataset_rows

    rows = dataset_rows(data_root)
    columns = columns_of(type(rows[0]), wide=("licence",)) if rows else [Column("name", "name")]
    show_rows(
        rows,
        sorted(columns, key=lambda column: column.key == "status"),
        as_json=json,
        note="a folder path works wherever a name does",
    )


def metrics(weights_root: opt.WeightsRoot = None, json: Json = False) -> None:
    """List the metrics."""
    from bench.metrics.catalog import metric_names

    rows = [_metric_row(name, weights_root) for name in metric_names()]
    show_rows(
        rows,
        columns_of(MetricRow, wide=("licence",)),
        as_json=json,
        note="any other metric of the pyiqa library works as pyiqa:NAME, such as pyiqa:ms_ssim",
    )


def protocols(
    name: Annotated[str | None, typer.Argument(help="Show every knob of this one.")] = None, json: Json = False
) -> None:
    """List the protocols."""
    if name is not None:
        protocol = get_protocol(name)
        title = f"{protocol.name}: {protocol.summary}" + (f"\n  source: {protocol.source}" if protocol.source else "")
        show_pairs(title, _knobs(protocol), as_json=json, row=protocol)
        return
    rows = [_protocol_row(protocol) for protocol in PRESETS.values()]
    if json:
        show_rows(list(PRESETS.values()), [], as_json=True)
        return
    show_rows(rows, columns_of(ProtocolRow), as_json=False, note="'bench protocols NAME' shows every knob of one")


def _scales(spec: MethodSpec) -> str:
    if spec.info.train_scales is None:
        return "any"
    low, high = (format_scale(scale) for scale in spec.info.train_scales)
    return f"any; trained on x{low}" + (f" to x{high}" if low != high else "")


def _status(spec: MethodSpec) -> str:
    name = spec.info.name
    needed = [f"--set {name}.{key}=..." for key, field in spec.options.model_fields.items() if field.is_required()]
    if spec.default_weights is not None:
        path = spec.weights[spec.default_weights]
        if not path.exists():
            return f"weights '{spec.default_weights}' are missing: expected {path}; {spec.weights_how}".rstrip("; ")
    elif spec.weights_how:
        needed.insert(0, f"weights: {spec.weights_how}")
    return f"needs {' and '.join(needed)}" if needed else "ready"


def _broken(name: str, origin: str, fault: str) -> MethodRow:
    return MethodRow(name, name, (), "-", False, "", "", f"cannot be loaded: {fault}", "", origin)


def _method_pairs(spec: MethodSpec, row: MethodRow) -> list[tuple[str, str, str]]:
    keys = ("display", "status", "weights", "scales", "stochastic", "licence", "paper", "origin")
    values = {key: getattr(row, key) for key in keys}
    values["weights"] = ", ".join(row.weights)
    values["stochastic"] = "yes" if row.stochastic else "no"
    pairs = [(key, str(values[key]), "") for key in keys if values[key]]
    pairs += [("code", str(spec.root), "")]
    for key, field in spec.options.model_fields.items():
        pairs.append((f"--set {row.name}.{key}", _default(field), _help(field)))
    return pairs


def _help(field: FieldInfo) -> str:
    """What an option means, on one line, after the words that it takes where these are few."""
    words = [str(value) for value in _words(field.annotation)]
    text = " ".join((field.description or "").split())
    return f"{' | '.join(words)}. {text}".rstrip() if words else text


def _words(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, alone or among other types."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for each in get_args(annotation) for word in _words(each))


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else f"default {as_typed(field.default)}"


def _method_json(spec: MethodSpec, row: MethodRow) -> dict[str, Any]:
    options = {
        key: {"required": f.is_required(), "default": None if f.is_required() else f.default, "help": f.description}
        for key, f in spec.options.model_fields.items()
    }
    return {**asdict(row), "code": str(spec.root), "options": options}


def _metric_row(name: str, weights_root: Path | None) -> MetricRow:
    from bench.metrics.catalog import make_metric

    try:
        metric = make_metric(name, weights_root)
        reason = metric.unavailable()
    except RequestError as fault:
        return MetricRow(name, "-", "-", "", "", f"cannot be loaded: {fault}")
    info = metric.info
    status = "ready" if reason is None else f"unavailable: {reason}"
    return MetricRow(name, info.kind, info.direction, info.licence, info.summary, status)


def _protocol_row(protocol: Protocol) -> ProtocolRow:
    lr = protocol.downsampler if protocol.degradation == "none" else f"{protocol.degradation}, seeded"
    if protocol.coarse_above is not None:
        lr += f", above x{format_scale(protocol.coarse_above)} {protocol.coarse_downsampler}"
    size = f", {protocol.lr_side} px from the {protocol.lr_from}" if protocol.size_rule == "fixed-lr" else ""
    return ProtocolRow(
        name=protocol.name,
        lr=f"{lr}, {protocol.lr_depth}{size}",
        sr=protocol.sr_depth if protocol.plane == "rgb" else f"{protocol.sr_depth}, luma plane",
        psnr=protocol.psnr_colour,
        ssim=protocol.ssim_colour,
        shave=str(protocol.shave) + (f", SSIM {protocol.ssim_shave}" if protocol.ssim_shave is not None else ""),
        summary=protocol.summary,
    )


def _knobs(protocol: Protocol) -> list[tuple[str, str, str]]:
    changed = protocol.differences(Protocol(name=protocol.name, summary=""))
    knobs = [
        (name, str(getattr(protocol, name)), f"default {changed[name][1]}" if name in changed else "") for name in KNOBS
    ]
    return (
        [*knobs, ("metrics", ",".join(protocol.metrics), "scored where none are typed")] if protocol.metrics else knobs
    )
