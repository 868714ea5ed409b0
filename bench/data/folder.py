"""The plainest dataset: a flat folder of images, each an HR image, or each an LR image with no reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, ImageRef, Sample, Scale, counted
from bench.data.images import list_images, listing
from bench.data.wording import forms, not_used, of_other_formats


class FolderDataset(Dataset):
    """The images directly inside one folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        kind: DatasetKind = DatasetKind.HR_ONLY,
        root: Path | None = None,
        default_protocol: str | None = None,
        beside: Sequence[Path] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """Describe the set; the folder is listed by `samples`.

        Args:
            name: As tables show it.
            folder: See `list_images`.
            kind: HR_ONLY or LR_ONLY.
            root: The folder that was typed, where that is another one.
            default_protocol: Used where the user names none.
            beside: Images of that folder that are not used.
            notes: Further sentences of `reading`.
        Raises:
            ValueError: PAIRED, which needs two folders.
        """
        if kind is DatasetKind.PAIRED:
            raise ValueError("a paired set has two folders: use PairedDataset")
        self.name = name
        self.folder = folder
        self.kind = kind
        self.root = root or folder
        self.default_protocol = default_protocol
        self.beside = tuple(beside)
        self.notes = tuple(notes)

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The same images for every scale, sorted by id.

        Raises:
            RequestError: see `list_images`.
        """
        images = list_images(self.folder).items()
        if self.kind is DatasetKind.LR_ONLY:
            return [Sample(key, hr=None, lr=ImageRef(path)) for key, path in images]
        return [Sample(key, hr=ImageRef(path)) for key, path in images]

    def reading(self, scale: Scale) -> tuple[str, ...]:
        """How many images of which side, and which were not used; of one flat folder only what is of a format
        that is not read, unless it was known by its content to hold LR images.

        Raises:
            RequestError: see `list_images`.
        """
        unread = of_other_formats(self.folder)
        if self.root == self.folder and not (self.notes and self.kind is DatasetKind.LR_ONLY):
            return (*unread, *self.notes)
        images = list_images(self.folder)
        side = "LR" if self.kind is DatasetKind.LR_ONLY else "HR"
        where = forms(self.folder, (f"*{path.suffix}" for path in images.values()), self.root)
        text = f"{self.root}: read as {counted(len(images), f'{side} image')}: {where}"
        return (text + not_used(self.beside) + self._folders_beside(), *unread, *self.notes)

    def _folders_beside(self) -> str:
        """The end of a sentence on folders that hold images, too; empty where there are none."""
        others = [path for path in listing(self.root).folders if not self.folder.is_relative_to(path)]
        names = [path.name for path in others if listing(path).images]
        return f"; {counted(len(names), 'folder')} of images not used: {', '.join(names[:3])}" if names else ""
