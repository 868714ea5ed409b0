"""The end that `run` and `score` share: carry out a request, print its table, say what was done."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from bench.api import MetricRef, RequestError, counted, format_scale
from bench.cli.output import say, warn
from bench.cli.progress import cell_label, make_progress
from bench.cli.terminal import TEXT, shown_output

if TYPE_CHECKING:
    from bench.engine.events import Failure
    from bench.engine.request import RunRequest
    from bench.engine.run import RunResult
    from bench.session import Run, RunConfig

_KINDS_SHOWN = 20
"""Failures that differ from each other and are said one by one."""


def carry_out(config: RunConfig, command: str) -> int:
    """Do the work, write the exports and print the table.

    Returns:
        The exit code: 0 done; 1 some units failed, or a metric that was asked for has no value at all; 130 stopped
        with Ctrl-C.
    Raises:
        RequestError: the request is wrong.
    """
    from bench.session.calls import carry_out as do
    from bench.session.request import build_request

    request = build_request(config, command=command)
    with make_progress(_displays(request)) as progress:
        run = do(request, listener=progress)
    _show_tables(run)
    if run.result is None:
        return 0
    _report(run.result)
    tally = run.tally
    if tally.interrupted:
        return 130
    valueless = _valueless(config, run)
    if request.shard is not None:  # what needs whole sets is made when they are merged
        valueless = [name for name in valueless if name in run.result.metrics.image_metrics()]
    unsaid = [name for name in valueless if name not in run.result.metrics.unavailable and not tally.failures]
    if unsaid and not tally.without:
        warn(f"asked for, and without any value: {', '.join(unsaid)}")
    return 1 if tally.failures or tally.without or valueless else 0


def _valueless(config: RunConfig, run: Run) -> list[str]:
    """Metrics that were typed (not those that are measured where none is) and that not one image or set has."""
    scored = {MetricRef.parse(str(name)).name for name in run.records.loc[run.records["value"].notna(), "metric"]}
    return [name for name in config.metrics or () if name not in scored]


def run_only(config: RunConfig, *, quiet: bool) -> Run:
    """Do the work and write the exports; no table is printed, but what failed is said.

    Args:
        config: The request.
        quiet: Without progress, where stdout is to hold the result alone.
    """
    from bench.session.calls import carry_out as do
    from bench.session.request import build_request

    request = build_request(config, command=shlex.join(["bench", *sys.argv[1:]]))
    with nullcontext() if quiet else make_progress(_displays(request)) as progress:
        run = do(request, listener=progress)
    if run.result is not None:
        report_failures(run.result)
    return run


def show_plan(config: RunConfig) -> None:
    """Print what a request would do: a line per cell, and why images are computed again.

    Raises:
        RequestError: the request is wrong.
    """
    from bench.engine.run import plan_only
    from bench.session.request import build_request

    request = build_request(config)
    plan, metrics = plan_only(request)
    displays = _displays(request)
    for sentence in request.readings():
        say(sentence)
    for cell in plan.cells:
        infer = sum(unit.infer for unit in cell.units)
        numbers = sum(len(unit.missing) for unit in cell.units)
        own = sum(not unit.elsewhere for unit in cell.units)
        of = f" of {len(cell.units)}" if own < len(cell.units) else ""
        work = f"{counted(own, 'image')}{of}, {infer} to compute, {counted(numbers, 'number')} to make"
        say(f"{cell_label(cell.id, displays)}: {work}")
    for sentence in plan.reasons():
        say(sentence)
    for name, reason in metrics.unavailable.items():
        warn(f"not available: {name}: {reason}")
    scales = ", ".join(f"x{format_scale(scale)}" for scale in request.scales)
    say(
        f"{counted(len(plan.cells), 'cell')} ({scales}; protocol {request.protocol.name}; metrics "
        f"{', '.join(request.metric_names)}): "
        f"{counted(plan.inferences, 'image')} to compute, {counted(plan.scores, 'number')} to make; nothing was done"
    )


def _show_tables(run: Run) -> None:
    try:
        say(run.overview(shown_output(TEXT)))
    except RequestError as fault:
        say(f"No table: {fault}\n")


def _report(result: RunResult) -> None:
    from bench.session.exports import EXPORTS

    request, tally = result.plan.request, result.tally
    say(
        f"computed {counted(tally.inferred, 'image')} ({counted(tally.reused, 'was there', 'were there')}), "
        f"made {counted(tally.scored, 'number')} ({counted(tally.kept, 'was there', 'were there')})"
        + ("" if tally.inferred or tally.failures or tally.interrupted else "; no inference was needed")
    )
    for name, reason in result.metrics.unavailable.items():
        warn(f"not available: {name}: {reason}")
    for text in tally.warnings:
        warn(f"doubtful: {text}")
    report_failures(result)
    _report_without(result)
    say(f"{request.out}: {', '.join(EXPORTS)}, images/")
    if tally.interrupted:
        warn(f"stopped; finished work is kept. To go on, type the same command again:\n  {request.command}")


def report_failures(result: RunResult) -> None:
    """Equal failures once, with their number and the first of them."""
    request, tally = result.plan.request, result.tally
    if not tally.failures:
        return
    displays = _displays(request)
    kinds: dict[tuple[str, str, str], list[Failure]] = {}
    for failure in tally.failures:
        kinds.setdefault(failure.kind, []).append(failure)
    if len(kinds) > 1:
        warn(f"{counted(len(tally.failures), 'image')} failed:")
    for (method, variant, _), alike in list(kinds.items())[:_KINDS_SHOWN]:
        first = alike[0]
        where = f"{cell_label(first.cell, displays)} · {first.image}"
        if len(kinds) == 1:
            many = " alike, such as " if len(alike) > 1 else ": "
            where = f"{counted(len(alike), 'image')} failed{many}{where}"
        elif len(alike) > 1:
            name = displays.get((method, variant), method)
            where = f"  {counted(len(alike), 'image')} of {name} failed alike, such as {where}"
        else:
            where = f"  {where}"
        shown = f"; traceback: {request.out / first.traceback}" if first.traceback is not None else ""
        warn(f"{where}: {first.error}{shown}")
    if len(kinds) > _KINDS_SHOWN:
        warn(f"  … and in {len(kinds) - _KINDS_SHOWN} more ways, all of them in records.csv")
    if tally.stopped:
        warn(f"stopped at the first failure (--fail-fast); finished work is kept. To go on: {request.command}")


def _report_without(result: RunResult) -> None:
    """Numbers that are missing although their image is there: one line per reason."""
    displays = _displays(result.plan.request)
    reasons: dict[tuple[str, str], list[str]] = {}
    for (cell, name, reason), images in result.tally.without.items():
        where = cell_label(cell, displays)
        reasons.setdefault((name, reason), []).extend(f"{where} · {image}" for image in images)
    for (name, reason), images in reasons.items():
        shown = images[0] if len(images) == 1 else f"{counted(len(images), 'image')}, such as {images[0]}"
        warn(f"no {name} of {shown}: {reason}")


def _displays(request: RunRequest) -> dict[tuple[str, str], str]:
    return {(choice.name, choice.variant): choice.display for choice in request.methods}
