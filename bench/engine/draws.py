"""The degradations that a run's LR images are made with: one manifest per recipe, set and seed, beside the records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.api import RequestError
from bench.data.frozen import drawn_for
from bench.engine.plan import Samples
from bench.engine.request import RunRequest
from bench.engine.store import cannot_write
from bench.imaging.degrade import Degradation
from bench.imaging.errors import ImageError
from bench.imaging.manifest import read_manifest, write_manifest


def write_draws(request: RunRequest, samples: Samples) -> None:
    """Write OUT/degradations/DEGRADATION/SET-sSEED.json for every set that the protocol degrades; what is stored there
    must be what this run draws.

    Args:
        request: Its protocol draws, or nothing is written.
        samples: The images of the run; those of earlier runs in the folder stay in the manifest.
    Raises:
        RequestError: a manifest that is there already is damaged, or says otherwise than what would be drawn; or the
            folder is read-only or full.
    """
    if request.protocol.degradation == "none":
        return
    for dataset in request.datasets:
        images = [sample for scale in request.scales for sample in samples[dataset.name, scale]]
        for seed in request.seeds:
            drawn = drawn_for(images, request.protocol.drawn(seed))
            if not drawn:
                continue
            path = request.out / "degradations" / request.protocol.degradation / f"{dataset.name}-s{seed}.json"
            known = _stored(path, drawn) if path.exists() else {}
            if known | drawn != known:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_manifest(path, known | drawn)
                except OSError as fault:
                    raise cannot_write(path, fault) from None


def read_draws(path: Path) -> dict[str, Degradation]:
    """The manifest that is there.

    Raises:
        RequestError: it is damaged.
    """
    try:
        return read_manifest(path)
    except ImageError as fault:
        raise RequestError(f"{fault}; {_HOW}") from None


_HOW = "move it away and use another --out, or put the original back"


def _stored(path: Path, drawn: Mapping[str, Degradation]) -> dict[str, Degradation]:
    """The manifest that is there. Its images were scored already, so a draw that differs would mix two LR images."""
    known = read_draws(path)
    for image, degradation in drawn.items():
        if known.get(image, degradation) != degradation:
            raise RequestError(
                f"{path}: image '{image}' is stored with another degradation than this version draws for it, so the "
                f"file was edited or is of another version; {_HOW}"
            )
    return known
