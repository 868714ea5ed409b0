"""Options that the figures' commands share with others, as `typer` declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol", help="A named protocol ('bench protocols') or FILE.yaml. Default: the dataset's own, or sample."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N images of each dataset.")]
Plugin = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file that defines a method; its code is run. May be given several times."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="METHOD.OPTION=VALUE; may be given several times.", show_default=False)
]
Weights = Annotated[
    str | None,
    typer.Option(help="lite, published or a file, for all methods that take weights; or liif=published,casr=FILE."),
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Where datasets lie, one folder each; default ASSR_BENCH_DATA, then the cache.")
]
WeightsRoot = Annotated[
    Path | None, typer.Option(help="Where metric parameters lie, laid out as TORCH_HOME; default TORCH_HOME.")
]
RunFolders = Annotated[
    list[Path],
    typer.Argument(metavar="RUN_FOLDER...", help="The --out folder of a 'bench run'; several are read as one run."),
]
Out = Annotated[
    Path,
    typer.Option(help="The figure, .png, .pdf or .svg, or .pdf+png for both; its numbers go beside it as .csv."),
]
OnlyMethods = Annotated[str, typer.Option("--methods", help="Only these methods, in this order; comma-separated.")]
OnlyVariants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        help="Only this variant of its method: VARIANT or METHOD:VARIANT; several times.",
        show_default=False,
    ),
]
OnlyDatasets = Annotated[str, typer.Option("--datasets", help="Only these datasets, in this order.")]
OnlyScales = Annotated[str, typer.Option("--scales", help="Only these scales, such as 4,8.")]
OnlyProtocol = Annotated[str | None, typer.Option("--protocol", help="Only numbers of this protocol.")]
OnlySignature = Annotated[str, typer.Option("--signature", help="Only signatures with these tokens, such as q:u8,v1.")]
Rename = Annotated[
    list[str] | None, typer.Option("--rename", help="OLD=NEW name of a row; several times.", show_default=False)
]
