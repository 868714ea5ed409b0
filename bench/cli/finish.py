"""The end that `run` and `score` share: carry out a request, write the exports, say what was done."""

from __future__ import annotations

from pathlib import Path

from bench.cli.output import say, warn
from bench.cli.progress import cell_label, make_progress
from bench.cli.terminal import show
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute

EXPORTS = ("records.csv", "summary.csv", "table.tex", "table.md")


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
    if tally.failures:
        warn(f"{len(tally.failures)} images failed:")
        for cell, image, error in tally.failures[:20]:
            warn(f"  {cell_label(cell, _displays(request))} · {image}: {error}")
        if len(tally.failures) > 20:
            warn(f"  … and {len(tally.failures) - 20} more, all of them in records.csv")
    _report_without(result)
    say(f"{request.out}: {', '.join(EXPORTS)}, images/")
    if tally.interrupted:
        warn(f"stopped; finished work is kept. To go on, type the same command again:\n  {request.command}")


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
