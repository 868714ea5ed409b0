"""`bench check METHOD`: what the contract asks of a method, tried out on it."""

from __future__ import annotations

import json as jsonlib
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.cli.output import say

if TYPE_CHECKING:
    from bench.check import Report, Result

_WIDTH = 79
_NAME = 13


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", help="Try out on one method what the contract asks; for authors of plug-ins.")(check)


def check(
    method: Annotated[str, typer.Argument(help="'bench methods' lists them.")],
    plugin: opt.Plugin = None,
    weights: opt.Weights = None,
    set_: opt.Set = None,
    device: opt.Device = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer sizes and scales, no second loading.")] = False,
    only: Annotated[str, typer.Option(help="Names of checks, comma-separated; default: all.")] = "",
    traceback: Annotated[bool, typer.Option("--traceback", help="Print the tracebacks of what it raised.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with every field.")] = False,
) -> None:
    """Check a method; exit code 1 where something failed."""
    from bench.check import Status, run_battery
    from bench.engine.choice import choose_methods
    from bench.plugins import load_plugin

    for path in plugin or []:
        load_plugin(path)
    (choice,) = choose_methods([method], weights=weights, overrides=set_ or [])

    printer = _Printer(traceback=traceback, silent=json)
    report = run_battery(choice, device=device, quick=quick, only=opt.names(only), listen=printer.show)
    printer.flush()
    counts = {status: len(report.of(status)) for status in Status}
    if json:
        say(_as_json(report))
    else:
        for note in report.notes:
            say(_wrapped(f"{report.method}: {note}"))
        seconds = sum(result.seconds for result in report.results)
        listed = ", ".join(f"{number} {status}" for status, number in counts.items())
        say(f"{report.method}: {listed} in {seconds:.1f} s")
    raise typer.Exit(1 if counts[Status.FAILED] else 0)


class _Printer:
    """Prints results as they come; skipped ones that follow each other for one reason together."""

    def __init__(self, *, traceback: bool, silent: bool) -> None:
        self.traceback = traceback
        self.silent = silent
        self._skipped: list[Result] = []

    def show(self, result: Result) -> None:
        """Print a result, or keep it back for the next."""
        if self._skipped and (result.status != "skipped" or result.remark != self._skipped[0].remark):
            self.flush()
        if result.status == "skipped":
            self._skipped.append(result)
        elif not self.silent:
            say(_lines(result, traceback=self.traceback))

    def flush(self) -> None:
        """Print what was kept back."""
        if len(self._skipped) > 1 and not self.silent:
            names = ", ".join(result.name for result in self._skipped)
            say(textwrap.fill(f"skipped {names}", _WIDTH, subsequent_indent=" " * 8, break_on_hyphens=False))
            say(_wrapped(self._skipped[0].remark, "  "))
        elif self._skipped and not self.silent:
            say(_lines(self._skipped[0], traceback=False))
        self._skipped.clear()


def _lines(result: Result, *, traceback: bool) -> str:
    """A result on as few lines of at most 79 columns as it takes."""
    head = f"{result.status:<8}{result.name:<{_NAME}}  {result.about}"
    lines = [textwrap.fill(head, _WIDTH, subsequent_indent=" " * (10 + _NAME))]
    if result.remark:
        lines.append(_wrapped(result.remark, "  "))
    if result.expected:
        for word, text in (("expected", result.expected), ("seen", result.seen), ("next", result.next)):
            lines.append(_wrapped(f"{word + ':':<10}{text}", "  "))
    if traceback and result.details:
        lines.append(textwrap.indent(result.details.rstrip(), " " * 8))
    return "\n".join(lines)


def _wrapped(text: str, inner: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=" " * 8 if inner else "",
        subsequent_indent=" " * 18 if inner else "",
        break_on_hyphens=False,
    )


def _as_json(report: Report) -> str:
    return jsonlib.dumps(asdict(report), indent=2, ensure_ascii=False)
