"""Cross-scale metrics as matrices: output scale by reference scale, one per method, dataset and way of measuring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bench.api import MetricRef, Scale, Signature
from bench.leaderboard.entry import Entry, Matrix


def split_references(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[Matrix, ...]]:
    """Entries without those of one reference scale ("selfssim@8"), and these as matrices."""
    plain, crossed = [], []
    for entry in entries:
        (plain if MetricRef.parse(entry.metric).reference is None else crossed).append(entry)
    return tuple(plain), tuple(_matrices(crossed))


def over_scales(signature: str, *more: str) -> str:
    """What of a signature is the same at every scale of one protocol.

    Args:
        signature: Of a number.
        more: Names of further tokens to leave out.
    """
    parsed = Signature.parse(signature)
    for token in (*sorted(parsed.per_scale), *more):
        parsed = parsed.without(token)
    return parsed.text


def _matrices(entries: Iterable[Entry]) -> Iterator[Matrix]:
    cells: dict[tuple[int, str, str, str], dict[tuple[Scale, Scale], float | None]] = defaultdict(dict)
    for entry in entries:
        ref = MetricRef.parse(entry.metric)
        if entry.scale is not None and ref.reference is not None:
            how = entry.table or over_scales(entry.signature, "ref")
            cells[entry.card, entry.dataset, ref.name, how][entry.scale, ref.reference] = entry.value
    for (card, dataset, metric, _), values in cells.items():
        scales, references = (tuple(sorted({key[side] for key in values})) for side in (0, 1))
        if len(references) < 2:
            continue
        table = tuple(tuple(values.get((scale, reference)) for reference in references) for scale in scales)
        yield Matrix(card, dataset, metric, scales, references, table)
