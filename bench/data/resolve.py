"""From what the user typed to a dataset: a registered name, a folder, or a pair of folders."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from bench.api import Dataset, RequestError, unknown_name
from bench.api.lists import unquoted
from bench.data.as_dataset import open_flat, open_folder, open_lr_only, open_pair
from bench.data.cards import Card, cards
from bench.data.images import listing
from bench.data.locate import data_roots
from bench.data.registered import dataset_of
from bench.data.set_list import folder_of, is_folder, split_sets, two_sides
from bench.registry import DATASETS


def resolve_dataset(name_or_folder: str | Path, *, data_root: Path | None = None) -> Dataset:
    """The dataset that a name or a folder stands for.

    Args:
        name_or_folder: A registered name in any case; a folder of HR images, or one with HR and LR images in one of the
            layouts of `bench.data.layouts`; `FOLDER/*` for the images directly in it; two folders `HR::LR`; or `::LR`
            for LR images without a reference. A name wins over a folder of that name in the current folder: write
            ./NAME for the folder. A folder that is there wins over every other reading of its name; double quotes keep
            a `::` in a path.
        data_root: Where registered sets lie, see `data_roots`.
    Returns:
        The dataset; a registered one is looked for on disk when its samples are asked for. A folder that holds a
        published set, known by its hashes, has that set's name and protocol.
    Raises:
        RequestError: neither a name nor a folder (with the nearest name), a folder without images, or one that can be
            read in two ways.
    """
    text = str(name_or_folder)
    bare = unquoted(text)
    known = dataset_names()
    key = bare if bare in known else {name.lower(): name for name in known}.get(bare.lower())
    if key is not None:
        card = known[key]
        if card is not None:
            return dataset_of(card, cards(), data_roots(data_root))
        return DATASETS.get(key)(data_root)
    path = folder_of(text)
    if bare and is_folder(path):
        return open_folder(path)
    if bare.endswith("/*") and is_folder(folder_of(bare[:-2])):
        return open_flat(folder_of(bare[:-2]))
    sides = two_sides(text)
    if sides is not None:
        return _two_folders(text, *sides)
    if bare and _is_file(path):
        raise RequestError(f"{path} is a file; a dataset is a folder of images or a registered name ('bench datasets')")
    if not bare or re.search(r"[/\\]|^[.~]", bare):
        raise RequestError(f"there is no folder '{bare}'.{_suggest(path, known)} 'bench datasets' lists the names")
    fault = unknown_name("dataset", bare, known, "bench datasets")
    raise RequestError(f"{fault}; a folder of images works too, but there is no folder '{bare}' here")


def split_datasets(text: str) -> tuple[str, ...]:
    """The sets of a list with commas between them; a path with commas that is there is one of them, see `split_sets`.

    Raises:
        RequestError: a list that can be read in two ways.
    """
    return split_sets(text, dataset_names()) if "," in text else ((text,) if text.strip() else ())


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


def _two_folders(text: str, hr: str, lr: str) -> Dataset:
    for side in (*([hr] if hr.strip() else []), lr):
        if not side.strip() or not is_folder(folder_of(side)):
            raise RequestError(
                f"'{text}': expected two folders HR_DIR::LR_DIR (or ::LR_DIR for LR images without a reference), "
                f"there is no folder '{unquoted(side)}'"
            )
    if not hr.strip():
        return open_lr_only(folder_of(lr))
    return open_pair(folder_of(hr), folder_of(lr))


def _is_file(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _suggest(path: Path, known: Mapping[str, Card | None]) -> str:
    near = {name.lower(): name for name in known}.get(path.name.lower())
    if near is not None:
        return f" Did you mean the set '{near}'?"
    parent = path.parent
    if not is_folder(parent):
        return f" Its parent {parent} does not exist either."
    try:
        siblings = [inner.name for inner in listing(parent).folders]
    except RequestError:
        return f" Its parent {parent} cannot be listed."
    close = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.6)
    return f" Did you mean '{parent / close[0]}'?" if close else ""
