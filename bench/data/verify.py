"""Whether a set on disk is the published one: counted, and compared by file or by decoded pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.api import Unavailable, UnitError, counted, unknown_name
from bench.data.cards import Card, cards, read_manifest
from bench.data.embedded import SAMPLE_FILES, sample_folder
from bench.data.folder import FolderDataset
from bench.data.images import list_images
from bench.data.locate import data_roots
from bench.data.paired import PairedDataset
from bench.data.registered import CardDataset
from bench.imaging.errors import ImageError
from bench.imaging.hashing import file_sha256
from bench.imaging.io import read_image


@dataclass(frozen=True)
class Verified:
    """What was found of one set.

    Attributes:
        name: The set.
        folder: Where its images lie.
        count: Images there.
        expected: Images of the published set; None where that is not certain.
        checked: There is a manifest to compare with; else images were only counted.
        same: Files equal byte for byte.
        recoded: Other bytes, the same pixels (another PNG encoder, say): just as good.
        different: Other pixels.
        missing: In the manifest, not here.
        unexpected: Here, not in the manifest.
        unreadable: With the reason.
    """

    name: str
    folder: Path
    count: int
    expected: int | None
    checked: bool
    same: tuple[str, ...] = ()
    recoded: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """The set can be used under its name."""
        wrong = self.different or self.missing or self.unexpected or self.unreadable
        return not wrong and self.expected in (None, self.count)

    @property
    def fault(self) -> str:
        """Why it is not the published set, in one line; empty where it is."""
        parts = []
        if self.expected not in (None, self.count):
            parts.append(f"{counted(self.count, 'image')}, expected {self.expected}")
        for title, names in (
            ("other pixels", self.different),
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("unreadable", self.unreadable),
        ):
            if names:
                parts.append(f"{title}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}")
        return "; ".join(parts)


def verify(name: str, *, data_root: Path | None = None) -> list[Verified]:
    """Compare a set with its card; a union part by part.

    Raises:
        RequestError: no card of this name.
        Unavailable: the set is not here.
    """
    known = cards()
    key = {card.lower(): card for card in known}.get(name.lower())
    if key is None:
        raise unknown_name("dataset", name, known, "bench datasets")
    card = known[key]
    if card.loader == "union":
        return [found for part in card.parts for found in verify(part, data_root=data_root)]
    if card.loader == "embedded":
        folder = sample_folder()
        images = {Path(file).stem: folder / file for file in SAMPLE_FILES if (folder / file).is_file()}
        return [verify_images(card, folder, images)]
    opened = CardDataset(card, data_roots(data_root)).open()
    if isinstance(opened, PairedDataset):
        return [verify_images(card, opened.hr, list_images(opened.hr))]
    if not isinstance(opened, FolderDataset):
        raise Unavailable(f"{card.name} has no folder of images to verify")
    return [verify_images(card, opened.folder, list_images(opened.folder))]


def verify_images(card: Card, folder: Path, images: Mapping[str, Path]) -> Verified:
    """Compare images with the card's manifest, if it has one.

    Args:
        card: The set.
        folder: For the report.
        images: id -> file. An image is looked up by id, so that another file type of the same pixels is accepted.
    """
    if card.manifest is None:
        return Verified(card.name, folder, len(images), card.count, checked=False)
    files = {Path(file).stem: digest for file, digest in read_manifest(card.manifest, "files").items()}
    pixels = {Path(file).stem: digest for file, digest in read_manifest(card.manifest, "pixels").items()}
    groups: dict[str, list[str]] = {"same": [], "recoded": [], "different": [], "unexpected": [], "unreadable": []}
    for key, path in images.items():
        try:
            groups[_compare(key, path, files, pixels)].append(path.name)
        except UnitError as fault:
            groups["unreadable"].append(f"{path.name}: {fault}")
    missing = tuple(sorted(key for key in pixels if key not in images))
    found = {group: tuple(names) for group, names in groups.items()}
    return Verified(card.name, folder, len(images), card.count, checked=True, missing=missing, **found)


def pixels_sha256(path: Path) -> str:
    """SHA-256 of an image's decoded 8-bit RGB pixels (gray replicated), preceded by their shape as "(H, W, 3)".

    Raises:
        UnitError: the image is unreadable.
    """
    try:
        pixels = read_image(path).pixels
    except ImageError as fault:
        raise UnitError(str(fault)) from fault
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    digest = hashlib.sha256(str(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


def _compare(key: str, path: Path, files: Mapping[str, str], pixels: Mapping[str, str]) -> str:
    if key not in pixels:
        return "unexpected"
    try:
        if file_sha256(path) == files.get(key):
            return "same"
    except OSError as fault:
        raise UnitError(f"cannot be read: {fault.strerror or fault}") from fault
    return "recoded" if pixels_sha256(path) == pixels[key] else "different"
