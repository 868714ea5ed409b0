"""Scoring on a Ray cluster: a task for each image, which reads it and its reference and hands the numbers back.

A task that is lost is done again by Ray, twice. Tasks claim no core: inference leaves theirs free, so that they run
when a part of the cluster is lost too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.engine.executor import Executor, InlineExecutor
from bench.engine.on_ray.cluster import Cluster, open_cluster
from bench.engine.on_ray.files import Contents, Received, Sent, files_of
from bench.engine.processes import limit_threads
from bench.engine.request import ClusterPlace
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig, UnitScorer
from bench.metrics.catalog import choose_metrics
from bench.metrics.weights import find_weights
from bench.plugins import load_plugin

_DEPTH = 2
"""Images under way per scoring process before `submit` waits."""


class RayExecutor:
    """Scoring as tasks."""

    def __init__(self, cluster: Cluster, config: ScorerConfig, *, workers: int) -> None:
        """Args: cluster: where; config: what tasks need to know; workers: tasks at a time."""
        import ray

        self._cluster = cluster
        self._most = workers * _DEPTH
        self._shared = cluster.place.shared_fs
        self._sent = Sent()
        self._waiting: dict[Any, tuple[object, ScoreJob]] = {}
        self._done: list[tuple[object, Scored]] = []
        self._config = ray.put(config)
        self._plugins = {} if self._shared else self._sent.of(config.plugins)
        self._parameters = {} if self._shared else _parameters(config, self._sent)
        self._task = ray.remote(num_cpus=0, max_retries=2, scheduling_strategy="SPREAD")(score)

    def submit(self, ticket: object, job: ScoreJob) -> None:
        """Start a task; waits while there are enough."""
        while len(self._waiting) >= self._most:
            self._take(wait=None)
        # pixels that are here go along; then nothing is read there
        files = [] if self._shared or job.sr is not None else [*files_of(job.sample), job.path]
        contents = self._sent.of(files)
        # a stored image may be written anew under its name
        self._sent.forget(job.path)
        reference = self._task.remote(self._config, job, contents, self._plugins, self._parameters, self._cluster.home)
        self._waiting[reference] = (ticket, job)

    def finished(self) -> Iterator[tuple[object, Scored]]:
        """Results that are there."""
        self._take(wait=0)
        while self._done:
            yield self._done.pop(0)

    def drain(self) -> Iterator[tuple[object, Scored]]:
        """All outstanding results."""
        while self._waiting:
            self._take(wait=None)
            yield from self.finished()
        yield from self.finished()

    def close(self) -> None:
        """Drop what is under way."""
        import ray

        for reference in self._waiting:
            ray.cancel(reference, force=True)
        self._waiting.clear()
        self._cluster.close()

    def _take(self, *, wait: float | None) -> None:
        import ray
        from ray.exceptions import RayError

        if not self._waiting:
            return
        there, _ = ray.wait(list(self._waiting), num_returns=1, timeout=wait)
        if there:
            there, _ = ray.wait(list(self._waiting), num_returns=len(self._waiting), timeout=0)
        for reference in there:
            ticket, _ = self._waiting.pop(reference)
            try:
                scored = ray.get(reference)
            except RayError as fault:
                said = " ".join(str(fault).split())[:300]
                scored = Scored(error=f"scoring failed on the cluster: {type(fault).__name__}: {said}")
            self._done.append((ticket, scored))


@dataclass
class _Scoring:
    """What a worker process keeps from task to task.

    Attributes:
        config: What it was set up with.
        scorer: The scorer.
        received: The files that are here.
    """

    config: ScorerConfig
    scorer: UnitScorer
    received: Received


_scoring: _Scoring | None = None


def score(
    config: ScorerConfig, job: ScoreJob, contents: Contents, plugins: Contents, parameters: Mapping[str, Any], home: str
) -> Scored:
    """Score one image; what a task does.

    Args:
        config: What to score with.
        job: The image.
        contents: Files of the image and its reference.
        plugins: Files that register metrics.
        parameters: Files of metrics' parameters, below the folder of such.
        home: Where a worker makes a folder of its own, see `Received`.
    """
    global _scoring
    if _scoring is None or _scoring.config != config:
        _scoring = _set_up(config, plugins, parameters, home)
    received = _scoring.received
    sample = received.sample(job.sample, contents)
    path = received.path(job.path, contents)
    scored = _scoring.scorer.run(replace(job, path=path, sample=sample))
    faults = {name: received.as_sent(text) for name, text in scored.faults.items()}
    scored = replace(scored, error=received.as_sent(scored.error), faults=faults)
    received.forget(job.path)  # it may be written anew under its name
    return scored


def _set_up(config: ScorerConfig, plugins: Contents, parameters: Mapping[str, Any], home: str) -> _Scoring:
    limit_threads(1)
    received = Received(home)
    for file in config.plugins:
        load_plugin(received.path(file, plugins))
    root = received.together("parameters", parameters) if parameters else config.weights_root
    return _Scoring(config, UnitScorer(replace(config, weights_root=root)), received)


def _parameters(config: ScorerConfig, sent: Sent) -> dict[str, Any]:
    """Path below `--weights-root` -> content, of the parameters of all metrics."""
    files = [
        file.relative
        for metric in choose_metrics(config.metrics, config.weights_root)
        for file in metric.weights_files()
    ]
    here = {relative: find_weights(relative, config.weights_root) for relative in files}
    return {
        str(Path("hub", relative)): content
        for relative, path in here.items()
        if path is not None
        for content in sent.of([path]).values()
    }


def scoring(config: ScorerConfig, *, workers: int, cluster: ClusterPlace = ClusterPlace()) -> Executor:
    """Tasks of a cluster, or this process for 0 workers.

    Args:
        config: What to score with.
        workers: Tasks at a time.
        cluster: Where.
    Raises:
        RequestError: no cluster is to be had.
    """
    if workers == 0:
        return InlineExecutor(config)
    return RayExecutor(open_cluster(cluster, cpus=workers), config, workers=workers)
