"""Sets that bring their own LR images: files paired by name, the scale checked against the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, ImageRef, RequestError, Sample, Scale, counted, format_scale
from bench.data.images import header_size
from bench.data.pair import pair_fits
from bench.data.pairing import FilePair, Pairing, pair_folders, pair_together
from bench.data.places import Place, describe_scales
from bench.data.wording import forms, not_used, of_other_formats


class PairedDataset(Dataset):
    """HR images with LR images of the same names."""

    kind = DatasetKind.PAIRED

    def __init__(
        self,
        name: str,
        places: Sequence[Place],
        *,
        root: Path | None = None,
        default_protocol: str | None = None,
        beside: Sequence[Path] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """Describe the set; the folders are listed by `samples`.

        Args:
            name: As tables show it.
            places: Where the pairs lie, at least one.
            root: The folder that was typed; None for two folders.
            default_protocol: Used where the user names none.
            beside: Images of that folder that are not used.
            notes: Further sentences of `reading`.
        """
        self.name = name
        self.places = tuple(places)
        self.root = root
        self.default_protocol = default_protocol
        self.beside = tuple(beside)
        self.notes = tuple(notes)

    @property
    def hr(self) -> Path:
        """The folder of HR images, of the first scale where there is one per scale."""
        return self.places[0].hr

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The pairs for one scale, sorted by id.

        An id is the name of the HR file; where that tells the scale (`baby_HR_x2`), the image's part of it.

        Raises:
            RequestError: no LR images for this scale or several folders of them, HR or LR images without a partner, or
                sizes of another scale.
        """
        pairs = self._pairing(scale)[1].pairs
        _check_scale(self.name, pairs, scale)
        return [Sample(key, ImageRef(pair.hr), ImageRef(pair.lr)) for key, pair in pairs.items()]

    def reading(self, scale: Scale) -> tuple[str, ...]:
        """Which files were paired, and which were not used.

        Raises:
            RequestError: as `samples`.
        """
        place, pairing = self._pairing(scale)
        hr, lr = (
            forms(side, (pair.forms[number] for pair in pairing.pairs.values()), self.root)
            for number, side in ((0, place.hr), (1, place.lr))
        )
        count = len(pairing.pairs)
        text = f"{self.root or self.name}: read as {counted(count, 'pair')}: {hr} + {lr}"
        unread = of_other_formats(place.hr, place.lr)
        return (text + not_used(sorted({*self.beside, *pairing.unused})), *unread, *self.notes)

    def _pairing(self, scale: Scale) -> tuple[Place, Pairing]:
        place = self._place(scale)
        if place.together:
            return place, pair_together(place.hr, place.layout, scale, name=self.name)
        return place, pair_folders(place.hr, place.lr, scale, name=self.name)

    def _place(self, scale: Scale) -> Place:
        """The one place of this scale; a folder whose name tells no scale counts where its sizes fit."""
        possible = [place for place in self.places if place.scale in (scale, None)]
        if len(possible) > 1:
            possible = [place for place in possible if place.scale == scale or self._fits(place, scale)] or possible
        if len(possible) == 1:
            return possible[0]
        if possible:
            listed = "".join(f"\n  {place.hr}::{place.lr}" for place in possible)
            raise RequestError(
                f"{self.name} has {len(possible)} folders of LR images for x{format_scale(scale)}; give one of:{listed}"
            )
        raise RequestError(
            f"{self.name} has no LR images for x{format_scale(scale)}, only for {describe_scales(self.places)}; "
            f"give {self.hr} alone to have them made by the protocol"
        )

    def _fits(self, place: Place, scale: Scale) -> bool:
        try:
            pairs = pair_folders(place.hr, place.lr, scale, name=self.name).pairs
            _check_scale(self.name, pairs, scale)
        except RequestError:
            return False
        return True


def _check_scale(name: str, pairs: dict[str, FilePair], scale: Scale) -> None:
    """Refuse a set whose sizes all tell another scale; a single odd pair fails by itself when it is read."""
    seen = ""
    for pair in pairs.values():
        large, small = header_size(pair.hr), header_size(pair.lr)
        if large is None or small is None:
            continue
        if pair_fits(large, small, scale):
            return
        ratio = "x".join(dict.fromkeys(f"{a / b:.4g}" for a, b in zip(large, small, strict=True)))
        seen = seen or f"{pair.hr.name} is {large[0]} x {large[1]}, {pair.lr.name} {small[0]} x {small[1]} (x{ratio})"
    if seen:
        raise RequestError(
            f"the LR images of {name} are not of x{format_scale(scale)}: {seen}; ask for their own scale"
        )
