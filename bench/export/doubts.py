"""Doubtful numbers of a run folder, cell by cell, by the sizes that its records hold.

A run warns of them as it goes; what leaves the folder has to know of which number each warning is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.api import CellPlan, MetricRef, Protocol, RequestError, RunManifest, Size, lr_size, validity_warnings
from bench.engine.folder import CellFolder, RunFolder
from bench.metrics.catalog import known_infos
from bench.session.protocol_file import find_protocol

DoubtKey = tuple[str, str, str, float, str]
"""(method, variant, dataset, scale, metric); the metric without a reference scale."""


def find_doubts(folders: Sequence[Path]) -> dict[DoubtKey, str]:
    """What makes numbers of run folders doubtful: number -> sentences.

    Args:
        folders: Each the --out folder of a run.
    Raises:
        RequestError: a folder without records, of which nobody can say how large its images are.
    """
    doubts: dict[DoubtKey, str] = {}
    for folder in folders:
        if not (folder / "records").is_dir():
            raise RequestError(
                f"{folder} has no records/, so nobody can say whether its images are too small for its numbers; export "
                "from the run folder itself"
            )
        run = RunFolder(folder)
        manifest = run.manifest() or RunManifest()
        for plan in manifest.cells:
            cell = plan.cell
            for metric, sentences in _of_cell(plan, _smallest(run, plan), _protocol(plan, manifest)).items():
                doubts[cell.method, cell.variant, cell.dataset, cell.scale, metric] = "; ".join(sentences)
    return doubts


def doubt_of(doubts: Mapping[DoubtKey, str], method: str, variant: str, dataset: str, scale: float, metric: str) -> str:
    """Why a number is doubtful; "" where it is not."""
    return doubts.get((method, variant, dataset, scale, MetricRef.parse(metric).name), "")


def _of_cell(plan: CellPlan, size: Size | None, protocol: Protocol | None) -> dict[str, list[str]]:
    """metric -> sentences, without those of which there is nothing to say."""
    if size is None:
        return {}
    scale = plan.cell.scale
    # LR of the exact size that HR was made for: only "ceil" leaves HR uncropped, under all others the nearest is exact
    rule = "ceil" if protocol is not None and protocol.size_rule == "ceil" else "round"
    shave = max(protocol.shave_at(scale), protocol.ssim_shave_at(scale)) if protocol is not None else 0
    infos = known_infos(plan.metrics)
    found = {}
    for metric in plan.metrics:
        asked = [infos[metric]] if metric in infos else []
        found[metric] = validity_warnings(
            lr=lr_size(size, scale, rule), hr=size, scale=scale, shave=shave, metrics=asked
        )
    return {metric: sentences for metric, sentences in found.items() if sentences}


def _smallest(run: RunFolder, plan: CellPlan) -> Size | None:
    """(height, width) of the stored image with the shortest side; None for a cell without images."""
    units = run.units(CellFolder(plan.cell, plan.folder))
    sizes = [unit.output.size for (_, pair), unit in units.items() if pair == plan.pair and unit.output is not None]
    return min(sizes, key=min, default=None)


def _protocol(plan: CellPlan, manifest: RunManifest) -> Protocol | None:
    """The protocol of a cell; None for one whose file is no longer there."""
    names: Iterable[str] = dict.fromkeys(
        name for signature in (*plan.signatures, *plan.crossing) for name in manifest.protocols.get(signature, ())
    )
    for name in names:
        with suppress(RequestError):
            return find_protocol(name)
    return None
