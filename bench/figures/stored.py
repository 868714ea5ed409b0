"""The images behind a run: what it stored, with the HR and LR images of the protocol, each checked by its content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import (
    BenchError,
    CellPlan,
    Dataset,
    Output,
    Protocol,
    RequestError,
    RunManifest,
    Sample,
    UnitError,
    UnitStatus,
    format_scale,
)
from bench.data import Pair, prepare, resolve_dataset
from bench.engine.agreement import disagreement
from bench.engine.folder import CellFolder, RunFolder
from bench.engine.origin import short_source
from bench.engine.scoring import as_compared, as_scored, read_stored
from bench.report.model import MethodRow
from bench.session.request import named_protocol

_AGAIN = "type the run's command again with the same --out"


@dataclass(frozen=True)
class StoredImage:
    """One SR image of a method and the seed it was made with; `reason` says why there is none."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16] | None
    seed: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """One image at one scale, with what every method made of it.

    Attributes:
        image, scale, seed: Which.
        protocol: How HR and LR were made.
        hr: (H, W, 3) or (H, W), uint8; None for an LR-only set.
        lr: float32 (h, w, 3) in [0, 1].
        size: (H, W) of the results.
        results: In the order of the rows asked for.
        fixed_view: True where images of several scales show the same view in different sizes.
    """

    image: str
    scale: float
    seed: int
    protocol: Protocol
    hr: NDArray[np.uint8] | None
    lr: NDArray[np.float32]
    size: tuple[int, int]
    results: tuple[StoredImage, ...]
    fixed_view: bool


class StoredRun:
    """Run folders opened for their images."""

    def __init__(
        self, folders: Sequence[Path], *, protocol: str, data: str = "", data_root: Path | None = None
    ) -> None:
        """Open them.

        Args:
            folders: Each the --out folder of a run.
            protocol: The name of the one whose images are meant.
            data, data_root: Where the source images lie, if not where the run found them.
        """
        self._protocol, self._data, self._root = protocol, data, data_root
        self._folders: list[tuple[RunFolder, RunManifest]] = []
        for folder in folders:
            run = RunFolder(folder)
            manifest = run.manifest()
            if manifest is not None:
                self._folders.append((run, manifest))
        self._sets: dict[str, list[Dataset]] = {}

    def images(self, dataset: str, scale: float) -> list[str]:
        """The ids of a dataset's images at a scale, in their order."""
        found: dict[str, None] = {}
        for _, manifest, plan in self._plans():
            if (plan.cell.dataset, plan.cell.scale) == (dataset, scale):
                found.update(dict.fromkeys(manifest.sets[plan.images].images))
        return sorted(found)

    def view(self, dataset: str, scale: float, image: str, rows: Iterable[MethodRow], *, seed: int | None) -> View:
        """An image at a scale, with the results of some rows.

        Args:
            seed: Of the run; None: the first of each row.
        Raises:
            RequestError: no such image, its files are not those of the run, or a stored one was changed or is gone.
        """
        known = self.images(dataset, scale)
        if image not in known:
            near = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise RequestError(
                f"--image {image}: this run holds no such image of {dataset} at x{format_scale(scale)}; it holds {near}"
            )
        plans = [self._plan(dataset, scale, image, row, seed) for row in rows]
        there = [found for found in plans if found is not None]
        if not there:
            raise RequestError(f"{image} at x{format_scale(scale)}: no method has it; {_AGAIN}")
        _, manifest, plan = there[0]
        if len({found[2].pair for found in there}) > 1:
            raise RequestError("the methods were given different LR images; choose one draw of them with --seed N")
        protocol, sample, pair = self._pair(manifest, plan, image)
        results = tuple(
            StoredImage(None, reason="not in this run") if found is None else self._result(*found, image, protocol)
            for found in plans
        )
        shapes = {result.pixels.shape[:2] for result in results if result.pixels is not None}
        hr = pair.hr
        for result in results:
            if result.pixels is not None:
                hr = as_compared(hr, result.pixels, protocol)
        if pair.lr is None or len(shapes) > 1:
            raise RequestError(f"{image} at x{format_scale(scale)}: the results differ in size: {sorted(shapes)}")
        size = next(iter(shapes), pair.size)
        fixed = sample.hr is None or protocol.size_rule == "fixed-lr"
        return View(image, scale, plan.cell.seed, protocol, hr, pair.lr, size, results, fixed)

    def _plans(self) -> Iterable[tuple[RunFolder, RunManifest, CellPlan]]:
        for run, manifest in self._folders:
            for plan in manifest.cells:
                names = {name for s in (*plan.signatures, *plan.crossing) for name in manifest.protocols.get(s, ())}
                if not self._protocol or not names or self._protocol in names:
                    yield run, manifest, plan

    def _plan(
        self, dataset: str, scale: float, image: str, row: MethodRow, seed: int | None
    ) -> tuple[RunFolder, RunManifest, CellPlan] | None:
        """The cell that holds an image of a row; a method without chance has one seed, which stands for all."""
        own = [
            found
            for found in self._plans()
            if (found[2].cell.method, found[2].cell.variant) == (row.method, row.variant)
            and (found[2].cell.dataset, found[2].cell.scale) == (dataset, scale)
            and image in found[1].sets[found[2].images].images
        ]
        seeds = sorted({found[2].cell.seed for found in own})
        wanted = seed if seed is not None and len(seeds) > 1 else next(iter(seeds), 0)
        if seed is not None and len(seeds) > 1 and seed not in seeds:
            raise RequestError(f"--seed {seed}: {row.display} was run with seeds {', '.join(map(str, seeds))}")
        return next((found for found in own if found[2].cell.seed == wanted), None)

    def _result(
        self, run: RunFolder, manifest: RunManifest, plan: CellPlan, image: str, protocol: Protocol
    ) -> StoredImage:
        unit = run.units(CellFolder(plan.cell, plan.folder)).get((image, plan.pair))
        if unit is None:
            return StoredImage(None, reason="not computed")
        origin, source = manifest.origins[plan.origin], manifest.sets[plan.images].images[image]
        if disagreement(unit, origin, source, plan.files.get(image, ""), manifest.origins):
            return StoredImage(None, reason="stale")
        if unit.output is None or unit.status is not UnitStatus.OK:
            return StoredImage(None, reason="failed")
        return StoredImage(as_scored(_read(run.out, unit.output), protocol), plan.cell.seed)

    def _pair(self, manifest: RunManifest, plan: CellPlan, image: str) -> tuple[Protocol, Sample, Pair]:
        cell = plan.cell
        protocol = _protocol_of(manifest, plan, self._protocol)
        sample = self._sample(manifest, plan, image)
        try:
            return protocol, sample, prepare(sample, cell.scale, protocol)
        except UnitError as fault:
            raise RequestError(f"{image}: {fault}") from None

    def _sample(self, manifest: RunManifest, plan: CellPlan, image: str) -> Sample:
        wanted = manifest.sets[plan.images].images[image]
        seen = ""
        for dataset in self._datasets(manifest, plan):
            try:
                samples = dataset.samples(plan.cell.scale)
            except BenchError as fault:  # a set that is not here any more: the next one may be
                seen = seen or str(fault)
                continue
            for sample in samples:
                if sample.id == image and short_source(sample) == wanted:
                    return sample
            seen = seen or "its files are other ones now"
        raise RequestError(
            f"the source image {image} of {plan.cell.dataset} is not where the run found it"
            f"{f' ({seen})' if seen else ''}; say where it lies with --data NAME_OR_FOLDER, or with --data-root"
        )

    def _datasets(self, manifest: RunManifest, plan: CellPlan) -> list[Dataset]:
        if plan.images not in self._sets:
            request = manifest.request
            root = self._root or (Path(str(request["data_root"])) if request.get("data_root") else None)
            words = [self._data] if self._data else [plan.cell.dataset, *_listed(request.get("datasets"))]
            if not self._data and manifest.sets[plan.images].folder:
                words.append(manifest.sets[plan.images].folder)
            found = []
            for word in dict.fromkeys(words):
                try:
                    found.append(resolve_dataset(word, data_root=root))
                except RequestError:
                    if self._data:
                        raise
            self._sets[plan.images] = found
        return self._sets[plan.images]


def _listed(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else [str(word) for word in value or ()]


def _read(out: Path, output: Output) -> NDArray[np.uint8] | NDArray[np.uint16]:
    try:
        return read_stored(out, output)
    except UnitError as fault:
        raise RequestError(f"{fault}; {_AGAIN}") from None


def _protocol_of(manifest: RunManifest, plan: CellPlan, shown: str) -> Protocol:
    """The protocol under which a cell's HR and LR were made; what is no part of its name is found by the pair's id."""
    named = [name for s in plan.signatures for name in manifest.protocols.get(s, ())]
    for name in dict.fromkeys([shown, *named, str(manifest.request.get("protocol") or "")]):
        if not name:
            continue
        for alpha in (None, "white", "black"):
            for given in (False, True):
                protocol = replace(named_protocol(name, alpha=alpha), lr_given=given).drawn(plan.cell.seed)
                if protocol.pair_id(plan.cell.scale) == plan.pair:
                    return protocol
    raise RequestError(
        f"{plan.cell.dataset} at x{format_scale(plan.cell.scale)}: HR and LR were made by a protocol that is not known "
        f"here ({', '.join(dict.fromkeys(named)) or 'no name'}); {_AGAIN}"
    )
