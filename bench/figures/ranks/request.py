"""`bench figure ranks`: its options, and the way from runs to mean ranks and their critical difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from bench.api import RequestError, format_times
from bench.figures.contract import Drawn, FigureRequest, Numbers, Warn

_OVER = ("datasets", "images")


@dataclass(frozen=True, kw_only=True)
class MeanRanks(FigureRequest):
    """One diagram per scale; methods under one bar are not told apart."""

    summary: ClassVar[str] = "Mean ranks of methods over datasets or images, with the critical difference."

    run_folders: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_FOLDER...", help="The --out folder of a 'bench run'; several are read as one run."),
    ]
    out: Annotated[Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv.")]
    metric: Annotated[str, typer.Option(help="What methods are ranked by.")] = "psnr"
    over: Annotated[str, typer.Option(help="What methods are ranked on: datasets (their means) or images.")] = (
        "datasets"
    )
    methods: Annotated[str, typer.Option(help="Only these methods; comma-separated.")] = ""
    datasets: Annotated[str, typer.Option(help="Only these datasets.")] = ""
    scales: Annotated[str, typer.Option(help="Only these scales, a diagram each.")] = ""
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None
    signature: Annotated[str, typer.Option(help="Only signatures with these tokens, such as y601s,shave:s.")] = ""

    def draw(self, warn: Warn) -> Drawn:
        """A diagram per scale that three methods and two blocks have in common."""
        from bench.analysis import Selection, load_run
        from bench.figures.numbers import csv_text
        from bench.figures.ranks.drawing import draw_ranks
        from bench.figures.ranks.numbers import rank_rows, rank_scales
        from bench.metrics.catalog import known_infos

        if self.over not in _OVER:
            raise RequestError(f"--over {self.over}: choose {' or '.join(_OVER)}")
        selection = Selection.typed(
            methods=self.methods,
            datasets=self.datasets,
            scales=self.scales,
            metrics=(self.metric,),
            protocol=self.protocol,
            signature=self.signature,
        )
        ranked = rank_scales(
            load_run(*self.run_folders), known_infos([self.metric]), selection, over=self.over, warn=warn
        )
        rows = rank_rows(ranked)
        return Drawn(
            figure=draw_ranks(ranked),
            texts={self.out.with_suffix(".csv"): csv_text(rows)},
            shown=Numbers(
                rows=[{**row, "scale": f"{format_times(row['scale'])}"} for row in rows],
                columns=(
                    ("scale", "scale", "{}"),
                    ("method", "method", "{}"),
                    ("mean_rank", "mean rank", "{:.2f}"),
                    ("blocks", ranked.over, "{}"),
                    ("critical", "critical difference", "{:.2f}"),
                    ("friedman_p", "Friedman p", "{:.2g}"),
                ),
            ),
            closing=f"{self.out}: mean ranks that differ by less than the critical difference are not told apart",
        )
