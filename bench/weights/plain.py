"""Arrays of a state dict that `torch.save` wrote, read without importing torch and without running code in the file.

Both forms of the file are read: the zip archive of torch since 1.6 and the stream of pickles before. Only what a state
dict of dense tensors needs is allowed in its pickle; everything else is left to `bench.weights.reader`.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
"""First value of a stream of pickles."""
_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


@dataclass(frozen=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True)
class _Storage:
    """Values that several tensors may share, by the key that they are stored under."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor as the pickle describes it, before its values are read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self, values: NDArray[Any]) -> NDArray[Any]:
        """The tensor, of the values of its storage; ValueError where they do not hold it in order."""
        steps = [prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        dense = all(n == 1 or step == told for n, step, told in zip(self.shape, steps, self.stride, strict=True))
        stop = self.offset + prod(self.shape)
        if not dense or min((*self.shape, self.offset), default=0) < 0 or stop > len(values):
            raise ValueError(f"a tensor of shape {self.shape} and stride {self.stride} in {len(values)} values")
        return values[self.offset : stop].reshape(self.shape)


def _view(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> _View:
    return _View(storage, offset, shape, stride)


class _Unpickler(pickle.Unpickler):
    """Knows the words of a state dict and no others."""

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in _TYPES:
            return _StorageType(_TYPES[name])
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state dict")

    def persistent_load(self, pid: Any, /) -> _Storage:
        kind, storage, key, _, count, *_rest = pid
        if kind != "storage" or not isinstance(storage, _StorageType):
            raise pickle.UnpicklingError(f"expected a storage, got {kind}")
        return _Storage(str(key), storage.dtype, int(count))


def read_arrays(path: Path, prefix: str = "") -> dict[str, NDArray[Any]]:
    """The tensors of a state dict as arrays.

    Args:
        path: What `torch.save` made of a flat state dict of dense tensors.
        prefix: Of the names that are wanted; it is taken off them, and the others are not read.
    Raises:
        ValueError: it is anything else, or damaged; `bench.weights.reader` says what.
        OSError: it cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path, prefix)
        with path.open("rb") as file:
            return _read_stream(file, prefix)
    except OSError:
        raise
    except Exception as fault:  # unpickling damaged bytes raises whatever they spell
        raise ValueError(f"{path} is no plain state dict: {fault}") from fault


def _read_zip(path: Path, prefix: str) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        inside = {name.partition("/")[2]: name for name in archive.namelist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("its members are compressed")
        if "byteorder" in inside and archive.read(inside["byteorder"]) != b"little":
            raise ValueError("its numbers are not little-endian")
        with archive.open(inside["data.pkl"]) as file:
            views = _views(_Unpickler(file).load(), prefix)
        storages = {view.storage.key: view.storage for view in views.values()}
        values = {
            key: np.frombuffer(archive.read(inside[f"data/{key}"]), storage.dtype, storage.count)
            for key, storage in storages.items()
        }
    return {name: view.array(values[view.storage.key]) for name, view in views.items()}


def _read_stream(file: BinaryIO, prefix: str) -> dict[str, NDArray[Any]]:
    magic, version, machine = (_Unpickler(file).load() for _ in range(3))
    if magic != _MAGIC or version != 1001 or not machine["little_endian"]:
        raise ValueError("it does not begin as torch's files do")
    views = _views(_Unpickler(file).load(), prefix)
    storages = {view.storage.key: view.storage for view in views.values()}
    values = {}
    for key in _Unpickler(file).load():
        storage = storages.get(key)
        if storage is None:
            raise ValueError(f"storage {key} belongs to no tensor that is wanted")
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError(f"storage {key} has another length than announced")
        size = storage.count * np.dtype(storage.dtype).itemsize
        values[key] = np.frombuffer(file.read(size), storage.dtype, storage.count)
    return {name: view.array(values[view.storage.key]) for name, view in views.items()}


def _views(content: Any, prefix: str) -> dict[str, _View]:
    if not isinstance(content, dict) or not all(isinstance(view, _View) for view in content.values()):
        raise ValueError("it holds more than named tensors")
    return {str(name)[len(prefix) :]: view for name, view in content.items() if str(name).startswith(prefix)}
