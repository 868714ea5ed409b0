"""What a plan knows of its metrics: which can be had, how numbers are signed, and the keys of an image's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from bench.api import DatasetKind, MetricKind, Sample, Scale
from bench.engine.keys import score_keys
from bench.engine.request import RunRequest
from bench.metrics.scorer import Scorer


@dataclass(frozen=True)
class MetricPlan:
    """What the plan needs to know of the metrics: the image metrics that can be computed, and their signatures.

    Attributes:
        kinds: metric -> kind, for every metric asked for.
        unavailable: metric -> reason.
        signatures: (whether the set comes with LR images, scale) -> metric -> signature.
        with_lr: Names of the datasets that come with LR images.
        needs_lr: Metrics that look at the LR image.
        needs_hr: Metrics that have no value without HR.
    """

    kinds: dict[str, MetricKind]
    unavailable: dict[str, str]
    signatures: dict[tuple[bool, Scale], dict[str, str]]
    with_lr: frozenset[str] = frozenset()
    needs_lr: frozenset[str] = frozenset()
    needs_hr: frozenset[str] = frozenset()

    def signed(self, dataset: str, scale: Scale) -> dict[str, str]:
        """metric -> signature for a dataset of the request at a scale; empty where the request has no such scale."""
        return self.signatures.get((dataset in self.with_lr, scale), {})

    def image_metrics(self, sample: Sample | None = None) -> list[str]:
        """Available metrics that look at one image; of a given sample, those that it has a reference for."""
        return self._of_image[sample is None or sample.hr is not None]

    def keys(self, output: str, signatures: Mapping[str, str], sample: Sample) -> dict[str, str]:
        """metric -> score key of every number that an image can have.

        Args:
            output: The output key of the image.
            signatures: metric -> how its number is signed.
            sample: What it was made from.
        """
        names = self.image_metrics(sample)
        return dict(zip(names, score_keys(output, [signatures[name] for name in names]), strict=True))

    @cached_property
    def _of_image(self) -> dict[bool, list[str]]:
        """Whether an image has HR -> the metrics of it that can be computed."""
        wanted = (MetricKind.FULL_REFERENCE, MetricKind.NO_REFERENCE)
        names = [name for name, kind in self.kinds.items() if kind in wanted and name not in self.unavailable]
        return {True: names, False: [name for name in names if name not in self.needs_hr]}


def plan_metrics(request: RunRequest) -> MetricPlan:
    """Which metrics can be had and how their numbers will be signed; no torch import.

    Raises:
        RequestError: an unknown metric.
    """
    scorer = Scorer(request.metrics, request.protocol)
    given = Scorer(request.metrics, replace(request.protocol, lr_given=True))
    kinds = {metric.info.name: metric.info.kind for metric in request.metrics}
    with_lr = frozenset(d.name for d in request.datasets if d.kind is not DatasetKind.HR_ONLY)
    signatures = {
        (lr_given, scale): (given if lr_given else scorer).signatures(scale)
        for lr_given in sorted({dataset.name in with_lr for dataset in request.datasets})
        for scale in request.scales
    }
    needs_lr = frozenset(metric.info.name for metric in request.metrics if metric.needs_lr)
    needs_hr = frozenset(metric.info.name for metric in request.metrics if metric.looks_at_hr())
    return MetricPlan(kinds, dict(scorer.unavailable()), signatures, with_lr, needs_lr, needs_hr)
