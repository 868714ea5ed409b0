"""`bench protocol-diff RUN`: the stored images of a run, scored again under other protocols' rules of scoring.

Only the scoring half of a protocol can be changed afterwards. What another way of making LR would have done to the
images is not measured by any number here, and every protocol that has one is marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.analysis import Planned, records_frame, summarise
from bench.analysis.planned import cell_tuple
from bench.api import PRESETS, CellId, MetricKind, Protocol, RequestError, RunManifest, Scale, UnitStatus
from bench.api.knobs import Half
from bench.api.protocol import KNOBS
from bench.engine.executor import EXECUTORS, fitting_workers
from bench.engine.folder import RunFolder
from bench.engine.origin import source_of
from bench.engine.scoring import ScoreJob, ScorerConfig
from bench.engine.stored import StoredCell, StoredRun
from bench.metrics.catalog import choose_metrics
from bench.metrics.scorer import Scorer
from bench.plugins import load_plugin
from bench.session.config import RunConfig, make_config
from bench.session.protocol_file import find_protocol
from bench.session.request import known_executor

DEFAULT_PROTOCOLS = ("sample", "basicsr-y", "liif-benchmark", "pyiqa-default")
"""The presets of RGB images that differ in how they score."""


@dataclass(frozen=True, kw_only=True)
class Rescored:
    """A run under the scoring half of one protocol.

    Attributes:
        protocol: The name of the protocol whose scoring half it is.
        summary: SUMMARY_COLUMNS; empty where the protocol cannot be applied.
        other_pair: Knobs in which the protocol makes HR or LR otherwise than the run did: name -> (run's, protocol's).
        refusal: Why nothing could be scored; "" where it could.
        faults: Sentences on images that have no number.
    """

    protocol: str
    summary: pd.DataFrame
    other_pair: Mapping[str, tuple[object, object]]
    refusal: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProtocolDiff:
    """The stored images of a run under several protocols.

    Attributes:
        own: The run's protocol, scored again like the others.
        others: In the order in which they were asked for.
        displays: (method, variant) -> the name that tables print.
        unavailable: metric -> why it cannot be computed here.
    """

    own: Rescored
    others: tuple[Rescored, ...]
    displays: Mapping[tuple[str, str], str]
    unavailable: Mapping[str, str]


def protocol_diff(
    folder: Path,
    protocols: Sequence[str] = (),
    *,
    metrics: Sequence[str] = (),
    workers: int | None = 0,
    data: str = "",
    data_root: Path | None = None,
) -> ProtocolDiff:
    """Score the stored images of a run, made under its newest protocol, under several protocols.

    Nothing is written. A score that has the same signature under two protocols is made once.

    Args:
        folder: A finished run folder, with its images, records and run.json; its source images must still be there.
        protocols: Names of presets, or files of one's own; empty: DEFAULT_PROTOCOLS.
        metrics: Only these of the run's metrics; empty: those that compare with a reference.
        workers: Scoring processes; 0 scores in this one.
        data, data_root: Where the source images lie, if not where the run found them.
    Raises:
        RequestError: not a run folder, images that are missing or changed, an unknown protocol or metric.
    """
    asked = {name: find_protocol(name) for name in protocols or DEFAULT_PROTOCOLS}
    others = _of_different_names(asked)
    manifest = RunFolder(folder).manifest()
    if manifest is None:
        raise RequestError(f"{folder} is not a run folder: it has no run.json; give the --out folder of a 'bench run'")
    config = make_config({**manifest.request, "out": folder}, where=f"{folder / 'run.json'}")
    for path in config.plugin:
        with suppress(RequestError):  # it may bring a metric; a method's is not needed any more
            load_plugin(path)
    wanted, unavailable = _chosen_metrics(config, tuple(metrics))
    own = _newest_protocol(StoredRun([folder], data=data, data_root=data_root))
    run = StoredRun([folder], protocol=own.name, data=data, data_root=data_root)
    cells = [cell for cell in run.cells() if _is_under(cell, own)]
    _check_complete(cells, manifest)
    # which images are taken at all is the run's choice, not a rule of scoring
    others = [replace(other, alpha=own.alpha, sr_size=own.sr_size) for other in others]
    others = [other for other in others if not _is_itself(other, own)]
    if not others:
        raise RequestError(f"the run is under {own.name} itself; name another one with --protocols")
    job = _Rescoring(run, cells, own, wanted, config, workers)
    return ProtocolDiff(
        own=job.under(own),
        others=tuple(job.under(protocol) for protocol in others),
        displays={(row.method, row.variant): row.display for row in manifest.rows},
        unavailable=unavailable,
    )


def scoring_half(own: Protocol, other: Protocol) -> Protocol:
    """The protocol that makes HR and LR as `own` does and scores as `other` does."""
    values = {name: getattr(other, name) for name, knob in KNOBS.items() if knob.half is Half.SCORING}
    return replace(own, name=other.name, summary=other.summary, source=other.source, **values)


def pair_differences(own: Protocol, other: Protocol, scales: Sequence[Scale]) -> dict[str, tuple[object, object]]:
    """The knobs by which two protocols make other HR or LR pixels at some of these scales; empty where they do not."""
    if all(own.pair_id(scale) == other.pair_id(scale) for scale in scales):
        return {}
    differing = own.differences(other)
    return {name: values for name, values in differing.items() if KNOBS[name].half is Half.PAIR}


def cannot_score(own: Protocol, other: Protocol) -> str:
    """Why stored images cannot be scored as another protocol does; "" where they can."""
    if own.sr_depth != "float" and own.sr_depth != other.sr_depth:
        return f"the images are stored rounded ({own.sr_depth}), it scores {other.sr_depth}"
    if own.plane == "y" and "rgb" in (other.psnr_colour, other.ssim_colour):
        return "the images are luma planes, it scores RGB"
    return ""


def _of_different_names(asked: Mapping[str, Protocol]) -> list[Protocol]:
    """The protocols, one per name: two files of one name would be one column."""
    known: dict[str, tuple[str, Protocol]] = {}
    for typed, protocol in asked.items():
        other, first = known.setdefault(protocol.name, (typed, protocol))
        if differing := first.differences(protocol):
            raise RequestError(
                f"--protocols {other},{typed}: both are called '{protocol.name}' and differ in {', '.join(differing)}; "
                "call one of the files otherwise"
            )
    return [protocol for _, protocol in known.values()]


def _is_itself(protocol: Protocol, own: Protocol) -> bool:
    """Whether a protocol is that of the run; an error where a file has only its name. A preset of another version of
    this package counts as itself."""
    differing = protocol.differences(replace(own, lr_given=protocol.lr_given))
    if protocol.name == own.name and differing and own.name not in PRESETS:
        raise RequestError(
            f"--protocols: the run was made under another protocol of the name '{own.name}', which differs in "
            f"{', '.join(differing)}; call the file otherwise"
        )
    return protocol.name == own.name


def _newest_protocol(run: StoredRun) -> Protocol:
    """The protocol of the run's newest request, as it is before a seed's draws and without the set's word on LR."""
    cells = list(run.cells())
    if not cells:
        raise RequestError("this run holds no images; finish it first")
    newest = cells[0].manifest.made_under
    return replace(newest[-1] if newest else run.protocol(cells[-1]), lr_given=False)


def _is_under(cell: StoredCell, protocol: Protocol) -> bool:
    """Whether a cell's HR and LR are those of a protocol."""
    both = (replace(protocol, lr_given=given).drawn(cell.id.seed) for given in (False, True))
    return cell.plan.pair in [each.pair_id(cell.id.scale) for each in both]


def _chosen_metrics(config: RunConfig, metrics: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The metrics that are scored, and those asked for that cannot be had with the reason."""
    measured = config.metrics or ()
    asked = [name for name in metrics if name not in measured]
    if asked:
        raise RequestError(
            f"--metrics {','.join(asked)}: the run was asked for {', '.join(measured)}; choose among these, or "
            "repeat the run with more"
        )
    kinds = (MetricKind.FULL_REFERENCE,) if not metrics else (MetricKind.FULL_REFERENCE, MetricKind.NO_REFERENCE)
    chosen = choose_metrics(metrics or measured, config.weights_root)
    fitting = [metric for metric in chosen if metric.info.kind in kinds]
    missing = {metric.info.name: why for metric in chosen if (why := metric.unavailable()) is not None}
    wanted = tuple(metric.info.name for metric in fitting if metric.info.name not in missing)
    if not wanted:
        raise RequestError("none of these metrics is computed image by image here; run with --metrics psnr,ssim")
    shown = metrics or tuple(metric.info.name for metric in fitting)
    return wanted, {name: why for name, why in missing.items() if name in shown}


def _check_complete(cells: Sequence[StoredCell], manifest: RunManifest) -> None:
    """Refuse a run of which images are missing or are not what was planned."""
    reasons: Counter[str] = Counter()
    for cell in cells:
        for image in cell.images:
            output, reason = cell.output(image)
            if output is None or not (cell.run.out / output.path).is_file():
                reasons[reason or "its file is gone"] += 1
    if reasons:
        total = sum(len(cell.images) for cell in cells)
        why = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        raise RequestError(
            f"{reasons.total()} of {total} images are not there or not as they were made ({why}); finish the run "
            f"first: {manifest.command or 'type its command again'}"
        )


class _Rescoring:
    """Scores the images of a run under one protocol after another; equal signatures are scored once."""

    def __init__(
        self,
        run: StoredRun,
        cells: Sequence[StoredCell],
        own: Protocol,
        metrics: tuple[str, ...],
        config: RunConfig,
        workers: int | None,
    ) -> None:
        self.run, self.cells, self.own, self.metrics, self.config = run, cells, own, metrics, config
        units = sum(len(cell.images) for cell in cells)
        self.workers = fitting_workers(units=units, inferences=0) if workers is None else workers
        self._known: dict[tuple[CellId, str, str, str], tuple[float | None, UnitStatus]] = {}

    def under(self, protocol: Protocol) -> Rescored:
        """The run's images as this protocol scores them."""
        scales = list(dict.fromkeys(cell.id.scale for cell in self.cells))
        pairs = pair_differences(self.own, protocol, scales)
        refusal = cannot_score(self.own, protocol)
        if refusal:
            return Rescored(protocol=protocol.name, summary=pd.DataFrame(), other_pair=pairs, refusal=refusal)
        hybrid = scoring_half(self.own, protocol)
        signatures = {cell.id: self._signatures(cell, hybrid) for cell in self.cells}
        faults = self._score(hybrid, signatures)
        rows, planned = [], []
        for cell in self.cells:
            images = sorted(cell.images)[: hybrid.first]
            place = cell_tuple(cell.id)
            planned.append(Planned(cell=place, images=len(images), origin=cell.plan.origin, source=cell.plan.images))
            for image in images:
                for metric, signature in signatures[cell.id].items():
                    value, status = self._known[cell.id, image, metric, signature]
                    head = (*place[:3], image, cell.id.scale, cell.id.seed)
                    rows.append((*head, metric, value, status, signature))
        summary = summarise(records_frame(rows), planned, metrics=self.metrics)
        return Rescored(protocol=protocol.name, summary=summary, other_pair=pairs, faults=faults)

    def _signatures(self, cell: StoredCell, protocol: Protocol) -> dict[str, str]:
        given = replace(protocol, lr_given=self.run.protocol(cell).lr_given)
        return Scorer(self.metrics, given, weights_root=self.config.weights_root).signatures(cell.id.scale)

    def _score(self, protocol: Protocol, signatures: Mapping[CellId, Mapping[str, str]]) -> tuple[str, ...]:
        """Make the numbers that are not known yet; sentences on those that cannot be made."""
        executor = EXECUTORS.get(known_executor(self.config.executor))(
            ScorerConfig(self.metrics, protocol, self.config.weights_root), workers=self.workers
        )
        try:
            for cell in self.cells:
                for image in sorted(cell.images):
                    new = tuple(
                        name
                        for name, signature in signatures[cell.id].items()
                        if (cell.id, image, name, signature) not in self._known
                    )
                    if new:
                        executor.submit((cell.id, image, new), self._job(cell, image, new))
            faults: dict[str, None] = {}
            for ticket, scored in executor.drain():
                cell_id, image, names = ticket  # type: ignore[misc]
                reasons = [scored.error, *scored.faults.values(), *(v.reason for v in scored.values.values())]
                faults |= dict.fromkeys(f"{image}: {reason}" for reason in reasons if reason)
                for name in names:
                    found = scored.values.get(name)
                    value = found.value if found is not None else None
                    status = UnitStatus.OK if value is not None else UnitStatus.FAILED
                    self._known[cell_id, image, name, signatures[cell_id][name]] = (value, status)
            return tuple(faults)
        finally:
            executor.close()

    def _job(self, cell: StoredCell, image: str, metrics: tuple[str, ...]) -> ScoreJob:
        output, sample = cell.output(image)[0], self.run.sample(cell, image)
        if output is None:
            raise RequestError(f"{image}: its stored image has gone meanwhile; type the command again")
        path = cell.run.out / output.path
        return ScoreJob(
            path, sample, cell.id.scale, metrics, seed=cell.id.seed, source=source_of(sample), stored=output
        )
