"""The end that `run` and `score` share: carry out a request, write the exports, say what was done."""

from __future__ import annotations

from bench.cli.output import say, warn
from bench.cli.progress import cell_label, make_progress
from bench.engine.events import Tally
from bench.engine.request import RunRequest


def carry_out(request: RunRequest) -> int:
    """Do the work and print the table.

    Returns:
        The exit code: 0 done, 1 some units failed, 130 stopped with Ctrl-C.
    Raises:
        RequestError: the request is wrong.
    """
    from bench.engine.run import execute

    with make_progress() as progress:
        tally = execute(request, progress)
    table = _export(request)
    if table:
        say(table)
    _report(request, tally)
    if tally.interrupted:
        return 130
    return 1 if tally.failures else 0


def _export(request: RunRequest) -> str:
    from bench.engine.export import export_run

    return export_run(request)


def _report(request: RunRequest, tally: Tally) -> None:
    say(
        f"computed {tally.inferred} images ({tally.reused} were there), "
        f"made {tally.scored} numbers ({tally.kept} were there)"
        + ("" if tally.inferred else "; no inference was needed")
    )
    for text in tally.warnings:
        warn(f"doubtful: {text}")
    if tally.failures:
        warn(f"{len(tally.failures)} images failed:")
        for cell, image, error in tally.failures[:20]:
            warn(f"  {cell_label(cell)} · {image}: {error}")
        if len(tally.failures) > 20:
            warn(f"  … and {len(tally.failures) - 20} more, all of them in records.csv")
    say(f"{request.out}: records.csv, summary.csv, table.tex, table.md, images/")
    if tally.interrupted:
        warn(f"stopped; finished work is kept. To go on, type the same command again:\n  {request.command}")
