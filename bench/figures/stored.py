"""Views of a run: one image at one scale with what every method of a table made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.api import Protocol, RequestError, Scale, UnitError, format_scale
from bench.engine.scoring import as_compared
from bench.engine.stored import RUN_AGAIN, References, StoredCell, StoredImage, StoredRun
from bench.report.model import MethodRow


@dataclass(frozen=True, eq=False)
class View:
    """One image at one scale, with what every method made of it.

    Attributes:
        image, scale, seed: Which.
        protocol: How HR and LR were made.
        hr: (H, W, 3) or (H, W), uint8; None for an LR-only set.
        lr: float32 (h, w, 3) in [0, 1].
        size: (H, W) of the results.
        results: In the order of the rows asked for.
        fixed_view: True where images of several scales show the same view in different sizes.
    """

    image: str
    scale: Scale
    seed: int
    protocol: Protocol
    hr: NDArray[np.uint8] | None
    lr: NDArray[np.float32]
    size: tuple[int, int]
    results: tuple[StoredImage, ...]
    fixed_view: bool


class StoredViews:
    """A run's stored images, seen image by image."""

    def __init__(self, run: StoredRun) -> None:
        """Args: run: Its folders, opened."""
        self._run = run

    def images(self, dataset: str, scale: Scale) -> list[str]:
        """The ids of a dataset's images at a scale, in their order."""
        cells = [cell for cell in self._run.cells() if (cell.id.dataset, cell.id.scale) == (dataset, scale)]
        return sorted({image for cell in cells for image in cell.images})

    def view(self, dataset: str, scale: Scale, image: str, rows: Iterable[MethodRow], *, seed: int | None) -> View:
        """An image at a scale, with the results of some rows.

        Args:
            seed: Of the run; None: the first of each row.
        Raises:
            RequestError: no such image, its files are not those of the run, or a stored one was changed or is gone.
        """
        known = self.images(dataset, scale)
        at = f"{image} at x{format_scale(scale)}"
        if image not in known:
            near = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise RequestError(
                f"--image {image}: this run holds no such image of {dataset} at x{format_scale(scale)}; it holds {near}"
            )
        cells = [self._cell(dataset, scale, image, row, seed) for row in rows]
        there = [cell for cell in cells if cell is not None]
        if not there:
            raise RequestError(f"{at}: no method has it; {RUN_AGAIN}")
        if len({cell.plan.pair for cell in there}) > 1:
            raise RequestError("the methods were given different LR images; choose one draw of them with --seed N")
        given = self._references(there[0], image)
        results = tuple(
            StoredImage(None, reason="not in this run") if cell is None else _result(cell, image, given.protocol)
            for cell in cells
        )
        shapes = {result.pixels.shape[:2] for result in results if result.pixels is not None}
        hr, lr = given.pair.hr, given.pair.lr
        for result in results:
            if result.pixels is not None:
                hr = as_compared(hr, result.pixels, given.protocol)
        if lr is None or len(shapes) > 1:
            raise RequestError(f"{at}: the results differ in size: {sorted(shapes)}")
        size = next(iter(shapes), given.pair.size)
        fixed = given.sample.hr is None or given.protocol.size_rule == "fixed-lr"
        return View(image, scale, there[0].id.seed, given.protocol, hr, lr, size, results, fixed)

    def _cell(self, dataset: str, scale: Scale, image: str, row: MethodRow, seed: int | None) -> StoredCell | None:
        """The cell that holds an image of a row; a method without chance has one seed, which stands for all."""
        key = (row.method, row.variant, dataset, scale)
        own = [
            cell
            for cell in self._run.cells()
            if (cell.id.method, cell.id.variant, cell.id.dataset, cell.id.scale) == key and image in cell.images
        ]
        seeds = sorted({cell.id.seed for cell in own})
        wanted = seed if seed is not None and len(seeds) > 1 else next(iter(seeds), 0)
        if seed is not None and len(seeds) > 1 and seed not in seeds:
            raise RequestError(f"--seed {seed}: {row.display} was run with seeds {', '.join(map(str, seeds))}")
        return next((cell for cell in own if cell.id.seed == wanted), None)

    def _references(self, cell: StoredCell, image: str) -> References:
        try:
            return self._run.references(cell, image)
        except UnitError as fault:
            raise RequestError(f"{image}: {fault}") from None


def _result(cell: StoredCell, image: str, protocol: Protocol) -> StoredImage:
    try:
        return cell.result(image, protocol)
    except UnitError as fault:
        raise RequestError(f"{fault}; {RUN_AGAIN}") from None
