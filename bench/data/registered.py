"""A card as a dataset: its folder is looked for when samples are asked for, so a missing set can still be listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, RequestError, Sample, Scale, Unavailable
from bench.data.cards import Card
from bench.data.embedded import SampleDataset
from bench.data.folder import FolderDataset
from bench.data.images import listing
from bench.data.layouts import LAYOUTS
from bench.data.locate import find_set
from bench.data.paired import PairedDataset
from bench.data.places import joined, lr_places, read_folder
from bench.data.tree import child
from bench.data.union import UnionDataset

_KINDS = {"folder": DatasetKind.HR_ONLY, "paired": DatasetKind.PAIRED, "lr-only": DatasetKind.LR_ONLY}


class CardDataset(Dataset):
    """A public set that lies, or does not lie, below one of the data roots."""

    def __init__(self, card: Card, roots: Sequence[Path]) -> None:
        """Args: card: of a loader with a folder of its own; roots: see `data_roots`."""
        self.card = card
        self.roots = tuple(roots)
        self.name = card.name
        self.kind = _KINDS[card.loader]
        self.default_protocol = card.default_protocol

    def open(self) -> Dataset:
        """The set's folder as a dataset.

        Raises:
            Unavailable: it is not here, or holds no images where they are expected.
        """
        names = (self.card.name, *self.card.aliases)
        folder = find_set(names, self.roots)
        if folder is None:
            here = next((name for name in names if Path(name).is_dir()), None)
            other = "" if here is None else f". The folder {here} in the current folder is read as ./{here}"
            raise Unavailable(
                f"{self.name} is not on this machine: {self._looked(names)}. {how_to_get(self.card)}{other}"
            )
        if self.kind is DatasetKind.PAIRED:
            return self._paired(folder)
        images, beside = self._images(folder)
        return FolderDataset(
            self.name, images, kind=self.kind, root=folder, default_protocol=self.default_protocol, beside=beside
        )

    def _images(self, folder: Path) -> tuple[Path, tuple[Path, ...]]:
        """Where the HR images (or the LR images of an LR-only set) lie, and images beside them."""
        own = (inner for name in self.card.hr if (inner := child(folder, name)) is not None)
        known = next((inner for inner in own if listing(inner).images), None)
        if known is not None:
            return known, listing(folder).images
        if self.kind is DatasetKind.LR_ONLY:
            lr = [path for scale, path in lr_places(folder) if scale is None]
            if len(lr) == 1:
                return lr[0], ()
        else:
            reading = read_folder(folder)
            if reading is not None and reading.alone is not None:
                return reading.alone, reading.beside
        inside = ", ".join(path.name for path in listing(folder).folders) or "none"
        raise Unavailable(
            f"{folder} holds no images of {self.name}, neither directly nor in HR, GTmod12 or original "
            f"(subfolders: {inside}). {how_to_get(self.card)}"
        )

    def _paired(self, folder: Path) -> Dataset:
        own = [(None, inner) for name in self.card.hr if (inner := child(folder, name)) is not None]
        if own:
            places, beside = joined(own, lr_places(folder, self.card.lr), LAYOUTS[-1]), listing(folder).images
        else:
            reading = read_folder(folder)
            places, beside = (reading.places, reading.beside) if reading is not None else ((), ())
        if not places:
            raise Unavailable(f"{folder} holds no pairs of HR and LR images. {how_to_get(self.card)}")
        return PairedDataset(self.name, places, root=folder, default_protocol=self.default_protocol, beside=beside)

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The samples for one scale, sorted by id.

        Raises:
            Unavailable: the set is not here, or not all of it: a mean over a part must not carry the set's name.
            RequestError: of the folder.
        """
        opened = self.open()
        samples = opened.samples(scale)
        if self.card.count is not None and len(samples) != self.card.count:
            where = opened.folder if isinstance(opened, FolderDataset) else getattr(opened, "hr", "")
            raise Unavailable(
                f"{self.name} has {self.card.count} images, but {where} holds {len(samples)}; "
                f"'bench data verify {self.name}' says which. To run what is there, give the folder instead of the name"
            )
        return samples

    def reading(self, scale: Scale) -> tuple[str, ...]:
        """What is beside the images of the set and not used.

        Raises:
            Unavailable: the set is not here.
            RequestError: of the folder.
        """
        opened = self.open()
        beside = opened.beside if isinstance(opened, FolderDataset | PairedDataset) else ()
        return opened.reading(scale) if beside else ()

    def _looked(self, names: Sequence[str]) -> str:
        also = f" (or {', '.join(names[1:])})" if len(names) > 1 else ""
        return f"looked for a folder {names[0]}{also} in {', '.join(map(str, self.roots))}"


def dataset_of(card: Card, all_cards: Mapping[str, Card], roots: Sequence[Path]) -> Dataset:
    """The dataset of a card.

    Raises:
        RequestError: a union names a part that has no card.
    """
    if card.loader == "embedded":
        return SampleDataset()
    if card.loader != "union":
        return CardDataset(card, roots)
    unknown = [part for part in card.parts if part not in all_cards]
    if unknown:
        raise RequestError(f"the dataset card {card.name} pools {', '.join(unknown)}, which has no card")
    parts = [dataset_of(all_cards[part], all_cards, roots) for part in card.parts]
    return UnionDataset(card.name, parts, default_protocol=card.default_protocol)


def how_to_get(card: Card) -> str:
    """What to type, or where to ask, to have a set."""
    place = f"put it into a folder {card.name} below --data-root or ASSR_BENCH_DATA"
    if card.downloads:
        return f"'bench data fetch {card.name}' downloads it; or {place}"
    return f"{card.obtain} Then {place}"
