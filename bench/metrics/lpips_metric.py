"""LPIPS v0.1 (alex, vgg, squeeze) in bounded memory; equal to the `lpips` package to float32 rounding.

Inputs are scaled to [-1, 1] here: the package does it only when asked (`normalize=True`), and forgetting it gives a
plausible, wrong number. Paper: Zhang et al. 2018, arXiv 1801.03924. Licence of code and heads: BSD-2-Clause.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.metrics.base import Metric, ScoredPair, build_signature
from bench.metrics.download import obtain
from bench.metrics.lpips_files import ALEX, SQUEEZE, VGG, LPIPSFiles
from bench.metrics.lpips_tiles import TiledNetwork
from bench.metrics.weights import WeightsFile, package_token

CACHED_FEATURES = 64 * 2**20
"""Features of a reference are kept up to this many bytes (1.5 megapixels for alex); larger ones are made again."""


def _info(name: str, display: str, note: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        display=display,
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.LOWER,
        decimals=4,
        effect=0.005,
        summary=f"learned perceptual distance v0.1, {note}",
        paper="Zhang et al. 2018, arXiv 1801.03924",
        licence="BSD-2-Clause",
    )


class LPIPS(Metric):
    """LPIPS with AlexNet, the usual choice."""

    info = _info("lpips", "LPIPS", "AlexNet")
    files: ClassVar[LPIPSFiles] = ALEX
    _network: TiledNetwork[Any] | None = None

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """Such as `lpips|rgb|net:alex-v0.1|in:[-1,1]|lpips@0.1.4|w:7be5be79+df73285e|shave:0|…|v1`."""
        own = ("rgb", f"net:{self.files.net}-v0.1", "in:[-1,1]", package_token("lpips"), self.files.token(), "shave:0")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """The backbone; the learned heads come with the package `lpips`."""
        return (self.files.backbone,)

    def compute(self, pair: ScoredPair) -> float:
        """LPIPS of SR against HR; a plane stands for three equal channels.

        Raises:
            Unavailable: parameters are missing, damaged or not the published ones.
            UnitError: no reference, sizes differ, or the image is too small for the network.
        """
        sr, hr = pair.sr, pair.hr
        if hr is None:
            raise UnitError(f"{self.info.name} compares with a reference; this image has none")
        if sr.shape[:2] != hr.shape[:2]:
            raise UnitError(f"{self.info.name}: SR is {sr.shape[:2]} and HR {hr.shape[:2]} (height, width)")
        network, size = self.network(), (hr.shape[0], hr.shape[1])
        if network.feature_bytes(size) <= CACHED_FEATURES:
            key = f"lpips-features-{self.files.net}"
            reference = iter(pair.cached(key, lambda: list(network.features(hr)), reference=True))
        else:
            reference = network.features(hr)
        return network.distance(network.features(sr), reference, size)

    def network(self) -> TiledNetwork[Any]:
        """The network, loaded on first use."""
        if self._network is None:
            self._network = self._load(obtain(self.files.backbone, self.weights_root))
        return self._network

    def _load(self, backbone: Path) -> TiledNetwork[Any]:
        """In numpy where that is written, which saves a process importing torch; else, and to say what is wrong with a
        file, in torch."""
        if self.files.in_numpy:
            from bench.metrics.lpips_alex import load_alex

            with suppress(ValueError, OSError):
                return load_alex(self.files, backbone)
        from bench.metrics.lpips_network import load_network

        return load_network(self.files, backbone)


class LPIPSVGG(LPIPS):
    """LPIPS with VGG-16."""

    info = _info("lpips_vgg", "LPIPS (VGG)", "VGG-16")
    files = VGG


class LPIPSSqueeze(LPIPS):
    """LPIPS with SqueezeNet 1.1."""

    info = _info("lpips_squeeze", "LPIPS (Squeeze)", "SqueezeNet 1.1")
    files = SQUEEZE
