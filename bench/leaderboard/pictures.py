"""Pictures of a run for the page: thumbnails that lie within it, full images and error maps that lie beside it.

An SR image that is missing, or is not what was written, is left out. The HR and LR images are made again as the run's
protocol makes them; where that is no longer possible (the set has gone or its files have changed) the SR images are
shown alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.api import RequestError, Scale, UnitError, format_scale
from bench.api.paths import safe_name
from bench.engine.scoring import as_compared
from bench.engine.stored import References, StoredCell, StoredRun
from bench.imaging.difference import absolute_error
from bench.imaging.io import rounded_to_8bit, write_png
from bench.leaderboard.entry import Row

U8 = NDArray[np.uint8]
THUMBNAIL = 112
"""Longer side of a thumbnail, in pixels."""
ERROR_RANGE = 0.2
"""The error that is shown as the brightest; a share of the full range."""


@dataclass(frozen=True)
class Shot:
    """One SR image on the page.

    Attributes:
        card: Place of its method's card.
        path, error: Full image and error map, relative to the page; no error map without a reference.
        thumbnail: A data URI.
    """

    card: int
    path: str
    thumbnail: str
    error: str = ""


@dataclass(frozen=True)
class Scene:
    """One image of a dataset at one scale.

    Attributes:
        dataset, image, scale: Which.
        size: (height, width) of HR and SR.
        hr, lr: Full images, relative to the page; empty where they cannot be made.
        shots: By method.
    """

    dataset: str
    image: str
    scale: Scale
    size: tuple[int, int]
    hr: str = ""
    lr: str = ""
    shots: list[Shot] = field(default_factory=list)


def write_pictures(folders: Sequence[Path], out: Path, *, images: int, cards: Mapping[Row, int]) -> list[Scene]:
    """Copy pictures of run folders to a page's folder.

    Args:
        folders: The run folders.
        out: The page's folder; pictures go below `images/`.
        images: How many of each dataset, the first by id.
        cards: (method, variant) of those that the page shows -> place of the card.
    Returns:
        The scenes, by dataset, image and scale. Of several seeds the lowest is shown.
    Raises:
        RequestError: a damaged record file.
        OSError: a picture cannot be written.
    """
    run = StoredRun(folders if images else ())
    scenes: dict[_Which, dict[int, list[StoredCell]]] = {}
    for cell in run.cells():
        card = cards.get((cell.id.method, cell.id.variant))
        for image in sorted(cell.images)[:images]:
            if card is not None and cell.output(image)[0] is not None:
                which = _Which(cell.id.dataset, image, cell.id.scale, cell.plan.pair)
                scenes.setdefault(which, {}).setdefault(card, []).append(cell)
    shown = (_write_scene(run, which, scenes[which], out) for which in sorted(scenes))
    return [scene for scene in shown if scene.shots]


class _Which(NamedTuple):
    """What all methods of a scene have in common."""

    dataset: str
    image: str
    scale: Scale
    pair: str


def _write_scene(run: StoredRun, which: _Which, cells: Mapping[int, Sequence[StoredCell]], out: Path) -> Scene:
    """The pictures of one image at one scale: HR and LR once, and the result of each card's method."""
    name = f"x{format_scale(which.scale)}-{which.pair[:6]}"
    place = Path("images", safe_name(which.dataset), safe_name(which.image), name)
    (out / place).mkdir(parents=True, exist_ok=True)
    references = _references(run, which.image, [cell for own in cells.values() for cell in own])
    pair = references.pair if references is not None else None
    scene = Scene(which.dataset, which.image, which.scale, pair.size if pair is not None else (0, 0))
    if pair is not None and pair.hr is not None:
        scene = replace(scene, hr=(place / "hr.png").as_posix())
        write_png(out / scene.hr, pair.hr)
    if pair is not None and pair.lr is not None:
        scene = replace(scene, lr=(place / "lr.png").as_posix())
        write_png(out / scene.lr, np.rint(np.clip(pair.lr, 0, 1) * 255).astype(np.uint8))
    for card, own in cells.items():
        found = _result(own, which.image, references)
        if found is not None:
            cell, pixels = found
            scene.shots.append(_shot(cell, card, pixels, references, out, place))
            scene = scene if pair is not None else replace(scene, size=(pixels.shape[0], pixels.shape[1]))
    return scene


def _references(run: StoredRun, image: str, cells: Sequence[StoredCell]) -> References | None:
    """HR and LR as the run had them; None where no folder can make them again."""
    for cell in cells:
        with suppress(RequestError, UnitError, OSError):
            return run.references(cell, image)
    return None


def _result(cells: Sequence[StoredCell], image: str, references: References | None) -> tuple[StoredCell, U8] | None:
    """The first picture that is there of a row's lowest seed."""
    lowest = min(cell.id.seed for cell in cells)
    for cell in cells:
        if cell.id.seed == lowest:
            with suppress(UnitError):
                result = cell.result(image, references.protocol if references is not None else None)
                if result.pixels is not None:
                    return cell, rounded_to_8bit(result.pixels)
    return None


def _shot(cell: StoredCell, card: int, pixels: U8, references: References | None, out: Path, place: Path) -> Shot:
    name = safe_name(cell.plan.folder)
    path = (place / f"{name}.png").as_posix()
    write_png(out / path, pixels)
    hr = as_compared(references.pair.hr, pixels, references.protocol) if references is not None else None
    error = ""
    if hr is not None and hr.shape[:2] == pixels.shape[:2]:
        error = (place / f"{name}-error.png").as_posix()
        write_png(out / error, error_map(pixels, hr))
    return Shot(card, path, thumbnail(pixels), error)


def error_map(sr: U8, hr: U8) -> U8:
    """The absolute error, mean over channels, from black (none) over red to white (ERROR_RANGE or more).

    Args:
        sr, hr: uint8, (H, W) or (H, W, 3), of one size.
    Returns:
        uint8 (H, W, 3).
    """
    share = np.clip(absolute_error(sr, hr) / (255 * ERROR_RANGE), 0, 1)
    ramp = np.stack([np.clip(3 * share - start, 0, 1) for start in (0, 1, 2)], axis=-1)
    return np.rint(255 * ramp).astype(np.uint8)


def thumbnail(pixels: U8) -> str:
    """A small copy as the data URI of a JPEG file."""
    from PIL import Image

    small = Image.fromarray(pixels).convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=78)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")
