"""The images behind a run: what it stored, with the HR and LR images of its protocol, each checked by its content.

Whatever shows or scores stored images opens them here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.api import (
    PRESETS,
    BenchError,
    CellId,
    CellPlan,
    Dataset,
    Output,
    Protocol,
    RequestError,
    RunManifest,
    Sample,
    Scale,
    UnitStatus,
    format_scale,
)
from bench.data import Pair, prepare, resolve_dataset
from bench.engine.agreement import disagreement
from bench.engine.folder import CellFolder, RunFolder
from bench.engine.origin import short_source
from bench.engine.scoring import Pixels, as_scored, read_stored

RUN_AGAIN = "type the run's command again with the same --out"
"""What to do where stored images are not there or not as they were."""


@dataclass(frozen=True)
class StoredImage:
    """One SR image of a method and the seed it was made with; `reason` says why there is none."""

    pixels: Pixels | None
    seed: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class References:
    """What the methods were given of one image at one scale, and what their results are compared with.

    Attributes:
        protocol: How HR and LR were made, with the draws of the cell's seed.
        sample: Where the source image lies now.
        pair: HR and LR.
    """

    protocol: Protocol
    sample: Sample
    pair: Pair


@dataclass(frozen=True, eq=False)
class StoredCell:
    """A cell of a run folder as it was planned last.

    Attributes:
        run: The folder.
        manifest: Its run.json.
        plan: What the cell must hold.
    """

    run: RunFolder
    manifest: RunManifest
    plan: CellPlan

    @property
    def id(self) -> CellId:
        """(method, variant, dataset, scale, seed)."""
        return self.plan.cell

    @property
    def images(self) -> Mapping[str, str]:
        """Image id -> short hash of its source, as planned."""
        return self.manifest.sets[self.plan.images].images

    def output(self, image: str) -> tuple[Output | None, str]:
        """What the records say of an SR image, or None and why it is not what was planned; the file is not read."""
        unit = self.run.units(CellFolder(self.id, self.plan.folder)).get((image, self.plan.pair))
        if unit is None:
            return None, "not computed"
        origins = self.manifest.origins
        file = self.plan.files.get(image, "")
        if disagreement(unit, origins[self.plan.origin], self.images[image], file, origins):
            return None, "stale"
        if unit.output is None or unit.status is not UnitStatus.OK:
            return None, "failed"
        return unit.output, ""

    def result(self, image: str, protocol: Protocol | None) -> StoredImage:
        """An SR image as the protocol scores it; as it is stored where that is None.

        Raises:
            UnitError: the stored file is gone, or is not what was written.
        """
        output, reason = self.output(image)
        if output is None:
            return StoredImage(None, reason=reason)
        pixels = read_stored(self.run.out, output)
        return StoredImage(pixels if protocol is None else as_scored(pixels, protocol), self.id.seed)


class StoredRun:
    """Run folders opened for their images."""

    def __init__(
        self, folders: Sequence[Path], *, protocol: str = "", data: str = "", data_root: Path | None = None
    ) -> None:
        """Open them.

        Args:
            folders: Each the --out folder of a run; one without run.json is passed over.
            protocol: The name of the one whose images are meant; empty: of all.
            data, data_root: Where the source images lie, if not where the run found them.
        Raises:
            RequestError: a damaged run.json.
        """
        self._protocol, self._data, self._root = protocol, data, data_root
        runs = [RunFolder(folder) for folder in folders]
        self._folders = [(run, manifest) for run in runs if (manifest := run.manifest()) is not None]
        self._sets: dict[tuple[str, Scale], list[Mapping[str, Sample] | BenchError]] = {}
        self._last: tuple[object, References] | None = None

    def cells(self) -> Iterator[StoredCell]:
        """The cells of the protocol that is meant."""
        for run, manifest in self._folders:
            for plan in manifest.cells:
                names = _protocol_names(manifest, plan)
                if not self._protocol or not names or self._protocol in names:
                    yield StoredCell(run, manifest, plan)

    def references(self, cell: StoredCell, image: str) -> References:
        """HR and LR of an image, made again as the run made them; remembered until another one is asked for.

        Raises:
            RequestError: the protocol is not known any more, or the source image has gone or is another one now.
            UnitError: its pixels cannot be read.
        """
        key = (cell.id.dataset, image, cell.images[image], cell.id.scale, cell.plan.pair, self._protocol)
        if self._last is None or self._last[0] != key:
            self._last = None  # its memory goes before the next one is made
            protocol, sample = self.protocol(cell), self.sample(cell, image)
            self._last = key, References(protocol, sample, prepare(sample, cell.id.scale, protocol))
        return self._last[1]

    def protocol(self, cell: StoredCell) -> Protocol:
        """The protocol under which a cell's HR and LR were made, with the draws of its seed.

        Raises:
            RequestError: nobody knows it any more.
        """
        scale, seed = cell.id.scale, cell.id.seed
        names = _protocol_names(cell.manifest, cell.plan)
        known = [protocol.drawn(seed) for protocol in (*reversed(cell.manifest.made_under), *_presets(names))]
        fitting = [protocol for protocol in known if protocol.pair_id(scale) == cell.plan.pair]
        # several protocols may make HR and LR alike and score differently: the one that was asked for comes first
        for wanted in (self._protocol, *names):
            for protocol in fitting:
                if protocol.name == wanted:
                    return protocol
        if fitting:
            return fitting[0]
        raise RequestError(
            f"{cell.id.dataset} at x{format_scale(scale)}: HR and LR were made by a protocol that is not known here "
            f"({', '.join(names) or 'no name'}); {RUN_AGAIN}"
        )

    def sample(self, cell: StoredCell, image: str) -> Sample:
        """The source image of a unit, where it lies now.

        Raises:
            RequestError: it is not there, or its files are not those of the run.
        """
        seen = ""
        for samples in self._samples(cell):
            if isinstance(samples, BenchError):  # a set that is not here any more: the next one may be
                seen = seen or str(samples)
            elif image in samples:
                if short_source(samples[image]) == cell.images[image]:
                    return samples[image]
                seen = seen or "its files are other ones now"
        raise RequestError(
            f"the source image {image} of {cell.id.dataset} is not where the run found it"
            f"{f' ({seen})' if seen else ''}; say where it lies with --data NAME_OR_FOLDER, or with --data-root"
        )

    def _samples(self, cell: StoredCell) -> list[Mapping[str, Sample] | BenchError]:
        """What each place that may hold a cell's images holds by id, or why it holds none."""
        key = (cell.plan.images, cell.id.scale)
        if key not in self._sets:
            self._sets[key] = [_listed(dataset, cell.id.scale) for dataset in self._datasets(cell)]
        return self._sets[key]

    def _datasets(self, cell: StoredCell) -> list[Dataset]:
        request, folder = cell.manifest.request, cell.manifest.sets[cell.plan.images].folder
        root = self._root or (Path(str(request["data_root"])) if request.get("data_root") else None)
        words = [self._data] if self._data else [cell.id.dataset, *_words(request.get("datasets")), folder]
        found = []
        for word in dict.fromkeys(word for word in words if word):
            try:
                found.append(resolve_dataset(word, data_root=root))
            except RequestError:
                if self._data:
                    raise
        return found


def _listed(dataset: Dataset, scale: Scale) -> Mapping[str, Sample] | BenchError:
    try:
        return {sample.id: sample for sample in dataset.samples(scale)}
    except BenchError as fault:
        return fault


def _words(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else [str(word) for word in value or ()]


def _protocol_names(manifest: RunManifest, plan: CellPlan) -> list[str]:
    """The names of the protocols that sign a cell's numbers."""
    signatures = (*plan.signatures, *plan.crossing)
    return list(dict.fromkeys(name for signature in signatures for name in manifest.protocols.get(signature, ())))


def _presets(names: Sequence[str]) -> Iterator[Protocol]:
    """Presets by name with what may be changed beside the name: for folders that do not hold their protocols."""
    for name in names:
        if name in PRESETS:
            for alpha in ("refuse", "white", "black"):
                for given in (False, True):
                    yield replace(PRESETS[name], alpha=alpha, lr_given=given)
