"""Training that a table does not tell of: test images that a method has seen, metrics that its loss minimised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath

from bench.analysis.audit.evidence import Evidence, Number, Trained, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.data.cards import Card, cards, read_manifest
from bench.engine.origin import short

_SPLITS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid"}
_SPLITS |= {"test": "test", "testing": "test"}
_SHARE = 0.5
"""Image names of a set that must be those of a training set before the names say something: "1", "2" are common."""
_NAMED = 3


@check(
    "contamination",
    "images, or sets of images, that a method was trained on",
    "A network reproduces what it has seen better than what it has not; such a row says nothing of new images.",
)
def contamination(evidence: Evidence) -> Told:
    """Training sets of every method against the names of the test sets, and their images by name and by hash."""
    for trained in evidence.trained:
        if not trained.train_sets:
            continue
        rows = [n for n in evidence.numbers if _is_of(trained, n)]
        for dataset, numbers in grouped(rows, lambda n: n.dataset).items():
            where = place(*dict.fromkeys(n.table for n in numbers), dataset)
            label = numbers[0].method if numbers[0].table else numbers[0].label
            for train_set in trained.train_sets:
                told = _by_name(train_set, dataset)
                told = told or _by_images(train_set, _images(evidence, dataset))
                if told is not None:
                    severity, message, lines = told
                    yield severity, where, f"{label} was trained on {train_set}: {message}", (*lines, trained.said)


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


def _by_name(train_set: str, dataset: str) -> tuple[Severity, str, tuple[str, ...]] | None:
    """What the names of a training set and of a test set, or of its parts, have in common."""
    card = _card(dataset)
    for name in (dataset, *(() if card is None else (card.name, *card.parts))):
        (base, split), (other, other_split) = _base(train_set), _base(name)
        if base != other:
            continue
        if split == other_split:
            return Severity.ERROR, f"that is {'this set' if name == dataset else f'{name}, a part of it'}", ()
        if not split or not other_split:
            return Severity.WARNING, f"nobody says which part of {train_set.partition(',')[0]}", ()
    return None


def _by_images(train_set: str, images: Mapping[str, str]) -> tuple[Severity, str, tuple[str, ...]] | None:
    """Images of a test set that a training set's manifest lists, by content, else by name."""
    card = _card(train_set)
    if card is None or card.manifest is None or not images:
        return None
    files = {PurePath(file).stem: short(digest) for file, digest in read_manifest(card.manifest, "files").items()}
    known = set(files.values())
    same = [image for image, source in images.items() if source.partition("+")[0] in known]
    if same:
        message = f"{len(same)} of {len(images)} images are images of it, byte for byte"
        return Severity.ERROR, message, (", ".join(same[:6]),)
    named = [image for image in images if PurePath(image).stem in files]
    if len(named) >= _NAMED and len(named) >= _SHARE * len(images):
        return Severity.WARNING, f"{len(named)} of {len(images)} images have names of it", (", ".join(named[:6]),)
    return None


def _card(name: str) -> Card | None:
    known = [card for card in cards().values() if name in (card.name, *card.aliases)]
    return known[0] if known else None


def _base(name: str) -> tuple[str, str]:
    """("div2k", "valid") of "DIV2K-valid"; what stands behind a comma is about its images and no name."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.partition(",")[0].lower()) if word]
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    kept = [word for word in words if word not in _SPLITS and word not in ("hr", "lr")]
    return "".join(kept), splits[0] if splits else ""
