"""`bench figure growth`: its options, and the way from measured methods to their curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, counted, format_times
from bench.api.lists import names
from bench.figures import options as opt
from bench.figures.contract import Drawn, FigureRequest, Numbers, Warn

if TYPE_CHECKING:
    from bench.profile import Profile
    from bench.profile.growth import Growth

_SHOWN = (
    ("method", "method", "{}"),
    ("of", "of", "{}"),
    ("sizes", "sizes", "{}"),
    ("slope", "slope", "{:.2f}"),
    ("low", "low", "{:.2f}"),
    ("high", "high", "{:.2f}"),
)


@dataclass(frozen=True, kw_only=True)
class GrowthCurves(FigureRequest):
    """Measure methods at several sizes, each in a process of its own, and draw time and memory with fitted slopes."""

    summary: ClassVar[str] = "Time and memory against the size of the result, log-log, with fitted slopes."

    methods: Annotated[str, typer.Argument(metavar="METHOD[,METHOD…]", help="'bench methods' lists them.")] = ""
    out: Annotated[
        Path, typer.Option(help="The figure, .png, .pdf or .svg, or .pdf+png; beside it .csv, and .json for --read.")
    ]
    sizes: Annotated[str, typer.Option(help="Sides of the results, squares; at least two.")] = "128,256,512,1024"
    scale: Annotated[str, typer.Option(help="One scale for all of them, so that only the size grows.")] = "4"
    weights: opt.Weights = None
    set_: opt.Set = None
    plugin: opt.Plugin = None
    device: opt.Device = "auto"
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None
    threads: Annotated[int | None, typer.Option(min=1, help="That torch computes with; default torch's.")] = None
    repeats: Annotated[int, typer.Option(min=1, help="Calls that are timed, per size.")] = 3
    warmup: Annotated[int, typer.Option(min=0, help="Calls before them.")] = 1
    seed: Annotated[int, typer.Option(min=0, help="Of stochastic methods.")] = 0
    read: Annotated[
        Path | None, typer.Option(help="Measure nothing: draw this profile (.json).", show_default=False)
    ] = None

    def draw(self, warn: Warn) -> Drawn:
        """One panel for time, one for memory."""
        from bench.figures.growth.drawing import draw_growth
        from bench.figures.numbers import csv_text
        from bench.profile.growth import LEVEL, QUANTITIES, growth_of

        found = self._profile(warn)
        curves = {quantity: growth_of(found, quantity) for quantity in QUANTITIES}
        if not any(growth.fit for growth in curves["time"]):
            raise RequestError("growth needs at least two sizes of one method; give more with --sizes 128,256,512")
        failed = [f"{row.display} failed: {row.failure}." for row in found.methods if row.failure]
        measured = {task.scale for row in found.methods for task in row.measured}
        scales = ", ".join(map(format_times, sorted(measured)))
        notes = [
            f"{found.machine.words}; {scales}; median of {found.calls}, bars are quartiles. Behind a name: the "
            f"fitted slope (1: as the number of pixels) with its {1 - LEVEL:.0%} interval.",
            *failed,
        ]
        numbers, stored = self.out.with_suffix(".csv"), self.out.with_suffix(".json")
        return Drawn(
            figure=draw_growth(curves, notes),
            texts={numbers: csv_text(_rows(curves)), stored: found.to_json()},
            shown=Numbers(rows=_slopes(curves), columns=_SHOWN),
            closing=f"{self.out}, {numbers.name} and {stored.name}: {counted(len(curves['time']), 'method')}",
            complete=found.complete,
        )

    def _profile(self, warn: Warn) -> Profile:
        """What is drawn, measured or read.

        Raises:
            RequestError: the request is wrong, or the file is no profile.
        """
        from bench.profile import Profile, ProfileRequest, parse_growth, profile

        if self.read is not None:
            return Profile.read(self.read)
        tasks = parse_growth(self.sizes, self.scale)
        if len(tasks) < 2:
            raise RequestError(f"--sizes {self.sizes}: expected at least two sides, such as --sizes 128,256,512")
        request = ProfileRequest(
            methods=names(self.methods),
            tasks=tasks,
            weights=self.weights,
            set=tuple(self.set_ or ()),
            plugin=tuple(self.plugin or ()),
            device=self.device,
            tile=self.tile,
            threads=self.threads,
            repeats=self.repeats,
            warmup=self.warmup,
            stages=False,
            seed=self.seed,
        )
        return profile(request, warn)


def _rows(curves: Mapping[str, list[Growth]]) -> list[Mapping[str, Any]]:
    """The file of numbers: a line per method, quantity and size."""
    return [
        {
            "method": growth.row.method,
            "variant": growth.row.variant,
            "of": quantity,
            "pixels": point.pixels,
            "value": point.value,
            "q1": point.low,
            "q3": point.high,
            "slope": growth.fit and growth.fit.slope,
            "slope_low": growth.fit and growth.fit.low,
            "slope_high": growth.fit and growth.fit.high,
        }
        for quantity, own in curves.items()
        for growth in own
        for point in growth.points
    ]


def _slopes(curves: Mapping[str, list[Growth]]) -> list[Mapping[str, Any]]:
    rows = []
    for quantity, own in curves.items():
        for growth in own:
            row: dict[str, Any] = {"method": growth.row.display, "of": quantity, "sizes": len(growth.points)}
            if growth.fit is not None:
                row["slope"] = growth.fit.slope
                if growth.fit.low is not None:
                    row |= {"low": growth.fit.low, "high": growth.fit.high}
            rows.append(row)
    return rows
