"""Options that several commands share; those that figures have too are declared below, with the figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.api import Protocol, RequestError, get_protocol
from bench.api.lists import names, split_list
from bench.figures.options import DataRoot, Device, Limit, Plugin, ProtocolName, Set, Weights, WeightsRoot

__all__ = [
    "DEFAULT_METRICS",
    "DEFAULT_OUT",
    "Alpha",
    "DataRoot",
    "Device",
    "Limit",
    "Metrics",
    "Out",
    "Plugin",
    "ProtocolName",
    "Set",
    "Weights",
    "WeightsRoot",
    "Workers",
    "named_protocol",
    "names",
    "parse_seeds",
    "split_list",
]

Metrics = Annotated[str, typer.Option(help="Comma-separated; 'bench metrics' lists them.")]
Out = Annotated[Path, typer.Option(help="Run folder; what is in it already is not computed again.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Scoring processes; 0 scores in the main process.")]
Alpha = Annotated[
    str | None,
    typer.Option(help="Transparent images: refuse, or composite on white or black. Default: the protocol's."),
]
DEFAULT_METRICS = "psnr,ssim,lpips,niqe"
DEFAULT_OUT = Path("results/runs/default")


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
