"""`bench compare RUN [RUN] A B`: two rows image by image, with interval, test and verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import RequestError
from bench.cli import options as opt
from bench.cli.output import say, write_text

if TYPE_CHECKING:
    from bench.analysis.comparison import Side

_USAGE = "expected RUN_FOLDER A B, or RUN_FOLDER_OF_A RUN_FOLDER_OF_B A B"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", help="Compare two rows image by image: difference, interval, test, verdict.")(compare)


def compare(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_FOLDER [RUN_FOLDER] A B",
            help="One run folder or two (A is of the first, B of the second), then two rows as tables call them: the "
            "printed name, the method, VARIANT or METHOD:VARIANT; LABEL=ROW prints another name.",
        ),
    ],
    metric: Annotated[str, typer.Option(help="Only these metrics; comma-separated.")] = "",
    dataset: Annotated[str, typer.Option(help="Only these datasets.")] = "",
    scale: Annotated[str, typer.Option(help="Only these scales, such as 2,4.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None,
    signature: Annotated[str, typer.Option(help="Only signatures with these tokens, such as y601s,shave:s.")] = "",
    effect: Annotated[
        str,
        typer.Option(
            help="Smallest difference worth having: METRIC=VALUE, comma-separated, or one value for all metrics. "
            "Default: each metric's own (PSNR 0.05 dB)."
        ),
    ] = "",
    output: Annotated[str, typer.Option("--format", help="text, md, tex, csv or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Compare two rows image by image."""
    from bench.analysis import Selection
    from bench.analysis.comparison import compare_rows
    from bench.metrics.catalog import known_infos
    from bench.report.comparison import comparison_table
    from bench.report.plain import render_plain

    a, b = _sides(words)
    infos = known_infos([*a.frames.summary["metric"], *b.frames.summary["metric"]])
    chosen = Selection.typed(datasets=dataset, scales=scale, metrics=metric, protocol=protocol, signature=signature)
    found = compare_rows(a, b, infos, selection=chosen, effects=_effects(effect))
    text = render_plain(comparison_table(found, infos), output)
    if out is None:
        say(text.removesuffix("\n"))
    else:
        write_text(out, text)


def _sides(words: list[str]) -> tuple[Side, Side]:
    from bench.analysis import load_run
    from bench.analysis.comparison import Side

    if len(words) not in (3, 4):
        raise RequestError(f"bench compare: {_USAGE}; got {len(words)} words")
    folders, names = words[:-2], words[-2:]
    runs = [load_run(Path(folder)) for folder in folders]
    sides = []
    for run, name in zip((runs[0], runs[-1]), names, strict=True):
        label, equals, row = name.partition("=")
        # a variant may hold "=" itself: only a name that no row has is a label with a row behind it
        known = {text for own in run.rows for text in (own.display, own.variant, f"{own.method}:{own.variant}")}
        if equals and name not in known:
            if not label.strip():
                raise RequestError(f"bench compare: '{name}' gives no name to print; expected LABEL=ROW")
            sides.append(Side(run, replace(run.called(row.strip()), display=label.strip())))
        else:
            sides.append(Side(run, run.called(name)))
    a, b = sides
    if a.row.display == b.row.display and len(runs) == 2:
        a, b = (
            replace(side, row=replace(side.row, display=f"{side.row.display} in {folder}"))
            for side, folder in zip(sides, folders, strict=True)
        )
    if a.row.display == b.row.display and a.row.key != b.row.key:
        raise RequestError(f"bench compare: A and B would both be called '{a.row.display}'; give LABEL=ROW for one")
    return a, b


def _effects(text: str) -> dict[str, float]:
    found = {}
    for item in opt.names(text):
        metric, equals, value = item.rpartition("=")
        try:
            found[metric.strip() if equals else ""] = number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise RequestError(f"--effect {item}: expected METRIC=VALUE with a value of at least 0, such as psnr=0.05")
    return found
