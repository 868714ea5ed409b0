"""Exact tiling of a convolutional feature extractor: which input rows a tile of every layer's output needs.

Each layer's output is cut into as many shares as there are tiles; going backwards, the span that a tile needs of a
layer is what the next layer needs, together with the tile's own share where the layer is read out. Spans are clipped at
the image border and the layer's own padding is put only there, so tiles compute the same numbers as the whole image at
any stride and alignment. Pure arithmetic on one axis; rows and columns are planned alike.
"""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]
"""[start, stop) along one axis."""


@dataclass(frozen=True)
class Window:
    """A sliding window along one axis: a convolution or a pooling.

    Attributes:
        kernel: Width.
        stride: Step.
        padding: Border put around the input, each side.
        ceil: A last, partly covered window counts (pooling with ceil_mode).
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    ceil: bool = False

    def length(self, n: int) -> int:
        """Output length for an input of length n; 0 or less where the input is too short."""
        room = n + 2 * self.padding - self.kernel
        if room < 0:
            return 0
        length = (-(-room // self.stride) if self.ceil else room // self.stride) + 1
        if self.ceil and (length - 1) * self.stride >= n + self.padding:
            length -= 1  # torch drops a window that would start outside
        return length

    def needs(self, out: Span, n: int) -> tuple[Span, int, int]:
        """The input span for an output span, and how much padding goes before and after it."""
        start = out[0] * self.stride - self.padding
        stop = (out[1] - 1) * self.stride - self.padding + self.kernel
        clipped = max(start, 0), min(stop, n)
        return clipped, clipped[0] - start, stop - clipped[1]


@dataclass(frozen=True)
class Step:
    """What one layer does for one tile along one axis.

    Attributes:
        source: Span of the layer's input that goes in, in the coordinates of that input.
        before: Padding in front of it.
        after: Padding behind it.
        out: Span of the layer's output that comes out.
        own: The tile's share of the output; None where the layer is not read out.
    """

    source: Span
    before: int
    after: int
    out: Span
    own: Span | None


def output_lengths(windows: list[Window], n: int) -> list[int]:
    """The output length of every layer for an input of length n; stops at 0 for one that is too short."""
    lengths = []
    for window in windows:
        n = window.length(n) if n > 0 else 0
        lengths.append(max(n, 0))
    return lengths


def plan_axis(windows: list[Window], read: list[bool], n: int, tiles: int) -> list[list[Step]]:
    """Plan one axis.

    Args:
        windows: The layers in order.
        read: Which outputs are read out; the last must be.
        n: Length of the input; long enough for every layer.
        tiles: How many tiles are wanted; fewer come back where the last layer is shorter.
    Returns:
        Per tile, the steps of all layers; the own shares of a layer over all tiles partition its output.
    """
    lengths = output_lengths(windows, n)
    tiles = max(1, min(tiles, lengths[-1]))
    plans = []
    for tile in range(tiles):
        steps: list[Step] = []
        wanted: Span | None = None
        for layer in reversed(range(len(windows))):
            own = _share(lengths[layer], tile, tiles) if read[layer] else None
            out = _hull(wanted, own)
            source, before, after = windows[layer].needs(out, lengths[layer - 1] if layer else n)
            steps.append(Step(source, before, after, out, own))
            wanted = source
        plans.append(steps[::-1])
    return plans


def _share(n: int, tile: int, tiles: int) -> Span:
    return tile * n // tiles, (tile + 1) * n // tiles


def _hull(a: Span | None, b: Span | None) -> Span:
    spans = [span for span in (a, b) if span is not None]
    return min(span[0] for span in spans), max(span[1] for span in spans)
