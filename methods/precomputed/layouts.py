"""Folders of published SR images: which file is which method's image at which scale (no torch here).

The layouts are those that people publish: METHOD/VARIANT_x4/IMAGE.png (LPFInISR), MODEL/x4/IMAGE_MODEL.png and
IMAGE_MODEL_4.0.png (GSASR), EXPERIMENT/X4.00_4.00/SET/IMAGE_LUT.png (LeRF), IMAGE_x4_SR.png (EDSR's code), and our own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bench.api import RequestError, Scale, format_scale, parse_scale
from bench.imaging.io import is_image_name
from methods.precomputed.files import scale_fields

_NUMBER = r"\d+(?:\.\d+)?"
_PAIR = rf"{_NUMBER}(?:x{_NUMBER})?"
"""A scale, or one per axis (height x width)."""
_FOLDERS = (
    ("x{scale}/", re.compile(rf"()[xX]({_PAIR})")),
    ("METHOD/VARIANT_x{scale}/", re.compile(rf"(.+?)(?:[_-]SR|[_-])[xX]({_PAIR})")),
    ("X{scale}_{scale}/", re.compile(r"()(?:rrLR_)?X(\d+\.\d\d)_(\d+\.\d\d)")),
)
"""Rules for the name of a folder: how a message calls it; group 1 is the variant, the others are scales."""

_ENDING = re.compile(
    rf"(?:[ _.-]?(?:[xX](?P<x>{_PAIR})|(?P<y>{_NUMBER})[xX])(?![0-9.]*[0-9])(?P<tail>(?:[ _.-].*?)?)"
    r"|(?P<word>[ _.-](?![xX]?\d)[^\W\d_].*?)|)"
    r"(?:_(?P<last>\d+\.\d+))?",
    re.DOTALL,
)
"""What may follow the image's name in that of its file: scale and word, word and scale, one of them, or nothing."""

_NO_RESULT = re.compile(r"(?:^|.*[ _.-])(?:lr|gt|hr)", re.IGNORECASE | re.DOTALL)
_REFERENCES = {"hr", "gt", "lr", "lr_bicubic"}
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
    images: dict[Scale, tuple[str, ...]]


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
    scale: Scale


@dataclass
class _Parts:
    """What was read of one file so far: pieces of its template, texts of its scales, who says which scale, names."""

    pieces: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    scales: list[tuple[str, Scale]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)

    def scale(self, rule: str, text: str, whole: str = "") -> str:
        """Note the scale that a rule read in a name; gives the mark that stands for it in the template.

        Args:
            rule: How a message calls it.
            text: What stands in the name.
            whole: The scale that this is the factor of one axis of.
        """
        self.texts.append(text)
        try:
            self.scales.append((rule, parse_scale(whole or text)))
        except RequestError:
            raise _NoResultError(f"of no scale that there is ({whole or text})") from None
        return _SCALE


class _NoResultError(Exception):
    """Why a file is no result."""


def survey(
    folder: Path,
    images: Collection[str],
    *,
    dataset: str = "",
    scale: Scale | None = None,
    references: Collection[Path] = (),
) -> Survey:
    """Read the names in a folder of SR images; no file is opened.

    Args:
        folder: Where they lie, at any depth.
        images: Ids of the reference images.
        dataset: Name of the set of the references, which a folder around the images may have.
        scale: Scale of the files whose names say none.
        references: Files of the reference images, which are no results where they lie in the folder too.
    Raises:
        RequestError: a file that two rules read differently, or two patterns for one row (names both).
    """
    readings: dict[str, _Reading] = {}
    unused: dict[str, list[str]] = {}
    known = {path.resolve() for path in references}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        place = path.relative_to(folder).as_posix()
        try:
            if path.resolve() in known:
                raise _NoResultError("a reference")
            readings[place] = _read(place, images, folder.resolve().name, dataset, scale)
        except _NoResultError as reason:
            unused.setdefault(str(reason), []).append(place)
    return Survey(_rows(readings), {reason: tuple(places) for reason, places in unused.items()})


def _read(place: str, images: Collection[str], root: str, dataset: str, scale: Scale | None) -> _Reading:
    path = PurePosixPath(place)
    if not is_image_name(path.name):
        raise _NoResultError("not an image")
    image, ending = _image(path, images)
    parents = path.parts[: len(path.parts) - 1 - image.count("/")]
    if any(part.lower() in _REFERENCES for part in parents):
        raise _NoResultError("in a folder of references or inputs")
    parts = _Parts()
    for parent in parents:
        _read_folder(parent, parts, dataset)
    suffix = _read_ending(ending, parts, path.name)
    if len({value for _, value in parts.scales}) > 1:
        said = " and ".join(f"{rule} says x{format_scale(value)}" for rule, value in parts.scales)
        raise RequestError(
            f"{place} could be of two scales: {said}; rename one of them, or read the files with --methods precomputed "
            "--set precomputed.folder=... --set precomputed.pattern=..."
        )
    if not parts.scales and scale is None:
        raise _NoResultError("without a scale in its name (--scale says which it is)")
    value = parts.scales[0][1] if parts.scales else scale or 1.0
    template = "/".join([*parts.pieces, _IMAGE + suffix + _literal(path.suffix)])
    return _Reading(template, tuple(parts.texts), image, _name(parts.names) or root, "".join(parts.rules), value)


def _read_folder(part: str, parts: _Parts, dataset: str) -> None:
    """One folder on the way to a file: that of a scale, that of the set, or a part of the row's name."""
    rule, match = next(((rule, m) for rule, form in _FOLDERS if (m := form.fullmatch(part))), ("", None))
    if match is None:
        parts.pieces.append(_literal(part))
        if not parts.scales:
            parts.names.append(part)
        elif part.lower() == dataset.lower():
            parts.rules.append("SET/")
        else:
            raise _NoResultError(f"in a folder below that of a scale that is not called after the set '{dataset}'")
        return
    parts.rules.append(rule)
    parts.names += [match[1]] if match[1] else []
    piece, at, whole = "", 0, "x".join(match.groups()[1:])
    for group in range(2, len(match.groups()) + 1):
        piece += _literal(part[at : match.start(group)]) + parts.scale(f"'{rule}' ({part})", match[group], whole)
        at = match.end(group)
    parts.pieces.append(piece + _literal(part[at:]))


def _read_ending(ending: str, parts: _Parts, name: str) -> str:
    """What follows the image's name; gives it with its scales cut out."""
    match = _ENDING.fullmatch(ending)
    assert match is not None  # `_image` chose it
    in_folder = bool(parts.scales)
    rule, suffix, word = "{image}", "", match["tail"] or match["word"] or ""
    if scale := match["x"] or match["y"]:
        rule += "_x{scale}"
        group = "x" if match["x"] else "y"
        suffix = _literal(ending[: match.start(group)]) + parts.scale(f"'{{image}}_x{{scale}}' ({name})", scale)
        suffix += ending[match.end(group)] if group == "y" else ""
    suffix += _literal(word)
    rule += "_WORD" if word else ""
    if match["last"]:
        rule += "_{scale}"
        suffix += "_" + parts.scale(f"'{{image}}_MODEL_{{scale}}' ({name})", match["last"])
    parts.rules.append(rule)
    word = word.strip(" _.-")
    if word and word.lower() != "sr" and not in_folder:
        parts.names.append(word)
    return suffix


def _image(path: PurePosixPath, images: Collection[str]) -> tuple[str, str]:
    """(the image, what follows its name).

    Raises:
        _NoResultError: of none of them, or an input or a reference.
        RequestError: two rules take it for two images.
    """
    found: list[tuple[str, str]] = []
    for image in sorted(images):
        stem = "/".join([*path.parts[-1 - image.count("/") : -1], path.stem]) if "/" in image else path.stem
        ending = stem[len(image) :]
        if stem.startswith(image) and not re.fullmatch(r"_\d+\.\d+", ending) and _ENDING.fullmatch(ending):
            found.append((image, ending))
    exact = [reading for reading in found if not reading[1]]
    folders = {part.lower() for part in path.parts[:-1]}
    if len(exact) == 1 and not any(ending[1:].lower() in folders for _, ending in found):
        found = exact
    if not found:
        raise _NoResultError("of no image that is among the references")
    if len(found) > 1:
        said = " and ".join(
            f"'{{image}}{'_WORD' if ending else ''}' takes it for image '{image}'" for image, ending in found[:2]
        )
        raise RequestError(f"{path} could be of two images: {said}; rename the files, or give references of one kind")
    if _NO_RESULT.fullmatch(found[0][1]):
        raise _NoResultError("an input or a reference (_lr, _hr, _gt)")
    return found[0]


def _rows(readings: dict[str, _Reading]) -> tuple[Row, ...]:
    by_template: dict[str, dict[str, _Reading]] = {}
    for place, reading in readings.items():
        by_template.setdefault(reading.template, {})[place] = reading
    rows: dict[str, tuple[Row, str]] = {}
    for template, files in by_template.items():
        first_place, first = next(iter(files.items()))
        pattern = _pattern(template, list(files.values()), first_place)
        images: dict[Scale, list[str]] = {}
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
            key
            for key in scale_fields("1")
            if all(scale_fields(format_scale(r.scale))[key] == r.texts[number] for r in readings)
        ]
        if not fits:
            written = ", ".join(sorted({r.texts[number] for r in readings}))
            raise RequestError(f"files such as {place} write their scales in several ways ({written}); rename some")
        template = template.replace(_SCALE, f"{{{fits[0]}}}", 1)
    return template.replace(_IMAGE, "{image}")


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _name(parts: Sequence[str]) -> str:
    """The parts of a row's name as one word, without what a later part says again (HAT/HAT-S_SRx2 is HAT-S)."""
    kept = [p for p, later in zip(parts, [*parts[1:], ""], strict=False) if not later.lower().startswith(p.lower())]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(kept)).strip("-._")
