"""Identity: short names, by content, of what makes an SR image (`Origin`) and of what it is made from (`ImageSet`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.api import ImageRef, ImageSet, MethodSpec, Origin, Protocol, Sample, UnitError
from bench.data import fingerprint
from bench.engine.choice import MethodChoice
from bench.engine.faults import attributed
from bench.engine.keys import (
    digest,
    method_code_hash,
    method_key,
    options_by_content,
    pair_code_hash,
    weights_hash,
)
from bench.imaging.hashing import Stamp, file_stamp

DTYPE = "float32"
"""Floating type of inference."""
_DIGITS = 12


def short(value: object) -> str:
    """12 hex digits that name a value."""
    return digest(value)[:_DIGITS]


Fingerprint = Callable[[ImageRef], str]
"""What names an image file by its content, such as `fingerprint_or_fault`."""


@dataclass(frozen=True)
class MadeBy:
    """What makes the images of a row.

    Attributes:
        origin: As run.json and records have it.
        key: Method key, for output keys.
        reads: What else the method reads for every image, for output keys.
        weights: What its weights hold; they must hold the same when they have been loaded.
    """

    origin: Origin
    key: str
    reads: str
    weights: str


def made_by(choice: MethodChoice, *, tile: int | None) -> MadeBy:
    """What makes the images of a row.

    Args:
        choice: The method with its weights and options.
        tile: LR tile side that was asked for.
    Raises:
        RequestError: the weights cannot be read.
    """
    spec = choice.spec
    options = choice.options.model_dump(mode="json")
    # asked for first: weights that change before the key is made are then not those that will be loaded
    weights = weights_hash(spec, choice.weights)
    key = method_key(spec, choice.weights, options, dtype=DTYPE, tile=tile)
    reads = ""
    if spec.fingerprint is not None and not spec.fingerprint_per_image:
        with attributed(spec):
            reads = spec.fingerprint(choice.options, "", 1.0)
    harness = pair_code_hash()
    origin = Origin(
        id=short([key, reads, harness]),
        code=method_code_hash(spec)[:_DIGITS],
        code_name=_code_name(spec.root, spec.factory),
        weights=weights[:_DIGITS],
        options=short([options_by_content(spec, options), DTYPE, tile]),
        reads=short(reads) if reads else "",
        harness=harness[:_DIGITS],
    )
    return MadeBy(origin, key, reads, weights)


def read_besides(spec: MethodSpec, files: str, protocol: Protocol) -> str:
    """What an image depends on beside method, source and pair: hashes of files, and how exact its size must be.

    An image made elsewhere that is one pixel off is none under a protocol that wants exact sizes.
    """
    return f"{files};{protocol.sr_size}" if spec.elsewhere and protocol.slack else files


def fingerprint_or_fault(ref: ImageRef) -> str:
    """The fingerprint of an image file, or why it cannot be read."""
    try:
        return fingerprint(ref)
    except OSError as fault:
        # the unit will fail when it is read; the key only has to differ from that of a readable file
        return f"unreadable:{fault.strerror}"


def source_of(sample: Sample, read: Fingerprint = fingerprint_or_fault) -> str:
    """Fingerprint of everything on disk that decides a sample's HR and LR pixels."""
    return "+".join(read(ref) for ref in (sample.hr, sample.lr) if ref is not None)


def short_source(sample: Sample, read: Fingerprint = fingerprint_or_fault) -> str:
    """The same as a record carries it: "HR", "HR+LR" for a pair, "+LR" without a reference."""
    hr, lr = (None if ref is None else short(read(ref)) for ref in (sample.hr, sample.lr))
    return f"{hr or ''}{'' if lr is None else '+' + lr}"


def image_set(
    dataset: str, samples: Sequence[Sample], read: Fingerprint = fingerprint_or_fault
) -> tuple[str, ImageSet]:
    """(id, set) of some images; equal contents under equal names have equal ids."""
    images = {sample.id: short_source(sample, read) for sample in samples}
    ref = next((ref for sample in samples for ref in (sample.hr, sample.lr) if ref is not None), None)
    return short(sorted(images.items())), ImageSet(dataset, images, "" if ref is None else str(ref.path.parent))


@contextmanager
def unchanged(sample: Sample, source: str) -> Iterator[None]:
    """What is read inside is what was hashed when the run was planned.

    Args:
        sample: Whose files are read inside.
        source: Its `source_of` at that time.
    Raises:
        UnitError: a file is another one now, or was written to meanwhile.
    """
    before = _stamps(sample)
    if source_of(sample) != source:
        raise UnitError(_CHANGED.format(sample.id))
    yield
    if _stamps(sample) != before:
        raise UnitError(_CHANGED.format(sample.id))


_CHANGED = "the image files of {} were changed while the run was under way; type the same command again"


def _stamps(sample: Sample) -> list[Stamp | None]:
    found: list[Stamp | None] = []
    for ref in (sample.hr, sample.lr):
        if ref is not None:
            try:
                found.append(file_stamp(ref.path))
            except OSError:
                found.append(None)
    return found


def _code_name(root: Path, factory: str) -> str:
    """`up.py` for a plugin file, else the package that runs the method."""
    return root.name if root.suffix == ".py" else factory.partition(":")[0].rpartition(".")[0] or root.name
