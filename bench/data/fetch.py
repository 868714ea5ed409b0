"""Fetching a public set: download with resume and checksum, unpack, compare with the card, move into place at once."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.api import RequestError, Unavailable, counted, unknown_name
from bench.data.cards import Card, Download, cards
from bench.data.images import list_images
from bench.data.locate import data_roots, find_set
from bench.data.registered import dataset_of
from bench.data.unpack import is_archive, unpack_images
from bench.data.verify import Verified, verify_images
from bench.download import Progress, WrongBytes, download, workshop


@dataclass(frozen=True)
class Fetched:
    """What became of one set.

    Attributes:
        name: The set.
        folder: Where it lies; None for a set that lies inside a package.
        already: It was here before.
        verified: The comparison with its card, made before it was moved into place.
    """

    name: str
    folder: Path | None
    already: bool
    verified: Verified | None = None


def fetch(name: str, *, data_root: Path | None = None, progress: Progress | None = None) -> list[Fetched]:
    """Make a set available below the first data root.

    Args:
        name: A card's name, in any case; a union fetches its parts.
        data_root: See `data_roots`; the first one is written to, all are searched.
        progress: Called after every block of a download.
    Returns:
        One entry per set; a set that is here already is left as it is.
    Raises:
        RequestError: no such card, a folder that cannot be written, a half set in the way, or another fetch at work.
        Unavailable: no address is known, the download failed, or what came is not the published set; the data root is
            then as before, but for a partial download that the next call continues.
    """
    known = cards()
    key = {card.lower(): card for card in known}.get(name.lower())
    if key is None:
        raise unknown_name("dataset", name, known, "bench datasets")
    card = known[key]
    if card.loader == "union":
        return [found for part in card.parts for found in fetch(part, data_root=data_root, progress=progress)]
    if card.loader == "embedded":
        return [Fetched(card.name, None, already=True)]
    return [fetch_card(card, data_roots(data_root), progress=progress)]


def fetch_card(card: Card, roots: list[Path], *, progress: Progress | None = None) -> Fetched:
    """Fetch the set of one card; see `fetch`."""
    here = find_set((card.name, *card.aliases), roots)
    if here is not None:
        try:
            dataset_of(card, {}, roots).samples(card.scales[0] if card.scales else 1)
        except (Unavailable, RequestError) as fault:
            raise RequestError(f"{fault}\nTo fetch {card.name} anew, first move {here} away") from fault
        return Fetched(card.name, here, already=True)
    if not card.downloads:
        raise Unavailable(
            f"no address to download {card.name} from is known. {card.obtain} "
            f"Then put it into a folder {card.name} below {roots[0]}"
        )
    try:
        with workshop(roots[0], card.name) as folder:
            return _fetch_into(card, roots, folder, progress)
    except OSError as fault:
        raise RequestError(
            f"cannot write below {roots[0]}: {fault.strerror or fault}; give another --data-root"
        ) from fault


def _fetch_into(card: Card, roots: list[Path], folder: Path, progress: Progress | None) -> Fetched:
    staging = Path(tempfile.mkdtemp(prefix=f"{card.name}-", dir=folder))
    try:
        archives = [_bring(file, folder, staging, progress) for file in card.downloads]
        found = verify_images(card, staging, list_images(staging))
        if not found.ok:
            raise Unavailable(f"what was downloaded is not {card.name}: {describe_fault(found)}. It was not kept")
        staging.chmod(0o755)  # mkdtemp makes it private
        target = roots[0] / card.name
        staging.replace(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    for archive, file in zip(archives, card.downloads, strict=True):
        if archive is not None and not _needed_elsewhere(file, card, roots):
            archive.unlink(missing_ok=True)
    return Fetched(card.name, target, already=False, verified=found)


def _bring(file: Download, folder: Path, staging: Path, progress: Progress | None) -> Path | None:
    """Download one file; an archive is unpacked into `staging` and its path returned, an image lands there itself."""
    packed = is_archive(file.name)
    path = (folder if packed else staging) / file.name
    try:
        download(file.url, path, sha256=file.sha256 or "", part=folder / f"{file.name}.part", progress=progress)
    except WrongBytes as fault:
        raise Unavailable(
            f"{file.url} is not the file that the card describes: expected sha256 {file.sha256}. "
            "It was not kept; the file may have changed at its source, or the download was damaged: try once more"
        ) from fault
    if not packed:
        return None
    try:
        unpack_images(path, staging, member=file.member)
    except Unavailable:
        path.unlink(missing_ok=True)
        raise
    return path


def _needed_elsewhere(file: Download, card: Card, roots: list[Path]) -> bool:
    """Another set that is not here yet comes in the same archive."""
    others = (other for other in cards().values() if other.name != card.name)
    return any(
        file.url in {other_file.url for other_file in other.downloads}
        and find_set((other.name, *other.aliases), roots) is None
        for other in others
    )


def describe_fault(found: Verified) -> str:
    """Why a set is not the published one, in one line."""
    parts = []
    if found.expected not in (None, found.count):
        parts.append(f"{counted(found.count, 'image')}, expected {found.expected}")
    for title, names in (
        ("other pixels", found.different),
        ("missing", found.missing),
        ("unexpected", found.unexpected),
        ("unreadable", found.unreadable),
    ):
        if names:
            parts.append(f"{title}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}")
    return "; ".join(parts)
