"""Where datasets lie on this machine: the data roots, and the folder of one set below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.data.tree import child
from bench.download import search_roots

ENVIRONMENT = "ASSR_BENCH_DATA"


def data_roots(data_root: Path | None = None) -> list[Path]:
    """The folders that hold one folder per set, in the order in which they are searched.

    Args:
        data_root: What the user gave; it may name several folders separated as in PATH. None: the environment variable
            ASSR_BENCH_DATA (likewise), then the user's cache folder.
    """
    return search_roots(data_root, variable=ENVIRONMENT, folder="data")


def find_set(names: Sequence[str], roots: Sequence[Path]) -> Path | None:
    """The folder of a set.

    Args:
        names: The set's name and its other common names, in any case.
        roots: See `data_roots`; the first that has one of the names wins.
    """
    for root in roots:
        for name in names:
            folder = child(root, name) if root.is_dir() else None
            if folder is not None:
                return folder
    return None
