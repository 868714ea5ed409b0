"""Whether a file can be what a row says of it, seen before anything is loaded."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from bench.api import MethodSpec, RequestError
from bench.imaging.hashing import file_sha256, file_stamp
from bench.weights.beside import card_beside
from bench.weights.first_bytes import why_no_weights

_MOST_FILES = 10_000
"""In a folder of weights; what has more is a home or a data folder that was named by mistake."""


def check_given(spec: MethodSpec, path: Path) -> None:
    """Refuse weights that no method could load.

    Args:
        spec: Whose they are to be.
        path: A file or folder that is there.
    Raises:
        RequestError: a pipe or a device, an empty file, what a failed download leaves, a folder where a file is
            expected, or one of very many files.
    """
    how = f"give another file with --weights {spec.info.name}=PATH"
    try:
        if path.is_dir():
            reason = _why_no_folder(spec, path)
        else:
            file_stamp(path)
            reason = why_no_weights(path)
    except OSError as fault:
        raise RequestError(
            f"weights of {spec.info.name}: cannot read {path}: {fault.strerror or fault}; {how}"
        ) from None
    if reason:
        raise RequestError(f"weights of {spec.info.name}: {path} {reason}; {how}")


def is_as_shipped(path: Path) -> bool:
    """Whether shipped weights are still what the card beside them describes; true where no card speaks of them."""
    card = card_beside(path)
    return card is None or not card.sha256 or file_sha256(path) == card.sha256


def check_shipped(spec: MethodSpec, label: str, path: Path) -> None:
    """Refuse shipped weights that were changed: a row of their name would show another network's numbers.

    Raises:
        RequestError: other bytes than the card's.
    """
    if path.is_file() and not is_as_shipped(path):
        raise RequestError(
            f"weights '{label}' of {spec.info.name}: {path} is not the file that {path.with_suffix('.json').name} "
            f"beside it describes (sha256 {file_sha256(path)[:12]}); install the package again, or give the file "
            f"by its path, --weights {spec.info.name}={path}, for a row that does not bear that name"
        )


def _why_no_folder(spec: MethodSpec, folder: Path) -> str:
    """Reason that a folder holds no weights of a method, as it follows behind its name; "" where it may."""
    if spec.reads is not None:
        return ""
    if spec.weights and all(path.is_file() for path in spec.weights.values()):
        inside = sorted(path.name for path in islice(folder.iterdir(), 1000) if path.suffix == ".safetensors")
        return f"is a folder, expected a file{f', such as {folder / inside[0]}' if inside else ''}"
    if sum(1 for _ in islice(folder.rglob("*"), _MOST_FILES + 1)) > _MOST_FILES:
        return f"holds more than {_MOST_FILES} files; give the folder of the weights alone"
    return ""
