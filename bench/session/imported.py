"""Folders of published SR images as requests: rows of the method `precomputed`, with where their files lie."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.api import RequestError, Scale, counted, format_scale, user_path
from bench.api.scale import parse_scale
from bench.data import resolve_dataset
from bench.session.config import RunConfig, make_config
from methods.precomputed.layouts import Row, Survey, survey

IMPORT_OUT = Path("results/runs/import")


@dataclass(frozen=True)
class Imported:
    """What a folder holds, and what to ask for to have it scored.

    Attributes:
        survey: How the folder was read.
        rows: The rows that were chosen.
        references: Number of reference images.
        configs: One request for all rows that have the same scales.
    """

    survey: Survey
    rows: tuple[Row, ...]
    references: int
    configs: tuple[RunConfig, ...]


def import_configs(
    folder: Path,
    hr: str,
    *,
    rows: Collection[str] = (),
    scales: Collection[Scale] = (),
    scale: str | None = None,
    out: Path | None = None,
    set: Sequence[str] = (),
    data_root: Path | None = None,
    **others: Any,
) -> Imported:
    """The requests that score a folder of published images.

    Args:
        folder: The images, in one of the layouts of `methods.precomputed.layouts`.
        hr: Their references: a folder or a set's name.
        rows, scales: Only these; empty: all that are there.
        scale: Scale of the files whose names say none.
        out: The run folder.
        set: Further options of the rows.
        data_root: Where registered sets lie.
        others: Further fields of `RunConfig`.
    Raises:
        RequestError: no such folder, a name that two rules read differently, or nothing to score.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise RequestError(f"FOLDER {folder} is not a folder; give the one that holds the published images")
    known = parse_scale(scale) if scale is not None else None
    dataset = resolve_dataset(hr, data_root=data_root)
    samples = dataset.samples(known or next(iter(scales), 2.0))
    images = {sample.id for sample in samples}
    references = [sample.hr.path for sample in samples if sample.hr is not None]
    read = survey(folder, images, dataset=dataset.name, scale=known, references=references)
    chosen = _choose(read, folder, rows, scales)
    groups: dict[tuple[Scale, ...], list[Row]] = {}
    for row in chosen:
        groups.setdefault(tuple(row.images), []).append(row)
    configs = []
    for shared, alike in groups.items():
        options = [
            f"{row.name}.{key}={value}"
            for row in alike
            for key, value in (("folder", folder.resolve()), ("pattern", row.pattern))
        ]
        values = {
            "methods": tuple(f"{row.name}=precomputed" for row in alike),
            "scales": tuple(format_scale(each) for each in shared),
            "datasets": (hr,),
            "set": (*options, *(f"{row.name}.{item}" for row in alike for item in set)),
            "name": tuple(f"{row.name}={row.name}" for row in alike),
            "out": out if out is not None else IMPORT_OUT,
            "data_root": data_root,
            **others,
        }
        configs.append(make_config(values))
    return Imported(read, chosen, len(images), tuple(configs))


def _choose(read: Survey, folder: Path, rows: Collection[str], scales: Collection[Scale]) -> tuple[Row, ...]:
    names = [row.name for row in read.rows]
    if unknown := [name for name in rows if name not in names]:
        raise RequestError(f"--rows {unknown[0]}: {folder} holds {', '.join(names) or 'no rows'}")
    kept = []
    for row in read.rows:
        images = {s: ids for s, ids in row.images.items() if not scales or s in scales}
        if images and (not rows or row.name in rows):
            kept.append(Row(row.name, row.rule, row.pattern, images))
    if not kept:
        why = "; ".join(f"{counted(len(files), 'file')} {reason}" for reason, files in read.unused.items())
        there = ", ".join(f"{row.name} (x{', x'.join(map(format_scale, row.images))})" for row in read.rows)
        seen = f"there is {there}" if there else why or "it is empty"
        raise RequestError(f"nothing to score in {folder}: {seen}; check --rows, --scales and the references")
    return tuple(kept)
