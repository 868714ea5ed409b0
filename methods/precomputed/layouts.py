"""Folders of published SR images: which file is which method's image at which scale (no torch here).

The layouts are those that people publish: METHOD/VARIANT_x4/IMAGE.png (LPFInISR), MODEL/x4/IMAGE_MODEL.png and
IMAGE_MODEL_4.0.png (GSASR), EXPERIMENT/X4.00_4.00/SET/IMAGE_LUT.png (LeRF), IMAGE_x4_SR.png (EDSR's code), and our own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.api import RequestError, format_scale
from bench.imaging.io import is_image_name
from methods.precomputed.files import scale_fields

_NUMBER = r"\d+(?:\.\d+)?"
_FOLDERS = (
    ("x{scale}/", re.compile(rf"()[xX]({_NUMBER})")),
    ("METHOD/VARIANT_x{scale}/", re.compile(rf"(.+?)(?:[_-]SR|[_-])[xX]({_NUMBER})")),
    ("X{scale}_{scale}/", re.compile(r"()(?:rrLR_)?X(\d+\.\d\d)_(\d+\.\d\d)")),
)
"""Rules for the name of a folder: how a message calls it; group 1 is the variant, the others are scales."""

_FILES = (
    ("{image}", re.compile(r"")),
    ("{image}_x{scale}", re.compile(rf"[ _.-]?(?:[xX]({_NUMBER})|({_NUMBER})[xX])(?![0-9.]*[0-9])(.*)", re.DOTALL)),
    ("{image}_MODEL_{scale}", re.compile(r"_([^\W\d_].*)_(\d+\.\d+)", re.DOTALL)),
    ("{image}_WORD", re.compile(r"[ _.-](?![xX]?\d)([^\W\d_].*)", re.DOTALL)),
)
"""Rules for what follows the image's name in that of its file; the first that fits an ending is its rule."""

_NO_RESULT = re.compile(r"(?:^|.*[ _.-])(?:lr|gt|hr)", re.IGNORECASE | re.DOTALL)
_REFERENCES = {"hr", "gt", "lr"}
_SCALE, _IMAGE = "\0", "\1"


@dataclass(frozen=True)
class Row:
    """The images of one method.

    Attributes:
        name: What its folders and files call it.
        rule: The rules that read it, as a message calls them.
        pattern: Where its files lie below the folder, as `precomputed.pattern` takes it.
        images: Scale -> the images that are there.
    """

    name: str
    rule: str
    pattern: str
    images: dict[float, tuple[str, ...]]


@dataclass(frozen=True)
class Survey:
    """A folder as it was read.

    Attributes:
        rows: The methods, by name.
        unused: Why files were not used -> these files, relative to the folder.
    """

    rows: tuple[Row, ...]
    unused: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Reading:
    """One file: its place with the scales and the image cut out, what stood there, and what it is called."""

    template: str
    texts: tuple[str, ...]
    image: str
    name: str
    rule: str
    scale: float


class _Unused(Exception):
    """Why a file is no result."""


def survey(folder: Path, images: Collection[str], *, dataset: str = "", scale: float | None = None) -> Survey:
    """Read the names in a folder of SR images; no file is opened.

    Args:
        folder: Where they lie, at any depth.
        images: Ids of the reference images.
        dataset: Name of the set of the references, which a folder around the images may have.
        scale: Scale of the files whose names say none.
    Raises:
        RequestError: a file that two rules read differently, or two patterns for one row (names both).
    """
    readings: dict[str, _Reading] = {}
    unused: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        place = path.relative_to(folder).as_posix()
        try:
            readings[place] = _read(place, images, folder.resolve().name, dataset, scale)
        except _Unused as reason:
            unused.setdefault(str(reason), []).append(place)
    return Survey(_rows(readings), {reason: tuple(places) for reason, places in unused.items()})


def _read(place: str, images: Collection[str], root: str, dataset: str, scale: float | None) -> _Reading:
    path = PurePosixPath(place)
    if not is_image_name(path.name):
        raise _Unused("not an image")
    image, ending, file_rule = _image(path, images)
    parents = path.parts[: len(path.parts) - 1 - image.count("/")]
    if any(part.lower() in _REFERENCES for part in parents):
        raise _Unused("in a folder of references or inputs")
    rules: list[str] = []
    scales: dict[str, float] = {}
    names: list[str] = []
    parts: list[str] = []
    texts: list[str] = []
    for part in parents:
        rule, match = next(((r, m) for r, expression in _FOLDERS if (m := expression.fullmatch(part))), ("", None))
        if match is None:
            parts.append(_literal(part))
            if not (scales and part.lower() == dataset.lower()):
                names.append(part)
            if scales and part.lower() != dataset.lower():
                raise _Unused(f"in a folder below that of a scale which is not called after the set '{dataset}'")
            continue
        found = {float(text) for text in match.groups()[1:]}
        if len(found) > 1:
            raise _Unused("of two scales, one per axis")
        rules.append(rule)
        scales[f"'{rule}' ({part})"] = found.pop()
        names += [match[1]] if match[1] else []
        parts.append(_cut(match, texts))
    suffix = ending
    match = dict(_FILES)[file_rule].fullmatch(ending)
    if match is not None and file_rule == "{image}_MODEL_{scale}":
        scales[f"'{file_rule}' ({path.name})"] = float(match[2])
        names += [match[1]] if not rules else []
        suffix = f"_{_literal(match[1])}_{_SCALE}"
        texts.append(match[2])
    elif match is not None and file_rule == "{image}_x{scale}":
        text = match[1] or match[2]
        scales[f"'{file_rule}' ({path.name})"] = float(text)
        head, _, tail = ending.partition(text)
        word = tail.removeprefix("x").removeprefix("X") if match[2] else tail
        names += [word.strip(" _.-")] if not rules and word.strip(" _.-").lower() not in ("", "sr") else []
        suffix = _literal(head) + _SCALE + _literal(tail)
        texts.append(text)
    else:
        names += [ending[1:]] if ending and not rules else []
        suffix = _literal(ending)
    if len(set(scales.values())) > 1:
        said = " and ".join(f"{rule} says x{format_scale(value)}" for rule, value in scales.items())
        raise RequestError(
            f"{place} could be of two scales: {said}; rename one of them, or read the files with --methods precomputed "
            "--set precomputed.folder=... --set precomputed.pattern=..."
        )
    value = next(iter(scales.values()), scale)
    if value is None:
        raise _Unused("without a scale in its name; --scale says which it is")
    template = "/".join([*parts, _IMAGE + suffix + _literal(path.suffix)])
    return _Reading(template, tuple(texts), image, _name(names) or root, " + ".join([*rules, file_rule]), value)


def _image(path: PurePosixPath, images: Collection[str]) -> tuple[str, str, str]:
    """(the image, what follows its name, the rule that fits that).

    Raises:
        _Unused: of none of them, or an input or a reference.
        RequestError: two rules take it for two images.
    """
    found: list[tuple[str, str, str]] = []
    for image in images:
        stem = "/".join([*path.parts[-1 - image.count("/") : -1], path.stem]) if "/" in image else path.stem
        if stem.startswith(image):
            ending = stem[len(image) :]
            found += [(image, ending, rule) for rule, form in _FILES if form.fullmatch(ending)][:1]
    exact = [reading for reading in found if not reading[1]]
    model = [r for r in found if r[1] and any(r[1][1:].lower() == part.lower() for part in path.parts[:-1])]
    if len(exact) == 1 and not model:
        found = exact
    if not found:
        raise _Unused("of an image that is not among the references")
    if len(found) > 1:
        said = " and ".join(f"'{rule}' takes it for image '{image}'" for image, _, rule in found[:2])
        raise RequestError(f"{path} could be of two images: {said}; rename the files, or give references of one kind")
    if found[0][1] and _NO_RESULT.fullmatch(found[0][1]):
        raise _Unused("an input or a reference (_lr, _hr, _gt)")
    return found[0]


def _rows(readings: dict[str, _Reading]) -> tuple[Row, ...]:
    by_template: dict[str, dict[str, _Reading]] = {}
    for place, reading in readings.items():
        by_template.setdefault(reading.template, {})[place] = reading
    rows: dict[str, tuple[Row, str]] = {}
    for template, files in by_template.items():
        first_place, first = next(iter(files.items()))
        pattern = _pattern(template, list(files.values()), first_place)
        images: dict[float, list[str]] = {}
        for reading in files.values():
            images.setdefault(reading.scale, []).append(reading.image)
        row = Row(first.name, first.rule, pattern, {s: tuple(names) for s, names in sorted(images.items())})
        if row.name in rows:
            other, place = rows[row.name]
            raise RequestError(
                f"two rules read files as the row '{row.name}': {other.pattern} ('{other.rule}', such as {place}) and "
                f"{row.pattern} ('{row.rule}', such as {first_place}); move one of them away, or read each with "
                "--methods precomputed --set precomputed.folder=... --set precomputed.pattern=..."
            )
        rows[row.name] = row, first_place
    return tuple(row for _, (row, _) in sorted(rows.items()))


def _pattern(template: str, readings: Sequence[_Reading], place: str) -> str:
    """The template with the field for each scale in it that writes all scales as these files do."""
    for number in range(template.count(_SCALE)):
        fits = [
            field
            for field in scale_fields("1")
            if all(scale_fields(format_scale(r.scale))[field] == r.texts[number] for r in readings)
        ]
        if not fits:
            written = ", ".join(sorted({r.texts[number] for r in readings}))
            raise RequestError(f"files such as {place} write their scales in several ways ({written}); rename some")
        template = template.replace(_SCALE, f"{{{fits[0]}}}", 1)
    return template.replace(_IMAGE, "{image}")


def _cut(match: re.Match[str], texts: list[str]) -> str:
    """A folder's name with its scales cut out."""
    part, at, pieces = match.string, 0, []
    for group in range(2, len(match.groups()) + 1):
        pieces += [_literal(part[at : match.start(group)]), _SCALE]
        texts.append(match[group])
        at = match.end(group)
    return "".join([*pieces, _literal(part[at:])])


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _name(parts: Sequence[str]) -> str:
    """The parts of a row's name as one word, without what a later part says again (HAT/HAT-S_SRx2 is HAT-S)."""
    kept = [p for p, later in zip(parts, [*parts[1:], ""], strict=True) if not later.lower().startswith(p.lower())]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(kept)).strip("-._")
