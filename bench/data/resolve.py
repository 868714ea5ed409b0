"""From what the user typed to a dataset: a registered name, a folder, or a pair of folders."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from bench.api import Dataset, DatasetKind, RequestError, unknown_name, user_path
from bench.data.cards import Card, cards
from bench.data.folder import FolderDataset
from bench.data.images import has_images
from bench.data.layout import HR_FOLDERS, LR_FOLDERS, hr_folder, lr_folders, lr_only_folder
from bench.data.locate import data_roots
from bench.data.paired import PairedDataset
from bench.data.registered import dataset_of
from bench.registry import DATASETS

_SIDES = {name.lower() for name in (*HR_FOLDERS, *LR_FOLDERS)}


def resolve_dataset(name_or_folder: str | Path, *, data_root: Path | None = None) -> Dataset:
    """The dataset that a name or a folder stands for.

    Args:
        name_or_folder: A registered name in any case; a folder of HR images, or one with HR and LR folders inside; two
            folders `HR::LR`; or `::LR` for LR images without a reference. A name wins over a folder of that name in the
            current folder: write ./NAME for the folder.
        data_root: Where registered sets lie, see `data_roots`.
    Returns:
        The dataset; a registered one is looked for on disk when its samples are asked for.
    Raises:
        RequestError: neither a name nor a folder (with the nearest name), or a folder without images.
    """
    text = str(name_or_folder).strip()
    if "::" in text:
        return _two_folders(text)
    known = dataset_names()
    key = text if text in known else {name.lower(): name for name in known}.get(text.lower())
    if key is not None:
        card = known[key]
        if card is not None:
            return dataset_of(card, cards(), data_roots(data_root))
        return DATASETS.get(key)(data_root)
    path = user_path(text)
    if text and path.is_dir():
        return _folder(path)
    if text and path.exists():
        raise RequestError(f"{path} is a file; a dataset is a folder of images or a registered name ('bench datasets')")
    if not text or re.search(r"[/\\]|^[.~]", text):
        raise RequestError(f"there is no folder '{text}'.{_suggest(path, known)} 'bench datasets' lists the names")
    fault = unknown_name("dataset", text, known, "bench datasets")
    raise RequestError(f"{fault}; a folder of images works too, but there is no folder '{text}' here")


def dataset_names() -> Mapping[str, Card | None]:
    """All registered names, sorted: with their card, or None for those that packages and plugins bring.

    Raises:
        RequestError: a package brings a name that a card has.
    """
    found: dict[str, Card | None] = dict(cards())
    for name in DATASETS.names():
        if name in found:
            raise RequestError(
                f"the dataset name '{name}' of {DATASETS.origin(name)} is that of a built-in card; rename it"
            )
        found[name] = None
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _folder(path: Path) -> Dataset:
    name = _name(path)
    if has_images(path):
        return FolderDataset(name, path)
    hr, lr = hr_folder(path), lr_folders(path)
    if hr is not None and lr:
        return PairedDataset(name, hr, lr)
    if hr is not None:
        return FolderDataset(name, hr)
    only = lr_only_folder(path)
    if only is not None:
        return FolderDataset(name, only, kind=DatasetKind.LR_ONLY)
    raise RequestError(
        f"no image in {path}: expected PNG, JPEG, BMP, TIFF or WebP files directly inside it, "
        "or in subfolders HR and LR (LR/X4 for several scales)"
    )


def _two_folders(text: str) -> Dataset:
    hr_text, _, lr_text = text.partition("::")
    hr, lr = user_path(hr_text.strip()), user_path(lr_text.strip())
    wanted = ([hr] if hr_text.strip() else []) + [lr]
    for path in wanted:
        if not lr_text.strip() or not path.is_dir():
            raise RequestError(
                f"'{text}': expected two folders HR_DIR::LR_DIR (or ::LR_DIR for LR images without a reference), "
                f"there is no folder '{path if lr_text.strip() else ''}'"
            )
    if not hr_text.strip():
        return FolderDataset(_name(lr), lr, kind=DatasetKind.LR_ONLY)
    found = lr_folders(lr)
    if not found:
        raise RequestError(f"no image in {lr}: expected images directly inside it, or in subfolders X2, X3, ...")
    return PairedDataset(_name(hr), hr, found)


def _name(path: Path) -> str:
    """What a folder is called in tables: its own name, or its parent's where it only says which side it is."""
    path = path.resolve()
    own = path.name
    if own.lower() in _SIDES and path.parent.name:
        own = path.parent.name
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", own).strip(" .") or "folder"


def _suggest(path: Path, known: Mapping[str, Card | None]) -> str:
    near = {name.lower(): name for name in known}.get(path.name.lower())
    if near is not None:
        return f" Did you mean the set '{near}'?"
    parent = path.parent
    if not parent.is_dir():
        return f" Its parent {parent} does not exist either."
    siblings = [p.name for p in parent.iterdir() if p.is_dir()]
    close = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.6)
    return f" Did you mean '{parent / close[0]}'?" if close else ""
