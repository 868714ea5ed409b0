"""request -> cells -> units: what must be inferred, what only scored, what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.api import CellId, Dataset, ImageRef, MetricKind, Output, Protocol, RequestError, Sample, format_scale
from bench.data import fingerprint
from bench.engine.keys import method_key, output_key, score_key, weights_hash
from bench.engine.request import MethodChoice, RunRequest
from bench.engine.store import CellFolder, Store, StoredUnit
from bench.metrics.base import SetMetric
from bench.metrics.catalog import make_metric


@dataclass
class Unit:
    """One image of a cell and what is left to do for it.

    Attributes:
        sample: The image.
        key: Output key.
        path: Where the SR image lies, relative to the run folder.
        infer: True where the SR image has to be computed.
        missing: metric -> score key of the numbers that are not there yet.
        stored: What is known of the SR image, where it is there.
        without: metric -> why it has no value for this image, as far as that is known.
    """

    sample: Sample
    key: str
    path: Path
    infer: bool
    missing: dict[str, str]
    stored: Output | None = None
    without: dict[str, str] = field(default_factory=dict)


@dataclass
class Cell:
    """A cell with its units.

    Attributes:
        id: (method, variant, dataset, scale, seed).
        choice: The method as it is to run.
        where: Its folders.
        pair: Pair id of the protocol at this scale.
        weights: What the method's weights hold, as the keys of the units have it.
        signatures: metric -> how its number is signed here.
        units: One per image, sorted by id.
    """

    id: CellId
    choice: MethodChoice
    where: CellFolder
    pair: str
    weights: str
    signatures: dict[str, str] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)

    def todo(self) -> list[Unit]:
        """Units with something left to do."""
        return [unit for unit in self.units if unit.infer or unit.missing]


@dataclass
class Plan:
    """All cells of a request, methods outermost, so that each method is loaded once."""

    request: RunRequest
    cells: list[Cell]

    @property
    def inferences(self) -> int:
        """Images to compute."""
        return sum(unit.infer for cell in self.cells for unit in cell.units)

    @property
    def scores(self) -> int:
        """Numbers to compute."""
        return sum(len(unit.missing) for cell in self.cells for unit in cell.units)

    def expected(self) -> list[dict[str, object]]:
        """How many images each cell must have, as rows for run.json."""
        return [
            {
                "method": cell.id.method,
                "variant": cell.id.variant,
                "dataset": cell.id.dataset,
                "scale": cell.id.scale,
                "seed": cell.id.seed,
                "expected": len(cell.units),
            }
            for cell in self.cells
        ]


@dataclass(frozen=True)
class MetricPlan:
    """What the plan needs to know of the metrics: the image metrics that can be computed, and their signatures.

    Attributes:
        kinds: metric -> kind, for every metric asked for.
        unavailable: metric -> reason.
        signatures: (whether the set comes with LR images, scale) -> metric -> signature.
        with_lr: Names of the datasets that come with LR images.
        needs_lr: Metrics that look at the LR image.
    """

    kinds: dict[str, MetricKind]
    unavailable: dict[str, str]
    signatures: dict[tuple[bool, float], dict[str, str]]
    with_lr: frozenset[str] = frozenset()
    needs_lr: frozenset[str] = frozenset()

    def signed(self, dataset: str, scale: float) -> dict[str, str]:
        """metric -> signature for a dataset of the request at a scale; empty where the request has no such scale."""
        return self.signatures.get((dataset in self.with_lr, scale), {})

    def image_metrics(self, sample: Sample | None = None) -> list[str]:
        """Available metrics that look at one image; of a given sample, those that it has a reference for."""
        wanted = (MetricKind.FULL_REFERENCE, MetricKind.NO_REFERENCE)
        names = [name for name, kind in self.kinds.items() if kind in wanted and name not in self.unavailable]
        if sample is None or sample.hr is not None:
            return names
        return [n for n in names if self.kinds[n] is not MetricKind.FULL_REFERENCE or n in self.needs_lr]


Samples = Mapping[tuple[str, float], list[Sample]]
"""(dataset, scale) -> the images that a run looks at."""


def list_samples(request: RunRequest) -> Samples:
    """The images of a request, before anything is written.

    Raises:
        RequestError: two datasets of one name, a set without images at this scale.
        Unavailable: a dataset that is not here.
    """
    _refuse_twins(request.datasets)
    return {
        (dataset.name, scale): select_samples(dataset, scale, request.protocol, request.limit)
        for dataset in request.datasets
        for scale in request.scales
    }


def make_plan(request: RunRequest, samples: Samples, store: Store, metrics: MetricPlan) -> Plan:
    """Compare the request with what the run folder holds.

    Raises:
        RequestError: a damaged record file.
    """
    cells = []
    for choice in request.methods:
        # asked for first: weights that change before the key is made are then not those that will be loaded
        weights = weights_hash(choice.spec, choice.weights)
        key = method_key(
            choice.spec, choice.weights, choice.options.model_dump(mode="json"), dtype="float32", tile=request.tile
        )
        for dataset in request.datasets:
            seeds = request.seeds if choice.spec.info.stochastic or _draws(request, metrics, dataset) else (0,)
            for scale in request.scales:
                for seed in seeds:
                    cell_id = CellId(choice.name, choice.variant, dataset.name, scale, seed)
                    images = samples[dataset.name, scale]
                    cells.append(_plan_cell(request, store, metrics, choice, key, weights, cell_id, images))
    return Plan(request, cells)


def select_samples(dataset: Dataset, scale: float, protocol: Protocol, limit: int | None) -> list[Sample]:
    """The samples that a run looks at: the protocol's first ones, then the user's limit.

    Raises:
        RequestError: nothing is left.
    """
    samples = list(dataset.samples(scale))
    if protocol.first is not None:
        samples = samples[: protocol.first]
    if limit is not None:
        samples = samples[:limit]
    if not samples:
        raise RequestError(f"dataset {dataset.name} has no image at x{format_scale(scale)}")
    return samples


def _draws(request: RunRequest, metrics: MetricPlan, dataset: Dataset) -> bool:
    """Whether a run seed decides the LR images of a set."""
    return request.protocol.degradation != "none" and dataset.name not in metrics.with_lr


def source_of(sample: Sample) -> str:
    """Fingerprint of everything on disk that decides a sample's HR and LR pixels."""
    return "+".join(_fingerprint(ref) for ref in (sample.hr, sample.lr) if ref is not None)


def _fingerprint(ref: ImageRef) -> str:
    try:
        return fingerprint(ref)
    except OSError as fault:
        # the unit will fail when it is read; the key only has to differ from that of a readable file
        return f"unreadable:{fault.strerror}"


def _plan_cell(
    request: RunRequest,
    store: Store,
    metrics: MetricPlan,
    choice: MethodChoice,
    method: str,
    weights: str,
    cell_id: CellId,
    samples: list[Sample],
) -> Cell:
    scale = cell_id.scale
    protocol = replace(request.protocol, lr_given=cell_id.dataset in metrics.with_lr)
    signatures = dict(metrics.signed(cell_id.dataset, scale))
    for name, kind in metrics.kinds.items():
        if kind is MetricKind.SET:
            # a value of a set metric without its number of images must not be published
            metric = make_metric(name, request.weights_root)
            if isinstance(metric, SetMetric):
                signatures[name] = metric.signature(protocol, scale, n=len(samples))
    where = CellFolder(cell_id, choice.folder)
    pair = protocol.drawn(cell_id.seed).pair_id(scale)
    stored = store.units(where)
    plain = {
        p for (_, p), u in stored.items() if u.output is not None and Path(u.output.path).parent.name == where.stem
    }
    depth = 16 if request.protocol.sr_depth == "float" else 8
    cell = Cell(cell_id, choice, where, pair, weights, signatures)
    for sample in samples:
        fingerprint_of = choice.spec.fingerprint
        extra = fingerprint_of(choice.options, sample.id, scale) if fingerprint_of is not None else ""
        key = output_key(
            method=method,
            source=source_of(sample),
            pair=pair,
            image=sample.id,
            scale=scale,
            seed=cell_id.seed,
            extra=extra,
        )
        old = stored.get((sample.id, pair))
        reusable = _reusable(old, key, depth, store.out)
        wanted = {name: score_key(key, signatures[name]) for name in metrics.image_metrics(sample)}
        have = old.scores if old is not None and reusable else {}
        path = Path(old.output.path) if old is not None and old.output is not None else None
        cell.units.append(
            Unit(
                sample=sample,
                key=key,
                path=path or store.image_path(where, sample.id, pair, plain),
                infer=not reusable,
                missing={name: k for name, k in wanted.items() if k not in have},
                stored=old.output if old is not None and reusable else None,
                without={name: have[k].reason for name, k in wanted.items() if k in have and have[k].value is None},
            )
        )
    return cell


def _reusable(old: StoredUnit | None, key: str, depth: int, out: Path) -> bool:
    if old is None or old.output is None:
        return False
    if old.output.key != key or old.output.depth < depth:
        return False
    return (out / old.output.path).is_file()


def _refuse_twins(datasets: Iterable[Dataset]) -> None:
    seen: set[str] = set()
    for dataset in datasets:
        if dataset.name in seen:
            raise RequestError(
                f"two datasets are called '{dataset.name}'; their results would be mixed: rename one of the folders"
            )
        seen.add(dataset.name)
