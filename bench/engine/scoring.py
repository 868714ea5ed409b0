"""What a scoring process does with one unit: score the SR image, hand the numbers back.

The functions here run in worker processes (or in the main one with `--workers 0`); they import torch only if a metric
needs it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import MetricValue, Output, Protocol, Sample, Scale, UnitError
from bench.data import prepare
from bench.engine.origin import unchanged
from bench.engine.processes import begin_process
from bench.imaging import read_png_exact, write_png
from bench.imaging.io import rounded_to_8bit
from bench.metrics.scorer import Scorer
from bench.plugins import load_plugin, metric_plugins

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

UNCOMPRESSED_PIXELS = 2**20
"""Up to one megapixel, compressing a result costs more than a tenth of scoring it, and disk is cheap."""


@dataclass(frozen=True)
class ScorerConfig:
    """What a scoring process is set up with, once."""

    metrics: tuple[str, ...]
    protocol: Protocol
    weights_root: Path | None
    cache_mb: int = 512
    plugins: tuple[Path, ...] = field(default_factory=metric_plugins)
    """Files that register some of the metrics."""


@dataclass(frozen=True)
class ScoreJob:
    """One unit to write and score.

    Attributes:
        path: The stored SR image; read where `sr` is not given.
        sample: For reading HR (and LR) where they are not given.
        scale: Nominal scale.
        metrics: Which of the configured metrics are wanted.
        seed: Run seed; it decides the LR image where a protocol draws degradations.
        source: `source_of` the sample when the run was planned.
        sr, hr, lr: What the main process has at hand already.
        stored: What is known of a stored SR image.
    """

    path: Path
    sample: Sample
    scale: Scale
    metrics: tuple[str, ...]
    seed: int = 0
    source: str = ""
    sr: Pixels | None = None
    hr: NDArray[np.uint8] | None = None
    lr: NDArray[np.float32] | None = None
    stored: Output | None = None


@dataclass(frozen=True)
class Scored:
    """What came of a job.

    Attributes:
        values: metric -> value.
        faults: metric -> what it raised; it has no value then, and is tried again in the next run.
        error: Why the unit failed; "" where it did not.
        damaged: True where the stored image is not what was written, so it must be computed again.
        phases: Seconds per phase.
    """

    values: dict[str, MetricValue] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    error: str = ""
    damaged: bool = False
    phases: dict[str, float] = field(default_factory=dict)


class ChangedImage(UnitError):  # noqa: N818 - a state with a way on: it is computed again
    """A stored image is not what was written: replaced, damaged, empty or gone."""


class UnitScorer:
    """Scores units one after another; keeps what references have in common."""

    def __init__(self, config: ScorerConfig) -> None:
        self.config = config
        self.scorer = Scorer(
            config.metrics, config.protocol, weights_root=config.weights_root, reference_cache_mb=config.cache_mb
        )

    def run(self, job: ScoreJob) -> Scored:
        """Score the SR image, read first where it is not given; never raises for a fault of this unit alone."""
        phases: dict[str, float] = {}
        clock = time.perf_counter()

        def lap(phase: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            phases[phase] = phases.get(phase, 0.0) + now - clock
            clock = now

        try:
            sr = job.sr
            if sr is None:
                try:
                    sr = checked_png(job.path, job.stored)
                except ChangedImage as fault:
                    return Scored(error=str(fault), damaged=True)
                lap("read")
            if not job.metrics:
                return Scored(phases=phases)
            hr, lr = self._references(job)
            lap("prepare")
            sr_8 = as_scored(sr, self.config.protocol)
            hr = as_compared(hr, sr_8, self.config.protocol)
            values, faults = self._score(sr_8, hr, lr, job)
            phases["metrics"] = sum(value.seconds for value in values.values())
            lap("scorer")
            phases["scorer"] -= phases["metrics"]
            return Scored(values, faults, phases=phases)
        except UnitError as fault:
            return Scored(error=str(fault), phases=phases)
        except OSError as fault:
            return Scored(error=f"{job.path}: {fault.strerror or fault}", phases=phases)
        except MemoryError:
            return Scored(error="not enough memory to score this image; lower --workers", phases=phases)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # a metric may come from a plug-in, which may end the process
            return Scored(error=f"scoring raised {type(fault).__name__}: {fault}", phases=phases)

    def _score(
        self, sr: Pixels, hr: NDArray[np.uint8] | None, lr: NDArray[np.float32] | None, job: ScoreJob
    ) -> tuple[dict[str, MetricValue], dict[str, str]]:
        """All values at once; where a metric raises what it should not, one by one, so that it costs its own only."""
        reference = self._reference_id(job)
        try:
            return self.scorer.score(sr, hr, lr, job.scale, reference, metrics=job.metrics), {}
        except (UnitError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException:
            values, faults = {}, {}
        for name in job.metrics:
            try:
                values |= self.scorer.score(sr, hr, lr, job.scale, reference, metrics=(name,))
            except (UnitError, MemoryError, KeyboardInterrupt):
                raise
            except BaseException as fault:
                faults[name] = f"{name} raised {type(fault).__name__}: {fault}"
        return values, faults

    def _references(self, job: ScoreJob) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32] | None]:
        if job.sr is not None:
            return job.hr, job.lr
        need_lr = self.scorer.needs_lr(job.metrics)
        with unchanged(job.sample, job.source):
            pair = prepare(job.sample, job.scale, self.config.protocol.drawn(job.seed), need_lr=need_lr)
        return pair.hr, pair.lr

    def _reference_id(self, job: ScoreJob) -> str:
        return f"{job.sample.id}|{job.source}|{self.config.protocol.drawn(job.seed).pair_id(job.scale)}|{job.scale}"


def store_image(path: Path, sr: Pixels) -> str:
    """Write a result, into a folder that is there, and give back the hash of its pixels.

    Raises:
        OSError: the disk refuses; no half file is left.
    """
    write_png(path, sr, compress=sr.shape[0] * sr.shape[1] > UNCOMPRESSED_PIXELS)
    return pixels_sha256(sr)


def read_stored(out: Path, output: Output) -> Pixels:
    """The stored SR image of a unit; every reader of a stored image goes through here or `checked_png`.

    Args:
        out: The run folder.
        output: What its record says of it.
    Raises:
        ChangedImage: it cannot be read, or is not what was written.
    """
    return checked_png(out / output.path, output)


def checked_png(path: Path, output: Output | None) -> Pixels:
    """The pixels of a stored PNG, compared with the hash that was taken when it was written.

    Raises:
        ChangedImage: it cannot be read, or is not what was written.
    """
    try:
        pixels = read_png_exact(path)
    except MemoryError:
        raise
    except Exception as fault:  # OpenCV has an exception of its own for headers that promise too much
        raise ChangedImage(f"{path} cannot be read: {str(fault).removeprefix(f'{path}: ')}") from fault
    if output is not None and pixels_sha256(pixels) != output.sha256:
        raise ChangedImage(f"{path} was changed after it was written")
    return pixels


def pixels_sha256(pixels: Pixels) -> str:
    """Hash of an image's shape, type and pixels."""
    whole = hashlib.sha256(f"{pixels.dtype.name}{pixels.shape}".encode())
    whole.update(np.ascontiguousarray(pixels).data)
    return whole.hexdigest()


def as_scored(sr: Pixels, protocol: Protocol) -> Pixels:
    """What a protocol scores of a stored image: 8 bits of a 16-bit one, where it rounds to 8.

    Rounding 16 -> 8 equals rounding the float image to 8 bit, since 257 is odd and so every 8-bit threshold lies
    halfway between two 16-bit codes.
    """
    if sr.dtype == np.uint8 or protocol.sr_depth == "float":
        return sr
    if protocol.sr_depth == "u8-trunc":
        return (sr // 257).astype(np.uint8)
    return rounded_to_8bit(sr)


def as_compared(hr: NDArray[np.uint8] | None, sr: Pixels, protocol: Protocol) -> NDArray[np.uint8] | None:
    """HR without the last row or column that an SR image made elsewhere lacks, where the protocol allows that."""
    if hr is None or not all(0 <= hr.shape[axis] - sr.shape[axis] <= protocol.slack for axis in (0, 1)):
        return hr
    return np.ascontiguousarray(hr[: sr.shape[0], : sr.shape[1]])


_scorer: UnitScorer | None = None


def start_process(config: ScorerConfig, threads: int) -> None:
    """Set up a worker process."""
    global _scorer
    begin_process(threads)
    for file in config.plugins:
        load_plugin(file)
    _scorer = UnitScorer(config)


def run_job(job: ScoreJob) -> Scored:
    """Score one unit in a worker process."""
    if _scorer is None:
        raise RuntimeError("start_process was not called in this process")
    return _scorer.run(job)
