"""request -> cells -> units: what must be inferred, what only scored, what is there already, and why it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from bench.api import (
    CellId,
    Dataset,
    ImageSet,
    MetricKind,
    Origin,
    Output,
    Protocol,
    RequestError,
    RunManifest,
    Sample,
    Scale,
    UnitStatus,
    counted,
    format_scale,
)
from bench.engine.agreement import disagreement
from bench.engine.bulk import no_collection
from bench.engine.choice import MethodChoice
from bench.engine.extent import result_pixels
from bench.engine.faults import attributed
from bench.engine.folder import CellFolder, Listing, RunFolder, StoredUnit
from bench.engine.keys import output_key
from bench.engine.metric_plan import MetricPlan
from bench.engine.origin import MadeBy, fingerprint_or_fault, image_set, made_by, read_besides, short, source_of
from bench.engine.request import RunRequest, refuse_twins
from bench.engine.shard import Shard, share_out
from bench.metrics.base import SetMetric


@dataclass(slots=True)
class Unit:
    """One image of a cell and what is left to do for it.

    Attributes:
        sample: The image.
        key: Output key.
        place: Where the SR image lies, relative to the run folder.
        infer: True where the SR image has to be computed.
        missing: metric -> score key of the numbers that are not there yet.
        source: `source_of` the sample when the run was planned.
        short_source: The same as records carry it.
        file: Short hash of a file of this image's own that the method reads.
        stored: What is known of the SR image, where it is there.
        because: Why an image that is there has to be computed again; empty where none is there.
        without: metric -> why it has no value for this image, as far as that is known.
        elsewhere: True where another shard computes it: there is nothing to do for it here.
    """

    sample: Sample
    key: str
    place: str
    infer: bool
    missing: dict[str, str]
    source: str = ""
    short_source: str = ""
    file: str = ""
    stored: Output | None = None
    because: str = ""
    without: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False

    @property
    def path(self) -> Path:
        """`place` as a path."""
        return Path(self.place)


@dataclass
class Cell:
    """A cell with its units.

    Attributes:
        id: (method, variant, dataset, scale, seed).
        choice: The method as it is to run.
        where: Its folders.
        pair: Pair id of the protocol at this scale.
        origin: What makes its images.
        weights: What the method's weights hold, as the keys of the units have it.
        set_id: Id of its image set.
        signatures: metric -> how its number is signed here.
        units: One per image, sorted by id.
    """

    id: CellId
    choice: MethodChoice
    where: CellFolder
    pair: str
    origin: Origin
    weights: str
    set_id: str
    signatures: dict[str, str] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)

    def todo(self) -> list[Unit]:
        """Units with something left to do."""
        return [unit for unit in self.units if unit.infer or unit.missing]


@dataclass
class Plan:
    """All cells of a request, methods outermost, so that each method is loaded once.

    Attributes:
        request: What was asked for.
        cells: In order.
        sets: Id -> images, of the cells.
    """

    request: RunRequest
    cells: list[Cell]
    sets: dict[str, ImageSet] = field(default_factory=dict)

    @property
    def inferences(self) -> int:
        """Images to compute."""
        return sum(unit.infer for cell in self.cells for unit in cell.units)

    @property
    def scores(self) -> int:
        """Numbers to compute."""
        return sum(len(unit.missing) for cell in self.cells for unit in cell.units)

    def reasons(self) -> list[str]:
        """Sentences on images that are there and are computed all the same: "5 images of Up were made by …"."""
        counts: Counter[tuple[str, str]] = Counter()
        for cell in self.cells:
            counts.update((cell.choice.display, unit.because) for unit in cell.units if unit.infer and unit.because)
        return [f"{counted(n, 'image')} of {name}: {why}, so computed again" for (name, why), n in counts.items()]


Samples = Mapping[tuple[str, Scale], list[Sample]]
"""(dataset, scale) -> the images that a run looks at."""


def list_samples(request: RunRequest) -> Samples:
    """The images of a request, before anything is written.

    Raises:
        RequestError: two datasets of one name, a set without images at this scale.
        Unavailable: a dataset that is not here.
    """
    refuse_twins(request.datasets)
    return {
        (dataset.name, scale): select_samples(dataset, scale, request.protocol, request.limit)
        for dataset in request.datasets
        for scale in request.scales
    }


def make_plan(
    request: RunRequest, samples: Samples, store: RunFolder, metrics: MetricPlan, before: RunManifest | None = None
) -> Plan:
    """Compare the request with what the run folder holds.

    Args:
        request: What is asked for.
        samples: Its images.
        store: The run folder.
        metrics: Its metrics.
        before: What run.json says of earlier runs; it is where the reasons for computing again come from.
    Raises:
        RequestError: a damaged record file.
    """
    read = lru_cache(maxsize=None)(fingerprint_or_fault)  # of a file that is planned at many scales: once
    sets = {place: image_set(place[0], images, read) for place, images in samples.items()}
    sources = {
        place: [(source_of(image, read), sets[place][1].images[image.id]) for image in images]
        for place, images in samples.items()
    }
    listing = Listing(store.out)
    known = dict(before.origins) if before is not None else {}
    cells = []
    with no_collection():
        for choice in request.methods:
            made = made_by(choice, tile=request.tile)
            known[made.origin.id] = made.origin
            for dataset in request.datasets:
                seeds = request.seeds if choice.spec.info.stochastic or _draws(request, metrics, dataset) else (0,)
                for scale in request.scales:
                    place = (dataset.name, scale)
                    for seed in seeds:
                        cell_id = CellId(choice.name, choice.variant, dataset.name, scale, seed)
                        cell = _empty_cell(request, metrics, choice, made, cell_id, sets[place][0], len(samples[place]))
                        _fill(cell, samples[place], sources[place], store, request, metrics, made, known, listing)
                        cells.append(cell)
    if request.shard is not None:
        _leave_to_others(cells, request.shard, request.protocol)
    return Plan(request, cells, dict(sets.values()))


def _leave_to_others(cells: Iterable[Cell], shard: Shard, protocol: Protocol) -> None:
    """Leave nothing to do for the images of other shards, whatever is stored here already."""
    units = [(cell.id, unit) for cell in cells for unit in cell.units]
    work = [((of.method, of.variant), result_pixels(unit.sample, of.scale, protocol)) for of, unit in units]
    for (_, unit), home in zip(units, share_out(work, shard.count), strict=True):
        if home != shard.number:
            unit.elsewhere, unit.infer, unit.missing = True, False, {}


def select_samples(dataset: Dataset, scale: Scale, protocol: Protocol, limit: int | None) -> list[Sample]:
    """The samples that a run looks at: the protocol's first ones, then the user's limit.

    Raises:
        RequestError: nothing is left.
    """
    samples = list(dataset.samples(scale))[: protocol.first][:limit]
    if not samples:
        raise RequestError(f"dataset {dataset.name} has no image at x{format_scale(scale)}")
    return samples


def _draws(request: RunRequest, metrics: MetricPlan, dataset: Dataset) -> bool:
    """Whether a run seed decides the LR images of a set."""
    return request.protocol.degradation != "none" and dataset.name not in metrics.with_lr


def _empty_cell(
    request: RunRequest,
    metrics: MetricPlan,
    choice: MethodChoice,
    made: MadeBy,
    cell_id: CellId,
    set_id: str,
    count: int,
) -> Cell:
    scale = cell_id.scale
    protocol = replace(request.protocol, lr_given=cell_id.dataset in metrics.with_lr)
    signatures = dict(metrics.signed(cell_id.dataset, scale))
    for name, kind in metrics.kinds.items():
        metric = request.metric(name)
        # a value of a set metric without its number of images must not be published
        if kind is MetricKind.SET and isinstance(metric, SetMetric):
            signatures[name] = metric.signature(protocol, scale, n=count)
    pair = protocol.drawn(cell_id.seed).pair_id(scale)
    where = CellFolder(cell_id, choice.folder)
    return Cell(cell_id, choice, where, pair, made.origin, made.weights, set_id, signatures)


def _fill(
    cell: Cell,
    samples: Iterable[Sample],
    sources: Iterable[tuple[str, str]],
    store: RunFolder,
    request: RunRequest,
    metrics: MetricPlan,
    made: MadeBy,
    origins: Mapping[str, Origin],
    listing: Listing,
) -> None:
    """Compare each image of a cell with what is stored of it."""
    spec, where = cell.choice.spec, cell.where
    stored = store.units(where)
    plain = {
        p for (_, p), u in stored.items() if u.output is not None and u.output.path == where.image_path(u.image, p)
    }
    depth = 16 if request.protocol.sr_depth == "float" else 8
    for sample, (source, short_name) in zip(samples, sources, strict=True):
        own = ""
        if spec.fingerprint is not None and spec.fingerprint_per_image:
            with attributed(spec):
                own = spec.fingerprint(cell.choice.options, sample.id, cell.id.scale)
        unit = Unit(
            sample=sample,
            key=output_key(
                method=made.key,
                source=source,
                pair=cell.pair,
                image=sample.id,
                scale=cell.id.scale,
                seed=cell.id.seed,
                extra=read_besides(spec, own or made.reads, request.protocol),
            ),
            place="",
            infer=True,
            missing={},
            source=source,
            short_source=short_name,
            file=short(own) if own else "",
        )
        old = stored.get((sample.id, cell.pair))
        unit.because = _because(old, unit, cell, depth, listing, origins)
        unit.infer = old is None or old.output is None or bool(unit.because)
        if not unit.infer and old is not None and old.output is not None:
            unit.key = old.output.key  # equal, and one text in memory instead of two
        if old is not None and old.output is not None:
            unit.place = old.output.path
        else:
            unit.place = store.image_path(where, sample.id, cell.pair, plain).as_posix()
        wanted = metrics.keys(unit.key, cell.signatures, sample)
        kept = old if old is not None and not unit.infer else _NOTHING
        have = {name: kept.score(key, name, cell.signatures[name]) for name, key in wanted.items()}
        unit.missing = {name: key for name, key in wanted.items() if have[name] is None}
        unit.without = {name: score.reason for name, score in have.items() if score is not None and score.value is None}
        unit.stored = old.output if old is not None and not unit.infer else None
        cell.units.append(unit)


_NOTHING = StoredUnit("", "", UnitStatus.FAILED, None)


def _because(
    old: StoredUnit | None, unit: Unit, cell: Cell, depth: int, listing: Listing, origins: Mapping[str, Origin]
) -> str:
    """Why a stored image will not do; empty where it will, or where there is none."""
    if old is None or old.output is None:
        return ""
    if old.output.key != unit.key:
        reason = disagreement(old, cell.origin, unit.short_source, unit.file, origins)
        return reason or "made in another way"
    if old.output.depth < depth:
        return f"stored with {old.output.depth} bits where this protocol scores {depth}"
    return "" if listing.has(old.output.path) else "its file is gone"
