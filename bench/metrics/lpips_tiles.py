"""LPIPS of two images tile by tile, whatever computes the features; no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from bench.api import UnitError
from bench.metrics.base import Pixels
from bench.metrics.receptive import Step, Window, output_lengths, plan_axis

F = TypeVar("F")
"""Features of one layer: a torch tensor, or an array."""


class TiledNetwork(ABC, Generic[F]):
    """A backbone with its heads, on the CPU, in float32."""

    def __init__(self, windows: list[Window], read: list[bool], channels: list[int], tile: int) -> None:
        """Args: windows, read: per layer, the last one read; channels: per read layer; tile: side in pixels."""
        self.tile = tile
        self._windows, self._read, self._channels = windows, read, channels

    def smallest(self) -> int:
        """The smallest image side that reaches the last layer."""
        return next(n for n in range(1, 1024) if output_lengths(self._windows, n)[-1] > 0)

    def feature_bytes(self, size: tuple[int, int]) -> int:
        """Bytes of all features of an image of this (height, width)."""
        return 4 * sum(count * h * w for count, (h, w) in zip(self._channels, self._read_sizes(size), strict=True))

    def features(self, image: Pixels) -> Iterator[list[F]]:
        """The normalised features of an image, tile by tile.

        Args:
            image: (H, W, 3) RGB or (H, W), uint8 or uint16; a plane stands for three equal channels.
        Yields:
            Per tile, the tile's share of every read layer; the shares partition the layers.
        Raises:
            UnitError: a side is too short for the network.
        """
        height, width = image.shape[:2]
        if min(height, width) < (smallest := self.smallest()):
            raise UnitError(
                f"the image is {height}x{width} (height x width); this network needs {smallest} px per side"
            )
        rows = plan_axis(self._windows, self._read, height, -(-height // self.tile))
        columns = plan_axis(self._windows, self._read, width, -(-width // self.tile))
        for row in rows:
            for column in columns:
                yield self._tile(image, row, column)

    def distance(self, sr: Iterator[list[F]], hr: Iterator[list[F]], size: tuple[int, int]) -> float:
        """LPIPS from the features of two images of this (height, width), given as `features` gives them."""
        totals = [0.0] * len(self._channels)
        for mine, theirs in zip(sr, hr, strict=True):
            totals = [total + part for total, part in zip(totals, self._differences(mine, theirs), strict=True)]
        return sum(total / (h * w) for total, (h, w) in zip(totals, self._read_sizes(size), strict=True))

    def _read_sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        heights, widths = (output_lengths(self._windows, n) for n in size)
        return [hw for hw, read in zip(zip(heights, widths, strict=True), self._read, strict=True) if read]

    @abstractmethod
    def _tile(self, image: Pixels, rows: list[Step], columns: list[Step]) -> list[F]:
        """The normalised features of one tile."""

    @abstractmethod
    def _differences(self, mine: Sequence[F], theirs: Sequence[F]) -> list[float]:
        """Per layer, the squared differences weighted by its head, summed over the pixels of a tile."""
