"""The contract of a dataset: named samples, each a reference to files, decoded later and only once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.api.scale import Scale
from bench.api.sizes import Size


class DatasetKind(StrEnum):
    """What a dataset holds: HR to be degraded by the protocol, HR with LR beside it, or LR alone."""

    HR_ONLY = "hr-only"
    PAIRED = "paired"
    LR_ONLY = "lr-only"


@dataclass(frozen=True)
class ImageRef:
    """Where an image comes from; its bytes and this crop decide its pixels.

    Attributes:
        path: The file.
        centre_crop: Keep at most this (height, width) around the centre; None keeps everything.
    """

    path: Path
    centre_crop: Size | None = None


@dataclass(frozen=True)
class Sample:
    """One image of a dataset.

    Attributes:
        id: Unique within the dataset; names the stored files and seeds the noise.
        hr: The reference image, None for an LR-only set.
        lr: The given LR image, None where the protocol makes it from `hr`.
    """

    id: str
    hr: ImageRef | None
    lr: ImageRef | None = None


class Dataset(ABC):
    """A set of samples under one name."""

    name: str
    kind: DatasetKind
    default_protocol: str | None = None

    @abstractmethod
    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The samples for one scale, sorted by id.

        Args:
            scale: A number, or a `ScalePair` (height, width); a set with LR images of its own knows which it has.
        Raises:
            Unavailable: the files are not here; says where they were looked for and how to get them.
            RequestError: the set has no images for this scale, or two images share one id.
        """

    def reading(self, scale: Scale) -> tuple[str, ...]:
        """Sentences on how the files of the set were read, for whoever typed its folder; empty: as its name says.

        Raises:
            RequestError: as `samples`.
        """
        return ()
