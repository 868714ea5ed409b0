"""How a check ends: passed, failed or skipped, and what a check raises to say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """How one check ended.

    Attributes:
        name: The check.
        about: What it asks.
        status: How it ended.
        expected: What had to be there, where it failed.
        seen: What was there instead.
        next: What to do about it.
        remark: Something worth knowing of a check that passed, or why one was skipped.
        details: The traceback of what the method raised.
        seconds: How long it took.
    """

    name: str
    about: str
    status: Status
    expected: str = ""
    seen: str = ""
    next: str = ""
    remark: str = ""
    details: str = ""
    seconds: float = 0.0


class Broken(Exception):  # noqa: N818 - a verdict, not an error of this program
    """The contract is not kept.

    Attributes:
        expected: What had to be there.
        seen: What was there instead.
        next: What to do about it.
        details: A traceback, if the method raised.
    """

    def __init__(self, *, expected: str, seen: str, next: str, details: str = "") -> None:
        super().__init__(f"expected {expected}; got {seen}; {next}")
        self.expected, self.seen, self.next, self.details = expected, seen, next, details


class NotApplicable(Exception):  # noqa: N818
    """There is nothing to try here; the message says why."""
