"""What each cell of a run must hold: how many images, of which origin and set, under which signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.api import CellId, CellPlan, RunManifest, Scale, Signature

Cell = tuple[str, str, str, Scale, int]
"""(method, variant, dataset, scale, seed)."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One cell under one way of making HR and LR.

    Attributes:
        cell: Which cell.
        images: How many it must have.
        origin: What made them.
        source: Id of the image set.
        measures: signature -> metric of what is measured; None: nobody says, so what the records hold.
        metrics: What was asked for, whether or not it can be had.
        older: A sentence on images that are there, but of another origin or source.
    """

    cell: Cell
    images: int
    origin: str = ""
    source: str = ""
    measures: Mapping[str, str] | None = None
    metrics: tuple[str, ...] = ()
    older: str = ""

    def governs(self, signature: str) -> bool:
        """Whether numbers of this signature are held against this plan."""
        return self.measures is None or signature in self.measures


Expected = Mapping[CellId, int] | Mapping[Cell, int] | tuple[Planned, ...] | list[Planned]
"""Number of images per cell, or all that is planned of it."""


def planned_cells(expected: Expected) -> tuple[Planned, ...]:
    """The plans of cells, in order."""
    if isinstance(expected, Mapping):
        return tuple(Planned(cell=cell_tuple(cell), images=count) for cell, count in expected.items())
    return tuple(expected)


def of_manifest(manifest: RunManifest, older: Mapping[tuple[CellId, str], str]) -> tuple[Planned, ...]:
    """The plans of a run folder.

    Args:
        manifest: run.json.
        older: (cell, pair) -> sentence on images of another origin or source, see `bench.engine.rows.Rows`.
    """
    return tuple(
        Planned(
            cell=cell_tuple(plan.cell),
            images=len(manifest.sets[plan.images].images),
            origin=plan.origin,
            source=plan.images,
            measures=_measures(plan),
            metrics=plan.metrics,
            older=older.get(plan.key, ""),
        )
        for plan in manifest.cells
    )


def cell_tuple(cell: CellId | Cell) -> Cell:
    """A cell as frames hold it."""
    if isinstance(cell, CellId):
        return cell.method, cell.variant, cell.dataset, cell.scale, cell.seed
    return cell


def _measures(plan: CellPlan) -> dict[str, str]:
    """signature -> metric; a mean over reference scales has the signature without them."""
    across = dict(plan.crossing)
    across |= {Signature.parse(signature).without("ref").text: metric for signature, metric in plan.crossing.items()}
    return {**plan.signatures, **across}
