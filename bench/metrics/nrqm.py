"""NRQM, the no-reference score of Ma et al. 2017 for super-resolution ("Ma score"); about 1 to 10, higher is better."""

from __future__ import annotations

from pathlib import Path

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.download import obtain
from bench.metrics.forest import read_model
from bench.metrics.ma_features import ma_features
from bench.metrics.weights import WeightsFile, hash_token, pyiqa_file

MODEL = pyiqa_file("NRQM_model.mat")


class NRQM(Metric):
    """NRQM of the protocol's luma and border."""

    info = MetricInfo(
        name="nrqm",
        display="NRQM",
        kind=MetricKind.NO_REFERENCE,
        direction=Direction.HIGHER,
        decimals=2,
        effect=0.1,
        summary="learned no-reference quality of super-resolved images (Ma score)",
        paper="Ma et al., Learning a no-reference quality metric for single-image super-resolution, 2017",
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """nrqm|luma|w:hash|shave|..."""
        own = (protocol.nr_colour, hash_token((MODEL,), self.weights_root), f"shave:{protocol.nr_shave}")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """The three forests and the regression."""
        return (MODEL,)

    def compute(self, pair: ScoredPair) -> float:
        """NRQM, higher is better.

        Raises:
            Unavailable: the model is missing or damaged.
            UnitError: a side is below 84 px, or the image is flat.
        """
        if pair.protocol.nr_colour == "rgb":
            raise UnitError("NRQM reads luma: set the protocol's nr_colour to yiq-u8, y601s-u8 or y601s")
        return nrqm(shaved(pair.plane(pair.protocol.nr_colour), pair.protocol.nr_shave), self.weights_root)


def nrqm(luma: Plane, weights_root: Path | None) -> float:
    """NRQM of a luma plane (0..255); errors as in `NRQM.compute`."""
    model = read_model(obtain(MODEL, weights_root))
    features = ma_features(luma)
    return model.predict((features.dct, features.mixture, features.spectra))
