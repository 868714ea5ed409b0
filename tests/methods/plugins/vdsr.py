"""VDSR (Kim, Lee, Lee, CVPR 2016) as a plugin: 20 convolutions on bicubically upsampled luma, residual added.

Source: the authors' test code: one network for all scales, luma in [0, 1], zero padding, a ReLU between layers.
Weights: the authors' VDSR_Official.mat, `--weights vdsr=VDSR_Official.mat`.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch.nn.functional import conv2d

from bench.api import Method, MethodInfo, RequestError, UnitError, Upscaled
from bench.imaging.resize import imresize


class VDSR(Method):
    """The official weights, one luma plane."""

    info = MethodInfo(
        name="vdsr",
        display="VDSR",
        summary="20-layer residual CNN on bicubic luma, the authors' weights",
        paper="Kim, Lee, Lee, Accurate Image Super-Resolution Using Very Deep Convolutional Networks, CVPR 2016",
        train_scales=(2, 4),
        train_sets=("T91", "BSDS200"),
        parameters=665_921,
    )

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Read the 20 (weight, bias) pairs; MATLAB stores kernels as (height, width, in, out)."""
        if weights is None:
            raise RequestError("vdsr needs the authors' file: --weights vdsr=VDSR_Official.mat")
        try:
            model = loadmat(weights)["model"][0, 0]
            kernels = [kernel.reshape(3, 3, -1, bias.size) for kernel, bias in _pairs(model)]
        except Exception as fault:
            raise RequestError(f"{weights} is not VDSR_Official.mat: {type(fault).__name__}: {fault}") from fault
        self.layers = [
            (
                torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).to(device, dtype),
                torch.from_numpy(bias.reshape(-1).copy()).to(device, dtype),
            )
            for kernel, (_, bias) in zip(kernels, _pairs(model), strict=True)
        ]

    def upscale(self, lr: torch.Tensor, size: tuple[int, int], *, seed: int) -> Upscaled:
        """Bicubic luma plus the network's residual, as three equal channels."""
        if not (torch.equal(lr[0], lr[1]) and torch.equal(lr[0], lr[2])):
            raise UnitError("VDSR works on luma; use a protocol that gives it, such as --protocol classic-y")
        start = torch.from_numpy(imresize(lr[0].numpy(), size).astype(np.float32))
        start = start.to(self.layers[0][0])
        x = start[None, None]
        for kernel, bias in self.layers[:-1]:
            x = conv2d(x, kernel, bias, padding=1).relu_()
        residual = conv2d(x, *self.layers[-1], padding=1)[0, 0]
        return Upscaled((start + residual).expand(3, *size))


def _pairs(model: np.void) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(model["weight"].ravel(), model["bias"].ravel(), strict=True))
