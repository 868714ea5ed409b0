"""The LTE decoder: local Fourier coefficients and frequencies estimated from features, turned into colour by an MLP.

Source: Lee and Jin, "Local Texture Estimator for Implicit Representation Function" (CVPR 2022, arXiv 2111.08918), as
the blind arbitrary-scale paper uses it (section 3.3). Coefficients and frequencies are kept row by row of LR pixels,
so that a query's lookup reads one contiguous row per neighbour.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.coordinates import Ensemble, Size, Window
from methods.blocks.edsr import conv3
from methods.blocks.ensemble import blend
from methods.blocks.mlp import MLP


class FourierDecoder(nn.Module):
    """Colour at any coordinate: MLP(A * [cos pi theta; sin pi theta]), blended over the LR pixels around it."""

    reach = 1
    """Pixels beyond a feature's own that its row of the table sees (a 3x3 convolution)."""

    def __init__(self, width: int, hidden: int, layers: int, *, outputs: int = 3, ensemble: Ensemble = "axis") -> None:
        """Args: width: feature channels; hidden: coefficients per pixel, even (half as many frequencies in 2-D) and
        width of the MLP's `layers` hidden layers; ensemble: see `coordinates.Ensemble`."""
        super().__init__()
        if hidden < 2 or hidden % 2:
            raise ValueError(f"hidden must be even (cosines and sines), got {hidden}")
        self.hidden = hidden
        self.ensemble: Ensemble = ensemble
        self.coef = conv3(width, hidden)
        self.freq = conv3(width, hidden)
        self.phase = nn.Linear(2, hidden // 2, bias=False)
        self.imnet = MLP(hidden, outputs, (hidden,) * layers)

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Coefficients, then frequencies (all of y, then all of x), of every LR pixel.

        Args:
            features: (B, width, h, w).
        Returns:
            (B, h * w, 2 * hidden).
        """
        weight = torch.cat((self.coef.weight, self.freq.weight))
        bias = torch.cat((_bias(self.coef), _bias(self.freq)))
        return functional.conv2d(features, weight, bias, padding=1).flatten(2).transpose(1, 2).contiguous()

    def query(
        self,
        table: torch.Tensor,
        lr_size: Size,
        coord: torch.Tensor,
        cell: torch.Tensor,
        *,
        window: Window | None = None,
    ) -> torch.Tensor:
        """Colours at coordinates.

        Args:
            table: What `project` returned, of the whole image or of a window of it.
            lr_size: (h, w) of the whole image.
            coord: (B, Q, 2) float64, (y, x) in [-1, 1] over the whole image.
            cell: (B, 2) float64, height and width of an output pixel in coordinate units.
            window: The part of the image that the table covers; it must hold every neighbour. None: all of it.
        Returns:
            (B, Q, outputs).
        """
        phase = self._phase(lr_size, cell, table.dtype)

        def colour(rows: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
            amplitude, down, right = self._split(rows)
            # products and sums apart: a fused one with a column that is broadcast is slower on a CPU
            turned = delta * math.pi
            return self._colour(amplitude, down * turned[..., :1] + right * turned[..., 1:] + phase)

        return blend(table, lr_size, coord, colour, ensemble=self.ensemble, window=window)

    def at_centres(self, table: torch.Tensor, lr_size: Size, cell: torch.Tensor) -> torch.Tensor:
        """Colours at the LR pixels' own centres, row by row, where a single neighbour has all the weight.

        Args:
            table: What `project` returned, of the whole image.
            lr_size: (h, w) of the image.
            cell: As in `query`.
        Returns:
            (B, h * w, outputs): what `query` gives there with ensemble "axis" or "nearest", at a quarter of the work.
        """
        amplitude, _, _ = self._split(table)
        phase = self._phase(lr_size, cell, table.dtype)
        return self._colour(amplitude, phase.expand(*amplitude.shape[:-1], -1))

    def _split(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        half = self.hidden // 2
        amplitude, down, right = rows.split((self.hidden, half, half), dim=-1)
        return amplitude, down, right

    def _phase(self, lr_size: Size, cell: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """In radians, (B, 1, half the hidden width)."""
        return self.phase((cell * cell.new_tensor(lr_size)).to(dtype))[:, None, :] * math.pi

    def _colour(self, amplitude: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        return self.imnet(amplitude * torch.cat((angle.cos(), angle.sin()), dim=-1))


def _bias(conv: nn.Conv2d) -> torch.Tensor:
    if conv.bias is None:
        raise TypeError("the convolution has no bias")
    return conv.bias
