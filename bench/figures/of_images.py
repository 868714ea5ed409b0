"""Figures of a run's stored images: the options that choose images, box and numbers."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import RequestError, Size
from bench.api.lists import names
from bench.figures import options as opt
from bench.figures.from_run import Chosen, RunFigure

if TYPE_CHECKING:
    from bench.figures.views import Images, Wish
    from bench.report.model import MetricColumn


@dataclass(frozen=True, kw_only=True)
class ImageFigure(RunFigure, ABC):
    """A figure of images of one dataset."""

    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Show this image; may be given several times. Default: chosen by --rule.", show_default=False
        ),
    ] = None
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="x,y,w,h in pixels of the result at the first scale: one per --image, or one for all.",
            show_default=False,
        ),
    ] = None
    rule: Annotated[
        str, typer.Option(help="Images that nobody named: disagreement (the largest), or median (by a metric).")
    ] = "disagreement"
    by: Annotated[str | None, typer.Option(help="The metric of --rule median; default the first shown.")] = None
    count: Annotated[int, typer.Option(min=1, max=12, help="How many images --rule chooses.")] = 1
    metrics: Annotated[str, typer.Option(help="Values below the pictures; default the first two of the run.")] = ""
    seed: Annotated[int | None, typer.Option(min=0, help="Of stochastic methods; default the first of each.")] = None
    data: Annotated[str, typer.Option(help="Where the run's images lie, if they were moved.")] = ""
    data_root: opt.DataRoot = None

    def wish(self, size: Size) -> Wish:
        """Which images and boxes the options ask for.

        Args:
            size: (height, width) of a box that nobody gave.
        Raises:
            RequestError: an unknown rule, or a box of another form.
        """
        from bench.figures.pictures import Box
        from bench.figures.views import RULES, Wish

        if self.rule not in RULES:
            raise RequestError(f"--rule {self.rule}: choose {' or '.join(RULES)}")
        return Wish(
            images=tuple(self.image or ()),
            boxes=tuple(Box.parse(text) for text in self.box or ()),
            rule=self.rule,
            by=self.by,
            count=self.count,
            size=size,
        )

    def images_of(self, chosen: Chosen) -> Images:
        """The images of the run, opened."""
        from bench.engine.stored import StoredRun
        from bench.figures.stored import StoredViews
        from bench.figures.views import Images

        run = StoredRun(self.run_folders, protocol=chosen.table.protocol, data=self.data, data_root=self.data_root)
        return Images(StoredViews(run), chosen, self.seed)

    def with_metrics(self) -> tuple[Chosen, list[MetricColumn], list[MetricColumn]]:
        """What the options leave, its metrics that have a value for each image, and those of them that are shown.

        Raises:
            RequestError: the run does not hold a metric, or only for whole sets.
        """
        chosen, wanted = self.chosen(), names(self.metrics)
        there = {metric.name: metric for metric in chosen.per_image()}
        for name in (*wanted, *([self.by] if self.by else [])):
            if name not in there:
                self.chosen([name])  # says so where the run does not hold it
                raise RequestError(f"{name} has no value for single images here; there is {', '.join(there) or 'none'}")
        shown = [there[name] for name in wanted] or list(there.values())[:2]
        return chosen, [*shown, *(metric for metric in there.values() if metric not in shown)], shown
