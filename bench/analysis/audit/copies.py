"""Numbers that stand twice: rows of two methods, cells of six digits, and one row that two tables print differently."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bench.analysis.audit.evidence import Evidence, Number, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.api import Scale

_ROW = 4
"""Values that a row must have before equality says something."""
_SHARE = 0.5
"""From this share of equal values on, two rows are nearly the same; two honest rows share a few by chance."""
_DIGITS = 5
"""Significant digits from which equal values of two methods are more than chance."""

Cell = tuple[Scale | None, str]


def _cells(numbers: list[Number]) -> dict[Cell, Number]:
    return {(n.scale, n.metric): n for n in numbers if not n.on_diagonal}


def _twins(evidence: Evidence) -> Iterator[tuple[str, str, Number, Number, list[Number], list[Number]]]:
    """(table, dataset, first number of either row, its equal values, its other values)."""
    for (table, dataset), numbers in grouped(evidence.present, lambda n: (n.table, n.dataset)).items():
        rows = [_cells(own) for own in grouped(numbers, lambda n: n.row).values()]
        for first, second in combinations(rows, 2):
            shared = [cell for cell in first if cell in second]
            equal = [first[cell] for cell in shared if first[cell].value == second[cell].value]
            if len(shared) >= _ROW and len(equal) >= _SHARE * len(shared):
                other = [first[cell] for cell in shared if first[cell].value != second[cell].value]
                yield table, dataset, next(iter(first.values())), next(iter(second.values())), equal, other


@check(
    "duplicate-rows",
    "rows of two methods that hold the same numbers",
    "One of the two was copied, or both are outputs of one program; neither is a measurement of its method.",
)
def duplicate_rows(evidence: Evidence) -> Told:
    """Rows of one table and dataset whose values are equal, all of them or at least half."""
    for table, dataset, a, b, equal, other in _twins(evidence):
        if other:
            message = f"{len(equal)} of {len(equal) + len(other)} values of {a.label} and {b.label} are the same"
        else:
            message = f"all {len(equal)} values of {a.label} and {b.label} are the same"
        shown = tuple(f"{a.at} {a.metric}: {a.shown}" for a in equal[:3])
        more = (f"and {len(equal) - 3} more",) if len(equal) > 3 else ()
        yield Severity.WARNING if other else Severity.ERROR, place(table, dataset), message, shown + more


@check(
    "repeated-values",
    "one value of many digits that two methods share",
    "Two methods hardly agree in five digits by chance; such a cell is often a copying error.",
)
def repeated_values(evidence: Evidence) -> Told:
    """Equal values of at least five digits in one cell, where the rows are not copies as a whole."""
    copies = {(table, dataset, frozenset((a.row, b.row))) for table, dataset, a, b, _, _ in _twins(evidence)}
    numbers = [number for number in evidence.present if not number.on_diagonal]
    for (table, dataset, scale, metric), cell in grouped(
        numbers, lambda n: (n.table, n.dataset, n.scale, n.metric)
    ).items():
        for a, b in combinations(cell, 2):
            if a.value != b.value or a.row == b.row or _significant(a) < _DIGITS:
                continue
            if (table, dataset, frozenset((a.row, b.row))) in copies:
                continue
            rest = tuple(f"{n.label}: {n.shown}" for n in cell if n in (a, b))
            where = place(table, dataset, a.at if scale else None, metric)
            yield Severity.WARNING, where, f"{a.label} and {b.label} have the same {metric}, {a.shown}", rest


@check(
    "contradicting-tables",
    "one row that two tables of a paper print differently",
    "Tables that share a row are compared across; where it differs, at least one of them is of another experiment.",
)
def contradicting_tables(evidence: Evidence) -> Told:
    """Rows that agree in most metrics and differ in the others; a paper's own row that differs between its tables."""
    rows = grouped(evidence.present, lambda n: (n.table, n.dataset, n.row))
    for (key_a, a), (key_b, b) in combinations(rows.items(), 2):
        if key_a[0] == key_b[0] or key_a[1] != key_b[1] or _source(key_a[0]) != _source(key_b[0]):
            continue
        first, second = _cells(a), _cells(b)
        shared = [cell for cell in first if cell in second]
        differ = [cell for cell in shared if first[cell].value != second[cell].value]
        equal = len(shared) - len(differ)
        if not differ or len(shared) < 2:
            continue
        same = equal >= 3 and equal > len(differ)
        own = a[0].method == b[0].method and _is_own(a[0]) and _is_own(b[0])
        if not same and not own:
            continue
        where = f"{place(key_a[0], a[0].label)} and {place(key_b[0], b[0].label)}, {key_a[1]}"
        lines = [f"{first[c].at} {c[1]}: {first[c].shown} | {second[c].shown}" for c in differ[:4]]
        lines += [f"and {len(differ) - 4} more"] if len(differ) > 4 else []
        if same:
            lines += _elsewhere(evidence, [first[c] for c in differ] + [second[c] for c in differ])
            message = f"the same row ({equal} metrics agree) has another {', '.join(c[1] for c in differ)}"
            yield Severity.ERROR, where, message, tuple(lines)
        else:
            message = f"the paper's own method differs in {len(differ)} of {len(shared)} values"
            yield Severity.WARNING, where, message, tuple(lines)


def _elsewhere(evidence: Evidence, odd: list[Number]) -> list[str]:
    """Other methods of the same paper that have one of these values in the same metric."""
    return [
        f"{n.shown} is also the {n.metric} of {other.label} in {other.table}"
        for n in odd
        for other in evidence.present
        if other.value == n.value
        and (other.dataset, other.metric, other.text) == (n.dataset, n.metric, n.text)
        and other.method != n.method
        and _source(other.table) == _source(n.table)
    ]


def _is_own(number: Number) -> bool:
    return "Ours" in number.label


def _source(table: str) -> str:
    return table.rpartition("/")[0] or table


def _significant(number: Number) -> int:
    text = (number.text or f"{number.value:.12g}").lower().partition("e")[0]
    return len(text.replace(".", "").replace("-", "").lstrip("0"))
