"""Files that travel as objects of a cluster, for machines that do not see those of the one that runs the command."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.api import ImageRef, RequestError, Sample
from bench.engine.lock import lock_folder

_PREFIX = "assr-bench-files-"
_SURELY_LOCKED = 60.0
"""Seconds after which a folder that was made is locked too."""

Contents = Mapping[str, Any]
"""Path of a file on the machine of the command -> a reference to its bytes."""


@dataclass
class Sent:
    """Files on their way out: each becomes an object once, and stays one while it is among the last that were used.

    Attributes:
        limit: Bytes of objects that are held on to; those of jobs under way stay in any case.
    """

    limit: int = 2**29
    _objects: OrderedDict[str, tuple[Any, int]] = field(default_factory=OrderedDict, repr=False)
    _size: int = field(default=0, repr=False)

    def of(self, paths: Iterable[Path]) -> dict[str, Any]:
        """References to the contents of some files; what cannot be read is left out, and missed where it is used."""
        return {str(path): reference for path in paths if (reference := self._put(path)) is not None}

    def forget(self, path: Path) -> None:
        """Read a file anew when it travels next."""
        _, size = self._objects.pop(str(path), (None, 0))
        self._size -= size

    def _put(self, path: Path) -> Any:
        import ray

        key = str(path)
        if key in self._objects:
            self._objects.move_to_end(key)
            return self._objects[key][0]
        try:
            content = path.read_bytes()
        except OSError:
            return None
        self._objects[key] = (ray.put(content), len(content))
        self._size += len(content)
        while self._size > self.limit and len(self._objects) > 1:
            self._size -= self._objects.popitem(last=False)[1][1]
        return self._objects[key][0]


class Received:
    """The same files on the machine of a worker, in a folder of its own, the last ones that were used."""

    def __init__(self, home: str = "", *, most: int = 64) -> None:
        """Args: home: Where the folder is made; empty: where temporary files lie. most: Files that are kept."""
        base = Path(home or tempfile.gettempdir())
        _remove_leftovers(base)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = lock_folder(self.folder)  # given back when this process ends, however it does
        atexit.register(self.clear)
        self._most = most
        self._here: OrderedDict[str, Path] = OrderedDict()
        self._count = 0

    def path(self, sent: Path, contents: Contents) -> Path:
        """Where a file lies here; as it was sent where it did not travel."""
        key = str(sent)
        if key not in contents:
            return sent
        if key not in self._here:
            self._here[key] = self._write(sent, contents[key])
            while len(self._here) > self._most:
                shutil.rmtree(self._here.popitem(last=False)[1].parent, ignore_errors=True)
        self._here.move_to_end(key)
        return self._here[key]

    def together(self, name: str, contents: Contents) -> Path:
        """A folder of files that belong together, given by their paths in it; kept to the end.

        Args:
            name: The same for the same files.
            contents: Relative path -> a reference to the bytes.
        """
        import ray

        folder = self.folder / name
        if not folder.exists():
            for relative, reference in contents.items():
                path = folder / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(ray.get(reference))
        return folder

    def sample(self, sample: Sample, contents: Contents) -> Sample:
        """A sample of which the files are here."""
        return replace(sample, hr=self._image(sample.hr, contents), lr=self._image(sample.lr, contents))

    def forget(self, sent: Path) -> None:
        """Remove a file; messages about it were made before."""
        path = self._here.pop(str(sent), None)
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)

    def as_sent(self, text: str) -> str:
        """A message with the paths of the machine of the command in place of those here."""
        for sent, path in self._here.items():
            text = text.replace(str(path), sent)
        return text

    def clear(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _image(self, image: ImageRef | None, contents: Contents) -> ImageRef | None:
        return None if image is None else replace(image, path=self.path(image.path, contents))

    def _write(self, sent: Path, reference: Any) -> Path:
        import ray

        self._count += 1  # files of one name lie apart, and keep it
        path = self.folder / str(self._count) / sent.name
        path.parent.mkdir()
        path.write_bytes(ray.get(reference))
        return path


def _remove_leftovers(base: Path) -> None:
    """Remove the folders of workers that were killed: those which nobody holds any more."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError, RequestError):
            if time.time() - folder.stat().st_mtime > _SURELY_LOCKED:
                lock_folder(folder).release()
                shutil.rmtree(folder, ignore_errors=True)


def files_of(sample: Sample) -> list[Path]:
    """The files of a sample."""
    return [image.path for image in (sample.hr, sample.lr) if image is not None]
