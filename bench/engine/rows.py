"""The records of a run folder as rows of records.csv: what agrees with the newest plan of its cell, and nothing else.

A unit of another origin or source than planned keeps its place as a row without a value (`stale`), so that its cell
counts as incomplete and no mean covers two origins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat

from bench.api import CellId, CellPlan, MetricRef, RecordRow, RunManifest, Scale, Score, UnitStatus
from bench.api.run import row_order
from bench.engine.agreement import disagreement, older_sentence
from bench.engine.bulk import no_collection
from bench.engine.folder import CellFolder, RunFolder, StoredUnit, Units
from bench.engine.keys import digest, score_key, score_keys

WHOLE_SET = "*"
"""The image name of a set metric's record."""


@dataclass(frozen=True)
class Rows:
    """What a run folder holds.

    Attributes:
        rows: Sorted, so that equal work gives equal files.
        older: (cell, pair) -> sentence on images of another origin or source than planned.
    """

    rows: list[RecordRow]
    older: Mapping[tuple[CellId, str], str] = field(default_factory=dict)


def record_rows(folder: RunFolder, manifest: RunManifest) -> Rows:
    """All rows of a folder.

    Raises:
        RequestError: a damaged record file.
    """
    reader = _Reader(folder, manifest)
    rows: list[RecordRow] = []
    older = {}
    with no_collection():
        for plan in manifest.cells:
            reasons: Counter[str] = Counter()
            rows += reader.rows(plan, reasons)
            if reasons:
                older[plan.key] = older_sentence(reasons)
            reader.forget(plan)
        rows.sort(key=row_order)
        return Rows([row for row, before in zip(rows, [None, *rows], strict=False) if row != before], older)


class _Reader:
    """Reads each cell's units; cross-scale numbers look at two cells."""

    def __init__(self, folder: RunFolder, manifest: RunManifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._plans: dict[CellId, list[CellPlan]] = {}
        for plan in manifest.cells:
            self._plans.setdefault(plan.cell, []).append(plan)
        self._crosses = any(plan.crossing for plan in manifest.cells)

    def units(self, plan: CellPlan) -> Units:
        """What is stored of a cell."""
        return self.folder.units(CellFolder(plan.cell, plan.folder))

    def forget(self, plan: CellPlan) -> None:
        """Let go of a cell's units behind the last plan that needs them: all of a folder's fill the memory."""
        if not self._crosses and plan is self._plans[plan.cell][-1]:
            self.folder.forget(CellFolder(plan.cell, plan.folder))

    def reason(self, plan: CellPlan, unit: StoredUnit) -> str:
        """Why a unit does not agree with the plan; empty where it does."""
        images = self.manifest.sets[plan.images].images
        origin = self.manifest.origins[plan.origin]
        file = plan.files.get(unit.image, "")
        return disagreement(unit, origin, images[unit.image], file, self.manifest.origins)

    def agreed(self, plan: CellPlan, image: str) -> StoredUnit | None:
        """The unit of an image, where that agrees with the plan."""
        unit = self.units(plan).get((image, plan.pair)) if image in self.manifest.sets[plan.images].images else None
        return unit if unit is not None and not self.reason(plan, unit) else None

    def rows(self, plan: CellPlan, reasons: Counter[str]) -> list[RecordRow]:
        """The rows of a cell under one way of making LR; why units do not agree with the plan is counted."""
        rows: list[RecordRow] = []
        units = self.units(plan)
        for image, source in self.manifest.sets[plan.images].images.items():
            unit = units.get((image, plan.pair))
            if unit is None:
                continue
            row = _Row(plan, image, source, unit)
            reason = self.reason(plan, unit)
            if reason:
                reasons[reason] += 1
                rows += row.stale()
            elif unit.status is UnitStatus.FAILED:
                rows += row.failed()
            else:
                rows += row.measured()
                if plan.crossing:
                    rows += row.crossed(self._partner_key(plan, image))
        return [*rows, *self._whole_set(plan)]

    def _partner_key(self, plan: CellPlan, image: str) -> Callable[[Scale], list[str]]:
        """Reference scale -> output keys that this image's unit may have there, as planned."""

        def keys(reference: Scale) -> list[str]:
            own = plan.cell
            other = CellId(own.method, own.variant, own.dataset, reference, own.seed)
            units = [self.agreed(partner, image) for partner in self._plans.get(other, ())]
            return [unit.output.key for unit in units if unit is not None and unit.output is not None]

        return keys

    def _whole_set(self, plan: CellPlan) -> Iterator[RecordRow]:
        unit = self.units(plan).get((WHOLE_SET, plan.pair))
        if unit is None or (unit.origin, unit.source) != (plan.origin, plan.images):
            return
        agreed = [self.agreed(plan, image) for image in self.manifest.sets[plan.images].images]
        outputs = [unit.output for unit in agreed if unit is not None]
        whole = digest([output.key for output in outputs if output is not None])
        for score in unit.scores.values():
            if plan.crossing.get(score.signature) == score.metric and score.key == score_key(whole, score.signature):
                yield _Row(plan, WHOLE_SET, plan.images, unit).row(score.metric, score.signature, score)


_row_of: Callable[[tuple[object, ...]], RecordRow] = partial(tuple.__new__, RecordRow)
"""`RecordRow._make` without its check of the length, which counts where it is asked for every number of a folder."""


class _Row:
    """Makes the rows of one unit."""

    __slots__ = ("_head", "_tail", "plan", "unit")

    def __init__(self, plan: CellPlan, image: str, source: str, unit: StoredUnit) -> None:
        cell, output = plan.cell, unit.output
        self.plan, self.unit = plan, unit
        self._head = cell.method, cell.variant, cell.dataset, image, cell.scale, cell.seed
        size = (None, None, None) if output is None else (output.seconds, *output.size)
        self._tail = plan.origin, source, *size

    def row(self, metric: str, signature: str, score: Score | None, status: UnitStatus | None = None) -> RecordRow:
        """One row; without a status it is ok where there is a value, else failed."""
        value = None if score is None else score.value
        status = status or (UnitStatus.FAILED if value is None else UnitStatus.OK)
        return _row_of((*self._head, metric, value, status, signature, *self._tail))

    def stale(self) -> Iterator[RecordRow]:
        """Rows without a value for the numbers of an older image."""
        for score in self.unit.scores.values():
            if self.plan.signatures.get(score.signature) == score.metric:
                yield self.row(score.metric, score.signature, None, UnitStatus.STALE)

    def failed(self) -> Iterator[RecordRow]:
        """A row without a value for every metric that was asked for."""
        for signature, metric in self.plan.signatures.items():
            yield self.row(metric, signature, None, UnitStatus.FAILED)

    def measured(self) -> list[RecordRow]:
        """Numbers, faults, and metrics that do not apply to this image."""
        plan, unit, output = self.plan, self.unit, self.unit.output
        rows = []
        keys = score_keys(output.key, plan.signatures) if output is not None else repeat("")
        for (signature, metric), key in zip(plan.signatures.items(), keys, strict=False):
            score = unit.score(key, metric, signature)
            if score is not None:
                rows.append(self.row(metric, signature, score))
            elif metric in plan.apart:
                rows.append(self.row(metric, signature, None, UnitStatus.UNAVAILABLE))
            elif f"fault of {metric}|{signature}" in unit.scores:
                rows.append(self.row(metric, signature, None, UnitStatus.FAILED))
        return rows

    def crossed(self, partner_keys: Callable[[Scale], list[str]]) -> Iterator[RecordRow]:
        """Numbers across scales, of which the other image is as planned too."""
        output = self.unit.output
        if output is None:
            return
        for score in self.unit.scores.values():
            ref = MetricRef.parse(score.metric)
            if ref.reference is None or self.plan.crossing.get(score.signature) != ref.name:
                continue
            if score.key in [score_key(output.key, score.signature, key) for key in partner_keys(ref.reference)]:
                yield self.row(score.metric, score.signature, score)
