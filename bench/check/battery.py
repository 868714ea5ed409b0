"""All checks over one method, one after the other; what one of them finds does not keep the others from being tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from bench.api import BenchError, unknown_name
from bench.check.check import CHECKS, Check, Result, Status
from bench.check.subject import Subject
from bench.check.verdict import Broken, NotApplicable
from bench.engine.choice import MethodChoice
from bench.engine.faults import describe, full_text

for _subject in ("sizes", "repeat", "values", "identity"):
    import_module(f"bench.check.{_subject}")

_FIRST = "first-image"


@dataclass(frozen=True)
class Report:
    """What the battery found.

    Attributes:
        method: The method as tables call it.
        results: One per check, in the order of `CHECKS`.
        notes: What the method said when it was loaded.
    """

    method: str
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()

    def of(self, status: Status) -> list[Result]:
        """The results that ended so."""
        return [result for result in self.results if result.status is status]


def run_battery(
    choice: MethodChoice,
    *,
    device: str = "auto",
    quick: bool = False,
    only: Sequence[str] = (),
    listen: Callable[[Result], None] = lambda _: None,
) -> Report:
    """Load a method and try everything on it.

    Args:
        choice: The method with its weights and options.
        device: auto, cpu, cuda or cuda:N.
        quick: Fewer sizes and scales, no second loading.
        only: Names of checks; empty: all.
        listen: Told each result as soon as it is there.
    Raises:
        RequestError: the method cannot be loaded, or there is no check of such a name.
    """
    known = {item.name: item for item in CHECKS}
    for name in only:
        if name not in known:
            raise unknown_name("check", name, known, "bench check METHOD")
    subject = Subject(choice, device=device, quick=quick)
    results: list[Result] = []
    silent = ""
    for item in CHECKS:
        if only and item.name not in only and item.name != _FIRST:
            continue
        if item.computes and silent:
            result = _skipped(item, silent)
        elif quick and not item.quick:
            result = _skipped(item, "left out by --quick")
        else:
            result = _try(item, subject)
        if item.name == _FIRST and result.status is not Status.PASSED:
            silent = "it gave no first image" if result.status is Status.FAILED else result.remark
        results.append(result)
        listen(result)
    return Report(choice.display, tuple(results), tuple(subject.runner.method.notes))


def _try(item: Check, subject: Subject) -> Result:
    started = time.perf_counter()
    try:
        remark = item.run(subject) or ""
    except Broken as fault:
        return _failed(item, fault, time.perf_counter() - started)
    except NotApplicable as reason:
        return _skipped(item, str(reason))
    except BenchError:
        raise
    except Exception as fault:  # what plug-ins return has no bounds
        strange = Broken(
            expected="something that can be looked at",
            seen=describe(fault, subject.choice.spec),
            next="compare what the method returns, and its info, with bench/api/method.py",
            details=full_text(fault),
        )
        return _failed(item, strange, time.perf_counter() - started)
    return Result(item.name, item.about, Status.PASSED, remark=remark, seconds=time.perf_counter() - started)


def _failed(item: Check, fault: Broken, seconds: float) -> Result:
    return Result(
        item.name,
        item.about,
        Status.FAILED,
        fault.expected,
        fault.seen,
        fault.next,
        details=fault.details,
        seconds=seconds,
    )


def _skipped(item: Check, why: str) -> Result:
    return Result(item.name, item.about, Status.SKIPPED, remark=why)
