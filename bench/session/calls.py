"""`bench.run(...)`, `bench.score(...)` and what they give back: the records, the means and the tables of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis import RunFrames, Selection, load_run
from bench.api import MetricInfo, RequestError
from bench.api.lists import names as name_list
from bench.engine.events import Listener, Tally
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute
from bench.metrics.catalog import known_infos
from bench.report import TableOptions, render_tables
from bench.report.exports import Output, run_tables, shown_frame, typeset
from bench.session.config import DEFAULT_OUT, RunConfig, make_config
from bench.session.exports import asked_frames, folder_frames, write_all
from bench.session.request import build_request

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]
SCORE_OUT = Path("results/runs/score")


@dataclass(frozen=True)
class Run:
    """What a request gave, or what run folders hold.

    Attributes:
        frames: The typed content.
        out: The run folder; None for several folders read as one.
        result: What was done; None for a run that was only read.
    """

    frames: RunFrames
    out: Path | None = None
    result: RunResult | None = None

    @property
    def records(self) -> pd.DataFrame:
        """One row per image and metric, with RECORD_COLUMNS and `parameters`; a row without a value says why in
        `unit_status`."""
        return shown_frame(self.frames.records, self.frames)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per method, dataset, scale and metric, with SUMMARY_COLUMNS, `seconds` per image and `parameters`;
        `mean` is NaN for an incomplete cell."""
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
        scales: Sequence[float] = (),
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
        selection = Selection(
            methods=_names(methods),
            datasets=_names(datasets),
            scales=tuple(float(scale) for scale in scales),
            metrics=_names(metrics),
            protocol=protocol,
            signature=_names(signature),
            variants=tuple(variants),
        )
        options = TableOptions(
            layout=layout, caption=caption, label=label, significance=significance, per_image=per_image
        )
        return self.renamed(rename or {}).typeset(output, selection, options)

    def renamed(self, names: Mapping[str, str]) -> Run:
        """The same under other names in tables: name of a row (or its method) -> what to print."""
        return replace(self, frames=self.frames.renamed(names))

    def typeset(self, output: str | Output, selection: Selection, options: TableOptions) -> str:
        """As `table`, of typed values."""
        return render_tables(self.frames, self._infos(), output=output, selection=selection, options=options)

    def overview(self, output: str | Output = "text") -> str:
        """Every table of it, one per protocol.

        Raises:
            RequestError: nothing is left to show.
        """
        return typeset(run_tables(self.frames, self._infos()), output)

    def _infos(self) -> dict[str, MetricInfo]:
        return known_infos(self.frames.summary["metric"])


def run(
    methods: Names,
    scales: str | float | Sequence[float],
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
    workers: int | None = None,
    tile: int | None = None,
    plugin: Path | str | Sequence[Path | str] = (),
    limit: int | None = None,
    alpha: str | None = None,
    sr_size: str | None = None,
    data_root: Path | str | None = None,
    weights_root: Path | str | None = None,
    fail_fast: bool = False,
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
        device: "auto", "cpu" or "cuda".
        executor: Who runs the scoring.
        workers: Scoring processes; 0 scores in this one.
        tile: LR tile side, for methods that may be tiled.
        plugin: Python files that define methods.
        limit: Only the first so many images of each dataset.
        alpha: Transparent images: "refuse", "white" or "black".
        sr_size: Images made elsewhere: "exact" sizes, or "within-1" pixel per side.
        data_root, weights_root: Where datasets and metric parameters lie.
        fail_fast: Stop at the first image that fails.
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
    hr: Path | str,
    *,
    scale: float,
    protocol: str,
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
        hr: Their references: a folder or a set's name.
        scale: The scale that SR was made at; 1 compares images as they are.
        protocol: A named protocol.
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


def score_config(
    sr_folder: Path | str,
    hr: Path | str,
    *,
    scale: str | float,
    protocol: str,
    pattern: str,
    name: str,
    set: Sequence[str],
    out: Path | str | None,
    **others: Any,
) -> RunConfig:
    """The request behind `score`: a run of the method `precomputed` at one scale.

    Args:
        sr_folder, hr, scale, protocol, pattern, name, set, out: As for `score`.
        others: Further fields of `RunConfig`; an unknown one is an error there.
    """
    folder = Path(sr_folder)
    if not folder.is_dir():
        raise RequestError(f"SR_FOLDER {folder} is not a folder; give the folder that holds the images to score")
    options = [f"precomputed.folder={folder.resolve()}", *([f"precomputed.pattern={pattern}"] if pattern else []), *set]
    values = {
        "methods": ("precomputed",),
        "scales": (scale,),
        "datasets": (str(hr),),
        "protocol": protocol,
        "set": options,
        "name": (f"precomputed={name}",) if name else None,
        "out": out if out is not None else SCORE_OUT,
        **others,
    }
    return make_config(values)


def load(*folders: Path | str) -> Run:
    """A finished or interrupted run, read from its folder; several folders are read as one run.

    Raises:
        RequestError: not a run folder, or the folders contradict each other.
    """
    if not folders:
        raise RequestError("no run folder given; give the --out folder of a 'bench run'")
    paths = [Path(folder) for folder in folders]
    return Run(load_run(*paths), paths[0] if len(paths) == 1 else None)


def carry_out(request: RunRequest, *, listener: Listener | None = None) -> Run:
    """Do what a resolved request asks for and write the exports.

    Raises:
        RequestError: the request is wrong, or the disk refuses.
    """
    result = execute(request, listener)
    everything = folder_frames(result)
    asked = asked_frames(result, everything)
    write_all(result, everything, asked)
    return Run(asked, request.out, result)


def _names(value: Names) -> tuple[str, ...]:
    return name_list(value) if isinstance(value, str) else tuple(value)
