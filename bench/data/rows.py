"""What a list shows of every registered dataset, and whether it is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.api import BenchError
from bench.data.cards import Card, cards
from bench.data.locate import data_roots, find_set
from bench.data.resolve import dataset_names
from bench.registry import DATASETS


@dataclass(frozen=True)
class DatasetRow:
    """One line of `bench datasets`.

    Attributes:
        name: As it is typed.
        kind: folder (HR only), paired, lr-only, union, embedded, or package.
        images: How many; empty where it is not certain.
        protocol: Used where the user names none.
        status: ready, or what is missing and what to type.
        licence: Terms.
        summary: What it is.
    """

    name: str
    kind: str
    images: str
    protocol: str
    status: str
    licence: str
    summary: str


def dataset_rows(data_root: Path | None = None) -> list[DatasetRow]:
    """All registered datasets, sorted by name; nothing is opened but folders.

    Args:
        data_root: Where sets lie, see `data_roots`.
    """
    roots, known = data_roots(data_root), dataset_names()
    rows = []
    for name, card in known.items():
        if card is None:
            rows.append(_package_row(name, data_root))
            continue
        images = "" if card.count is None else str(card.count)
        status = _status(card, cards(), roots)
        rows.append(
            DatasetRow(name, card.loader, images, card.default_protocol or "", status, card.licence, card.title)
        )
    return rows


def _status(card: Card, known: Mapping[str, Card], roots: list[Path]) -> str:
    if card.loader == "embedded":
        return "ready"
    if card.loader == "union":
        missing = [part for part in card.parts if _status(known[part], known, roots) != "ready"]
        return f"missing {', '.join(missing)}" if missing else "ready"
    if find_set((card.name, *card.aliases), roots) is not None:
        return "ready"
    return f"bench data fetch {card.name}" if card.downloads else "not here, ask its authors"


def _package_row(name: str, data_root: Path | None) -> DatasetRow:
    origin = DATASETS.origin(name)
    try:
        dataset = DATASETS.get(name)(data_root)
    except BenchError as fault:
        return DatasetRow(name, "package", "", "", str(fault), "", origin)
    return DatasetRow(name, str(dataset.kind), "", dataset.default_protocol or "", "registered", "", origin)
