"""The plainest dataset: a flat folder of images, each an HR image, or each an LR image with no reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, ImageRef, Sample, Scale
from bench.data.images import list_images


class FolderDataset(Dataset):
    """The images directly inside one folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        kind: DatasetKind = DatasetKind.HR_ONLY,
        default_protocol: str | None = None,
    ) -> None:
        """Describe the set; the folder is listed by `samples`.

        Args:
            name: As tables show it.
            folder: See `list_images`.
            kind: HR_ONLY or LR_ONLY.
            default_protocol: Used where the user names none.
        Raises:
            ValueError: PAIRED, which needs two folders.
        """
        if kind is DatasetKind.PAIRED:
            raise ValueError("a paired set has two folders: use PairedDataset")
        self.name = name
        self.folder = folder
        self.kind = kind
        self.default_protocol = default_protocol

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The same images for every scale, sorted by id.

        Raises:
            RequestError: see `list_images`.
        """
        images = list_images(self.folder).items()
        if self.kind is DatasetKind.LR_ONLY:
            return [Sample(key, hr=None, lr=ImageRef(path)) for key, path in images]
        return [Sample(key, hr=ImageRef(path)) for key, path in images]
