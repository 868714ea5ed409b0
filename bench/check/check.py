"""A check: a name, one line of what it asks, and a function that tries it. Adding one is writing one such function.

The function gets the `Subject` and returns a remark, or None; it raises `Broken` where the contract is not kept and
`NotApplicable` where there is nothing to try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.check.subject import Subject

Try = Callable[[Subject], str | None]


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


CHECKS: list[Check] = []
"""All checks, in the order in which they run: that in which their modules are imported and their functions written."""


def check(name: str, about: str, *, computes: bool = True, quick: bool = True) -> Callable[[Try], Try]:
    """Make a function a check; the arguments are the fields of `Check`."""

    def keep(run: Try) -> Try:
        CHECKS.append(Check(name, about, run, computes=computes, quick=quick))
        return run

    return keep
