"""What a run is asked to do, resolved to specs, datasets and a protocol before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.api import Dataset, Protocol, RequestError, Scale
from bench.engine.choice import MethodChoice
from bench.engine.shard import Shard
from bench.metrics.base import Metric


@dataclass(frozen=True)
class ClusterPlace:
    """Which machines an executor of several is to use.

    Attributes:
        address: `HOST:PORT` of a cluster to join, or `auto`; empty: one is started on this machine, and stopped.
        shared_fs: Whether the machines see the files of this one under the same paths.
    """

    address: str = ""
    shared_fs: bool = False


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A resolved request.

    Attributes:
        methods: Rows.
        datasets: Blocks.
        scales: Columns.
        metrics: Resolved, in the order of the table.
        protocol: The knobs.
        seeds: Seeds of stochastic methods, and of the degradations that a protocol draws; what depends on neither runs
            seed 0 only.
        out: The run folder.
        device: auto, cpu, cuda or cuda:N.
        procs: Processes that compute images; None: this one, or one for each of several GPUs.
        limit: Only the first so many images of each dataset.
        executor: Who computes and scores: a name in EXECUTORS.
        cluster: The machines that an executor of several is to use.
        workers: Scoring processes; None: as many as fit the machine and the work.
        tile: LR tile side to use from the start, for methods that allow tiling.
        weights_root: Where metric parameters lie; None: `TORCH_HOME`, else torch's default.
        command: What the user typed, to say how to go on.
        config: The request as `--config` takes it; empty where it was not made from one.
        fail_fast: Stop at the first unit that fails; what is finished is kept.
        shard: Only this part of the plan's images; None: all.
    """

    methods: tuple[MethodChoice, ...]
    datasets: tuple[Dataset, ...]
    scales: tuple[Scale, ...]
    metrics: tuple[Metric, ...]
    protocol: Protocol
    seeds: tuple[int, ...] = (0,)
    out: Path
    device: str = "auto"
    limit: int | None = None
    executor: str = "local"
    cluster: ClusterPlace = ClusterPlace()
    procs: int | None = None
    workers: int | None = None
    tile: int | None = None
    weights_root: Path | None = None
    command: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    fail_fast: bool = False
    shard: Shard | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics by name."""
        return tuple(metric.info.name for metric in self.metrics)

    def metric(self, name: str) -> Metric:
        """The metric of this name, which must be among those asked for."""
        return next(metric for metric in self.metrics if metric.info.name == name)

    def readings(self) -> list[str]:
        """Sentences on how folders were read as sets: "photos: read as 3 pairs: *_HR.png + *_LR4.png".

        Raises:
            Unavailable: a dataset that is not here.
            RequestError: a set without images at a scale.
        """
        said = (dataset.reading(scale) for dataset in self.datasets for scale in self.scales)
        return list(dict.fromkeys(sentence for sentences in said for sentence in sentences))

    def describe(self) -> dict[str, Any]:
        """The request as plain data for run.json."""
        if self.config:
            return dict(self.config)
        return {
            "methods": [choice.name for choice in self.methods],
            "datasets": [dataset.name for dataset in self.datasets],
            "scales": list(self.scales),
            "metrics": list(self.metric_names),
            "protocol": self.protocol.name,
            "seeds": list(self.seeds),
            "limit": self.limit,
            "tile": self.tile,
        }


def is_cuda(device: str) -> bool:
    """Whether a device is CUDA's, or one of them."""
    return device.partition(":")[0] == "cuda"


def check_device(device: str) -> str:
    """The device as it was typed.

    Raises:
        RequestError: there is no such kind of device.
    """
    if device not in ("auto", "cpu", "cuda") and not re.fullmatch(r"cuda:\d{1,3}", device):
        raise RequestError(f"device '{device}' is unknown; use --device auto, cpu, cuda or cuda:N")
    return device


def refuse_twins(datasets: Iterable[Dataset]) -> None:
    """Refuse two datasets of one name.

    Raises:
        RequestError: there are two.
    """
    seen: set[str] = set()
    for dataset in datasets:
        if dataset.name in seen:
            raise RequestError(
                f"two datasets are called '{dataset.name}'; their results would be mixed: rename one of the folders"
            )
        seen.add(dataset.name)
