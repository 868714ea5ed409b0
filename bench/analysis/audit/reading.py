"""Evidence from what people have: the published tables, a CSV file in long form, or a run folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path

from bench.analysis.audit.evidence import Evidence, Number, Trained
from bench.analysis.averaging import mean_of
from bench.analysis.contamination import stated_train_sets
from bench.analysis.frames import RunFrames, load_run
from bench.analysis.reported import ReportedRow, read_reported, reported_rows, statements
from bench.api import (
    NO_VARIANT,
    Direction,
    MethodSpec,
    MetricRef,
    RequestError,
    Scale,
    ScalePair,
    UnitStatus,
    parse_scale,
    weights_label,
)
from bench.api.csv_cells import csv_lines, unshielded_line
from bench.imaging.regular import read_regular
from bench.metrics.catalog import known_infos
from bench.registry import METHODS

REPORTED = "reported"
"""The word for all published tables."""
_NEEDED = ("method", "dataset", "scale", "metric")
_VALUES = ("value", "mean")
_HOW = "give records.csv or summary.csv of a run, a file like those in results/reported, a run folder, or 'reported'"

Cell = tuple[str, str, str, Scale, str]


def read_evidence(what: str) -> Evidence:
    """Read what is to be audited.

    Args:
        what: "reported", a CSV file, or a run folder.
    Raises:
        RequestError: there is nothing of that name, or it is not in long form (names the columns).
    """
    path = Path(what)
    if what == REPORTED and not path.exists():
        return _of_reported(reported_rows())
    if path.is_dir():
        return _of_run(load_run(path))
    if not path.is_file():
        raise RequestError(f"there is no file or folder {what}; {_HOW}")
    return _of_csv(path)


def _of_reported(rows: Iterable[ReportedRow]) -> Evidence:
    numbers = tuple(
        Number(
            table=row.name,
            method=row.method,
            variant=row.variant,
            label=row.label,
            dataset=row.dataset,
            scale=row.scale,
            metric=row.metric,
            value=row.number,
            text=row.value,
            direction=row.direction,
            signature=row.signature,
            mark=row.mark,
            note=row.note,
        )
        for row in rows
    )
    papers = {number.table.partition("/")[0] for number in numbers}
    said = statements()
    return Evidence(
        numbers,
        claims=tuple(claim for claim in said.claims if claim.source in papers),
        trained=tuple(
            Trained(one.method, None, one.train_sets or None, one.minimised, f"{one.source} {one.where}")
            for one in said.training
            if one.source in papers
        ),
    )


def _of_run(frames: RunFrames) -> Evidence:
    infos = known_infos(frames.summary["metric"])
    numbers = tuple(
        Number(
            table="",
            method=line["method"],
            variant=line["variant"],
            label=frames.row(line["method"], line["variant"]).display,
            dataset=line["dataset"],
            scale=line["scale"],
            metric=line["metric"],
            value=float(line["mean"]),
            direction=_direction(line["metric"], infos),
            signature=line["signature"],
            note=line["note"],
        )
        for line in frames.summary.to_dict("records")
    )
    trained = tuple(
        Trained(
            row.method,
            row.variant,
            stated_train_sets(row.method, row.trained, row.weights_file),
            row.minimised,
            "as the run says",
        )
        for row in frames.rows
    )
    images = _per_image({str(k): v for k, v in line.items()} for line in frames.records.to_dict("records"))
    return Evidence(numbers, images, trained=trained, sets=tuple(frames.sets.values()))


def _of_csv(path: Path) -> Evidence:
    try:
        text = read_regular(path).decode("utf-8-sig")
        list(csv.reader(csv_lines(text)))  # a field that no table has, or a NUL, shows here
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise RequestError(f"{path} cannot be read as text: {fault}; {_HOW}") from None
    lines = csv.DictReader(csv_lines(text))
    columns = tuple(lines.fieldnames or ())
    if columns == tuple(ReportedRow.model_fields):
        return _of_reported(read_reported(text, path.name))
    missing = [name for name in _NEEDED if name not in columns]
    value = next((name for name in _VALUES if name in columns), None)
    if missing or value is None:
        seen = ", ".join(columns[:12]) or "nothing"
        raise RequestError(
            f"{path} is not in long form: expected the columns {', '.join(_NEEDED)} and value or mean; "
            f"seen {seen}; {_HOW}"
        )
    rows = [_typed(unshielded_line(line), value, f"{path}, line {lines.line_num}") for line in lines]
    infos = known_infos(str(row["metric"]) for row in rows)
    images = _per_image(rows) if "image" in columns else {}
    numbers = _means(rows, infos) if "image" in columns else [_number(row, infos) for row in rows]
    kinds = dict.fromkeys((n.method, n.variant) for n in numbers)
    return Evidence(tuple(numbers), images, trained=tuple(_registered(method, variant) for method, variant in kinds))


def _typed(line: Mapping[str, str | None], value: str, where: str) -> dict[str, object]:
    row: dict[str, object] = {key: text or "" for key, text in line.items() if key is not None}
    row["variant"] = "" if row.get("variant", "") == NO_VARIANT else row.get("variant", "")
    text = str(row[value]).strip()
    try:
        row["value"] = float(text) if text else math.nan
        row["scale"] = parse_scale(str(row["scale"])) if row["scale"] else None
    except ValueError:
        raise RequestError(f"{where}: '{text}' is not a number") from None
    except RequestError as fault:
        raise RequestError(f"{where}: {fault}") from None
    if value == "value" and "image" not in row:
        row["text"] = text
    return row


def _number(row: Mapping[str, object], infos: Mapping) -> Number:
    method, variant, metric = str(row["method"]), str(row["variant"]), str(row["metric"])
    scale, value = row["scale"], row["value"]
    direction = str(row.get("direction") or "")
    return Number(
        table=str(row.get("table", "")),
        method=method,
        variant=variant,
        label=str(row.get("label") or (f"{method} ({variant})" if variant else method)),
        dataset=str(row["dataset"]),
        scale=scale if isinstance(scale, float | ScalePair) else None,
        metric=metric,
        value=value if isinstance(value, float) else math.nan,
        text=str(row.get("text", "")),
        direction=Direction(direction) if direction in set(Direction) else _direction(metric, infos),
        signature=str(row.get("signature", "")),
        mark=str(row.get("mark", "")),
        note=str(row.get("note", "")),
    )


def _means(rows: Iterable[Mapping[str, object]], infos: Mapping) -> list[Number]:
    """One number per cell and signature, its mean over images as the signature says, then over seeds; none for a cell
    in which an image has no value."""
    cells: dict[tuple, list[Mapping[str, object]]] = {}
    for row in rows:
        key = (row["method"], row["variant"], row["dataset"], row["scale"], row["metric"], row.get("signature", ""))
        cells.setdefault(key, []).append(row)
    numbers = []
    for own in cells.values():
        seeds: dict[str, list[tuple[str, float]]] = {}
        for row in own:
            value = row["value"] if isinstance(row["value"], float) else math.nan
            seeds.setdefault(str(row.get("seed", "")), []).append((str(row["image"]), value))
        metric, signature = str(own[0]["metric"]), str(own[0].get("signature", ""))
        ordered = (sorted(images, key=itemgetter(0)) for images in seeds.values())
        of_seeds = [mean_of(metric, signature, [value for _, value in images]) for images in ordered]
        numbers.append(_number({**own[0], "value": sum(of_seeds) / len(of_seeds), "text": ""}, infos))
    return numbers


def _per_image(rows: Iterable[Mapping[str, object]]) -> dict[Cell, dict[str, float]]:
    """cell -> image -> value, averaged over seeds; without images that have none."""
    values: dict[Cell, dict[str, list[float]]] = {}
    for row in rows:
        value, scale = row["value"], row["scale"]
        good = str(row.get("unit_status") or UnitStatus.OK) == UnitStatus.OK
        if isinstance(value, float) and isinstance(scale, float | ScalePair) and good and not math.isnan(value):
            cell = (str(row["method"]), str(row["variant"]), str(row["dataset"]), scale, str(row["metric"]))
            values.setdefault(cell, {}).setdefault(str(row["image"]), []).append(value)
    return {cell: {image: sum(own) / len(own) for image, own in images.items()} for cell, images in values.items()}


def _direction(metric: str, infos: Mapping) -> Direction | None:
    info = infos.get(MetricRef.parse(metric).name)
    return None if info is None else info.direction


def _registered(method: str, variant: str) -> Trained:
    """What the method of this name says of its training, where somebody registered it."""
    spec = METHODS.find(method)
    if not isinstance(spec, MethodSpec):
        return Trained(method, variant, None, (), "")
    trained = weights_label(variant) or (spec.default_weights or "" if not variant else "")
    return Trained(
        method,
        variant,
        stated_train_sets(method, trained),
        spec.minimised.get(trained, ()),
        f"as '{method}' is registered",
    )
