"""Methods that estimate blur kernels, and the images that they are tried on.

A method takes part by a `recovery.py` beside its module; `Recovery` says what that holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from bench.api import Dataset, RequestError, Sample, get_protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.imaging.degrade import BlindDegradation


class Recovery(Protocol):
    """What a method's `recovery.py` holds; `methods/blind_assr/recovery.py` is an example, with its records."""

    TARGETS: tuple[str, ...]
    """Names of what may stand for the true kernel; the first is the default."""
    STUDY_SCALES: tuple[float, ...]

    def recover(
        self,
        weights: Path,
        images: Iterable[tuple[str, NDArray[np.uint8]]],
        degradations: Iterable[BlindDegradation],
        scales: Iterable[float],
        *,
        target: str,
    ) -> list[Any]:
        """One record per image."""
        ...

    def kernel_space(
        self,
        kl: Path,
        kh: Path,
        images: Iterable[tuple[str, NDArray[np.uint8]]],
        *,
        scales: Sequence[float],
        target: str | None,
    ) -> tuple[Any, Any]:
        """The results of both models."""
        ...


def find_recovery(name: str) -> Recovery:
    """The `recovery.py` beside a registered method's module.

    Raises:
        RequestError: an unknown method, or one that estimates no kernels.
    """
    from bench.plugins import companion, method_spec

    module = companion(method_spec(name), "recovery")
    if module is None:
        raise RequestError(
            f"method '{name}' estimates no kernels: it has no recovery.py beside its code; blind_assr is one that does"
        )
    return cast("Recovery", module)


def check_kernel(target: str | None, known: Sequence[str]) -> None:
    """Refuse a name of no true kernel.

    Raises:
        RequestError: not among the known ones.
    """
    if target is not None and target not in known:
        raise RequestError(f"--target {target}: expected one of {', '.join(known)}")


def hr_samples(data: str, data_root: Path | None, scales: Sequence[float]) -> list[Sample]:
    """The HR images of a set, without any LR image.

    Raises:
        RequestError: no such set, or none in it.
    """
    from bench.data import resolve_dataset

    dataset: Dataset = resolve_dataset(data, data_root=data_root)
    # an LR image that came with the set is left aside: its degradation is not known
    found = [replace(sample, lr=None) for sample in dataset.samples(scales[0]) if sample.hr is not None]
    if not found:
        raise RequestError(f"{dataset.name} has no HR images; the true kernel is known only where LR is made here")
    return found


def hr_images(samples: Iterable[Sample]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Whole HR images, read one by one."""
    from bench.data.pair import prepare

    protocol = get_protocol("blind-assr")
    for sample in samples:
        pixels = prepare(sample, 1.0, protocol, need_lr=False).hr
        if pixels is not None:
            yield sample.id, pixels


def place_of(image: str | None, samples: Sequence[Sample]) -> int:
    """Index of the image to show; the first where none is named.

    Raises:
        RequestError: no image of that name.
    """
    names = [sample.id for sample in samples]
    if image is None:
        return 0
    if image not in names:
        raise RequestError(f"--image {image}: not among the {len(names)} images, such as '{names[0]}'")
    return names.index(image)
