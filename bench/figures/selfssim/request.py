"""`bench figure selfssim`: its options, and the way from a finished run to heat maps and tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from bench.figures import options as opt
from bench.figures.contract import Drawn, FigureRequest, Warn

_TEXTS = ("csv", "tex", "md")


@dataclass(frozen=True, kw_only=True)
class SelfSSIMMatrix(FigureRequest):
    """Row: scale of an output; column: scale of the one it is compared with, at whose size."""

    summary: ClassVar[str] = "How alike a method's outputs at different scales are, scale against scale."

    run_folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The --out folder of a 'bench run'.")]
    out: Annotated[
        Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv, .tex and .md.")
    ]
    metric: Annotated[str, typer.Option(help="selfssim or selfssim_msssim_nn.")] = "selfssim"
    methods: opt.OnlyMethods = ""
    datasets: opt.OnlyDatasets = ""
    scales: Annotated[str, typer.Option(help="Only these scales, as rows and as columns.")] = ""
    protocol: opt.OnlyProtocol = None
    signature: opt.OnlySignature = ""
    output: Annotated[str, typer.Option("--format", help="What is printed: md, tex, html, json or csv.")] = "md"
    caption: Annotated[str, typer.Option(help="Caption of the table, as plain text.")] = ""
    label: Annotated[str, typer.Option(help="LaTeX label.")] = ""

    def draw(self, warn: Warn) -> Drawn:
        """One heat map per method and dataset of the run."""
        from bench.analysis import Selection, load_run
        from bench.figures.selfssim.drawing import draw_matrices
        from bench.figures.selfssim.typeset import run_matrices, typeset_matrices
        from bench.report import TableOptions

        selection = Selection.typed(
            methods=self.methods,
            datasets=self.datasets,
            scales=self.scales,
            protocol=self.protocol,
            signature=self.signature,
        )
        matrices = run_matrices(
            load_run(self.run_folder), self.metric, selection, TableOptions(caption=self.caption, label=self.label)
        )
        shown = typeset_matrices(matrices, self.output)
        texts = {self.out.with_suffix(f".{suffix}"): typeset_matrices(matrices, suffix) for suffix in _TEXTS}
        beside = f"{self.out}: with {', '.join(path.name for path in texts)}"
        return Drawn(
            figure=draw_matrices(matrices),
            texts=texts,
            shown=shown.removesuffix("\n"),
            closing=beside if self.output == "md" else "",
        )
