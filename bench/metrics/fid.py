"""FID of a set of results against the set of their references, in clean-fid's variant (as pyiqa computes it).

Heusel et al. 2017 (arXiv 1706.08500); resizing after Parmar et al. 2022 (arXiv 2104.11222). FID is biased upwards for
small sets, strongly so below the 2048 dimensions of its features: compare values of equal n only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.metrics.base import Pixels, SetMetric, build_signature
from bench.metrics.download import obtain
from bench.metrics.pyiqa_names import missing_package
from bench.metrics.weights import (
    WeightsFile,
    check_published,
    hash_token,
    package_token,
    pyiqa_file,
)

RELIABLE = 2048
"""Below as many images as features the covariance is singular and FID mostly measures n."""


def bias_note(n: int) -> str | None:
    """What to say beside a FID of n images; None where n is enough."""
    if n >= RELIABLE:
        return None
    return f"FID of {n} images is biased upwards (fewer than {RELIABLE}): compare it only with values of the same n."


class FID(SetMetric):
    """Fréchet distance between Inception features of SR and HR."""

    info = MetricInfo(
        name="fid",
        display="FID",
        kind=MetricKind.SET,
        direction=Direction.LOWER,
        decimals=2,
        summary="Fréchet distance of Inception features of the sets, clean-fid resizing; biased for small sets",
        paper="Heusel et al. 2017, arXiv 1706.08500; Parmar et al. 2022, arXiv 2104.11222",
        licence="network code: pyiqa, no commercial use; weights: Apache-2.0",
        caution=bias_note,
    )
    file: ClassVar[WeightsFile] = pyiqa_file("pt_inception-2015-12-05-6726825d.pth")
    _network: Any = None

    def signature(self, protocol: Protocol, scale: Scale, *, n: int | None = None) -> str:
        """Such as `fid|rgb|mode:clean|dims:2048|ref:hr|n:100|pyiqa@0.1.16|w:6726825d…|shave:0|…|v1`.

        Args:
            protocol, scale: As for every metric.
            n: Number of images, where it is known; a value without it must not be published.
        """
        count = "" if n is None else f"n:{n}"
        weights = hash_token((self.file,), self.weights_root)
        own = ("rgb", "mode:clean", "dims:2048", "ref:hr", count, package_token("pyiqa"), weights, "shave:0")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """The Inception network of pytorch-fid."""
        return (self.file,)

    def unavailable(self) -> str | None:
        """The Inception weights or pyiqa are missing."""
        reasons = (super().unavailable(), missing_package("fid"))
        return "; ".join(reason for reason in reasons if reason is not None) or None

    def compute_sets(self, sr_images: Sequence[Pixels | Path], hr_images: Sequence[Pixels | Path]) -> float:
        """FID between two sets.

        Args:
            sr_images: Results, (H, W, 3) or (H, W), uint8 or uint16, or paths; read one by one.
            hr_images: References, likewise; the sizes may differ, everything is resized to 299 x 299.
        Raises:
            Unavailable: the weights are missing, damaged or not the published ones.
            UnitError: fewer than two images in a set.
        """
        if min(len(sr_images), len(hr_images)) < 2:
            raise UnitError(f"fid needs at least 2 images in each set, got {len(sr_images)} and {len(hr_images)}")
        network = self.network()
        from bench.metrics.frechet import frechet_distance
        from bench.metrics.inception import features

        try:
            return frechet_distance(features(network, sr_images), features(network, hr_images))
        except ValueError as fault:
            raise UnitError(f"fid: {fault}") from fault

    def network(self) -> Any:
        """The Inception network, loaded on first use (imports torch and pyiqa)."""
        if self._network is None:
            path = obtain(self.file, self.weights_root)
            check_published(path, self.file)
            from bench.metrics.inception import load_inception

            self._network = load_inception(path, self.weights_root)
        return self._network
