"""`bench.run(...)`, `bench.score(...)` and what they give back: the records, the means and the tables of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api import RequestError, Scale, as_scale
from bench.api.lists import Names, as_names
from bench.engine.events import Listener, Tally
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute
from bench.session.config import DEFAULT_OUT, make_config
from bench.session.request import build_request
from bench.session.score_config import SCORE_OUT, score_config

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis import RunFrames, Selection
    from bench.api import MetricInfo
    from bench.report import TableOptions
    from bench.report.exports import Output


@dataclass(frozen=True)
class Run:
    """What a request gave, or what run folders hold.

    Attributes:
        read: Makes the typed content when it is asked for.
        out: The run folder; None for several folders read as one.
        result: What was done; None for a run that was only read.
    """

    read: Callable[[], RunFrames]
    out: Path | None = None
    result: RunResult | None = None

    @cached_property
    def frames(self) -> RunFrames:
        """The typed content."""
        return self.read()

    @property
    def records(self) -> pd.DataFrame:
        """One row per image and metric, with RECORD_COLUMNS and `parameters`; a row without a value says why in
        `unit_status`."""
        from bench.report.exports import shown_frame

        return shown_frame(self.frames.records, self.frames)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per method, dataset, scale and metric, with SUMMARY_COLUMNS, `seconds` per image and `parameters`;
        `mean` is NaN for an incomplete cell."""
        from bench.report.exports import shown_frame

        return shown_frame(self.frames.summary, self.frames)

    @property
    def tally(self) -> Tally:
        """What was computed, kept and failed; empty for a run that was only read."""
        return self.result.tally if self.result is not None else Tally()

    @property
    def complete(self) -> bool:
        """Whether every cell has its mean."""
        return not bool(self.frames.summary["mean"].isna().any())

    def table(
        self,
        output: str = "md",
        *,
        methods: Names = (),
        datasets: Names = (),
        scales: Sequence[Scale] = (),
        metrics: Names = (),
        protocol: str | None = None,
        signature: Names = (),
        variants: Sequence[str] = (),
        rename: Mapping[str, str] | None = None,
        layout: str = "auto",
        caption: str = "",
        label: str = "",
        significance: bool = False,
        per_image: bool = False,
    ) -> str:
        """The table as text.

        Args:
            output: "text", "md", "tex", "html", "json" or "csv".
            methods, datasets, scales, metrics: Only these, in this order; empty: all.
            protocol, signature: Only numbers of this protocol, or with these tokens.
            variants: Only these variants of their methods, each VARIANT or METHOD:VARIANT.
            rename: Name of a row (or its method) -> what to print.
            layout: "auto" or a name of `bench.report.LAYOUTS`.
            caption, label: As plain text.
            significance: Methods that cannot be told from the best image by image share its mark.
            per_image: A row per image; another layout cannot be given.
        Raises:
            RequestError: nothing is left, or the rows mix protocols, versions of a method or sets of images.
        """
        from bench.analysis import Selection
        from bench.report import TableOptions

        selection = Selection(
            methods=as_names(methods),
            datasets=as_names(datasets),
            scales=tuple(map(as_scale, scales)),
            metrics=as_names(metrics),
            protocol=protocol,
            signature=as_names(signature),
            variants=tuple(variants),
        )
        options = TableOptions(
            layout=layout, caption=caption, label=label, significance=significance, per_image=per_image
        )
        return self.renamed(rename or {}).typeset(output, selection, options)

    def renamed(self, names: Mapping[str, str]) -> Run:
        """The same under other names in tables: name of a row (or its method) -> what to print."""
        renamed = self.frames.renamed(names)
        return replace(self, read=lambda: renamed)

    def typeset(self, output: str | Output, selection: Selection, options: TableOptions) -> str:
        """As `table`, of typed values."""
        from bench.report import render_tables

        return render_tables(self.frames, self._infos(), output=output, selection=selection, options=options)

    def overview(self, output: str | Output = "text") -> str:
        """Every table of it, one per protocol.

        Raises:
            RequestError: nothing is left to show.
        """
        from bench.report.exports import run_tables, typeset

        return typeset(run_tables(self.frames, self._infos()), output)

    def _infos(self) -> dict[str, MetricInfo]:
        from bench.metrics.catalog import known_infos

        return known_infos(self.frames.summary["metric"])


def run(
    methods: Names,
    scales: str | Scale | Sequence[Scale],
    *,
    datasets: Names | Path | Sequence[Path] = ("sample",),
    metrics: Names | None = None,
    protocol: str | None = None,
    degradation: str | None = None,
    seeds: int | str | Sequence[int] = (0,),
    weights: str | Mapping[str, str] | None = None,
    set: Sequence[str] | Mapping[str, Any] = (),
    versus: Names = (),
    name: Sequence[str] | Mapping[str, str] = (),
    out: Path | str = DEFAULT_OUT,
    device: str = "auto",
    executor: str = "local",
    procs: int | None = None,
    ray_address: str | None = None,
    shared_fs: bool = False,
    workers: int | None = None,
    tile: int | None = None,
    plugin: Path | str | Sequence[Path | str] = (),
    limit: int | None = None,
    alpha: str | None = None,
    sr_size: str | None = None,
    data_root: Path | str | None = None,
    weights_root: Path | str | None = None,
    fail_fast: bool = False,
    shard: str | None = None,
    listener: Listener | None = None,
    command: str = "",
) -> Run:
    """Run methods on datasets at scales, score the images, write the run folder.

    What the folder holds already is not computed again. Every list may be one text with commas.

    Args:
        methods: METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS.
        scales: At least 1, may be fractional.
        datasets: Names or folders.
        metrics: `bench metrics` lists them; None: those of the protocol, else `bench.metrics.catalog.DEFAULT_METRICS`,
            and beside one that a row was trained by one that it was not.
        protocol: A named protocol; None: the datasets' own.
        degradation: What LR is made with, such as "real-esrgan-light"; None: the protocol's own.
        seeds: Of stochastic methods and of drawn degradations.
        weights: A label or a file for all methods, or row -> label or file.
        set: METHOD.OPTION=VALUE items, or {method: {option: value}}.
        versus: One more variant of a row each: METHOD.OPTION=VALUE.
        name: METHOD=LABEL items, or {method: label}.
        out: The run folder.
        device: "auto", "cpu", "cuda" or "cuda:N".
        executor: Where images are computed and scored: "local" or "ray".
        procs: Processes that compute images, one thread each; None: this one, or one for each of several GPUs.
        ray_address: "HOST:PORT" or "auto" of a Ray cluster; None: one on this machine.
        shared_fs: The machines of the cluster see the files of this one.
        workers: Scoring processes; 0 scores in this one.
        tile: LR tile side, for methods that may be tiled.
        plugin: Python files that define methods.
        limit: Only the first so many images of each dataset.
        alpha: Transparent images: "refuse", "white" or "black".
        sr_size: Images made elsewhere: "exact" sizes, or "within-1" pixel per side.
        data_root, weights_root: Where datasets and metric parameters lie.
        fail_fast: Stop at the first image that fails.
        shard: "3/16": only the third of 16 parts of the images, each with an `out` of its own.
        listener: Is told of progress.
        command: What to type to go on, for run.json and messages.
    Returns:
        The records, means and tables of this request; failed images are rows without a value.
    Raises:
        RequestError: the request is wrong; nothing was computed.
    """
    values = {key: value for key, value in locals().items() if key not in ("listener", "command")}
    return carry_out(build_request(make_config(values), command=command), listener=listener)


def score(
    sr_folder: Path | str,
    hr: Path | str | None = None,
    *,
    scale: Scale | None = None,
    protocol: str | None = None,
    metrics: Names | None = None,
    pattern: str = "",
    name: str = "",
    set: Sequence[str] = (),
    out: Path | str = SCORE_OUT,
    workers: int | None = None,
    limit: int | None = None,
    alpha: str | None = None,
    sr_size: str | None = None,
    data_root: Path | str | None = None,
    weights_root: Path | str | None = None,
    listener: Listener | None = None,
    command: str = "",
) -> Run:
    """Score images made elsewhere against their references; nothing is ever resized.

    Args:
        sr_folder: The images to score.
        hr: Their references: a folder or a set's name; None: metrics that need none score the images alone.
        scale: The scale that SR was made at; 1 compares images as they are. Without references it may be left out.
        protocol: A named protocol. Without references it may be left out: `ALONE_PROTOCOL`.
        pattern: File name of an SR image, with {image} and {scale}.
        name: What tables call these images.
        metrics, set, out, workers, limit, alpha, sr_size, data_root, weights_root, listener, command: As for `run`.
    Raises:
        RequestError: the request is wrong; nothing was computed.
    """
    config = score_config(
        sr_folder,
        hr,
        scale=scale,
        protocol=protocol,
        pattern=pattern,
        name=name,
        set=set,
        metrics=metrics,
        out=out,
        workers=workers,
        limit=limit,
        alpha=alpha,
        sr_size=sr_size,
        data_root=data_root,
        weights_root=weights_root,
    )
    return carry_out(build_request(config, command=command), listener=listener)


def load(*folders: Path | str) -> Run:
    """A finished or interrupted run, read from its folder; several folders are read as one run.

    Raises:
        RequestError: not a run folder, or the folders contradict each other.
    """
    from bench.analysis import load_run

    if not folders:
        raise RequestError("no run folder given; give the --out folder of a 'bench run'")
    paths = [Path(folder) for folder in folders]
    frames = load_run(*paths)
    return Run(lambda: frames, paths[0] if len(paths) == 1 else None)


def carry_out(request: RunRequest, *, listener: Listener | None = None) -> Run:
    """Do what a resolved request asks for and write the exports.

    Raises:
        RequestError: the request is wrong, or the disk refuses.
    """
    result = execute(request, listener)
    # tables bring pandas along: a quarter of what starting costs beside torch, and the first image needs none of it
    from bench.session.exports import asked_frames, folder_frames, needs_exports, write_all

    if not needs_exports(result):
        return Run(lambda: asked_frames(result), request.out, result)
    everything = folder_frames(result)
    asked = asked_frames(result)
    write_all(result, everything, asked)
    return Run(lambda: asked, request.out, result)
