"""A check: a name, one line of what it asks, and a function that tries it. Adding one is writing one such function.

The function gets the `Subject` and returns a remark, or None; it raises `Broken` where the contract is not kept and
`NotApplicable` where there is nothing to try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.check.subject import Subject

Try = Callable[["Subject"], str | None]


class Status(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One thing that the contract asks of a method.

    Attributes:
        name: As `--only` takes it.
        about: What holds where it passes, in a few words.
        run: Tries it.
        computes: It needs images; such checks are left out once the method gives none at all.
        quick: Part of `--quick` too.
    """

    name: str
    about: str
    run: Try
    computes: bool = True
    quick: bool = True


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


CHECKS: list[Check] = []
"""All checks, in the order in which they run: that in which their modules are imported and their functions written."""


def check(name: str, about: str, *, computes: bool = True, quick: bool = True) -> Callable[[Try], Try]:
    """Make a function a check; the arguments are the fields of `Check`."""

    def keep(run: Try) -> Try:
        CHECKS.append(Check(name, about, run, computes=computes, quick=quick))
        return run

    return keep
