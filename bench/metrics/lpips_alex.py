"""LPIPS with AlexNet in numpy: importing torch costs a process more CPU time than scoring twenty images of 512 x 512.

The same arithmetic as `bench.metrics.lpips_network` up to float32 rounding (4e-7 of a value); all convolutions are
Winograd's. Source of the layers: torchvision's AlexNet (Krizhevsky 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import Pixels
from bench.metrics.lpips_files import EPSILON, SCALE, SHIFT, LPIPSFiles, features_hash, heads_file
from bench.metrics.lpips_tiles import TiledNetwork
from bench.metrics.receptive import Step, Window
from bench.metrics.winograd import Winograd
from bench.weights.plain import read_arrays

Float32 = NDArray[np.float32]
_CONVOLUTIONS = ((0, Window(11, 4, 2)), (3, Window(5, 1, 2)), (6, Window(3, 1, 1)), (8, Window(3, 1, 1)))
_LAST = (10, Window(3, 1, 1))
"""Index among torchvision's feature modules, and window. The first two have a pooling behind them."""
_POOL = Window(3, 2)
_SIDES = {3: 6, 5: 7}
"""Kernel -> side of Winograd's input tiles: the least arithmetic whose rounding does not show in the value."""


@dataclass(frozen=True)
class _Layer:
    window: Window
    apply: Callable[[Float32], Float32]
    read: bool


class AlexNetwork(TiledNetwork[Float32]):
    """AlexNet's feature layers with the learned heads; features are (h, w, channels)."""

    def __init__(self, parameters: dict[str, NDArray[Any]], heads: list[Float32], tile: int) -> None:
        """Args: parameters: by torchvision's names; heads: (channels,) per layer; tile: side in pixels."""
        self._heads = [head.astype(np.float32) for head in heads]
        self._layers = _layers({name: values.astype(np.float32) for name, values in parameters.items()})
        windows, read = [layer.window for layer in self._layers], [layer.read for layer in self._layers]
        super().__init__(windows, read, [len(head) for head in heads], tile)

    def _tile(self, image: Pixels, rows: list[Step], columns: list[Step]) -> list[Float32]:
        x = _network_input(image[slice(*rows[0].source), slice(*columns[0].source)])
        top, left = rows[0].source[0], columns[0].source[0]
        features = []
        for layer, row, column in zip(self._layers, rows, columns, strict=True):
            x = _cut(x, row.source, column.source, top, left)
            x = layer.apply(_padded(x, (row.before, row.after), (column.before, column.after)))
            top, left = row.out[0], column.out[0]
            if row.own is not None and column.own is not None:
                share = _cut(x, row.own, column.own, top, left)
                norm = np.sqrt(np.einsum("hwc,hwc->hw", share, share))
                features.append(share / (norm + np.float32(EPSILON))[..., None])
        return features

    def _differences(self, mine: Sequence[Float32], theirs: Sequence[Float32]) -> list[float]:
        sums = []
        for a, b, head in zip(mine, theirs, self._heads, strict=True):
            difference = a - b
            difference *= difference
            sums.append(float((difference.reshape(-1, len(head)) @ head).sum(dtype=np.float64)))
        return sums


def load_alex(files: LPIPSFiles, backbone: Path) -> AlexNetwork:
    """The network of the published parameters.

    Args:
        files: Those of AlexNet.
        backbone: The torchvision file.
    Raises:
        ValueError: a file is not what was published, or not one that is read without torch; `load_network` says what.
        Unavailable: the heads are not installed, or not the published ones.
    """
    parameters = read_arrays(backbone, "features.")
    if files.features_sha256 != features_hash(parameters):
        raise ValueError(f"{backbone} does not hold the published layers")
    heads = read_arrays(heads_file(files))
    return AlexNetwork(
        parameters, [heads[f"lin{k}.model.1.weight"].ravel() for k in range(len(files.read_after))], files.tile
    )


def _layers(parameters: dict[str, Float32]) -> list[_Layer]:
    layers = []
    for position, (index, window) in enumerate((*_CONVOLUTIONS, _LAST)):
        weight, bias = parameters[f"{index}.weight"], parameters[f"{index}.bias"]
        if window.stride == 1:
            apply = Winograd(weight, bias, _SIDES[window.kernel]).apply
        else:
            apply = _strided(weight, bias, window.stride)
        layers.append(_Layer(window, apply, True))
        if position < 2:
            layers.append(_Layer(_POOL, _pooled, False))
    return layers


def _strided(weight: Float32, bias: Float32, stride: int) -> Callable[[Float32], Float32]:
    """A strided convolution as one of stride 1: each stride x stride block becomes a pixel of more channels."""
    outputs, inputs, kernel, _ = weight.shape
    blocks = -(-kernel // stride)
    whole = np.zeros((outputs, inputs, blocks * stride, blocks * stride), np.float32)
    whole[:, :, :kernel, :kernel] = weight
    split = whole.reshape(outputs, inputs, blocks, stride, blocks, stride).transpose(0, 3, 5, 1, 2, 4)
    inner = Winograd(split.reshape(outputs, -1, blocks, blocks), bias, _SIDES[blocks])

    def apply(x: Float32) -> Float32:
        height, width = ((n - kernel) // stride + blocks for n in x.shape[:2])
        grid = np.zeros((height * stride, width * stride, inputs), np.float32)
        part = x[: height * stride, : width * stride]
        grid[: part.shape[0], : part.shape[1]] = part
        deep = grid.reshape(height, stride, width, stride, inputs).transpose(0, 2, 1, 3, 4)
        return inner.apply(deep.reshape(height, width, -1))

    return apply


def _pooled(x: Float32) -> Float32:
    """Largest value of each 3 x 3 window, every second one."""
    height, width = (_POOL.length(n) for n in x.shape[:2])
    stop, right = 2 * height, 2 * width
    tall = np.maximum(x[0 : stop - 1 : 2], x[1:stop:2])
    np.maximum(tall, x[2 : stop + 1 : 2], out=tall)
    wide = np.maximum(tall[:, 0 : right - 1 : 2], tall[:, 1:right:2])
    return np.maximum(wide, tall[:, 2 : right + 1 : 2], out=wide)


def _network_input(image: Pixels) -> Float32:
    """(H, W[, 3]) to (H, W, 3) float32: [0, 1], [-1, 1], then shifted and scaled per channel."""
    x = np.divide(image, np.float32(np.iinfo(image.dtype).max), dtype=np.float32)
    if x.ndim == 2:
        x = np.repeat(x[..., None], 3, axis=2)
    x *= 2
    x -= 1
    x -= np.array(SHIFT, np.float32)
    x /= np.array(SCALE, np.float32)
    return x


def _padded(x: Float32, rows: tuple[int, int], columns: tuple[int, int]) -> Float32:
    if not (any(rows) or any(columns)):
        return x
    out = np.zeros((x.shape[0] + sum(rows), x.shape[1] + sum(columns), x.shape[2]), np.float32)
    out[rows[0] : rows[0] + x.shape[0], columns[0] : columns[0] + x.shape[1]] = x
    return out


def _cut(x: Float32, rows: tuple[int, int], columns: tuple[int, int], top: int, left: int) -> Float32:
    return x[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
