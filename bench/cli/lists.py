"""`bench methods | datasets | metrics | protocols`: what is registered, a line each; everything under its name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from bench.api import PRESETS, MethodSpec, Protocol, RequestError, as_typed, format_scale, get_protocol
from bench.api.protocol import KNOBS
from bench.cli import options as opt
from bench.cli.listing import READY, Column, cell_text, show_pairs, show_rows

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

BROKEN = "broken"
"""The status of what cannot be imported."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON with every field.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("methods", help="List the methods, or show one with its options.")(methods)
    app.command("datasets", help="List the datasets, or show one and how to get it.")(datasets)
    app.command("metrics", help="List the metrics, or show one and what is missing for it.")(metrics)
    app.command("protocols", help="List the protocols, or show every knob of one.")(protocols)


@dataclass(frozen=True)
class MethodRow:
    """One line of `bench methods`.

    Attributes:
        status: "ready", "needs-weights", "needs-options" or "broken".
        missing: What is not here and what to do about it; empty where it is ready.
    """

    name: str
    display: str
    weights: tuple[str, ...]
    scales: str
    trained_on: str
    stochastic: bool
    licence: str
    paper: str
    status: str
    missing: str
    summary: str
    origin: str


@dataclass(frozen=True)
class MetricRow:
    """One line of `bench metrics`.

    Attributes:
        status: "ready", "missing" or "broken".
        missing: What is not here and what to do about it; empty where it is ready.
        smallest_side: Pixels; of an image with a shorter side its value says little. None: no such side.
        effect: Smallest difference of two means that is worth having; 0: nobody says.
    """

    name: str
    kind: str
    better: str
    licence: str
    summary: str
    status: str
    missing: str
    smallest_side: int | None = None
    effect: float = 0.0


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
    columns = [
        Column("name", "name"),
        Column("status", "status"),
        Column("trained_on", "trained on"),
        Column("weights", "weights", extra=True),
        Column("stochastic", "stochastic", extra=True),
    ]
    show_rows(rows, columns, long="summary", as_json=json, notes=["'bench methods NAME' shows one with its options"])


def method_row(spec: MethodSpec, origin: str) -> MethodRow:
    """What a list says of a method."""
    info = spec.info
    status, missing = _status(spec)
    trained_on = _trained_on(spec)
    return MethodRow(
        name=info.name,
        display=info.display,
        weights=tuple(label if path.exists() else f"{label} (not here)" for label, path in spec.weights.items()),
        scales=f"any; trained on {trained_on}" if trained_on else "any",
        trained_on=trained_on,
        stochastic=info.stochastic,
        status=status,
        missing=missing,
        licence=info.licence,
        paper=info.paper,
        summary=info.summary,
        origin=origin,
    )


def datasets(
    name: Annotated[str | None, typer.Argument(help="Show this one, and how to get it.")] = None,
    data_root: opt.DataRoot = None,
    json: Json = False,
) -> None:
    """List the datasets."""
    from bench.data import dataset_row, dataset_rows

    if name is not None:
        row = dataset_row(name, data_root)
        show_pairs(f"{row.name}: {row.summary}", _pairs(row), as_json=json, row=row)
        return
    columns = [
        Column("name", "name"),
        Column("status", "status"),
        Column("kind", "kind"),
        Column("images", "images"),
        Column("protocol", "protocol"),
    ]
    notes = [
        "'bench datasets NAME' says how to get one, 'bench data fetch NAME' gets it",
        "a folder path works wherever a name does",
    ]
    show_rows(dataset_rows(data_root), columns, long="summary", as_json=json, notes=notes)


def metrics(
    name: Annotated[str | None, typer.Argument(help="Show this one, and what is missing for it.")] = None,
    weights_root: opt.WeightsRoot = None,
    json: Json = False,
) -> None:
    """List the metrics."""
    from bench.metrics.catalog import metric_names

    if name is not None:
        row = _metric_row(name, weights_root)
        if row.status == BROKEN and name not in metric_names():
            raise RequestError(row.missing)
        show_pairs(f"{row.name}: {row.summary}", _metric_pairs(row), as_json=json, row=row)
        return
    columns = [
        Column("name", "name"),
        Column("status", "status"),
        Column("better", "better"),
        Column("kind", "kind", extra=True),
    ]
    notes = [
        "'bench metrics NAME' says what is missing and how to get it",
        "any other metric of the pyiqa library works as pyiqa:NAME, such as pyiqa:ms_ssim",
    ]
    rows = [_metric_row(known, weights_root) for known in metric_names()]
    show_rows(rows, columns, long="summary", as_json=json, notes=notes)


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
        show_rows(list(PRESETS.values()), [], long="summary", as_json=True)
        return
    columns = [
        Column("name", "name"),
        Column("psnr", "psnr"),
        Column("shave", "shave"),
        Column("sr", "sr", extra=True),
        Column("ssim", "ssim", extra=True),
        Column("lr", "lr", extra=True),
    ]
    notes = ["'bench protocols NAME' shows every knob of one"]
    show_rows(rows, columns, long="summary", as_json=False, notes=notes)


def _trained_on(spec: MethodSpec) -> str:
    if spec.info.train_scales is None:
        return ""
    low, high = (format_scale(scale) for scale in spec.info.train_scales)
    return f"x{low}" + (f" to x{high}" if low != high else "")


def _status(spec: MethodSpec) -> tuple[str, str]:
    """A word, and what is missing."""
    name = spec.info.name
    if spec.default_weights is not None:
        path = spec.weights[spec.default_weights]
        if not path.exists():
            lacking = f"weights '{spec.default_weights}' are missing: expected {path}"
            return "needs-weights", "; ".join(text for text in (lacking, spec.weights_how) if text)
    needed = [f"--set {name}.{key}=..." for key, field in spec.options.model_fields.items() if field.is_required()]
    if spec.default_weights is None and spec.weights_how:
        return "needs-weights", " and ".join([spec.weights_how, *needed])
    return ("needs-options", " and ".join(needed)) if needed else (READY, "")


def _broken(name: str, origin: str, fault: str) -> MethodRow:
    return MethodRow(name, name, (), "-", "", False, "", "", BROKEN, f"cannot be loaded: {fault}", "", origin)


def _pairs(row: Any, skip: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """A line per field that says something; several things that are missing stand one below the other."""
    pairs = []
    for field in fields(row):
        if field.name in ("name", "summary", *skip) or not getattr(row, field.name):
            continue
        first, *more = (
            cell_text(row, field.name).split("; ") if field.name == "missing" else [cell_text(row, field.name)]
        )
        pairs += [(field.name, first, ""), *(("", text, "") for text in more)]
    return pairs


def _method_pairs(spec: MethodSpec, row: MethodRow) -> list[tuple[str, str, str]]:
    pairs = _pairs(row, skip=("trained_on",))
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
        return MetricRow(name, "-", "-", "", "", BROKEN, str(fault))
    info = metric.info
    status = READY if reason is None else "missing"
    return MetricRow(
        name,
        info.kind,
        info.direction,
        info.licence,
        info.summary,
        status,
        reason or "",
        info.smallest_side,
        info.effect,
    )


def _metric_pairs(row: MetricRow) -> list[tuple[str, str, str]]:
    pairs = _pairs(row, skip=("smallest_side", "effect"))
    if row.effect:
        pairs.append(("effect", f"{row.effect:g}", "smallest difference of two means that is worth having"))
    if row.smallest_side is not None:
        pairs.append(("side", f"{row.smallest_side} px", "of an image with a shorter one its value says little"))
    return pairs


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
