"""The end that `run` and `score` share: carry out a request, write the exports, say what was done."""

from __future__ import annotations

from pathlib import Path

from bench.cli.output import say, warn
from bench.cli.progress import cell_label, make_progress
from bench.cli.terminal import show
from bench.engine.events import Failure
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute

EXPORTS = ("records.csv", "summary.csv", "table.tex", "table.md")
_KINDS_SHOWN = 20
"""Failures that differ from each other and are said one by one."""


def carry_out(request: RunRequest) -> int:
    """Do the work, write the exports and print the table.

    Returns:
        The exit code: 0 done, 1 some units failed, 130 stopped with Ctrl-C.
    Raises:
        RequestError: the request is wrong.
    """
    _fetch_parameters(request)
    with make_progress(_displays(request)) as progress:
        result = execute(request, progress)
    show(_export(result))
    _report(result)
    if result.tally.interrupted:
        return 130
    return 1 if result.tally.failures or result.tally.without else 0


def _fetch_parameters(request: RunRequest) -> None:
    """Get the metric parameters that are not there yet; offline that fails and the metrics are not available."""
    from bench.metrics.catalog import make_metric
    from bench.metrics.weights import find_weights

    files = [file for name in request.metrics for file in make_metric(name, request.weights_root).weights_files()]
    if all(find_weights(file.relative, request.weights_root) is not None for file in files):
        return
    from bench.metrics.download import fetch_missing

    fetch_missing(files, request.weights_root, warn)


def _export(result: RunResult) -> str:
    """Write the exports where something changed; the table as Markdown."""
    out = result.plan.request.out
    if result.unchanged and all((out / name).is_file() for name in EXPORTS):
        return (out / "table.md").read_text(encoding="utf-8")
    from bench.cli.exports import write_all
    from bench.engine.store import cannot_write

    try:
        return write_all(result)
    except OSError as fault:
        raise cannot_write(Path(fault.filename2 or fault.filename or out), fault) from None


def _report(result: RunResult) -> None:
    request, tally = result.plan.request, result.tally
    say(
        f"computed {tally.inferred} images ({tally.reused} were there), "
        f"made {tally.scored} numbers ({tally.kept} were there)"
        + ("" if tally.inferred else "; no inference was needed")
    )
    for name, reason in result.metrics.unavailable.items():
        warn(f"not available: {name}: {reason}")
    for text in tally.warnings:
        warn(f"doubtful: {text}")
    _report_failures(result)
    _report_without(result)
    say(f"{request.out}: {', '.join(EXPORTS)}, images/")
    if tally.interrupted:
        warn(f"stopped; finished work is kept. To go on, type the same command again:\n  {request.command}")


def _report_failures(result: RunResult) -> None:
    """Equal failures once, with their number and the first of them."""
    request, tally = result.plan.request, result.tally
    if not tally.failures:
        return
    displays = _displays(request)
    kinds: dict[tuple[str, str, str], list[Failure]] = {}
    for failure in tally.failures:
        kinds.setdefault(failure.kind, []).append(failure)
    warn(f"{len(tally.failures)} {'image' if len(tally.failures) == 1 else 'images'} failed:")
    for (method, variant, _), alike in list(kinds.items())[:_KINDS_SHOWN]:
        first = alike[0]
        where = f"{cell_label(first.cell, displays)} · {first.image}"
        if len(alike) > 1:
            name = displays.get((method, variant), method)
            where = f"{len(alike)} images of {name} failed alike, such as {where}"
        shown = f"; traceback: {request.out / first.traceback}" if first.traceback is not None else ""
        warn(f"  {where}: {first.error}{shown}")
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
        shown = images[0] if len(images) == 1 else f"{len(images)} images, such as {images[0]}"
        warn(f"no {name} of {shown}: {reason}")


def _displays(request: RunRequest) -> dict[tuple[str, str], str]:
    return {(choice.name, choice.variant): choice.display for choice in request.methods}
