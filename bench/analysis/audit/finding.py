"""A check of numbers: a name, what it looks for, why that matters, and a function that yields findings.

Adding one is writing one such function under `@check`; the command, its formats and the tests then have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.analysis.audit.evidence import Evidence


class Severity(StrEnum):
    """How much a finding says.

    ERROR: the numbers, or a claim about them, cannot be right. WARNING: something that a reader must know before
    comparing. NOTE: worth a look; often there is a good reason.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: Name of the check.
        severity: How much it says.
        where: Table, dataset, scale, metric: as far as they are common to the evidence.
        message: What is there, as a sentence.
        evidence: The numbers behind it, one per line.
    """

    check: str
    severity: Severity
    where: str
    message: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """What is looked for.

    Attributes:
        name: As `--only` takes it.
        about: What it looks for, in a few words.
        why: Why a reader wants to know.
        run: Yields findings.
    """

    name: str
    about: str
    why: str
    run: Callable[[Evidence], Iterator[Finding]]


CHECKS: list[Check] = []
"""All checks, in the order in which they are made."""

Told = Iterator[tuple[Severity, str, str, tuple[str, ...]]]
"""What a check yields: severity, where, message, evidence."""
Look = Callable[["Evidence"], Told]


def check(name: str, about: str, why: str) -> Callable[[Look], Look]:
    """Register a function of the evidence that yields (severity, where, message, evidence) as a check."""

    def register(function: Look) -> Look:
        def run(evidence: Evidence) -> Iterator[Finding]:
            return (Finding(name, *told) for told in function(evidence))

        CHECKS.append(Check(name, about, why, run))
        return function

    return register
