"""Fetching a metric's parameters, where the user allowed it: verified by the digits published with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from bench.api import Unavailable
from bench.download import WrongBytes, download
from bench.metrics.weights import (
    DOWNLOAD_ENV,
    WeightsFile,
    downloads_allowed,
    downloads_forbidden,
    find_weights,
    hub_folder,
    missing,
)

_CONNECT = 5.0
"""Seconds to wait for a host: a run without a network should begin soon."""


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
        fetch(file, target)
    except WrongBytes:
        raise
    except (OSError, Unavailable) as fault:
        raise Unavailable(f"{file.url} could not be fetched to {target}: {fault}") from fault
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
            fetch(file, target)
        except (OSError, Unavailable) as fault:
            unreachable.add(host)
            announce(f"{target.name} could not be fetched ({_short(fault)}); {DOWNLOAD_ENV}=0 stops the trying")


def _short(fault: Exception) -> str:
    """The end of a nested network error, which says what went wrong."""
    text = str(fault).rsplit("Caused by ", 1)[-1].strip("() ")
    return text if len(text) <= 160 else f"{text[:157]}..."


def fetch(file: WeightsFile, target: Path) -> None:
    """Download one file and verify it; several processes may want it at once.

    Raises:
        WrongBytes: not the published ones; nothing is left behind.
        Unavailable: no connection or a refusal; what has come is kept for the next time.
        OSError: the disk.
    """
    lock = Path(f"{target}.lock")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock):
            if not target.is_file():
                download(file.url, target, sha256=file.expected_hash(), connect=_CONNECT)
    finally:
        lock.unlink(missing_ok=True)
