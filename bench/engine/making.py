"""Inference as a job: a few images of one cell, and what comes of each; the same in this process and in any other.

An `InferJob` can be sent to a process of this machine or of another. What fails comes back as data; only what ends the
run (weights that cannot be loaded, a full disk) is raised.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import ComingUnit, Output, Protocol, Sample, Scale, Size, UnitError, derive_seed
from bench.data import Pair, prepare
from bench.engine.choice import MethodChoice
from bench.engine.faults import of_one_image
from bench.engine.inference import Runner, as_tensor
from bench.engine.lookup import LookUp, open_method
from bench.engine.origin import unchanged
from bench.engine.rounding import Pixels
from bench.engine.scoring import store_image
from bench.engine.store import cannot_write, is_full
from bench.engine.together import Together


@dataclass(frozen=True)
class InferUnit:
    """One image to compute.

    Attributes:
        sample: The image.
        source: `source_of` the sample when the run was planned.
        key: Output key.
        place: Where the SR image goes, relative to the run folder.
    """

    sample: Sample
    source: str
    key: str
    place: str


@dataclass(frozen=True)
class InferJob:
    """Images of one cell for one method.

    Attributes:
        choice: The method with its weights and options.
        weights: What its weights held when the run was planned.
        protocol: How LR is made and SR rounded.
        scale: Nominal scale.
        seed: The run's seed.
        units: The images, of which the method is told together.
        out: The run folder.
        device: auto, cpu, cuda or cuda:N.
        tile: LR tile side to use from the start.
        hand_over: True where the pixels come back too, for scoring beside this process.
    """

    choice: MethodChoice
    weights: str
    protocol: Protocol
    scale: Scale
    seed: int
    units: tuple[InferUnit, ...]
    out: Path
    device: str = "auto"
    tile: int | None = None
    hand_over: bool = False


@dataclass(frozen=True)
class Made:
    """What came of one image.

    Attributes:
        image: Its id.
        output: The stored SR image; None where there is none.
        error: Why there is none, on one line.
        details: The traceback of a method's own fault.
        lr_shape: (h, w) of the LR image.
        size: (H, W) that is scored.
        phases: Seconds per phase (load, prepare, model, write), of what was done for this image.
        notes: What a user should know of a method that was loaded for it.
        sr, hr, lr: Pixels, where the job asked for them.
        png: The SR image as a file, where it was made on a machine that does not see the run folder.
    """

    image: str
    output: Output | None = None
    error: str = ""
    details: str = ""
    lr_shape: Size = (0, 0)
    size: Size = (0, 0)
    phases: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sr: Pixels | None = None
    hr: NDArray[np.uint8] | None = None
    lr: NDArray[np.float32] | None = None
    png: bytes | None = None


@dataclass(frozen=True)
class Opened:
    """Said once for each job, when its method is loaded and before its first image is computed."""


class Phases:
    """Seconds per phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count what happens inside to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spend(phase, time.perf_counter() - started)

    def spend(self, phase: str, seconds: float) -> None:
        """Count so many seconds to a phase."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


class Maker:
    """Computes images, one job after another, and keeps the method of the last one loaded."""

    def __init__(self, make_folder: Callable[[Path], None] | None = None) -> None:
        """Args: make_folder: Makes a folder of images; None: as it is, without a look at what lies there."""
        self._make_folder = make_folder or (lambda path: path.mkdir(parents=True, exist_ok=True))
        self._method: Runner | LookUp | None = None

    def run(self, job: InferJob) -> Iterator[Made | Opened]:
        """What comes of each image of a job, in order, when it is there; before the first, that the method is loaded.

        Raises:
            RequestError: the method cannot be loaded, its weights changed, or no further image could be stored.
        """
        coming, share, unprepared = job.units, 0.0, None
        reading = Phases()
        together = Together(job.units, lambda unit: unit.sample, lambda unit: _read(job, unit, reading))
        for unit in job.units:
            spent, notes = Phases(), ()
            try:
                with of_one_image(unit.sample.id):
                    method, notes = self._open(job, spent)
                    if coming:
                        yield Opened()
                        share, unprepared = self._announce(method, job, spent)
                        coming = ()
                    if unprepared is not None:
                        _read(job, unit, reading)  # where it cannot be read, that is the reason
                        raise UnitError(str(unprepared), details=unprepared.details) from unprepared
                    made = self._make(method, job, unit, together, share, spent)
            except UnitError as fault:
                made = Made(unit.sample.id, error=str(fault), details=fault.details)
            spent.spend("prepare", reading.seconds.pop("prepare", 0.0))
            yield replace(made, phases=spent.seconds, notes=notes)

    def _open(self, job: InferJob, spent: Phases) -> tuple[Runner | LookUp, tuple[str, ...]]:
        """The loaded method, and its notes where it was loaded now."""
        if self._method is not None and (self._method.choice is job.choice or self._method.choice == job.choice):
            return self._method, ()
        self._method = None  # two of them at a time may be more than the memory holds
        with spent("load"):
            self._method = open_method(job.choice, device=job.device, tile=job.tile, planned=job.weights)
        return self._method, self._method.notes

    def _announce(self, method: Runner | LookUp, job: InferJob, spent: Phases) -> tuple[float, UnitError | None]:
        """Tell the method once which images come: (seconds of each in what it did then, why they cannot be made)."""
        reading = Phases()

        def read() -> Iterator[ComingUnit]:
            for unit in job.units:
                try:
                    pair, lr = _read(job, unit, reading)
                except UnitError:
                    continue  # it fails with this reason in its turn
                seed = derive_seed(job.seed, unit.sample.id)
                yield ComingUnit(unit.sample.id, as_tensor(lr), pair.asked, seed)

        started, fault = time.perf_counter(), None
        try:
            method.prepare(read(), job.protocol, scale=job.scale, seed=job.seed)
        except UnitError as raised:
            fault = raised
        read_for = reading.seconds.get("prepare", 0.0)
        took = time.perf_counter() - started - read_for
        spent.spend("prepare", read_for)
        spent.spend("model", took)
        return took / len(job.units), fault

    def _make(
        self,
        method: Runner | LookUp,
        job: InferJob,
        unit: InferUnit,
        together: Together[InferUnit],
        share: float,
        spent: Phases,
    ) -> Made:
        pair, lr, result = together.infer(method, unit, job.protocol, scale=job.scale, seed=job.seed)
        spent.spend("model", result.seconds)
        path = job.out / unit.place
        with spent("write"), disk_refusals(path):
            self._make_folder(path.parent)
            pixels_hash = store_image(path, result.pixels)
        output = Output(
            key=unit.key,
            path=unit.place,
            sha256=pixels_hash,
            size=(result.pixels.shape[0], result.pixels.shape[1]),
            depth=result.pixels.dtype.itemsize * 8,
            lr_sha256=hashlib.sha256(np.ascontiguousarray(lr).data).hexdigest(),
            tile=result.tile,
            seconds=round(result.seconds + share, 6),
        )
        made = Made(unit.sample.id, output, lr_shape=pair.lr_shape, size=pair.size)
        return replace(made, sr=result.pixels, hr=pair.hr, lr=pair.lr) if job.hand_over else made


@contextmanager
def disk_refusals(path: Path) -> Iterator[None]:
    """Store an image inside; where the disk refuses, it fails, or the run where every further one would fail too.

    Raises:
        UnitError: this image cannot be stored.
        RequestError: the disk is full or read-only.
    """
    try:
        yield
    except IsADirectoryError as fault:
        raise UnitError(
            f"{path}: a folder lies where this image is to be written; move it away and type the same command again"
        ) from fault
    except OSError as fault:
        if is_full(fault):  # every further image would be computed only to meet the same refusal
            raise cannot_write(path, fault) from fault
        raise UnitError(
            f"{path} cannot be written: {fault.strerror or fault}; mend what is in the way and type the same command "
            "again"
        ) from fault


def _read(job: InferJob, unit: InferUnit, spent: Phases) -> tuple[Pair, NDArray[np.float32]]:
    """The pair of a unit and its LR image."""
    with spent("prepare"), of_one_image(unit.sample.id), unchanged(unit.sample, unit.source):
        pair = prepare(unit.sample, job.scale, job.protocol.drawn(job.seed))
    if pair.lr is None:
        raise UnitError(f"{unit.sample.id} has no LR image")
    return pair, pair.lr
