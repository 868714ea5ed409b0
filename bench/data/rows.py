"""What a list shows of every registered dataset, and whether it is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.api import BenchError, unknown_name
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
        status: "ready"; "fetchable", where one command brings it; "absent", where its authors must be asked;
            "incomplete", where parts of a union are absent; "broken".
        missing: What is not here and what to do about it; empty where it is ready.
        licence: Terms.
        summary: What it is.
        source: The publication.
        homepage: Address.
        notes: What else must be known.
    """

    name: str
    kind: str
    images: str
    protocol: str
    status: str
    missing: str
    licence: str
    summary: str
    source: str = ""
    homepage: str = ""
    notes: str = ""


def dataset_rows(data_root: Path | None = None) -> list[DatasetRow]:
    """All registered datasets, sorted by name; nothing is opened but folders.

    Args:
        data_root: Where sets lie, see `data_roots`.
    """
    return [_row(name, card, data_root) for name, card in dataset_names().items()]


def dataset_row(name: str, data_root: Path | None = None) -> DatasetRow:
    """What a list shows of one registered dataset.

    Raises:
        RequestError: no such dataset (names the nearest).
    """
    known = dataset_names()
    if name not in known:
        raise unknown_name("dataset", name, known, "bench datasets")
    return _row(name, known[name], data_root)


def _row(name: str, card: Card | None, data_root: Path | None) -> DatasetRow:
    if card is None:
        return _package_row(name, data_root)
    status, missing = _status(card, cards(), data_roots(data_root))
    return DatasetRow(
        name=name,
        kind=card.loader,
        images="" if card.count is None else str(card.count),
        protocol=card.default_protocol or "",
        status=status,
        missing=missing,
        licence=card.licence,
        summary=card.title.removeprefix(f"{name}: "),
        source=" ".join(card.source.split()),
        homepage=card.homepage or "",
        notes=" ".join(card.notes.split()),
    )


def _status(card: Card, known: Mapping[str, Card], roots: list[Path]) -> tuple[str, str]:
    """A word, and what is missing."""
    if card.loader == "embedded":
        return "ready", ""
    if card.loader == "union":
        lacking = [part for part in card.parts if _status(known[part], known, roots)[0] != "ready"]
        return ("incomplete", f"its parts {', '.join(lacking)}") if lacking else ("ready", "")
    if find_set((card.name, *card.aliases), roots) is not None:
        return "ready", ""
    places = f"put it into a folder {card.name} below {' or '.join(map(str, roots))}, or name another --data-root"
    if card.downloads:
        return "fetchable", f"'bench data fetch {card.name}' brings it; or {places}"
    return "absent", f"{card.obtain.strip().rstrip('.')}; {places}"


def _package_row(name: str, data_root: Path | None) -> DatasetRow:
    origin = DATASETS.origin(name)
    try:
        dataset = DATASETS.get(name)(data_root)
    except BenchError as fault:
        return DatasetRow(name, "package", "", "", "broken", str(fault), "", origin)
    return DatasetRow(name, str(dataset.kind), "", dataset.default_protocol or "", "ready", "", "", origin)
