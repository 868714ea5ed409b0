"""The errors a user can meet, and the sentence that names what was expected, what was seen and what to type next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """Base of every error the harness raises on purpose."""


class RequestError(BenchError):
    """The request is wrong: nothing was computed, the command ends with exit code 2."""


class UnitError(BenchError):
    """One image of one cell cannot be computed; it is recorded as failed and the others go on.

    Attributes:
        details: The traceback of what a method raised, for its author; "" where the message says everything.
    """

    def __init__(self, message: str = "", *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Unavailable(BenchError):  # noqa: N818 - a state with a reason, not a fault
    """A metric, method or dataset cannot be used here; the message says why and how to get what is missing."""


def without_advice(text: str) -> str:
    """What a library said of a file, without the advice of some to run the code that is in it.

    >>> without_advice("no such key"), without_advice("Re-running `torch.load` with `weights_only` set to `False` ...")
    ('no such key', 'it holds more than tensors and plain values, or is damaged; code in a file is never run')
    """
    if any(word in text for word in ("weights_only", "trust_remote_code", "safe_globals", "allow_pickle")):
        return "it holds more than tensors and plain values, or is damaged; code in a file is never run"
    return text


def unknown_name(kind: str, name: str, known: Iterable[str], list_command: str, *, hint: str = "") -> RequestError:
    """Build the error for a name that nobody registered.

    Args:
        kind: What was looked up ("method", "metric", ...).
        name: What the user typed.
        known: All registered names.
        list_command: The command that lists them.
        hint: What else could be meant or done, a sentence.
    Returns:
        The error, with the nearest registered name where one is near.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    canonical = {n.lower(): n for n in names}
    meant = hint or (f"Did you mean '{canonical[near[0]]}'?" if near else "")
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    said = f" {meant}" if meant else ""
    return RequestError(f"unknown {kind} '{name}'.{said} Registered: {shown} ('{list_command}' lists them all)")
