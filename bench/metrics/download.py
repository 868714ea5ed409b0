"""Fetching a metric's parameters, where the user allowed it: whole and verified, or not at all.

Transfer by pooch; the file appears under its name only after its sha256 was compared with the digits published with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock

from bench.api import Unavailable
from bench.imaging import atomic_write
from bench.metrics.weights import (
    DOWNLOAD_ENV,
    WeightsFile,
    downloads_allowed,
    downloads_forbidden,
    find_weights,
    hub_folder,
    missing,
)


def obtain(file: WeightsFile, weights_root: Path | None) -> Path:
    """The path of a parameter file, fetched first if it is not there and `ASSR_BENCH_DOWNLOAD=1`.

    Args:
        file: What is needed.
        weights_root: As for `find_weights`.
    Raises:
        Unavailable: it is not there and may not, or cannot, be fetched; says the file, the folder and the address.
    """
    found = find_weights(file.relative, weights_root)
    if found is not None:
        return found
    if not downloads_allowed() or not file.url:
        raise Unavailable(missing(file.relative, weights_root, file.url))
    target = hub_folder(weights_root) / file.relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # several scoring processes may want it at once
            if not target.is_file():
                fetch(file, target)
    except OSError as fault:  # requests' errors are OSErrors too
        raise Unavailable(f"{file.url} could not be fetched to {target}: {fault}") from fault
    finally:
        Path(f"{target}.lock").unlink(missing_ok=True)
    return target


def fetch_missing(files: Iterable[WeightsFile], weights_root: Path | None, announce: Callable[[str], None]) -> None:
    """Try to fetch what is not there, as the libraries that own the files would; a failure is announced, not raised.

    Args:
        files: What the metrics of a run need.
        weights_root: As for `find_weights`.
        announce: Told of each file that is fetched, and why one was not.
    """
    if downloads_forbidden():
        return
    unreachable: set[str] = set()
    for file in dict.fromkeys(files):
        host = urlsplit(file.url).netloc
        if not host or host in unreachable or find_weights(file.relative, weights_root) is not None:
            continue
        target = hub_folder(weights_root) / file.relative
        announce(f"fetching {file.url} to {target}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            fetch(file, target)
        except (OSError, Unavailable) as fault:
            unreachable.add(host)
            announce(f"{target.name} could not be fetched ({_short(fault)}); {DOWNLOAD_ENV}=0 stops the trying")


def _short(fault: Exception) -> str:
    """The end of a nested network error, which says what went wrong."""
    text = str(fault).rsplit("Caused by ", 1)[-1].strip("() ")
    return text if len(text) <= 160 else f"{text[:157]}..."


def fetch(file: WeightsFile, target: Path) -> None:
    """Download one file and verify it; nothing is left behind where it fails.

    Raises:
        Unavailable: the bytes are not the published ones.
        OSError: no connection, an HTTP error, or the disk.
    """
    import pooch

    with atomic_write(target, "wb") as stream:
        hashed = _Hashed(stream)
        pooch.HTTPDownloader(progressbar=False, timeout=(5, 60))(file.url, hashed, None)
        seen = hashed.sha256.hexdigest()
        if not seen.startswith(file.expected_hash()):
            raise Unavailable(
                f"{file.url} gave other bytes than published: sha256 {seen[:12]}, expected {file.expected_hash()}; "
                "nothing was kept"
            )


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.sha256 = stream, hashlib.sha256()

    def write(self, block: bytes) -> int:
        """Write and hash."""
        self.sha256.update(block)
        return self.stream.write(block)

    def flush(self) -> None:
        """Flush the file."""
        self.stream.flush()
