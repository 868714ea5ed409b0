"""Downloads of data sets, weights and metric parameters: a file appears under its name whole and verified, or not.

pooch moves the file; the downloader given to it goes on where an interrupted download stopped. Source of its rules:
RFC 9110 on range requests: `If-Range` with a strong ETag (or the date) makes a server send the whole file when it has
changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.api import RequestError, Unavailable, user_path
from bench.api.paths import private_folder

if TYPE_CHECKING:
    import requests

Progress = Callable[[str, int, int | None], None]
"""Called with the file name, the bytes that are here, and the bytes in all if the server tells them."""

_WORKSHOP = ".fetch"
"""Below a root: partial downloads, archives that something else still needs, locks, and what is half unpacked."""
_DIGITS = 64
"""Of a whole sha256."""
_TELLING = 16
"""Digits of a checksum that nobody can meet by trying."""


class WrongBytes(Unavailable):
    """What came is not what was published; nothing of it was kept."""


def search_roots(given: Path | None, *, variable: str, folder: str) -> list[Path]:
    """The folders in which fetched files are looked for, in this order; the first is written to.

    Args:
        given: What the user gave; it may name several folders separated as in PATH. None: what the environment variable
            says (likewise), then a folder of the user's cache.
        variable: That variable's name.
        folder: That folder's name in the cache.
    """
    if given is not None:
        return _split(str(given))
    from platformdirs import user_cache_path  # pooch takes it from there too, but brings the network with it

    try:
        cache = user_cache_path("assr-bench")
    except RuntimeError:  # this user has no home folder
        cache = private_folder("assr-bench")
    if not cache.is_absolute():  # without a home folder some versions leave the ~ in it
        cache = private_folder("assr-bench")
    return [*_split(os.environ.get(variable, "")), cache / folder]


@contextmanager
def workshop(root: Path, name: str) -> Iterator[Path]:
    """A hidden folder of a root to download into, for one process at a time per name.

    Args:
        root: It is made where it is not there.
        name: Of what is fetched.
    Raises:
        RequestError: another process is fetching it.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = root / _WORKSHOP
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RequestError(f"another process is fetching {name} into {root}; wait for it") from None
    try:
        yield folder
    finally:
        lock.release()


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    part: Path | None = None,
    progress: Progress | None = None,
    connect: float = 15.0,
) -> None:
    """Fetch a file, unless it is there with this digest.

    Args:
        url: Where it is published.
        target: Where it goes; its folder must exist.
        sha256: Its digest, or the first digits of it; "" where none is known.
        part: Where the bytes gather; default: beside the target, with .part. One process at a time may use it.
        progress: Called after every block.
        connect: Seconds to wait for a connection.
    Raises:
        WrongBytes: another digest.
        Unavailable: no connection, a refusal, or too many interruptions; the part stays, and the next call goes on.
        OSError: the disk.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    downloader: Any = ResumingDownloader(
        part or target.with_name(f"{target.name}.part"), sha256=sha256, progress=progress, connect=connect
    )
    known = f"sha256:{sha256}" if len(sha256) == _DIGITS else None
    pooch.retrieve(url, known, fname=target.name, path=target.parent, downloader=downloader)


class ResumingDownloader:
    """Downloads into a .part file that outlives an interruption, and checks it; pooch moves the result."""

    def __init__(
        self,
        part: Path,
        *,
        sha256: str = "",
        progress: Progress | None = None,
        attempts: int = 3,
        connect: float = 15.0,
    ) -> None:
        """Prepare.

        Args:
            part: Where the bytes gather; a second file beside it remembers which version of the file they are of.
            sha256: The digest or its first digits. Where it is known, a part is gone on with even if the server names
                no version, since the digest will tell.
            progress: Called after every block.
            attempts: How often to try before giving up; every one goes on where the last stopped.
            connect: Seconds to wait for a connection; who is not reached in time is not tried again.
        """
        self.part = part
        self.version = part.with_name(part.name + ".version")
        self.sha256 = sha256
        self.progress = progress
        self.attempts = attempts
        self.connect = connect

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        """Fetch `url` into `output_file` (a path on the file system of the .part file).

        Raises:
            WrongBytes: another digest.
            Unavailable: no connection, a refusal, a redirect to http, or too many interruptions; the .part file stays
                for the next time.
        """
        import requests  # a tenth of a second, and most runs fetch nothing

        from bench.transfer import Refused

        fault: Exception | None = None
        for _ in range(self.attempts):
            try:
                if self._attempt(url):
                    self._verify(url)
                    self.part.replace(output_file)
                    self.version.unlink(missing_ok=True)
                    return
            except requests.HTTPError as refusal:
                status = refusal.response.status_code if refusal.response is not None else 0
                if status < 500:
                    self.discard()
                    raise Unavailable(f"{url} answers {status}; the address may have moved") from refusal
                fault = refusal
            except Refused as refusal:
                raise Unavailable(str(refusal)) from None
            except requests.ConnectTimeout as failure:
                fault = failure
                break
            except requests.RequestException as failure:
                fault = failure
        here = self.part.stat().st_size if self.part.exists() else 0
        kept = f"; {here} bytes are kept, and the same command goes on from there" if here else ""
        raise Unavailable(f"cannot download {url}: {_reason(fault)}{kept}") from fault

    def discard(self) -> None:
        """Forget what is here."""
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _verify(self, url: str) -> None:
        if not self.sha256:
            return
        with self.part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(self.sha256):
            self.discard()
            raise WrongBytes(
                f"{url} gave other bytes than published: sha256 {digest[:12]}, expected {self.sha256}; nothing was kept"
            )

    def _attempt(self, url: str) -> bool:
        """One request; True where the file is complete."""
        import requests

        from bench.transfer import ask

        have, headers = self._continue_from()
        with ask(url, headers=headers, connect=self.connect, trusted=len(self.sha256) >= _TELLING) as answer:
            response = answer.response
            if response.status_code == requests.codes.requested_range_not_satisfiable and have:
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                if total == str(have):
                    return True
                self.discard()
                return False
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                have = 0
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self.discard()
                return False
            length = response.headers.get("Content-Length")
            total = None if length is None else have + int(length)
            self._remember(response)
            with self.part.open("ab" if have else "wb") as file:
                for block in answer.blocks():
                    file.write(block)
                    have += len(block)
                    if self.progress is not None:
                        self.progress(url.rsplit("/", 1)[-1], have, total)
        if total is not None and have != total:
            raise requests.ConnectionError(f"the connection ended at byte {have} of {total}")
        return True

    def _continue_from(self) -> tuple[int, dict[str, str]]:
        headers = {"Accept-Encoding": "identity", "User-Agent": f"assr-bench/{__version__}"}
        have = self.part.stat().st_size if self.part.exists() else 0
        validator = ""
        if self.version.exists():
            validator = json.loads(self.version.read_text("utf-8")).get("validator", "")
        if have and (validator or self.sha256):
            headers["Range"] = f"bytes={have}-"
            if validator:
                headers["If-Range"] = validator
            return have, headers
        return 0, headers

    def _remember(self, response: requests.Response) -> None:
        tag = response.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
        self.version.write_text(json.dumps({"validator": validator}), "utf-8")


def _reason(fault: Exception | None) -> str:
    import requests

    if isinstance(fault, requests.Timeout):
        slow = str(fault) if isinstance(fault, requests.ReadTimeout) and "less than" in str(fault) else ""
        return slow or "the server does not answer in time"
    if isinstance(fault, requests.ConnectionError) and "NameResolution" in str(fault):
        return "the host name cannot be resolved (is there a network?)"
    if isinstance(fault, requests.ConnectionError) and "refused" in str(fault).lower():
        return "the host refuses the connection"
    return str(fault) or type(fault).__name__


def _split(text: str) -> list[Path]:
    return [user_path(part) for part in text.split(os.pathsep) if part.strip()]
