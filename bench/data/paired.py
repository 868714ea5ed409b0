"""Sets that bring their own LR images: two folders, matched by name, the scale checked against the sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, ImageRef, RequestError, Sample, Scale, format_scale
from bench.data.images import header_size, list_images
from bench.data.pair import pair_fits

_HR_MARK = re.compile(r"[-_](?:HR|GT|x1)$", re.IGNORECASE)


class PairedDataset(Dataset):
    """HR and LR images of the same names."""

    kind = DatasetKind.PAIRED

    def __init__(
        self, name: str, hr: Path, lr: Mapping[Scale | None, Path], *, default_protocol: str | None = None
    ) -> None:
        """Describe the set; the folders are listed by `samples`.

        Args:
            name: As tables show it.
            hr: The folder of HR images.
            lr: The folders of LR images by scale; None for a folder whose name does not tell its scale.
            default_protocol: Used where the user names none.
        """
        self.name = name
        self.hr = hr
        self.lr = dict(lr)
        self.default_protocol = default_protocol

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The pairs for one scale, sorted by id (the name of the HR file).

        An LR file matches by the same name, or with a mark for the scale behind it (babyx4, baby_x4, img_LR4, img_LR).

        Raises:
            RequestError: no LR images for this scale, HR or LR images without a partner, or sizes of another scale.
        """
        folder = self._lr_folder(scale)
        hr, lr = list_images(self.hr), list_images(folder)
        partners = _match(hr, lr, scale, f"{self.name}: HR in {self.hr}, LR in {folder}")
        _check_scale(self.name, hr, lr, partners, scale)
        return [Sample(key, ImageRef(path), ImageRef(lr[partners[key]])) for key, path in hr.items()]

    def _lr_folder(self, scale: Scale) -> Path:
        if scale in self.lr:
            return self.lr[scale]
        if None in self.lr:
            return self.lr[None]
        have = ", ".join(f"x{format_scale(s)}" for s in sorted(s for s in self.lr if s is not None))
        raise RequestError(
            f"{self.name} has no LR images for x{format_scale(scale)}, only for {have or 'no scale'}; "
            f"give {self.hr} alone to have them made by the protocol"
        )


def _match(hr: Mapping[str, Path], lr: Mapping[str, Path], scale: Scale, where: str) -> dict[str, str]:
    """HR id -> LR id."""
    bases: dict[str, list[str]] = {}
    for key in hr:
        bases.setdefault(_HR_MARK.sub("", key), []).append(key)
    mark = re.compile(rf"(?:[-_]?x{re.escape(format_scale(scale))}|[-_]LR(?:{re.escape(format_scale(scale))})?)$", re.I)
    partners: dict[str, str] = {}
    strangers: list[str] = []
    for key in lr:
        owner = _owner(key, mark.sub("", key), hr, bases)
        if owner is None:
            strangers.append(lr[key].name)
        elif owner in partners:
            raise RequestError(
                f"{where}: both {lr[partners[owner]].name} and {lr[key].name} belong to {hr[owner].name}"
            )
        else:
            partners[owner] = key
    alone = [hr[key].name for key in hr if key not in partners]
    if alone or strangers:
        parts = [f"{len(alone)} HR without LR ({_some(alone)})"] if alone else []
        parts += [f"{len(strangers)} LR without HR ({_some(strangers)})"] if strangers else []
        raise RequestError(
            f"{where}: {' and '.join(parts)}; pairs are matched by file name, an LR name may end in "
            f"x{format_scale(scale)}, _LR{format_scale(scale)} or _LR"
        )
    return partners


def _owner(key: str, base: str, hr: Mapping[str, Path], bases: Mapping[str, Sequence[str]]) -> str | None:
    for candidate in (key, base):
        if candidate in hr:
            return candidate
    owners = bases.get(base, ())
    return owners[0] if len(owners) == 1 else None


def _check_scale(
    name: str, hr: Mapping[str, Path], lr: Mapping[str, Path], partners: Mapping[str, str], scale: Scale
) -> None:
    """Refuse a set whose sizes all tell another scale; a single odd pair fails by itself when it is read."""
    seen = ""
    for key, partner in partners.items():
        large, small = header_size(hr[key]), header_size(lr[partner])
        if large is None or small is None:
            continue
        if pair_fits(large, small, scale):
            return
        ratio = "x".join(dict.fromkeys(f"{a / b:.4g}" for a, b in zip(large, small, strict=True)))
        seen = (
            seen or f"{hr[key].name} is {large[0]} x {large[1]}, {lr[partner].name} {small[0]} x {small[1]} (x{ratio})"
        )
    if seen:
        raise RequestError(
            f"the LR images of {name} are not of x{format_scale(scale)}: {seen}; ask for their own scale"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
