"""Which degradations a run's LR images were made with: one manifest per protocol, set and seed, beside the records."""

from __future__ import annotations

from bench.data.frozen import drawn_for
from bench.engine.plan import Samples
from bench.engine.request import RunRequest
from bench.imaging.manifest import read_manifest, write_manifest


def write_draws(request: RunRequest, samples: Samples) -> None:
    """Write OUT/degradations/PROTOCOL/SET-sSEED.json for every set that the protocol degrades.

    Args:
        request: Its protocol draws, or nothing is written.
        samples: The images of the run; those of earlier runs in the folder stay in the manifest.
    Raises:
        OSError: the folder is read-only or full.
        ImageError: a manifest that is there already is damaged.
    """
    if request.protocol.degradation == "none":
        return
    for dataset in request.datasets:
        images = [sample for scale in request.scales for sample in samples[dataset.name, scale]]
        for seed in request.seeds:
            drawn = drawn_for(images, request.protocol.drawn(seed))
            if not drawn:
                continue
            path = request.out / "degradations" / request.protocol.name / f"{dataset.name}-s{seed}.json"
            known = read_manifest(path) if path.is_file() else {}
            if known | drawn != known:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_manifest(path, known | drawn)
