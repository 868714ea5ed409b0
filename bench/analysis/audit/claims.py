"""Claims and marks against the numbers that they are about."""

from __future__ import annotations

import math

from bench.analysis.audit.evidence import Evidence, Number, best_of, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.analysis.reported import Claim
from bench.api import Scale

_PERCENT = 0.05
"""Percent by which a stated gain may differ from the table's: four digits give 0.01."""
_PLACES = {"best": 0, "second": 1}
"""Mark -> its place among the different values of a cell."""


@check(
    "marks",
    "a mark of the best or second best that the numbers do not bear out",
    "Readers compare marks, not digits.",
)
def marks(evidence: Evidence) -> Told:
    """Printed marks against the order of the values; equal values share a place, and the next value is the second."""
    lost = {_place(n) for n in evidence.numbers if math.isnan(n.value)}
    for key, cell in _cells(evidence).items():
        values = [n.value for n in best_of(cell)]
        distinct = list(dict.fromkeys(values))
        # equal prints may differ in digits that nobody sees, and a value that is lost may have been the first
        unseen = {0} if values.count(distinct[0]) > 1 or key in lost else set()
        for number in cell:
            rank = values.index(number.value) + 1
            if number.mark in _PLACES and distinct.index(number.value) not in {_PLACES[number.mark], *unseen}:
                where = place(number.table, number.dataset, number.at, number.metric)
                lines = tuple(f"{n.label}: {n.shown}" for n in best_of(cell)[:3])
                yield Severity.ERROR, where, f"{number.label} is marked {number.mark}, and is number {rank}", lines


@check(
    "claims",
    "a claim of the text that its own table refutes",
    "A claim is what others cite; the table is what was measured.",
)
def claims(evidence: Evidence) -> Told:
    """Every claim against the cells that it is about."""
    for claim in evidence.claims:
        where = place(claim.source, claim.where)
        words = f"“{claim.quote}”"
        cells = [cell for cell in _cells(evidence).values() if _is_about(claim, cell)]
        own = [(cell, number) for cell in cells for number in cell if _is_subject(claim, number)]
        if not own:
            yield (
                Severity.NOTE,
                where,
                f"cannot be checked, no number of {', '.join(claim.tables)} is left: {words}",
                (),
            )
        elif claim.percent is not None:
            yield from _gain(claim, where, words, own)
        else:
            yield from _rank(claim, where, words, own)


def _rank(claim: Claim, where: str, words: str, own: list[tuple[list[Number], Number]]) -> Told:
    broken, ties, first = [], [], 0
    for cell, number in own:
        rivals = [n for n in cell if n is not number and _is_rival(claim, n)]
        order = [n.value for n in best_of([number, *rivals])]
        if claim.worst:
            order = order[::-1]
        rank = order.index(number.value) + 1
        first += rank == 1
        worst_allowed = 2 if claim.most else claim.rank
        if rank > worst_allowed:
            better = next(n for n in rivals if n.value == order[0])
            broken.append(f"{_cell_name(number)}: {number.label} {number.shown} is number {rank}, {better.label} "
                          f"{better.shown}")  # fmt: skip
        elif rank == 1 and worst_allowed == 1 and order.count(number.value) > 1:
            rival = next(n for n in rivals if n.value == number.value)
            ties.append(f"{_cell_name(number)}: {number.shown}, as {rival.label} has")
    if broken or (claim.most and 2 * first <= len(own)):
        severity = Severity.WARNING if claim.hedged else Severity.ERROR
        held = f"holds in {len(own) - len(broken)} of {len(own)} cells"
        yield severity, where, f"{held}: {words}", (*broken, *ties)
    elif ties:
        yield Severity.NOTE, where, f"holds with {len(ties)} tie{'s' * (len(ties) > 1)}: {words}", tuple(ties)


def _gain(claim: Claim, where: str, words: str, own: list[tuple[list[Number], Number]]) -> Told:
    for cell, number in own:
        rivals = [n for n in cell if n is not number and _is_rival(claim, n)]
        second = best_of(rivals)[0] if rivals else number
        if not rivals or claim.percent is None or not second.value or not number.value:
            continue
        gain = 100 * abs(number.value - second.value) / second.value * (1 if best_of(cell)[0] is number else -1)
        if abs(gain - claim.percent) > _PERCENT:
            share = 100 * abs(number.value - second.value) / number.value
            line = f"{number.label} {number.shown}, {second.label} {second.shown}: {gain:.2f} % of the second"
            yield (
                Severity.ERROR,
                place(where, number.table, number.dataset),
                f"the table gives {gain:.2f} %: {words}",
                (f"{line}, {share:.2f} % of its own",),
            )


def _cells(evidence: Evidence) -> dict[tuple[str, str, Scale | None, str], list[Number]]:
    """(table, dataset, scale, metric) -> numbers that can be ranked."""
    numbers = [n for n in evidence.present if n.direction is not None and not n.on_diagonal]
    return grouped(numbers, _place)


def _place(number: Number) -> tuple[str, str, Scale | None, str]:
    return number.table, number.dataset, number.scale, number.metric


def _is_about(claim: Claim, cell: list[Number]) -> bool:
    one = cell[0]
    return (
        one.table in {f"{claim.source}/{table}" for table in claim.tables}
        and one.ref.name in claim.metrics
        and (not claim.datasets or one.dataset in claim.datasets)
        and (not claim.scales or one.scale in claim.scales)
    )


def _is_subject(claim: Claim, number: Number) -> bool:
    return number.method == claim.method and (claim.variant is None or number.variant == claim.variant)


def _is_rival(claim: Claim, number: Number) -> bool:
    return not claim.among or number.method in claim.among


def _cell_name(number: Number) -> str:
    return f"{number.dataset} {number.at} {number.metric}"
