"""The files at the end of a run: records.csv, summary.csv, table.tex and table.md, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.analysis import RunFrames, Selection, select
from bench.analysis.costs import with_cost_columns
from bench.analysis.frame_csv import frame_csv
from bench.api import NO_VARIANT, MetricInfo, RequestError, format_scale
from bench.api.paths import safe_name
from bench.imaging.atomic import atomic_write
from bench.report.as_json import render_csv, render_json
from bench.report.build import TableOptions, build_table
from bench.report.grid import Grid
from bench.report.html import render_html
from bench.report.latex import render_latex
from bench.report.layout import AUTO, FITTING, PAGE, SCREEN, WHOLE, Room, arrange
from bench.report.markdown import render_markdown
from bench.report.model import Table
from bench.report.text import render_text


def write_exports(
    out: Path,
    frames: RunFrames,
    infos: Mapping[str, MetricInfo],
    *,
    asked: RunFrames | None = None,
    selection: Selection | None = None,
    options: TableOptions | None = None,
) -> str:
    """Write the four exports of a run.

    Args:
        out: The run folder.
        frames: The run.
        infos: metric -> direction and decimals.
        asked: The part of the run that the tables show, where it is not all of it; the CSV files hold everything.
        selection: What the tables show of that. None: all of the run, one table per
            protocol that it holds.
        options: Layout, caption, label.
    Returns:
        The Markdown table, for the terminal; a sentence where there is nothing to put into a table.
    Raises:
        OSError: the folder cannot be written.
    """
    _write(out / "records.csv", csv_text(frames.records, frames))
    _write(out / "summary.csv", csv_text(frames.summary, frames))
    try:
        tables = run_tables(asked or frames, infos, selection=selection, options=options)
        tex, text = (typeset(tables, output, layout=(options or TableOptions()).layout) for output in ("tex", "md"))
    except RequestError as fault:
        tex, text = f"% no table: {' '.join(str(fault).split())}\n", f"No table: {fault}\n"
    _write(out / "table.tex", tex)
    _write(out / "table.md", text)
    return text


def render_tables(
    frames: RunFrames,
    infos: Mapping[str, MetricInfo],
    *,
    output: str | Output,
    selection: Selection | None = None,
    options: TableOptions | None = None,
) -> str:
    """One table of a run as text.

    Args:
        output: As for `render`, or "csv": the summary rows of the selection, or the cells of a layout that shows
            other numbers.
    Raises:
        RequestError: an unknown output, a selection that fits nothing, or rows of more than one protocol.
    """
    chosen, options = selection or Selection(), options or TableOptions()
    if output == "csv" and options.layout in (AUTO, *FITTING):
        return csv_text(select(frames.summary, chosen, protocols=frames.protocols), frames)
    return typeset([_table(frames, infos, chosen, options)], output, layout=options.layout)


def typeset(tables: Sequence[Table], output: str | Output, *, layout: str = "auto") -> str:
    """Tables as text: "tex" laid out for a page, "text" and "md" for a screen, the others whole.

    Raises:
        RequestError: an unknown output or layout.
    """
    return render(output, lambda room: [grid for table in tables for grid in arrange(table, layout, room=room)])


def render(output: str | Output, grids: Callable[[Room], Sequence[Grid]]) -> str:
    """Grids as text.

    Args:
        output: A name of OUTPUTS, or an output of one's own, such as `bench.report.text.terminal_output`.
        grids: The space that a table may take -> the grids.
    Raises:
        RequestError: another output.
    """
    if isinstance(output, str) and output not in OUTPUTS:
        raise RequestError(f"unknown format '{output}'; choose --format {', '.join(OUTPUTS)}")
    room, make = OUTPUTS[output] if isinstance(output, str) else output
    return make(grids(room))


def run_tables(
    frames: RunFrames,
    infos: Mapping[str, MetricInfo],
    *,
    selection: Selection | None = None,
    options: TableOptions | None = None,
) -> list[Table]:
    """The tables of a run: one per protocol where the selection leaves more than one.

    Raises:
        RequestError: nothing is left to show.
    """
    chosen, options = selection or Selection(), options or TableOptions()
    try:
        return [_table(frames, infos, chosen, options)]
    except RequestError:
        names = list(dict.fromkeys(name for own in frames.protocols.values() for name in own))
        if len(names) < 2 or chosen.protocol is not None:
            raise
        # "sample,shave=0" is the name of a protocol and no label
        labels = [f"{options.label}-{safe_name(name)}" if options.label else f"tab:{safe_name(name)}" for name in names]
        return [
            _table(frames, infos, replace(chosen, protocol=name), replace(options, label=label))
            for name, label in zip(names, labels, strict=True)
        ]


def csv_text(frame: pd.DataFrame, frames: RunFrames) -> str:
    """Records or means of a run in CSV: scales as 3.6, "-" for no variant; nothing for no number, inf for infinity."""
    shown = shown_frame(frame, frames).assign(scale=frame["scale"].map(format_scale))
    return frame_csv(shown)


def shown_frame(frame: pd.DataFrame, frames: RunFrames) -> pd.DataFrame:
    """Records or means of a run as files and notebooks show them: with what their rows cost, and "-" for no variant.

    An empty variant would be read as a missing value.
    """
    return with_cost_columns(frame, frames).assign(variant=frame["variant"].replace("", NO_VARIANT))


Output = tuple[Room, Callable[[Sequence[Grid]], str]]
"""The space that a table may take, and its writer."""
OUTPUTS: Mapping[str, Output] = {
    "text": (SCREEN, render_text),
    "md": (SCREEN, render_markdown),
    "tex": (PAGE, render_latex),
    "html": (WHOLE, render_html),
    "json": (WHOLE, render_json),
    "csv": (WHOLE, render_csv),
}
"""What `--format` takes."""


def _table(frames: RunFrames, infos: Mapping[str, MetricInfo], selection: Selection, options: TableOptions) -> Table:
    rows = select(frames.summary, selection, protocols=frames.protocols)
    return build_table(
        rows,
        infos,
        frames=frames,
        protocol=selection.protocol,
        options=options,
    )


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)
