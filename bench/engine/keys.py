"""Keys: a hash of everything that can change an SR image, and one more for each number made of it.

Finding a finished run complete must be quick and must not import torch, so keys are made from bytes on disk: the
sources of a method, its weights, the source image. The LR pixels are named by the source bytes, the protocol's pair
half and the sources of the code that makes LR; their own hash is stored beside each result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import bench.data
import bench.imaging
from bench.api import MethodSpec


def digest(values: Any) -> str:
    """32 hex digits of a JSON-able value, independent of key order."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, or of all files of a folder with their relative names."""
    if path.is_dir():
        parts = [(str(p.relative_to(path)), file_hash(p)) for p in sorted(path.rglob("*")) if p.is_file()]
        return digest(parts)
    stat = path.stat()
    return _file_hash(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _file_hash(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_hash(roots: Iterable[Path]) -> str:
    """Hash of the Python and YAML sources below some folders (or of single files)."""
    found = []
    for root in roots:
        files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.suffix in (".py", ".yaml"))
        found.append([(p.name if root.is_file() else str(p.relative_to(root)), file_hash(p)) for p in files])
    return digest(found)


@lru_cache(maxsize=1)
def pair_code_hash() -> str:
    """Hash of the code that turns a file into HR and LR pixels."""
    data = Path(str(bench.data.__file__)).parent
    imaging = Path(str(bench.imaging.__file__)).parent
    return code_hash([data / "pair.py", data / "decoded.py", imaging])


@lru_cache(maxsize=64)
def _spec_code_hash(root: Path, shared: tuple[Path, ...]) -> str:
    return code_hash([root, *shared])


def method_code_hash(spec: MethodSpec) -> str:
    """Hash of the sources that make a method."""
    return _spec_code_hash(spec.root, spec.shared)


def method_key(spec: MethodSpec, weights: Path | None, options: dict[str, Any], *, dtype: str, tile: int | None) -> str:
    """Everything on the method's side that can change an SR image.

    Args:
        spec: The method; its sources and shared sources are hashed.
        weights: Hashed by bytes.
        options: All option values, defaults included.
        dtype: Floating type of the computation.
        tile: LR tile side that was asked for; the back-off on a lack of memory is recorded, not keyed.
    """
    return digest(
        {
            "method": spec.info.name,
            "code": method_code_hash(spec),
            "weights": file_hash(weights) if weights is not None else "",
            "options": options,
            "dtype": dtype,
            "tile": tile,
        }
    )


def output_key(*, method: str, source: str, pair: str, image: str, scale: float, seed: int, extra: str = "") -> str:
    """The key of one SR image.

    Args:
        method: `method_key`.
        source: Fingerprint of the source file (and of a given LR file).
        pair: `Protocol.pair_id` at this scale.
        image: Image id; it seeds noise and degradations.
        scale: Nominal scale.
        seed: Run seed.
        extra: What a method reads besides (a precomputed file's hash).
    """
    return digest([method, source, pair, pair_code_hash(), image, scale, seed, extra])


def score_key(output: str, signature: str, *others: str) -> str:
    """The key of one number: the image, how it was scored, and further images that it looks at."""
    return digest([output, signature, *others])
