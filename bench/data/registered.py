"""A card as a dataset: its folder is looked for when samples are asked for, so a missing set can still be listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, RequestError, Sample, Scale, Unavailable
from bench.data.cards import Card
from bench.data.embedded import SampleDataset
from bench.data.folder import FolderDataset
from bench.data.layout import hr_folder, lr_folders, lr_only_folder, subfolders
from bench.data.locate import find_set
from bench.data.paired import PairedDataset
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
            raise Unavailable(f"{self.name} is not on this machine: {self._looked(names)}. {how_to_get(self.card)}")
        options = {"default_protocol": self.default_protocol}
        images = (
            lr_only_folder(folder, self.card.hr)
            if self.kind is DatasetKind.LR_ONLY
            else hr_folder(folder, self.card.hr)
        )
        if images is None:
            inside = ", ".join(p.name for p in subfolders(folder)) or "none"
            raise Unavailable(
                f"{folder} holds no images of {self.name}, neither directly nor in HR, GTmod12 or original "
                f"(subfolders: {inside}). {how_to_get(self.card)}"
            )
        if self.kind is not DatasetKind.PAIRED:
            return FolderDataset(self.name, images, kind=self.kind, **options)
        found = lr_folders(folder, self.card.lr) if images != folder else {}
        if not found:
            raise Unavailable(f"{folder} has HR images but no LR folder beside them. {how_to_get(self.card)}")
        return PairedDataset(self.name, images, found, **options)

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
