"""Pictures of a run for the page: thumbnails that lie within it, full images and error maps that lie beside it.

An SR image that is missing, or is not what was written, is left out. The HR and LR images are made again as the run's
protocol makes them; where that is no longer possible (the set has gone or its files have changed) the SR images are
shown alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import CellPlan, ImageSet, Protocol, RequestError, RunManifest, Sample, UnitError, format_scale
from bench.api.paths import safe_name
from bench.api.presets import PRESETS
from bench.data.pair import Pair, prepare
from bench.data.resolve import dataset_names, resolve_dataset
from bench.engine.folder import CellFolder, RunFolder
from bench.engine.origin import short_source
from bench.engine.scoring import read_stored
from bench.imaging.io import read_image, rounded_to_8bit, write_png

Row = tuple[str, str]
"""(method, variant)."""
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
    scale: float
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
    scenes: dict[tuple[str, str, float, str], Scene] = {}
    for folder in folders if images else ():
        run = RunFolder(folder)
        manifest = run.manifest()
        if manifest is None:
            continue
        seeds: dict[tuple[object, ...], int] = {}
        for plan in manifest.cells:
            key = (plan.cell.method, plan.cell.variant, plan.cell.dataset, plan.cell.scale, plan.pair)
            seeds[key] = min(seeds.get(key, plan.cell.seed), plan.cell.seed)
        for plan in manifest.cells:
            key = (plan.cell.method, plan.cell.variant, plan.cell.dataset, plan.cell.scale, plan.pair)
            if plan.cell.seed == seeds[key] and (plan.cell.method, plan.cell.variant) in cards:
                _add_cell(run, manifest, plan, scenes, out, images, cards[plan.cell.method, plan.cell.variant])
    return sorted((s for s in scenes.values() if s.shots), key=lambda s: (s.dataset, s.image, s.scale))


def _add_cell(
    run: RunFolder,
    manifest: RunManifest,
    plan: CellPlan,
    scenes: dict[tuple[str, str, float, str], Scene],
    out: Path,
    images: int,
    card: int,
) -> None:
    """The pictures of one cell, added to the scenes of its images."""
    files = manifest.sets[plan.images]
    units = run.units(CellFolder(plan.cell, plan.folder))
    for image in sorted(files.images)[:images]:
        unit = units.get((image, plan.pair))
        if unit is None or unit.output is None or unit.origin != plan.origin:
            continue
        key = (plan.cell.dataset, image, plan.cell.scale, plan.pair)
        if key in scenes and any(shot.card == card for shot in scenes[key].shots):
            continue
        name = f"x{format_scale(plan.cell.scale)}-{plan.pair[:6]}"
        place = Path("images", safe_name(plan.cell.dataset), safe_name(image), name)
        with suppress(UnitError):
            pixels = rounded_to_8bit(read_stored(run.out, unit.output))
            if key not in scenes:
                scenes[key] = _scene(plan, manifest, image, pixels.shape[:2], out, place)
            scenes[key].shots.append(_shot(plan, card, pixels, scenes[key], out, place))


def _scene(plan: CellPlan, manifest: RunManifest, image: str, size: tuple[int, ...], out: Path, place: Path) -> Scene:
    (out / place).mkdir(parents=True, exist_ok=True)
    scene = Scene(plan.cell.dataset, image, plan.cell.scale, (size[0], size[1]))
    pair = _pair(plan, manifest, image)
    if pair is None:
        return scene
    hr, lr = "", ""
    if pair.hr is not None and pair.hr.shape[:2] == scene.size:
        hr = (place / "hr.png").as_posix()
        write_png(out / hr, pair.hr)
    if pair.lr is not None:
        lr = (place / "lr.png").as_posix()
        write_png(out / lr, np.rint(np.clip(pair.lr, 0, 1) * 255).astype(np.uint8))
    return Scene(scene.dataset, scene.image, scene.scale, scene.size, hr, lr)


def _shot(plan: CellPlan, card: int, pixels: U8, scene: Scene, out: Path, place: Path) -> Shot:
    name = safe_name(plan.folder)
    path = (place / f"{name}.png").as_posix()
    write_png(out / path, pixels)
    error = ""
    if scene.hr:
        error = (place / f"{name}-error.png").as_posix()
        write_png(out / error, error_map(pixels, read_image(out / scene.hr).pixels))
    return Shot(card, path, thumbnail(pixels), error)


def error_map(sr: U8, hr: U8) -> U8:
    """The absolute error, mean over channels, from black (none) over red to white (ERROR_RANGE or more).

    Args:
        sr, hr: uint8, (H, W) or (H, W, 3), of one size.
    Returns:
        uint8 (H, W, 3).
    """
    a, b = (image[..., None] if image.ndim == 2 else image for image in (sr.astype(np.float64), hr.astype(np.float64)))
    share = np.clip(np.abs(a - b).mean(axis=-1) / (255 * ERROR_RANGE), 0, 1)
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


def _pair(plan: CellPlan, manifest: RunManifest, image: str) -> Pair | None:
    """HR and LR as the run had them; None where they cannot be made again."""
    files = manifest.sets[plan.images]
    with suppress(RequestError, UnitError, OSError):
        protocol = next(_protocols(plan, manifest), None)
        sample = _sample(files, image, plan.cell.scale)
        if protocol is not None and sample is not None and short_source(sample) == files.images[image]:
            return prepare(sample, plan.cell.scale, protocol)
    return None


def _protocols(plan: CellPlan, manifest: RunManifest) -> Iterator[Protocol]:
    """Presets that make LR as this cell's images were made."""
    for signature in plan.signatures:
        for name in manifest.protocols.get(signature, ()):
            protocol = PRESETS.get(name)
            if protocol is not None and protocol.drawn(plan.cell.seed).pair_id(plan.cell.scale) == plan.pair:
                yield protocol.drawn(plan.cell.seed)


def _sample(files: ImageSet, image: str, scale: float) -> Sample | None:
    name = files.dataset if files.dataset in dataset_names() else files.folder
    return next((sample for sample in resolve_dataset(name).samples(scale) if sample.id == image), None)
