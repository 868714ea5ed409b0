"""Registered sets that were given as a folder: known by what the files hold, whatever the folder is called."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.cards import Card, Loader, cards, read_manifest
from bench.data.tree import alike
from bench.data.verify import verify_images


@dataclass(frozen=True)
class Recognised:
    """What is known of the images of a folder.

    Attributes:
        card: The published set that they are; None where they are none, or it cannot be told.
        note: That, or why not, as a sentence; empty where nothing points to a published set.
    """

    card: Card | None = None
    note: str = ""


def recognise(images: Mapping[str, Path], folder: Path, *, called: str, kinds: Collection[Loader]) -> Recognised:
    """Compare a folder with the published sets whose images have the same names, or whose name it has.

    Args:
        images: id -> file, of the HR side, or of the only one.
        folder: Where they lie.
        called: What the set would be called after its folder.
        kinds: Loaders of the sets that it may be.
    Returns:
        The set whose every image holds its pixels, else why it is not the one that it looks like. Files are opened only
        where all names are those of a set.
    """
    notes = []
    for card in cards().values():
        if card.loader not in kinds:
            continue
        published = _published(card)
        if published and published == set(images):
            compared = verify_images(card, folder, images)
            if compared.ok:
                known = f"the images of {card.name} by their hashes, so called {card.name}"
                return Recognised(card, f"{folder}: {known}; its protocol is {card.default_protocol or 'sample'}")
            notes.append(f"not {card.name}: {compared.fault}")
        elif any(alike(name) == alike(called) for name in (card.name, *card.aliases)):
            notes.append(_only_the_name(card, published, images))
        elif images and set(images) < published and 2 * len(images) >= len(published):
            notes.append(f"not {card.name}: {len(images)} of its {len(published)} images")
    if not notes:
        return Recognised()
    return Recognised(None, f"{folder} is a set of its own ({notes[0]}); its protocol is sample")


def _published(card: Card) -> set[str]:
    """Ids of a published set; empty where they are not known."""
    return set() if card.manifest is None else {Path(file).stem for file in read_manifest(card.manifest, "pixels")}


def _only_the_name(card: Card, published: set[str], images: Mapping[str, Path]) -> str:
    if not published:
        return f"no checksums of {card.name} are known to tell; --datasets {card.name} --data-root runs it as that set"
    return f"not {card.name}: {len(published & set(images))} of the {len(published)} names of its images are there"
