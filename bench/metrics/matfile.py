"""Reading released MATLAB parameter files, with an error that a user can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.api import Unavailable


def read_mat(path: Path, what: str) -> dict[str, Any]:
    """The variables of a .mat file.

    Args:
        path: The file.
        what: What it should be, for the message.
    Raises:
        Unavailable: unreadable, truncated or no .mat file.
    """
    from scipy.io import loadmat

    try:
        return loadmat(path)
    except Exception as fault:  # scipy raises whatever the damaged bytes lead to
        raise Unavailable(f"{path} is not {what} ({type(fault).__name__}: {fault}); get it again") from fault
