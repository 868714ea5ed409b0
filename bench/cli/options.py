"""Options that several commands share; those that figures have too are declared below, with the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api.lists import names
from bench.figures.options import DataRoot, Device, Limit, Plugin, ProtocolName, Set, Weights, WeightsRoot

__all__ = [
    "Alpha",
    "DataRoot",
    "Datasets",
    "Device",
    "DeviceName",
    "Limit",
    "Metrics",
    "Name",
    "Out",
    "Plugin",
    "Procs",
    "ProtocolName",
    "Set",
    "SrSize",
    "Versus",
    "Weights",
    "WeightsRoot",
    "Workers",
    "dataset_words",
    "names",
]

Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--datasets",
        help="Names or folders, comma-separated, or given several times; see 'bench datasets' and 'bench data show'. "
        "Default: sample.",
        show_default=False,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated; 'bench metrics' lists them. Default: psnr,ssim,lpips,niqe, and lpips_squeeze beside "
        "methods trained by lpips."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Run folder; what is in it already is not computed again. Default: below results/runs/.",
        show_default=False,
    ),
]
DeviceName = Annotated[
    str | None, typer.Option("--device", help="auto (default), cpu, cuda or cuda:N.", show_default=False)
]
Versus = Annotated[
    list[str] | None,
    typer.Option(
        help="One more variant of a row: METHOD.OPTION=VALUE on top of --set, several options of one variant "
        "separated by spaces; may be given several times.",
        show_default=False,
    ),
]
Name = Annotated[
    list[str] | None,
    typer.Option(help='METHOD=LABEL for tables, such as imdn="IMDN [12]"; several times.', show_default=False),
]
Workers = Annotated[int | None, typer.Option(min=0, help="Scoring processes; 0 scores in the main process.")]
Procs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that compute images, with one method and one thread each. Default: the main process, or one "
        "for each of several GPUs.",
        show_default=False,
    ),
]
SrSize = Annotated[
    str | None,
    typer.Option(
        help="Images made elsewhere: exact sizes only, or within-1 for one pixel more or less per side, cut away at "
        "the bottom and the right; it stands in the signature. Default: the protocol's."
    ),
]
Alpha = Annotated[
    str | None,
    typer.Option(help="Transparent images: refuse, or composite on white or black. Default: the protocol's."),
]


def dataset_words(typed: list[str] | None) -> tuple[str, ...] | None:
    """The sets of all `--datasets`, each a list with commas; None where none was given.

    Raises:
        RequestError: a list that can be read in two ways.
    """
    if not typed:
        return None
    from bench.data import split_datasets

    return tuple(word for text in typed for word in split_datasets(text))
