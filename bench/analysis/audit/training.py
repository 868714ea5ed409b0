"""Training that a table does not tell of: test images that a method has seen, metrics that its loss minimised."""

from __future__ import annotations

from bench.analysis.audit.evidence import Evidence, Number, Trained, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.analysis.contamination import Seen, exposure

_SEVERITY = {Seen.YES: Severity.ERROR, Seen.MAYBE: Severity.WARNING}
_SHOWN = 6
"""Images that are named as evidence."""


@check(
    "contamination",
    "images, or sets of images, that a method was trained on",
    "A network reproduces what it has seen better than what it has not; such a row says nothing of new images.",
)
def contamination(evidence: Evidence) -> Told:
    """Training sets of every method against the names of the test sets, and their images by name and by hash."""
    for trained in evidence.trained:
        rows = [n for n in evidence.numbers if _is_of(trained, n)]
        for dataset, numbers in grouped(rows, lambda n: n.dataset).items():
            where = place(*dict.fromkeys(n.table for n in numbers), dataset)
            label = numbers[0].method if numbers[0].table else numbers[0].label
            for overlap in exposure(trained.train_sets, dataset, _images(evidence, dataset)).overlaps:
                images = (", ".join(overlap.images[:_SHOWN]),) if overlap.images else ()
                yield _SEVERITY[overlap.seen], where, f"{label} was {overlap.sentence}", (*images, trained.said)


@check(
    "minimised",
    "metrics that were part of a row's training loss",
    "Minimising a metric improves its value more than what it stands for; such a cell flatters its row.",
)
def minimised(evidence: Evidence) -> Told:
    """Values of metrics that the row's loss held."""
    for trained in evidence.trained:
        own = [n for n in evidence.present if _is_of(trained, n) and n.ref.name in trained.minimised]
        for metric, numbers in grouped(own, lambda n: n.ref.name).items():
            where = place(*dict.fromkeys(n.table for n in numbers), *dict.fromkeys(n.dataset for n in numbers), metric)
            label = numbers[0].method if numbers[0].table else numbers[0].label
            yield Severity.NOTE, where, f"{label} was trained to minimise {metric}", (trained.said,)


def _is_of(trained: Trained, number: Number) -> bool:
    return number.method == trained.method and trained.variant in (None, number.variant)


def _images(evidence: Evidence, dataset: str) -> dict[str, str]:
    return {image: source for own in evidence.sets if own.dataset == dataset for image, source in own.images.items()}
