"""Names of folders and files with fields in them, such as `LR_bicubic/X{scale}` and `{image}_LR{scale}`.

Fields: {image} and {set} are any text, {scale} is a number (4, 3.6, 4.00 or RealArbiSR's 1dot5)
or two of them (1.5x2, height x width), {number} whole digits,
{track} a word (bicubic), {kind} a letter and perhaps a digit (DIV2K's m, d, w1). Letters match in any case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bench.api import RequestError, Scale, parse_scale

_NUMBER = r"\d+(?:(?:\.|dot)\d+)?"
_FIELDS = {
    "image": r".+",
    "set": r"[^/]+",
    "scale": rf"{_NUMBER}(?:x{_NUMBER})?",
    "number": r"\d+",
    "track": r"[A-Za-z]\w*",
    "kind": r"[a-z]\d?",
}


@dataclass(frozen=True)
class Match:
    """What the fields of a template stand for in one name.

    Attributes:
        image, set, track: Empty where the template has no such field.
        scale: None where it has none.
    """

    image: str = ""
    set: str = ""
    track: str = ""
    scale: Scale | None = None


def match(template: str, name: str, *, file: bool = False) -> Match | None:
    """Read a name by a template; None where it is another name.

    Args:
        template: See above.
        name: Of a folder, or of a file without its suffix.
        file: An underscore of the template may be a hyphen in the name.
    """
    found = _compiled(template, file).fullmatch(name)
    if found is None:
        return None
    fields = found.groupdict()
    scale = fields.get("scale")
    track = fields.get("track") or fields.get("kind") or ""
    try:
        return Match(fields.get("image", ""), fields.get("set", ""), track, None if scale is None else scale_of(scale))
    except RequestError:  # "X0" and "x0.5" name no scale
        return None


def scale_of(text: str) -> Scale:
    """The scale that a name tells.

    Raises:
        RequestError: numbers that are no scale.

    >>> scale_of("4"), scale_of("3.60"), scale_of("1dot5"), str(scale_of("1.5x2"))
    (4.0, 3.6, 1.5, '1.5x2')
    """
    return parse_scale(text.lower().replace("dot", "."))


@lru_cache(maxsize=512)
def _compiled(template: str, file: bool) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    text = ""
    for number, part in enumerate(parts):
        if number % 2:
            text += f"(?P<{part}>{_FIELDS[part]})"
        else:
            text += re.escape(part).replace("_", "[-_]") if file else re.escape(part)
    return re.compile(text, re.IGNORECASE | re.DOTALL)
