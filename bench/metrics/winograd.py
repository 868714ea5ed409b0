"""Convolutions of stride 1 with few multiplications, in float32 by matrix products: Winograd's minimal filtering.

An output tile of m x m of a k x k kernel takes (m + k - 1)^2 products per channel pair instead of m^2 k^2: tiles of the
input and the kernel are evaluated at m + k - 1 points, multiplied there, and interpolated back. Source: Winograd,
Arithmetic Complexity of Computations, 1980; Lavin and Gray 2016 (arXiv 1509.09308) for the form with matrices. The
points are small numbers that keep rounding errors low (Barabasz et al. 2020, arXiv 1803.10986).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_POINTS = {6: (0.0, 1.0, -1.0, 0.5, -2.0), 7: (0.0, 1.0, -1.0, 0.5, -0.5, -2.0)}
"""Side of an input tile -> where polynomials are evaluated, beside infinity."""
_TILES = 256
"""Tiles at a time: what is between the products then stays in the caches."""


def transforms(kernel: int, side: int) -> tuple[Float64, Float64, Float64]:
    """The matrices of one axis: for the input (side, side), the kernel (side, k) and the output (side + 1 - k, side).

    Args:
        kernel: k, at most `side`.
        side: Of an input tile, 6 or 7.
    Returns:
        B^T, G, A^T with A^T ((G g) * (B^T d)) = the valid correlation of d with g.

    >>> bt, g, at = transforms(3, 6)
    >>> d, k = np.arange(6.0) ** 2, np.array([1.0, -2.0, 1.0])
    >>> np.round(at @ ((g @ k) * (bt @ d)), 9).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    # Toom-Cook: product of two polynomials = V^-1 of (values of one * values of the other); its transpose correlates.
    bt = np.linalg.inv(_values_of_powers(side, side)).T
    scale = np.abs(bt).sum(axis=1, keepdims=True) ** 0.5  # shares the magnitude between input and kernel
    return bt / scale, _values_of_powers(side, kernel) * scale, _values_of_powers(side, side + 1 - kernel).T


def _values_of_powers(side: int, columns: int) -> Float64:
    """Each power of x at the points; at infinity only the highest one counts."""
    powers = np.array([[point**power for power in range(columns)] for point in _POINTS[side]])
    return np.vstack([powers, np.eye(columns)[-1]])


class Winograd:
    """One convolution of stride 1."""

    def __init__(self, weight: Float32, bias: Float32, side: int = 6) -> None:
        """Args: weight: (outputs, inputs, k, k); bias: (outputs,); side: of an input tile, 6 or 7."""
        outputs, inputs, kernel, _ = weight.shape
        bt, g, at = transforms(kernel, side)
        self.kernel, self.side, self.tile, self.bias = kernel, side, side + 1 - kernel, bias
        self._into = np.kron(bt, bt).astype(np.float32)
        self._back = np.kron(at, at).astype(np.float32)
        products = np.kron(g, g) @ weight.reshape(outputs * inputs, kernel * kernel).T.astype(np.float64)
        shaped = products.reshape(side * side, outputs, inputs).transpose(0, 2, 1)
        self._kernels = np.ascontiguousarray(shaped, dtype=np.float32)

    def apply(self, x: Float32) -> Float32:
        """The valid correlation plus the bias, rectified.

        Args:
            x: (H, W, inputs).
        Returns:
            (H - k + 1, W - k + 1, outputs).
        """
        height, width = x.shape[0] - self.kernel + 1, x.shape[1] - self.kernel + 1
        rows, columns = -(-height // self.tile), -(-width // self.tile)
        inputs, outputs = x.shape[2], len(self.bias)
        padded = np.zeros((rows * self.tile + self.kernel - 1, columns * self.tile + self.kernel - 1, inputs), x.dtype)
        padded[: x.shape[0], : x.shape[1]] = x
        windows = sliding_window_view(padded, (self.side, self.side), axis=(0, 1))[:: self.tile, :: self.tile]
        out = np.empty((rows, self.tile, columns, self.tile, outputs), np.float32)
        step = max(1, _TILES // columns)
        for top in range(0, rows, step):
            part = windows[top : top + step]  # (r, columns, inputs, 6, 6)
            count = part.shape[0] * columns
            values = part.transpose(3, 4, 0, 1, 2).reshape(self.side**2, count * inputs)
            there = (self._into @ values).reshape(self.side**2, count, inputs)
            products = np.matmul(there, self._kernels).reshape(self.side**2, count * outputs)
            tiles = (self._back @ products).reshape(self.tile, self.tile, part.shape[0], columns, outputs)
            np.add(tiles.transpose(2, 0, 3, 1, 4), self.bias, out=out[top : top + step])
        np.maximum(out, 0, out=out)
        return out.reshape(rows * self.tile, columns * self.tile, outputs)[:height, :width]
