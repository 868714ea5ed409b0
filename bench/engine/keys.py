"""Keys: a hash of everything that can change an SR image, and one more for each number made of it.

Finding a finished run complete must be quick and must not import torch, so keys are made from what lies on disk: the
code that a method runs, its weights, the source image. The LR pixels are named by the source bytes, the protocol's pair
half and the code that makes LR; their own hash is stored beside each result. Names and dates of files do not enter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, get_args

from bench.api import MethodSpec, RequestError, Scale, user_path
from bench.engine.source_text import read_source
from bench.engine.sources import Sources, method_sources, pipeline_sources
from bench.imaging.hashing import content_hash


def digest(values: Any) -> str:
    """32 hex digits of a JSON-able value, independent of key order."""
    return _hexdigits(_ENCODER.encode(values).encode())


def _hexdigits(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def code_hash(sources: Sources) -> str:
    """Hash of source files by name, without their comments, docstrings, blank lines and trailing white space."""
    return digest([(name, read_source(path, name).digest) for name, path in sorted(sources.items())])


@lru_cache(maxsize=1)
def pair_code_hash() -> str:
    """Hash of the code that turns a file into HR and LR pixels, and a method's result into SR pixels."""
    return code_hash(pipeline_sources())


def method_code_hash(spec: MethodSpec) -> str:
    """Hash of the code that a method runs, as it was when this process first asked: later edits do not run in it."""
    return _method_code_hash(spec.factory, spec.root, spec.shared)


@lru_cache(maxsize=256)
def _method_code_hash(factory: str, root: Path, shared: tuple[Path, ...]) -> str:
    return code_hash(method_sources(factory, root=root, shared=shared))


def weights_hash(spec: MethodSpec, weights: Path | None) -> str:
    """What a method's weights hold, wherever they lie and whatever they are called; empty where there are none.

    Raises:
        RequestError: they cannot be read.
    """
    if weights is None:
        return ""
    try:
        return content_hash(weights, spec.reads(weights) if spec.reads is not None else None)
    except OSError as fault:
        raise RequestError(
            f"weights of {spec.info.name}: cannot read {fault.filename or weights}: {fault.strerror or fault}; give "
            f"another file or folder with --weights {spec.info.name}=PATH"
        ) from fault


def method_key(spec: MethodSpec, weights: Path | None, options: dict[str, Any], *, dtype: str, tile: int | None) -> str:
    """Everything on the method's side that can change an SR image.

    Args:
        spec: The method; its sources and shared sources are hashed.
        weights: Known by what they hold (`weights_hash`).
        options: All option values, defaults included. A path that is there is known by what it holds, too.
        dtype: Floating type of the computation.
        tile: LR tile side that was asked for; the back-off on a lack of memory is recorded, not keyed.
    """
    return digest(
        {
            "method": spec.info.name,
            "code": method_code_hash(spec),
            "weights": weights_hash(spec, weights),
            "options": options_by_content(spec, options),
            "dtype": dtype,
            "tile": tile,
        }
    )


def output_key(*, method: str, source: str, pair: str, image: str, scale: Scale, seed: int, extra: str = "") -> str:
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
    # digest([method, source, pair, pair_code_hash(), image, scale, seed, extra]) without a tour of the encoder
    quoted = encode_basestring_ascii
    return _hexdigits(
        f"[{quoted(method)},{quoted(source)},{quoted(pair)},{quoted(pair_code_hash())},{quoted(image)},"
        f"{_scale_text(scale)},{seed},{quoted(extra)}]".encode()
    )


def score_key(output: str, signature: str, *others: str) -> str:
    """The key of one number: the image, how it was scored, and further images that it looks at."""
    return score_keys(output, (signature,), *others)[0]


def score_keys(output: str, signatures: Iterable[str], *others: str) -> list[str]:
    """The `score_key` of each signature of one image."""
    # digest([output, signature, *others]), without a tour of the encoder for what is asked for every number of a folder
    head = f"[{encode_basestring_ascii(output)}".encode()
    return [_hexdigits(head + _tail((signature, *others))) for signature in signatures]


@lru_cache(maxsize=1024, typed=True)
def _scale_text(scale: Scale) -> str:
    return _ENCODER.encode(scale)


@lru_cache(maxsize=1024)
def _tail(texts: tuple[str, ...]) -> bytes:
    return f"{''.join(',' + encode_basestring_ascii(text) for text in texts)}]".encode()


def options_by_content(spec: MethodSpec, options: dict[str, Any]) -> dict[str, Any]:
    """Options with what lies at a path in place of the path; of a folder, `fingerprint` says what counts, if there is
    one."""
    known = dict(options)
    for key, value in options.items():
        field = spec.options.model_fields.get(key)
        if value is None or field is None or not _takes_path(field.annotation):
            continue
        path = user_path(value)
        if path.is_dir() and spec.fingerprint is not None:
            known[key] = ""
        elif path.exists():
            with suppress(OSError):  # it stays known by its name; the unit fails later and says why
                known[key] = content_hash(path)
    return known


def _takes_path(annotation: Any) -> bool:
    return annotation is Path or Path in get_args(annotation)
