"""Options that several commands share, and the reading of comma-separated lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.api import Protocol, RequestError, get_protocol

Metrics = Annotated[str, typer.Option(help="Comma-separated; 'bench metrics' lists them.")]
ProtocolName = Annotated[
    str | None,
    typer.Option("--protocol", help="A named protocol, see 'bench protocols'. Default: the dataset's own, or sample."),
]
Out = Annotated[Path, typer.Option(help="Run folder; what is in it already is not computed again.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Scoring processes; 0 scores in the main process.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N images of each dataset.")]
Plugin = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A Python file that defines a method; may be given several times.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="METHOD.OPTION=VALUE; may be given several times.", show_default=False)
]
Weights = Annotated[
    str | None, typer.Option(help="lite, full or a file, for all methods that take weights; or liif=FILE,casr=lite.")
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Where datasets lie, one folder each; default ASSR_BENCH_DATA, then the cache.")
]
WeightsRoot = Annotated[
    Path | None, typer.Option(help="Where metric parameters lie, laid out as TORCH_HOME; default TORCH_HOME.")
]
Alpha = Annotated[
    str | None,
    typer.Option(help="Transparent images: refuse, or composite on white or black. Default: the protocol's."),
]
DEFAULT_METRICS = "psnr,ssim,lpips,niqe"
DEFAULT_OUT = Path("results/runs/default")


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def split_list(text: str, what: str) -> tuple[str, ...]:
    """Split at commas, drop repetitions.

    Raises:
        RequestError: nothing is left.
    """
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise RequestError(f"no {what} given; give one or more separated by commas")
    return parts


def named_protocol(name: str, alpha: str | None) -> Protocol:
    """The preset, with the user's word on transparent images.

    Raises:
        RequestError: an unknown name, or another word than refuse, white and black.
    """
    protocol = get_protocol(name)
    if alpha is None:
        return protocol
    if alpha not in ("refuse", "white", "black"):
        raise RequestError(f"--alpha {alpha}: expected refuse, white or black")
    return replace(protocol, alpha=alpha)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read `--seeds 0,1,2`.

    Raises:
        RequestError: not whole numbers of at least 0.
    """
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in split_list(text, "seed")))
    except ValueError:
        raise RequestError(f"--seeds {text}: expected whole numbers and commas, such as --seeds 0,1,2") from None
    if min(seeds) < 0:
        raise RequestError(f"--seeds {text}: a seed is at least 0")
    return seeds
