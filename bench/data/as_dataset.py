"""A folder, or two, as a dataset: read by the layouts, and called after the published set where it is one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from bench.api import Dataset, DatasetKind, RequestError, Scale
from bench.data.cards import Card, Loader
from bench.data.folder import FolderDataset
from bench.data.images import image_files, list_images
from bench.data.layouts import FLAT, LAYOUTS
from bench.data.paired import PairedDataset
from bench.data.places import Reading, hr_places, joined, lr_places, read_folder, read_together
from bench.data.recognise import recognise
from bench.data.templates import match

_UNSAFE = dict.fromkeys('\\:*?"<>|', "_")


@dataclass(frozen=True)
class _Known:
    """What a folder is called, and the sentences on that."""

    name: str
    protocol: str | None = None
    notes: tuple[str, ...] = ()
    card: Card | None = None


def open_folder(path: Path) -> Dataset:
    """The set in one folder.

    Raises:
        RequestError: no image in it, or images that can be read in two ways.
    """
    reading = read_folder(path)
    if reading is None:
        return _without_hr(path)
    return open_reading(path, reading)


def open_flat(path: Path) -> Dataset:
    """The images directly in a folder, whatever their names and the folders beside them say.

    Raises:
        RequestError: there are none.
    """
    return open_reading(path, Reading(FLAT, (), path, len(image_files(path))))


def open_reading(path: Path, reading: Reading) -> Dataset:
    """A folder as it was read."""
    if reading.places:
        return _open_pairs(path, reading)
    folder = reading.alone or path
    known = _recognised(path, folder, ("folder", "lr-only") if folder == path else ("folder",))
    lr_only = known.card is not None and known.card.loader == "lr-only"
    return FolderDataset(
        known.name,
        folder,
        kind=DatasetKind.LR_ONLY if lr_only else DatasetKind.HR_ONLY,
        root=path,
        default_protocol=known.protocol,
        beside=reading.beside,
        notes=known.notes,
    )


def _open_pairs(path: Path, reading: Reading) -> Dataset:
    known = _Known(set_name(path))
    if not reading.places[0].together:
        known = _recognised(path, reading.places[0].hr, ("folder", "paired"))
    return PairedDataset(
        known.name,
        reading.places,
        root=path,
        default_protocol=known.protocol,
        beside=reading.beside,
        notes=known.notes,
    )


def open_pair(hr: Path, lr: Path) -> Dataset:
    """The pairs of two folders; of one that is given twice, by the names of its files.

    Raises:
        RequestError: no images, or one folder that does not hold both.
    """
    if hr.resolve() == lr.resolve():
        reading = read_together(hr)
        if reading is None:
            raise RequestError(
                f"{hr} is given for HR and for LR, but its names do not tell which is which: expected names such as "
                "001_HR.png and 001_LR4.png"
            )
        return _open_pairs(hr, reading)
    places = joined(_some(hr, hr_places(hr), "X2, X3, ..."), _some(lr, lr_places(lr), "X2, X3, ..."), LAYOUTS[-1])
    if not places:
        raise RequestError(f"the folders in {hr} and in {lr} are of different scales; give two that belong together")
    known = _recognised(hr, places[0].hr, ("folder", "paired"))
    return PairedDataset(known.name, places, default_protocol=known.protocol, notes=known.notes)


def open_lr_only(lr: Path) -> Dataset:
    """The LR images of a folder, without references.

    Raises:
        RequestError: no images directly inside it.
    """
    known = _recognised(lr, lr, ("lr-only",))
    return FolderDataset(known.name, lr, kind=DatasetKind.LR_ONLY, default_protocol=known.protocol, notes=known.notes)


def set_name(path: Path) -> str:
    """What a folder is called in tables: its own name, or its parent's where it only says which side it is."""
    path = path.resolve()
    name = path.parent.name if _is_side(path.name) and path.parent.name else path.name
    composed = normalize("NFC", name) or "set"
    return "".join("_" if not sign.isprintable() else _UNSAFE.get(sign, sign) for sign in composed)


def _recognised(typed: Path, folder: Path, kinds: Collection[Loader]) -> _Known:
    called = set_name(typed)
    found = recognise(list_images(folder), folder, called=called, kinds=kinds)
    notes = (found.note,) if found.note else ()
    if found.card is None:
        return _Known(called, notes=notes)
    return _Known(found.card.name, found.card.default_protocol, notes, found.card)


def _without_hr(path: Path) -> Dataset:
    places = lr_places(path)
    if len(places) == 1 and places[0][0] is None:
        return FolderDataset(set_name(path), places[0][1], kind=DatasetKind.LR_ONLY, root=path)
    if places:
        listed = "".join(f"\n  ::{folder}" for _, folder in places)
        raise RequestError(
            f"{path} holds folders of LR images by scale, and no HR images; give one of them as LR images without "
            f"references:{listed}"
        )
    raise RequestError(
        f"no image in {path}: expected PNG, JPEG, BMP, TIFF or WebP files directly inside it, "
        "or in subfolders HR and LR (LR/X4 for several scales)"
    )


def _some(folder: Path, places: list[tuple[Scale | None, Path]], expected: str) -> list[tuple[Scale | None, Path]]:
    if not places:
        raise RequestError(f"no image in {folder}: expected images directly inside it, or in subfolders {expected}")
    return places


def _is_side(name: str) -> bool:
    """A folder's name says which images of a set it holds, and not of which set."""
    patterns = (pattern for layout in LAYOUTS for pattern in (*layout.hr, *layout.lr))
    plain = (
        p for p in patterns if "/" not in p and not any(field in p for field in ("{set}", "{scale}", "{track}", "."))
    )
    return any(match(pattern, name) is not None for pattern in plain)
