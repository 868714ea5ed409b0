"""Figures that run cascades: their options, the request behind them, and the image of every cycle."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import Protocol, Size, UnitError, parse_scale
from bench.figures import options as opt
from bench.figures.contract import FigureRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.engine.inference import Inferred
    from bench.engine.request import RunRequest
    from bench.engine.rounding import Pixels


@dataclass(frozen=True, kw_only=True)
class CascadeFigure(FigureRequest, ABC):
    """Methods that are run on images at one scale."""

    methods: Annotated[str, typer.Argument(metavar="METHOD[,METHOD…]", help="'bench methods' lists them.")]
    data: Annotated[str, typer.Option(help="Images: a folder or a set's name.")]
    scale: Annotated[str, typer.Option(help="At least 1, may be fractional, or height x width: 1.5x2.")]
    out: Path
    set_: opt.Set = None
    versus: Annotated[
        list[str] | None,
        typer.Option(
            help="A variant to compare with: METHOD.OPTION=VALUE on top of --set, several options of one variant "
            "separated by spaces; may be given several times.",
            show_default=False,
        ),
    ] = None
    weights: opt.Weights = None
    protocol: opt.ProtocolName = None
    seed: Annotated[int, typer.Option(min=0, help="Of stochastic methods and of drawn degradations.")] = 0
    device: opt.Device = "auto"
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None
    plugin: opt.Plugin = None
    data_root: opt.DataRoot = None

    def resolved(self, *, limit: int | None = None, weights_root: Path | None = None) -> RunRequest:
        """Rows, set, scale and protocol, looked up.

        Raises:
            RequestError: a name, option or file that is not there.
        """
        from bench.session import build_request, make_config

        return build_request(
            make_config(
                {
                    "methods": self.methods,
                    "scales": parse_scale(self.scale),
                    "datasets": (self.data,),
                    "weights": self.weights,
                    "set": self.set_,
                    "versus": self.versus,
                    "protocol": self.protocol,
                    "seeds": self.seed,
                    "limit": limit,
                    "device": self.device,
                    "tile": self.tile,
                    "plugin": self.plugin,
                    "data_root": self.data_root,
                    "weights_root": weights_root,
                }
            )
        )


def cycle_images(lr: NDArray[np.float32], result: Inferred, asked: Size, protocol: Protocol) -> list[Pixels]:
    """The image of every cycle, rounded as the protocol says: cycle 0 is the LR image, the last one the result.

    Args:
        lr: (h, w, 3) in [0, 1].
        result: What the method returned.
        asked: (height, width) that it was asked for.
        protocol: How SR is rounded.
    Raises:
        UnitError: a stage holds NaN or infinite values.
    """
    import numpy as np

    from bench.engine.rounding import quantise

    images = [quantise(np.ascontiguousarray(lr.transpose(2, 0, 1)), protocol)]
    for stage in result.stages:
        # a stage of the full size is the result itself, or no image at all (a spread over samples)
        if tuple(stage.shape[-2:]) == asked:
            continue
        values = stage.detach().float().cpu().numpy()
        if not np.isfinite(values).all():
            raise UnitError("a stage holds NaN or infinite values")
        images.append(quantise(values, protocol))
    return [*images, result.pixels]
