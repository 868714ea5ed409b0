"""One answer of a server as blocks of bytes: redirects that are looked at, and an end in time whatever it does.

A timeout of a socket starts anew with every byte, so that a server which sends one now and then holds a download for
days. Here the bytes come from a thread of their own, and whoever waits for them does so for a limited time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

BLOCK = 1 << 14
"""Bytes; an interruption loses what has come of one block."""
PATIENCE = 60.0
"""Seconds within which an answer must begin and each of its blocks must come: 16 KiB a minute at least."""
_REDIRECTS = 10
_AHEAD = 64
"""Blocks that wait for the disk."""


class Refused(requests.RequestException):
    """A redirect that is not followed; trying again would not help."""


class Answer:
    """A response whose body is read within bounds; a context manager, which closes it."""

    def __init__(self, response: requests.Response, patience: float) -> None:
        self.response = response
        self._patience = patience
        self._blocks: queue.Queue[Any] = queue.Queue(_AHEAD)
        self._left = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._reader.is_alive():
            # it closes what it reads; closing from here would wait for it, and it may wait for the server
            socket = getattr(getattr(self.response.raw, "connection", None), "sock", None)
            with suppress(OSError, AttributeError):
                socket.shutdown(SHUT_RDWR)  # pyright: ignore[reportOptionalMemberAccess]

    def blocks(self) -> Iterator[bytes]:
        """The body.

        Raises:
            requests.RequestException: the connection broke, or the server is too slow.
        """
        while True:
            try:
                block = self._blocks.get(timeout=self._patience)
            except queue.Empty:
                raise too_slow(self._patience) from None
            if block is None:
                return
            if isinstance(block, BaseException):
                raise block
            yield block

    def _read(self) -> None:
        try:
            for block in self.response.iter_content(BLOCK):
                self._put(block)
                if self._left.is_set():
                    return
            self._put(None)
        except Exception as fault:
            self._put(fault)
        finally:
            self.response.close()

    def _put(self, block: Any) -> None:
        while not self._left.is_set():
            with suppress(queue.Full):
                return self._blocks.put(block, timeout=1)


def ask(url: str, *, headers: dict[str, str], connect: float, trusted: bool, patience: float | None = None) -> Answer:
    """Send a GET request and follow its redirects.

    Args:
        url: Where.
        headers: Of every request.
        connect: Seconds to wait for a connection.
        trusted: A checksum will tell whether the bytes are right, so that it does not matter who sends them; without
            one, a redirect from https to http is refused, since anyone on the way could answer in its place.
        patience: See `PATIENCE`, the default.
    Returns:
        The last answer; its status is the caller's to look at.
    Raises:
        Refused: a redirect that is not followed.
        requests.RequestException: no connection, too many redirects, or a server that is too slow.
    """
    patience = PATIENCE if patience is None else patience
    for _ in range(_REDIRECTS):
        response = _within(patience, url, headers, (connect, patience))
        place = response.headers.get("Location") if response.is_redirect else None
        if place is None:
            return Answer(response, patience)
        response.close()
        before, url = url, urljoin(url, place)
        if urlsplit(url).scheme not in ("http", "https"):
            raise Refused(f"{before} leads to {url[:200]}, which is no web address; the address may have moved")
        if urlsplit(before).scheme == "https" and urlsplit(url).scheme == "http" and not trusted:
            raise Refused(
                f"{before} leads to {url[:200]}: from https to http, where nobody vouches for the bytes, and no "
                "checksum of the file is known; it is not followed"
            )
    raise requests.TooManyRedirects(f"more than {_REDIRECTS} redirects")


def too_slow(patience: float) -> requests.Timeout:
    """The server sends something, and never enough."""
    return requests.ReadTimeout(f"the server sends less than {BLOCK >> 10} KiB in {patience:g} s")


def _within(patience: float, url: str, headers: dict[str, str], timeout: tuple[float, float]) -> requests.Response:
    """The head of an answer, which may be dripped like a body."""
    answers: queue.Queue[Any] = queue.Queue(1)

    def get() -> None:
        try:
            answers.put(requests.get(url, stream=True, timeout=timeout, headers=headers, allow_redirects=False))
        except Exception as fault:
            answers.put(fault)

    threading.Thread(target=get, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout[0] + patience)
    except queue.Empty:
        raise too_slow(patience) from None
    if isinstance(answer, Exception):
        raise answer
    return answer
