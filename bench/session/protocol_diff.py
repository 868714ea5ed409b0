"""`bench protocol-diff RUN`: the stored images of a run, scored again under other protocols' rules of scoring.

Only the scoring half of a protocol can be changed afterwards. What another way of making LR would have done to the
images is not measured by any number here, and every protocol that has one is marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.analysis import Planned, records_frame, summarise
from bench.analysis.planned import cell_tuple
from bench.api import CellId, DatasetKind, MetricKind, Protocol, RequestError, UnitStatus
from bench.api.knobs import Half
from bench.api.protocol import KNOBS
from bench.engine.executor import EXECUTORS, fitting_workers
from bench.engine.folder import RunFolder
from bench.engine.plan import Cell, Plan, Unit
from bench.engine.run import plan_only
from bench.engine.scoring import ScoreJob, ScorerConfig
from bench.metrics.scorer import Scorer
from bench.session.config import make_config
from bench.session.protocol_file import find_protocol
from bench.session.request import build_request

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
    folder: Path, protocols: Sequence[str] = (), *, metrics: Sequence[str] = (), workers: int | None = 0
) -> ProtocolDiff:
    """Score the stored images of a run's newest request under several protocols.

    Nothing is written. A score that has the same signature under two protocols is made once.

    Args:
        folder: A finished run folder, with its images, records and run.json; its datasets must still be there.
        protocols: Names of presets, or files of one's own; empty: DEFAULT_PROTOCOLS.
        metrics: Only these of the run's metrics; empty: those that compare with a reference.
        workers: Scoring processes; 0 scores in this one.
    Raises:
        RequestError: not a run folder, images that are missing or changed, an unknown protocol or metric.
    """
    others = [find_protocol(name) for name in dict.fromkeys(protocols or DEFAULT_PROTOCOLS)]
    plan, wanted, unavailable = _stored_plan(folder, tuple(metrics))
    own = plan.request.protocol
    # which images are taken at all is the run's choice, not a rule of scoring
    others = [replace(other, alpha=own.alpha, sr_size=own.sr_size) for other in others if other.name != own.name]
    if not others:
        raise RequestError(f"the run is under {own.name} itself; name another one with --protocols")
    job = _Rescoring(plan, wanted, workers)
    return ProtocolDiff(
        own=job.under(own),
        others=tuple(job.under(protocol) for protocol in others),
        displays={(choice.name, choice.variant): choice.display for choice in plan.request.methods},
        unavailable=unavailable,
    )


def scoring_half(own: Protocol, other: Protocol) -> Protocol:
    """The protocol that makes HR and LR as `own` does and scores as `other` does."""
    values = {name: getattr(other, name) for name, knob in KNOBS.items() if knob.half is Half.SCORING}
    return replace(own, name=other.name, summary=other.summary, source=other.source, **values)


def pair_differences(own: Protocol, other: Protocol, scales: Sequence[float]) -> dict[str, tuple[object, object]]:
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


def _stored_plan(folder: Path, metrics: tuple[str, ...]) -> tuple[Plan, tuple[str, ...], Mapping[str, str]]:
    """The run's newest request as planned on its folder, once every image of it is there."""
    manifest = RunFolder(folder).manifest()
    if manifest is None:
        raise RequestError(f"{folder} is not a run folder: it has no run.json; give the --out folder of a 'bench run'")
    config = make_config({**manifest.request, "out": folder}, where=f"{folder / 'run.json'}")
    asked = [name for name in metrics if name not in config.metrics]
    if asked:
        raise RequestError(
            f"--metrics {','.join(asked)}: the run was asked for {', '.join(config.metrics)}; choose among these, or "
            "repeat the run with more"
        )
    plan, known = plan_only(build_request(config))
    missing = sum(unit.infer for cell in plan.cells for unit in cell.units)
    if missing:
        total = sum(len(cell.units) for cell in plan.cells)
        why = "; ".join(plan.reasons())
        raise RequestError(
            f"{missing} of {total} images are not there or not as they were made{': ' + why if why else ''}; finish "
            f"the run first: {manifest.command or 'type its command again'}"
        )
    kinds = (MetricKind.FULL_REFERENCE,) if not metrics else (MetricKind.FULL_REFERENCE, MetricKind.NO_REFERENCE)
    wanted = tuple(
        name for name in metrics or config.metrics if known.kinds.get(name) in kinds and name not in known.unavailable
    )
    if not wanted:
        raise RequestError("none of these metrics is computed image by image here; run with --metrics psnr,ssim")
    return plan, wanted, {name: known.unavailable[name] for name in known.unavailable if name in (metrics or wanted)}


class _Rescoring:
    """Scores the images of a plan under one protocol after another; equal signatures are scored once."""

    def __init__(self, plan: Plan, metrics: tuple[str, ...], workers: int | None) -> None:
        self.plan, self.metrics = plan, metrics
        units = sum(len(cell.units) for cell in plan.cells)
        self.workers = fitting_workers(units=units, inferences=0) if workers is None else workers
        self._known: dict[tuple[object, str, str, str], tuple[float | None, UnitStatus]] = {}
        self._with_lr = {d.name for d in plan.request.datasets if d.kind is not DatasetKind.HR_ONLY}

    def under(self, protocol: Protocol) -> Rescored:
        """The run's images as this protocol scores them."""
        own = self.plan.request.protocol
        pairs = pair_differences(own, protocol, self.plan.request.scales)
        refusal = cannot_score(own, protocol)
        if refusal:
            return Rescored(protocol=protocol.name, summary=pd.DataFrame(), other_pair=pairs, refusal=refusal)
        hybrid = scoring_half(own, protocol)
        signatures = {cell.id: self._signatures(cell, hybrid) for cell in self.plan.cells}
        faults = self._score(hybrid, signatures)
        rows, planned = [], []
        for cell in self.plan.cells:
            units = cell.units if hybrid.first is None else cell.units[: hybrid.first]
            place = cell_tuple(cell.id)
            planned.append(Planned(cell=place, images=len(units), origin=cell.origin.id, source=cell.set_id))
            for unit in units:
                for metric, signature in signatures[cell.id].items():
                    value, status = self._known[cell.id, unit.sample.id, metric, signature]
                    head = (*place[:3], unit.sample.id, cell.id.scale, cell.id.seed)
                    rows.append((*head, metric, value, status, signature))
        summary = summarise(records_frame(rows), planned, metrics=self.metrics)
        return Rescored(protocol=protocol.name, summary=summary, other_pair=pairs, faults=faults)

    def _signatures(self, cell: Cell, protocol: Protocol) -> dict[str, str]:
        given = replace(protocol, lr_given=cell.id.dataset in self._with_lr)
        return Scorer(self.metrics, given, weights_root=self.plan.request.weights_root).signatures(cell.id.scale)

    def _score(self, protocol: Protocol, signatures: Mapping[CellId, Mapping[str, str]]) -> tuple[str, ...]:
        """Make the numbers that are not known yet; sentences on those that cannot be made."""
        request = self.plan.request
        executor = EXECUTORS.get(request.executor)(
            ScorerConfig(self.metrics, protocol, request.weights_root), workers=self.workers
        )
        try:
            for cell in self.plan.cells:
                for unit in cell.units:
                    new = [
                        name
                        for name, signature in signatures[cell.id].items()
                        if (cell.id, unit.sample.id, name, signature) not in self._known
                    ]
                    if new:
                        executor.submit((cell, unit, tuple(new)), self._job(cell, unit, tuple(new)))
            faults: dict[str, None] = {}
            for ticket, scored in executor.drain():
                cell, unit, names = ticket  # type: ignore[misc]
                reasons = [scored.error, *scored.faults.values(), *(v.reason for v in scored.values.values())]
                faults |= dict.fromkeys(f"{unit.sample.id}: {reason}" for reason in reasons if reason)
                for name in names:
                    found = scored.values.get(name)
                    value = found.value if found is not None else None
                    status = UnitStatus.OK if value is not None else UnitStatus.FAILED
                    self._known[cell.id, unit.sample.id, name, signatures[cell.id][name]] = (value, status)
            return tuple(faults)
        finally:
            executor.close()

    def _job(self, cell: Cell, unit: Unit, metrics: tuple[str, ...]) -> ScoreJob:
        return ScoreJob(
            self.plan.request.out / unit.path,
            unit.sample,
            cell.id.scale,
            metrics,
            seed=cell.id.seed,
            source=unit.source,
            stored=unit.stored,
        )
