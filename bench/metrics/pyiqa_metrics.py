"""pyiqa's metrics: MUSIQ, DISTS, MANIQA, CLIPIQA by name, and any other one as `pyiqa:<name>`.

pyiqa is imported when a number is first wanted. Its licence forbids commercial use. Networks without a reference see
the image in full, or shrunk to the protocol's `nr_max_side`; the signature says which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, Unavailable, UnitError
from bench.imaging import imresize
from bench.metrics.base import Metric, Pixels, ScoredPair, build_signature
from bench.metrics.download import obtain
from bench.metrics.pyiqa_names import FILES, PyiqaMetric, find_pyiqa, missing_package
from bench.metrics.weights import WeightsFile, check_published, hash_token, package_token

LICENCE = "PolyForm Noncommercial / NTU S-Lab (pyiqa): no commercial use"
MUSIQ_TOKENS = 6000
"""MUSIQ's attention needs about 72 bytes per pair of tokens: 3.6 GB with imports at this count, 25 GB x 3 at 8K."""
PIXELS = 4096 * 2160
"""Largest image for any other pyiqa metric: its slowest kernels (SSIM family) take about 10 GB there."""


class Pyiqa(Metric):
    """One metric of pyiqa; subclasses name it."""

    pyiqa_name: ClassVar[str]
    _model: Any = None
    _reason: str | None = None

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """Such as `musiq|rgb|in:full|pyiqa@0.1.16|w:e95806b9…|shave:0|…|v1`."""
        files = FILES.get(self.pyiqa_name)
        weights = "w:unlisted" if files is None else hash_token(files, self.weights_root) if files else ""
        own = ("rgb", self._input_token(protocol), package_token("pyiqa"), weights, "shave:0")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """What pyiqa would fetch for it; empty for metrics whose files are not listed."""
        return FILES.get(self.pyiqa_name) or ()

    def unavailable(self) -> str | None:
        """pyiqa or a file it needs is missing; for metrics whose files are not known, that shows at first use."""
        reasons = (super().unavailable(), missing_package(self.pyiqa_name))
        return "; ".join(reason for reason in reasons if reason is not None) or None

    def compute(self, pair: ScoredPair) -> float:
        """The value pyiqa gives for the image (and its reference), inputs in [0, 1].

        Raises:
            Unavailable: a file is missing or damaged.
            UnitError: too large, no reference, sizes differ, or pyiqa refuses the image.
        """
        needs_reference = self.info.kind is MetricKind.FULL_REFERENCE
        limit = None if needs_reference else pair.protocol.nr_max_side
        self._check_size(*shrunk_size(pair.sr, limit))
        if not needs_reference:
            return self._evaluate(self.model(), [shrunk(pair.sr, limit)])
        if pair.hr is None:
            raise UnitError(f"{self.info.name} compares with a reference; the set has no HR")
        if pair.hr.shape[:2] != pair.sr.shape[:2]:
            raise UnitError(f"{self.info.name}: SR is {pair.sr.shape[:2]} and HR {pair.hr.shape[:2]} (height, width)")
        return self._evaluate(self.model(), [shrunk(pair.sr, None), shrunk(pair.hr, None)])

    def model(self) -> Any:
        """pyiqa's model, built on first use.

        Raises:
            Unavailable: it cannot be built; the same reason each time, without another attempt.
        """
        if self._reason is not None:
            raise Unavailable(self._reason)
        if self._model is None:
            try:
                for file in FILES.get(self.pyiqa_name) or ():
                    check_published(obtain(file, self.weights_root), file)
                from bench.metrics.pyiqa_build import build_metric

                self._model = build_metric(self.pyiqa_name, self.weights_root)
            except Unavailable as fault:
                self._reason = str(fault)
                raise
        return self._model

    def _evaluate(self, model: Any, images: list[NDArray[np.float32]]) -> float:
        import torch

        from bench.metrics.pyiqa_build import offline_unless_allowed

        tensors = [torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).contiguous() for image in images]
        generator = np.random.get_state()  # pyiqa's crops draw from it
        try:
            with offline_unless_allowed(self.info.name), torch.inference_mode(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(123)
                np.random.seed(123)
                return float(model(*tensors))
        except (
            RuntimeError,
            ValueError,
            AssertionError,
            TypeError,
            IndexError,
            ZeroDivisionError,
            MemoryError,
        ) as fault:
            size = f"{images[0].shape[0]}x{images[0].shape[1]}"
            raise UnitError(
                f"pyiqa's {self.pyiqa_name} failed on {size} px: {type(fault).__name__}: {fault}"
            ) from fault
        finally:
            np.random.set_state(generator)

    def _input_token(self, protocol: Protocol) -> str:
        if self.info.kind is MetricKind.FULL_REFERENCE or protocol.nr_max_side is None:
            return "in:full"
        return f"in:max{protocol.nr_max_side}-bicubic"

    def _check_size(self, height: int, width: int) -> None:
        if self.pyiqa_name.startswith("musiq"):
            tokens = -(-height // 32) * -(-width // 32) + 194
            if tokens > MUSIQ_TOKENS:
                raise UnitError(
                    f"{self.info.name} on {height}x{width} px makes {tokens} tokens, whose attention needs "
                    f"{72 * tokens**2 / 2**30:.0f} GiB; at most {MUSIQ_TOKENS} are allowed. Use a protocol with "
                    "nr_max_side (2048 or less), which is recorded in the signature"
                )
        elif height * width > PIXELS:
            hint = "" if self.info.kind is MetricKind.FULL_REFERENCE else "; a protocol with nr_max_side shrinks it"
            raise UnitError(
                f"{self.info.name} on {height}x{width} px would need more memory than is safe (pyiqa works on the "
                f"whole image; at most {PIXELS} px){hint}; psnr, ssim, niqe and lpips have no such limit"
            )


def shrunk_size(image: Pixels, max_side: int | None) -> tuple[int, int]:
    """(height, width) with the longer side at most `max_side`, proportions kept to a pixel; None: as it is."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if max_side is None or longer <= max_side:
        return height, width
    return max(1, round(height * max_side / longer)), max(1, round(width * max_side / longer))


def shrunk(image: Pixels, max_side: int | None) -> NDArray[np.float32]:
    """float32 (H, W, 3) in [0, 1], with MATLAB's bicubic shrunk to a longer side of `max_side` if it is longer."""
    peak = np.float32(np.iinfo(image.dtype).max)
    size = shrunk_size(image, max_side)
    if size == image.shape[:2]:
        values = image.astype(np.float32) / peak
    else:
        values = (imresize(image, size) / peak).clip(0, 1).astype(np.float32)
    return np.ascontiguousarray(np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values)


def _named(
    name: str, display: str, kind: MetricKind, direction: Direction, decimals: int, what: str, paper: str
) -> Any:
    return MetricInfo(
        name=name,
        display=display,
        kind=kind,
        direction=direction,
        decimals=decimals,
        summary=what,
        paper=paper,
        licence=LICENCE,
    )


_NR, _FR, _HIGHER, _LOWER = MetricKind.NO_REFERENCE, MetricKind.FULL_REFERENCE, Direction.HIGHER, Direction.LOWER


class MUSIQ(Pyiqa):
    """Multi-scale image quality transformer, trained on KonIQ-10k."""

    info = _named("musiq", "MUSIQ", _NR, _HIGHER, 2, "learned quality, KonIQ-10k", "Ke et al. 2021, arXiv 2108.05997")
    pyiqa_name = "musiq"


class DISTS(Pyiqa):
    """Structure and texture similarity on VGG-16 features."""

    info = _named("dists", "DISTS", _FR, _LOWER, 4, "structure and texture", "Ding et al. 2020, arXiv 2004.07728")
    pyiqa_name = "dists"


class MANIQA(Pyiqa):
    """Multi-dimension attention network, trained on KonIQ-10k (pyiqa's default)."""

    info = _named(
        "maniqa", "MANIQA", _NR, _HIGHER, 4, "learned quality, KonIQ-10k", "Yang et al. 2022, arXiv 2204.08958"
    )
    pyiqa_name = "maniqa"


class CLIPIQA(Pyiqa):
    """CLIP (RN50) with pyiqa's five pairs of prompts."""

    info = _named("clipiqa", "CLIPIQA", _NR, _HIGHER, 4, "CLIP asked for quality", "Wang et al. 2023, arXiv 2207.12396")
    pyiqa_name = "clipiqa"


def make_pyiqa(name: str, weights_root: Path | None = None) -> Pyiqa:
    """Any per-image metric of pyiqa, named `pyiqa:<name>` in tables and signatures.

    Args:
        name: pyiqa's name.
        weights_root: As for every metric.
    Raises:
        RequestError: pyiqa has no such metric, or it is not one number per image.
    """
    entry: PyiqaMetric = find_pyiqa(name)
    info = MetricInfo(
        name=f"pyiqa:{name}",
        display=name.upper(),
        kind=_FR if entry.reference else _NR,
        direction=_LOWER if entry.lower_better else _HIGHER,
        decimals=4,
        summary=f"pyiqa's {name}, range {entry.score_range}",
        paper="Chen et al., IQA-PyTorch",
        licence=LICENCE,
    )
    made: type[Pyiqa] = type(f"Pyiqa_{name}", (Pyiqa,), {"info": info, "pyiqa_name": name, "__doc__": info.summary})
    return made(weights_root)
