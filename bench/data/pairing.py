"""Which LR file belongs to which HR file: by equal names first, else by the names of the layouts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.api import RequestError, Scale, format_scale
from bench.data.images import header_size, list_images
from bench.data.layouts import LAYOUTS, Layout
from bench.data.templates import Match, match

SHOW = "'bench data show FOLDER' prints how a folder is read"


@dataclass(frozen=True)
class FilePair:
    """One HR file with its LR file.

    Attributes:
        hr, lr: The files.
        forms: Their names with "*" for the image.
    """

    hr: Path
    lr: Path
    forms: tuple[str, str]


@dataclass(frozen=True)
class Pairing:
    """The pairs of two folders, or of one, at a scale.

    Attributes:
        pairs: Image id -> files, sorted by id.
        unused: Files that are of other scales, or no images of the set.
    """

    pairs: dict[str, FilePair]
    unused: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Roles:
    """The images of one folder by what their names say, under a layout that keeps HR and LR together.

    Attributes:
        hr, lr: Stem -> file.
        other: What the layout has beside them, such as results.
        unread: What no template of the layout reads.
        pairs: Number of images with an HR and an LR file.
    """

    hr: dict[str, Path]
    lr: dict[str, Path]
    other: tuple[Path, ...]
    unread: tuple[Path, ...]
    pairs: int


@dataclass(frozen=True)
class _Owner:
    """The HR file that a layout gives an LR file to."""

    key: str
    image: str
    id: str
    layout: str
    scales: tuple[Scale | None, Scale | None]

    def fits(self, scale: Scale) -> bool:
        """Neither name tells another scale."""
        return all(said is None or said == scale for said in self.scales)


def roles(files: Iterable[Path], layout: Layout) -> Roles:
    """Sort the images of a folder by a layout that keeps HR and LR in one."""
    hr: dict[str, Path] = {}
    lr: dict[str, Path] = {}
    other: list[Path] = []
    unread: list[Path] = []
    images: dict[str, set[str]] = {"hr": set(), "lr": set()}
    for path in files:
        key = unicodedata.normalize("NFC", path.stem)
        for side, found, templates in (("hr", hr, layout.hr_names), ("lr", lr, layout.lr_names)):
            read = _first(templates, key)
            if read is not None:
                found[key] = path
                images[side].add(read.image)
                break
        else:
            (unread if _first(layout.others, key) is None else other).append(path)
    return Roles(hr, lr, tuple(other), tuple(unread), len(images["hr"] & images["lr"]))


def require_one_size_each(files: Sequence[Path], folder: Path) -> None:
    """Refuse a flat folder that holds images and, under names derived from theirs, the same in another size.

    Raises:
        RequestError: a mean over both would be of nothing; says what to type.
    """
    stems = {unicodedata.normalize("NFC", path.stem): path for path in files}
    marks = dict.fromkeys(name for layout in LAYOUTS for name in (*layout.hr_names, *layout.lr_names))
    derived: list[tuple[Path, Path]] = []
    for key, path in stems.items():
        base = next((stems[read.image] for read in _all(marks, key) if read.image != key and read.image in stems), None)
        if base is not None and None not in (sizes := (header_size(path), header_size(base))) and len({*sizes}) > 1:
            derived.append((path, base))
    if derived:
        path, base = derived[0]
        raise RequestError(
            f"{folder}: expected one image of each name, but {len(derived)} of {len(files)} are called after another "
            f"one and have another size, such as {path.name} beside {base.name}; move HR and LR into folders of their "
            f"own, or give '{folder}/*' to take all of them as HR images"
        )


def pair_folders(hr: Path, lr: Path, scale: Scale, *, name: str) -> Pairing:
    """Pair the images of two folders.

    Args:
        hr, lr: The folders.
        scale: LR files that name another scale are left out.
        name: Of the set, for messages.
    Raises:
        RequestError: HR or LR images without a partner, two LR files for one HR file, or a name that two layouts read
            differently.
    """
    where = f"{name}: HR in {hr}, LR in {lr}"
    return _pair(list_images(hr), list_images(lr), scale, LAYOUTS, where)


def pair_together(folder: Path, layout: Layout, scale: Scale, *, name: str) -> Pairing:
    """Pair the images of a folder that holds both.

    Raises:
        RequestError: as `pair_folders`.
    """
    split = roles(list_images(folder).values(), layout)
    paired = _pair(split.hr, split.lr, scale, (layout,), f"{name}: HR and LR in {folder}, as {layout.name} has them")
    return Pairing(paired.pairs, tuple(sorted((*paired.unused, *split.other, *split.unread))))


def _pair(
    hr: Mapping[str, Path], lr: Mapping[str, Path], scale: Scale, layouts: Sequence[Layout], where: str
) -> Pairing:
    index = _index(hr, layouts)
    owned: dict[str, tuple[str, _Owner]] = {}
    strangers: list[Path] = []
    elsewhere: dict[Path, Scale] = {}
    for key, path in lr.items():
        owners = [_Owner(key, key, key, "equal names", (None, None))] if key in hr else list(_owners(key, index))
        fitting = {owner.key: owner for owner in reversed(owners) if owner.fits(scale)}
        if len(fitting) > 1:
            readings = " or ".join(f"{hr[o.key].name} ({o.layout})" for o in fitting.values())
            raise RequestError(f"{where}: {path.name} could be the LR image of {readings}; rename one of them")
        if not fitting:
            told = [said for owner in owners for said in owner.scales if said is not None and said != scale]
            if told:
                elsewhere[path] = told[0]
            else:
                strangers.append(path)
            continue
        owner = next(iter(fitting.values()))
        if owner.key in owned:
            other = lr[owned[owner.key][0]].name
            raise RequestError(f"{where}: both {other} and {path.name} belong to {hr[owner.key].name}; move one away")
        owned[owner.key] = key, owner
    alone = {key: path for key, path in hr.items() if key not in owned}
    of_other_scales = [path for key, path in alone.items() if _tells_another(key, scale, layouts)]
    if elsewhere and not owned:
        there = ", ".join(f"x{format_scale(said)}" for said in sorted(set(elsewhere.values())))
        raise RequestError(f"{where}: no LR image for x{format_scale(scale)}, only for {there}")
    _refuse([path for path in alone.values() if path not in of_other_scales], strangers, scale, where)
    pairs: dict[str, FilePair] = {}
    for key, (lr_key, owner) in owned.items():
        if owner.id in pairs:
            raise RequestError(
                f"{where}: {pairs[owner.id].hr.name} and {hr[key].name} are both image '{owner.id}'; move one away"
            )
        forms = _form(key, owner.image, hr[key].suffix), _form(lr_key, owner.image, lr[lr_key].suffix)
        pairs[owner.id] = FilePair(hr[key], lr[lr_key], forms)
    return Pairing(dict(sorted(pairs.items())), tuple(sorted((*elsewhere, *of_other_scales))))


@dataclass(frozen=True)
class _HrName:
    """An HR file as one template reads it."""

    key: str
    id: str
    scale: Scale | None


_Index = Sequence[tuple[Layout, Mapping[str, Sequence[_HrName]]]]
"""Per layout: image -> the HR files that it reads so."""


def _index(hr: Mapping[str, Path], layouts: Sequence[Layout]) -> _Index:
    index: list[tuple[Layout, dict[str, list[_HrName]]]] = []
    for layout in layouts:
        images: dict[str, list[_HrName]] = {}
        for key in hr:
            for read in _all(layout.hr_names, key):
                # a name with the scale in it is another one for every scale, and no id
                known = key if read.scale is None else read.image
                images.setdefault(read.image, []).append(_HrName(key, known, read.scale))
        index.append((layout, images))
    return index


def _owners(key: str, index: _Index) -> Iterator[_Owner]:
    for layout, images in index:
        for read in _all(layout.lr_names, key):
            for name in images.get(read.image, ()):
                yield _Owner(name.key, read.image, name.id, layout.name, (name.scale, read.scale))


def _tells_another(key: str, scale: Scale, layouts: Iterable[Layout]) -> bool:
    """An HR name tells another scale, so that it is no HR image of this one."""
    reads = [read for layout in layouts for read in _all(layout.hr_names, key)]
    told = [read.scale for read in reads if read.scale is not None]
    return bool(told) and scale not in told


def _refuse(alone: Sequence[Path], strangers: Sequence[Path], scale: Scale, where: str) -> None:
    parts = [f"{len(alone)} HR without LR ({some(alone)})"] if alone else []
    parts += [f"{len(strangers)} LR without HR ({some(strangers)})"] if strangers else []
    if parts:
        said = format_scale(scale)
        raise RequestError(
            f"{where}: {' and '.join(parts)}; an LR file is called as its HR file, or after it with x{said}, "
            f"_LR{said}, _LR or another mark of docs/datasets.md; {SHOW}"
        )


def some(paths: Sequence[Path]) -> str:
    """The first names of some files."""
    return ", ".join(path.name for path in paths[:3]) + (", …" if len(paths) > 3 else "")


def _all(templates: Iterable[str], key: str) -> Iterator[Match]:
    return (read for template in templates if (read := match(template, key, file=True)) is not None)


def _first(templates: Iterable[str], key: str) -> Match | None:
    return next(_all(templates, key), None)


def _form(key: str, image: str, suffix: str) -> str:
    return key.replace(image, "*", 1) + suffix
