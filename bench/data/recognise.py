"""Registered sets that were given as a folder: known by what the files hold, whatever the folder is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.cards import Card, cards, read_manifest
from bench.data.places import alike
from bench.data.verify import verify_images

_WITH_FOLDER = ("folder", "paired", "lr-only")


@dataclass(frozen=True)
class Recognised:
    """What is known of the images of a folder.

    Attributes:
        card: The published set that they are; None where they are none, or it cannot be told.
        note: That, or why not, as a sentence; empty where nothing points to a published set.
    """

    card: Card | None = None
    note: str = ""


def recognise(images: Mapping[str, Path], folder: Path, *, called: str) -> Recognised:
    """Compare a folder with the published sets whose images have the same names, or whose name it has.

    Args:
        images: id -> file, of the HR side, or of the only one.
        folder: Where they lie.
        called: What the set would be called after its folder.
    Returns:
        The set where every image holds its pixels. Files are opened only where all names are those of a set.
    """
    for card in cards().values():
        if card.loader not in _WITH_FOLDER:
            continue
        named = any(alike(name) == alike(called) for name in (card.name, *card.aliases))
        own = f"{folder} is run as a set of its own"
        if card.manifest is None:
            if named:
                return Recognised(
                    None,
                    f"{own}: no checksums of {card.name} are known, so its files do not tell; "
                    f"the name {card.name} with --data-root {folder.parent} runs it as that set",
                )
            continue
        published = {Path(file).stem for file in read_manifest(card.manifest, "pixels")}
        if published == set(images):
            compared = verify_images(card, folder, images)
            if compared.ok:
                protocol = card.default_protocol or "sample"
                return Recognised(
                    card, f"{folder}: the images of {card.name}, by their hashes; its protocol is {protocol}"
                )
            return Recognised(None, f"{own}, not as {card.name}: {compared.fault}")
        if named or (images and set(images) < published and 2 * len(images) >= len(published)):
            common = len(published & set(images))
            return Recognised(
                None, f"{own}, not as {card.name}: {common} of the {len(published)} names of that set are there"
            )
    return Recognised()
