"""Lines of a record file, read without the cell that they begin with: the file's place says it already.

A line in any doubt is left to `Record.from_json`, which reads the whole of it and says what is wrong.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from bench.api import Output, Record, Score, UnitStatus
from bench.api.record import is_stored_path, line_is_checked

if TYPE_CHECKING:
    from typing import Protocol

    class Said(Protocol):
        """A record without its cell; attributes as those of `Record`."""

        image: str
        status: UnitStatus
        output: Output | None
        scores: tuple[Score, ...]
        error: str
        pair: str
        origin: str
        source: str
        file: str


def read_quickly(line: bytes, head: bytes) -> Said | None:
    """What a line says of its unit.

    Args:
        line: Without its end.
        head: What every line of its cell begins with, see `line_head`.
    Returns:
        None for a line that must be read whole: it begins in another way, its check sum does not fit, or something in
        it is not as this version writes it.
    """
    if not line.startswith(head) or not line_is_checked(line):
        return None
    # of two cells in one line the second counts, and its key may be written with escapes
    if line.find(b'"cell"', len(head)) >= 0 or b"\\" in line:
        return None
    try:
        said = _decoder().decode(line.decode())  # what it passes over is not looked at: no UTF-8 is found here
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return said if said.output is None or is_stored_path(said.output.path) else None


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Any]:
    """A strict reader of the fields of `Record` but for the cell, which is passed over like any unknown key."""
    hints = get_type_hints(Record)
    own = [field for field in fields(Record) if field.name != "cell"]
    members = [
        (field.name, hints[field.name]) if field.default is MISSING else (field.name, hints[field.name], field.default)
        for field in own
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Said", members))
