"""Where published checkpoints lie on this machine, and whether what lies there is what was published."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.api import BenchError, MethodSpec, RequestError
from bench.download import search_roots
from bench.imaging.hashing import file_sha256
from bench.plugins import method_class, method_spec
from bench.weights.first_bytes import why_no_weights
from bench.weights.published import PublishedCard, cards_of

ENVIRONMENT = "ASSR_BENCH_WEIGHTS"
_CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
"""What `bench.weights.reader` reads; a method may have a format of its own."""


def weights_roots(given: Path | None = None) -> list[Path]:
    """The folders in which published checkpoints are looked for, in this order.

    Args:
        given: What the user gave; it may name several folders separated as in PATH. None: the environment variable
            ASSR_BENCH_WEIGHTS (likewise), then the user's cache folder.
    """
    return search_roots(given, variable=ENVIRONMENT, folder="weights")


def find_file(card: PublishedCard, roots: Sequence[Path]) -> Path | None:
    """The first file of the published name; None where there is none, or the card has no file."""
    if not card.file:
        return None
    return next((path for root in roots if (path := root / card.file).is_file()), None)


def published_file(card: PublishedCard, roots: Sequence[Path]) -> Path:
    """The checkpoint of a card, held against its checksum.

    Raises:
        RequestError: it is not here, or what lies there is another file; says how to get it.
    """
    path = find_file(card, roots)
    if path is None:
        other = _under_another_name(card, roots)
        if other is not None:
            raise RequestError(
                f"{other} is {card.file} under another name; call it {card.file}, or give "
                f"--weights {card.method}={other}"
            )
        looked = ", ".join(map(str, roots))
        raise RequestError(f"{card.file}, '{card.label}' of {card.method}, is not in {looked}; {how_to_get(card)}")
    reason = why_not_published(card, path)
    if reason:
        raise RequestError(f"{path} {reason}; move it away and get the published one: {how_to_get(card)}")
    return path


def why_not_published(card: PublishedCard, path: Path) -> str:
    """Reason that a file is not the one that a card describes, as it follows behind its name; "" where it may be.

    Args:
        card: A card without a checksum accepts every file that may hold weights.
        path: A file that is there.
    Raises:
        RequestError: it cannot be read.
    """
    try:
        reason, size = why_no_weights(path), path.stat().st_size
        digest = file_sha256(path) if card.sha256 and not reason else ""
    except OSError as fault:
        raise RequestError(f"{path} cannot be read: {fault.strerror or fault}") from fault
    if reason:
        return reason
    if card.sha256 and not digest.startswith(card.sha256):
        sizes = f", {size} bytes, expected {card.bytes}" if card.bytes not in (None, size) else ""
        return (
            f"is not the published file: {_what_it_holds(card, path)} "
            f"(sha256 {digest[:12]}, expected {card.sha256[:12]}{sizes})"
        )
    return ""


def _what_it_holds(card: PublishedCard, path: Path) -> str:
    """What a file has instead of the published tensors, in words, as far as reading and loading it tell."""
    other = "it holds other tensors or values"
    if path.suffix not in _CHECKPOINTS:
        return other
    import torch

    from bench.weights.reader import read_weights

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about a file that is refused anyhow
            read_weights(path)
        # there are tensors and plain values in it, nothing else, so that any method may look at it
        method_class(method_spec(card.method))().load(path, torch.device("cpu"), torch.float32)
    except BenchError as fault:
        said = str(fault).removeprefix(str(path))
        return said.removeprefix(": ") if said.startswith(": ") else f"it{said}"
    except Exception:  # a method's, about what is no file of its own
        return other
    return other


def _under_another_name(card: PublishedCard, roots: Sequence[Path]) -> Path | None:
    """A file of a root that is the published one by its size and checksum."""
    if not card.file or card.bytes is None or card.sha256 is None:
        return None
    files = (path for root in roots if root.is_dir() for path in sorted(root.iterdir()) if path.is_file())
    alike = (path for path in files if path.stat().st_size == card.bytes)
    return next((path for path in alike if file_sha256(path).startswith(card.sha256)), None)


def card_of_file(spec: MethodSpec, path: Path, content: str) -> PublishedCard | None:
    """The card of a method whose file this is, wherever it lies and whatever it is called; by its checksum alone.

    Args:
        spec: The method.
        path: A file or a folder.
        content: What it holds, as `bench.imaging.hashing.content_hash` tells it.
    """
    if path.is_dir():
        return None
    known = (card for card in cards_of(spec) if card.file and card.sha256)
    return next((card for card in known if card.sha256 and content.startswith(card.sha256)), None)


def how_to_get(card: PublishedCard) -> str:
    """What to type, or where to ask, to have a checkpoint."""
    place = f"put {card.file} into a folder that {ENVIRONMENT} names"
    if card.downloads:
        return f"'bench weights fetch {card.name}' downloads it; or {place}"
    return f"{card.obtain.rstrip('.')}; then {place}"
