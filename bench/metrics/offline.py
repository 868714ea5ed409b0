"""No download behind the user's back: network access of one thread turned into an error that says what was wanted.

Libraries fetch parameters as a side effect of building a network, or go on with random ones. Inside `no_network`, the
calling thread cannot connect anywhere; what it tried is remembered, so that a library that swallows the error and goes
on is caught as well. Other threads, and this one afterwards, connect as before, even through a function that a module
imported by name while the guard was up.
"""

from __future__ import annotations

import functools
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class NetworkBlocked(Exception):  # noqa: N818 - not an OSError on purpose: libraries retry those
    """A connection was attempted where none is allowed."""


@contextmanager
def no_network() -> Iterator[list[str]]:
    """Forbid this thread to connect.

    Yields:
        What was attempted so far: addresses of files where they are known, else host names.
    """
    outer = getattr(_GUARD, "attempts", None)
    attempts: list[str] = [] if outer is None else outer
    _GUARD.attempts = attempts
    try:
        with (
            mock.patch.object(socket.socket, "connect", _connect),
            mock.patch.object(socket, "getaddrinfo", _guarded(_REAL_LOOKUP)),
            mock.patch.object(urllib.request, "urlopen", _guarded(_REAL_OPEN)),
        ):
            yield attempts
    finally:
        _GUARD.attempts = outer


_GUARD = threading.local()
_REAL_CONNECT, _REAL_LOOKUP, _REAL_OPEN = socket.socket.connect, socket.getaddrinfo, urllib.request.urlopen


def _refuse_if_guarded(what: object) -> None:
    attempts = getattr(_GUARD, "attempts", None)
    if attempts is not None:
        attempts.append(str(getattr(what, "full_url", what)))
        raise NetworkBlocked(f"a download of {attempts[-1]} was not allowed")


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(target: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_if_guarded(target)
        return function(target, *args, **kwargs)

    return call


def _connect(self: socket.socket, address: Any) -> None:
    if self.family != getattr(socket, "AF_UNIX", None):
        _refuse_if_guarded(address[0] if isinstance(address, tuple) else address)
    _REAL_CONNECT(self, address)
