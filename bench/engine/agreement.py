"""Whether a stored unit is what the newest plan of its cell means: same origin, same source; and if not, why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bench.api import Origin
from bench.engine.folder import StoredUnit

UNKNOWN_ORIGIN = "made by an earlier version of this tool"
OTHER_SOURCE = "made from other image files"
OTHER_FILE = "made from another file of that name"


def disagreement(unit: StoredUnit, origin: Origin, source: str, file: str, origins: Mapping[str, Origin]) -> str:
    """Why a stored unit is not what is planned; empty where it is.

    Args:
        unit: What is stored.
        origin: What is to make the image.
        source: Short hash of its image files as planned.
        file: Short hash of a file of its own that the method reads, as planned.
        origins: What is known of origins by id.
    """
    if unit.origin != origin.id:
        known = origins.get(unit.origin)
        words = known.differences(origin) if known is not None else ()
        return f"made by {' and '.join(words)}" if words else UNKNOWN_ORIGIN
    if unit.source != source:
        return OTHER_SOURCE
    return OTHER_FILE if unit.file != file else ""


def older_sentence(reasons: Counter[str]) -> str:
    """What a summary says of stored images that are not what is planned: "3 images are made by another up.py: …"."""
    parts = [f"{number} image{'s are' if number > 1 else ' is'} {reason}" for reason, number in reasons.items()]
    return f"{', '.join(parts)}: type the command again" if parts else ""
