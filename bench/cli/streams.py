"""The streams of the command line made fit to be written to, whatever they are: closed, or of an encoding that lacks
half of what is said. Work is never lost to them.
"""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path
from typing import TextIO

_PLAIN = {
    "×": "x",
    "·": "-",
    "…": "...",
    "—": "-",
    "–": "-",
    "−": "-",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "Δ": "D",
    "✓": "yes",
    "✗": "no",
    "†": "+",
    "‡": "++",
    "§": "S",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "\u00a0": " ",
}
"""What is written in ASCII in place of signs that an encoding does not have."""
_HANDLER = "assr-bench"


def _in_ascii(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    signs = fault.object[fault.start : fault.end]
    return "".join(_PLAIN.get(sign) or ascii(sign)[1:-1] for sign in signs), fault.end


codecs.register_error(_HANDLER, _in_ascii)


def prepare_streams() -> None:
    """Open what is closed on the null device, and let nothing that is said be impossible to write.

    A closed descriptor would be given to the next file that is opened, and what a library prints would end in it.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = _null()
    if sys.stderr is None:
        sys.stderr = _null()
    for stream in (sys.stdout, sys.stderr):
        change = getattr(stream, "reconfigure", None)
        if change is not None:  # another program's stream may be without
            change(errors=_HANDLER)


def _null() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
