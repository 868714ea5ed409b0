"""How a folder is read as a set: which folders hold its HR and LR images, by the layouts, and never by a guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.api import RequestError, Scale, counted, format_scale
from bench.data.layouts import FLAT, LAYOUTS, Layout
from bench.data.pairing import require_one_size_each, roles
from bench.data.templates import Match
from bench.data.tree import Tree


@dataclass(frozen=True)
class Place:
    """Where pairs of one scale lie.

    Attributes:
        hr, lr: The folders; one and the same where names tell HR from LR.
        scale: None where no folder's name tells it.
        layout: The layout that reads them so.
    """

    hr: Path
    lr: Path
    scale: Scale | None
    layout: Layout

    @property
    def together(self) -> bool:
        """HR and LR images lie in one folder."""
        return self.hr == self.lr


@dataclass(frozen=True)
class Reading:
    """One way to read a folder.

    Attributes:
        layout: Whose names its folders have.
        places: Where its pairs lie; empty for HR images alone.
        alone: The folder of HR images for LR images that are made here; None where HR and LR are only told by names.
        count: Number of images or pairs of the first place, as far as names tell.
        beside: Images directly in the folder that are not used.
    """

    layout: Layout
    places: tuple[Place, ...]
    alone: Path | None
    count: int
    beside: tuple[Path, ...] = ()

    def describe(self, root: Path) -> str:
        """The reading in a few words, with what to type to have it."""
        if not self.places:
            folder = self.alone or root
            typed = f"{folder}/*" if folder == root else str(folder)
            return f"{counted(self.count, 'HR image')} in {_inside(folder, root)} ({self.layout.name}): {typed}"
        first = self.places[0]
        lr = ", ".join(_inside(place.lr, root) for place in self.places)
        where = f"in {lr}" if first.together else f"with HR in {_inside(first.hr, root)}, LR in {lr}"
        return f"{counted(self.count, 'pair')} {where} ({self.layout.name}): {first.hr}::{first.lr}"


def read_folder(root: Path) -> Reading | None:
    """The one way to read a folder; None where it holds no HR images.

    Raises:
        RequestError: two ways (names both, and what to type for each), or a folder that cannot be listed.
    """
    tree = Tree(root)
    found = _distinct(reading for layout in LAYOUTS for reading in _readings(tree, layout))
    flat = tree.at(root).images
    plain = Reading(FLAT, (), root, len(flat))
    if not found:
        require_one_size_each(flat, root)
        return plain if flat else None
    if len(found) == 1:
        reading = found[0]
        if not reading.beside:
            reading = replace(reading, beside=_beside(reading, tree))
        if len(reading.beside) < reading.count:
            return reading
    several = [*found, plain] if len(found) == 1 else found
    listed = "".join(f"\n  {reading.describe(root)}" for reading in several)
    raise RequestError(
        f"{root} can be read in {len(several)} ways:{listed}\n"
        "Type what stands behind the one that is meant, or move the files of the others elsewhere"
    )


def read_together(root: Path) -> Reading | None:
    """The pairs of a folder by the names of its files alone; None where its names do not tell HR from LR.

    Raises:
        RequestError: two layouts that read different pairs.
    """
    tree = Tree(root)
    readings = [reading for layout in LAYOUTS if layout.together for reading in _together(tree, layout, (".",))]
    if len(readings) > 1 and len({reading.count for reading in readings}) > 1:
        listed = " or ".join(reading.layout.name for reading in readings)
        raise RequestError(f"the names in {root} could be those of {listed}; move the files of one of them elsewhere")
    return next(iter(readings), None)


def lr_places(root: Path, extra: Sequence[str] = ()) -> list[tuple[Scale | None, Path]]:
    """The folders of LR images in a folder of LR images: itself, or by scale, or by track and scale.

    Args:
        root: The folder.
        extra: Names of LR subfolders that a set is known to use.
    """
    tree = Tree(root)
    if tree.at(root).images:
        return [(None, root)]
    plain = LAYOUTS[-1]
    return [(read.scale, path) for read, path in _each(tree, (*extra, *plain.lr))]


def hr_places(root: Path) -> list[tuple[Scale | None, Path]]:
    """The folders of HR images in a folder of HR images: itself, or one per scale, as RCAN's HR/Set5 has them."""
    tree = Tree(root)
    if tree.at(root).images:
        return [(None, root)]
    return [(read.scale, path) for read, path in _each(tree, ("X{scale}",))]


def joined(
    hr: Iterable[tuple[Scale | None, Path]], lr: Iterable[tuple[Scale | None, Path]], layout: Layout
) -> tuple[Place, ...]:
    """All places where the scales of HR and LR folders do not contradict each other."""
    sides = list(hr)
    return tuple(
        Place(hr_path, lr_path, lr_scale if lr_scale is not None else hr_scale, layout)
        for lr_scale, lr_path in lr
        for hr_scale, hr_path in sides
        if hr_path != lr_path and (None in (hr_scale, lr_scale) or hr_scale == lr_scale)
    )


def describe_scales(places: Iterable[Place]) -> str:
    """The scales that names of folders tell: "x2, x3.6"."""
    told = sorted({place.scale for place in places if place.scale is not None})
    return ", ".join(f"x{format_scale(scale)}" for scale in told)


def _readings(tree: Tree, layout: Layout) -> Iterator[Reading]:
    """What one layout makes of a folder: nothing, or one reading per set and folder of HR images in it."""
    if layout.together:
        yield from _together(tree, layout, layout.hr)
        return
    lr = list(_each(tree, layout.lr))
    # `alone` says which of several HR folders is meant; without it each may be, and the caller has to refuse
    for patterns in (layout.hr,) if layout.alone else tuple((pattern,) for pattern in layout.hr):
        hr = _preferred(tree, patterns)
        for name, folders in hr.items():
            alone = [path for read, path in _preferred(tree, layout.alone or patterns)[name] if read.scale is None]
            places = joined(
                ((read.scale, path) for read, path in folders),
                ((read.scale, path) for read, path in lr if read.set == name),
                layout,
            )
            if places:
                yield Reading(layout, places, next(iter(alone), None), len(tree.at(places[0].hr).images))
            else:
                yield from (Reading(layout, (), path, len(tree.at(path).images)) for path in alone)


def _together(tree: Tree, layout: Layout, patterns: Iterable[str]) -> Iterator[Reading]:
    for pattern in patterns:
        places, count, unread = [], 0, ()
        for read, folder in tree.find(pattern):
            split = roles(tree.at(folder).images, layout)
            if split.pairs:
                places.append(Place(folder, folder, read.scale, layout))
                count, unread = count or len(split.hr), (unread if folder != tree.root else split.unread)
        if places:
            yield Reading(layout, tuple(places), None, count, unread)


def _each(tree: Tree, patterns: Iterable[str]) -> Iterator[tuple[Match, Path]]:
    """Folders, each by the first pattern that fits it."""
    seen: set[Path] = set()
    for pattern in patterns:
        for read, path in tree.find(pattern):
            if path not in seen:
                seen.add(path)
                yield read, path


def _preferred(tree: Tree, patterns: Sequence[str]) -> dict[str, list[tuple[Match, Path]]]:
    """Set -> its folders by the first pattern that finds any of them."""
    found: dict[str, list[tuple[Match, Path]]] = {}
    for pattern in reversed(patterns):
        here: dict[str, list[tuple[Match, Path]]] = {}
        for read, path in tree.find(pattern):
            here.setdefault(read.set, []).append((read, path))
        found.update(here)
    return found


def _distinct(readings: Iterable[Reading]) -> list[Reading]:
    """Readings of which none is a part of another one; of equal ones the first."""
    kept: list[Reading] = []
    for reading in readings:
        if any(_within(reading, other) for other in kept):
            continue
        kept = [other for other in kept if not _within(other, reading)] + [reading]
    return kept


def _within(reading: Reading, other: Reading) -> bool:
    theirs = {(place.hr, place.lr) for place in other.places}
    if not reading.places:
        return reading.alone in ({other.alone} | {hr for hr, _ in theirs})
    return {(place.hr, place.lr) for place in reading.places} <= theirs


def _beside(reading: Reading, tree: Tree) -> tuple[Path, ...]:
    """The images directly in the folder, where the reading takes none from there."""
    inside = {path for place in reading.places for path in (place.hr, place.lr)} | {reading.alone}
    return () if tree.root in inside else tree.at(tree.root).images


def _inside(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else "."
