"""The three LPIPS networks: torchvision's feature layers, the heads of the `lpips` wheel, evaluated tile by tile.

Source: Zhang et al. 2018 (arXiv 1801.03924), version 0.1: inputs in [-1, 1] shifted and scaled per channel, features
normalised per pixel, squared differences weighted per channel, averaged over each layer's pixels, summed over layers.
Backbones are built without any values and filled from the published file, so a random one cannot occur.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import RequestError, Unavailable
from bench.metrics import lpips_files
from bench.metrics.base import Pixels
from bench.metrics.lpips_files import EPSILON, LPIPSFiles, features_hash, heads_file
from bench.metrics.lpips_tiles import TiledNetwork
from bench.metrics.receptive import Step, Window
from bench.metrics.weights import check_published
from bench.weights.reader import read_content

Pads = tuple[int, int, int, int]
"""Left, right, top, bottom, as torch.nn.functional.pad takes them."""

SHIFT = torch.tensor(lpips_files.SHIFT).view(1, 3, 1, 1)
SCALE = torch.tensor(lpips_files.SCALE).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Layer:
    """One windowed layer with the pointwise ones behind it; `read` marks a layer whose features are compared."""

    window: Window
    apply: Callable[[Tensor, Pads], Tensor]
    read: bool


class LPIPSNetwork(TiledNetwork[Tensor]):
    """A backbone with its heads; features are (1, channels, h, w)."""

    def __init__(self, layers: list[Layer], heads: list[Tensor], tile: int) -> None:
        """Args: layers: in order, the last one read; heads: (channels,) per read layer; tile: side in pixels."""
        self.layers, self.heads = layers, heads
        windows, read = [layer.window for layer in layers], [layer.read for layer in layers]
        super().__init__(windows, read, [head.numel() for head in heads], tile)

    @torch.inference_mode()
    def _differences(self, mine: Sequence[Tensor], theirs: Sequence[Tensor]) -> list[float]:
        sums = []
        for a, b, head in zip(mine, theirs, self.heads, strict=True):
            per_channel = (a - b).square_().sum(dim=(0, 2, 3), dtype=torch.float64)
            sums.append(float(per_channel @ head.double()))
        return sums

    @torch.inference_mode()
    def _tile(self, image: Pixels, rows: list[Step], columns: list[Step]) -> list[Tensor]:
        x = network_input(image[slice(*rows[0].source), slice(*columns[0].source)])
        top, left = rows[0].source[0], columns[0].source[0]
        found = []
        for layer, row, column in zip(self.layers, rows, columns, strict=True):
            x = _cut(x, row.source, column.source, top, left)
            x = layer.apply(x, (column.before, column.after, row.before, row.after))
            top, left = row.out[0], column.out[0]
            if row.own is not None and column.own is not None:
                share = _cut(x, row.own, column.own, top, left)
                norm = share.square().sum(dim=1, keepdim=True).sqrt_()
                found.append(share / norm.add_(EPSILON))
        return found


def network_input(image: Pixels) -> Tensor:
    """(H, W[, 3]) uint8 or uint16 to the (1, 3, H, W) float32 that the networks read: [0, 1], [-1, 1], then shifted."""
    pixels = torch.from_numpy(np.ascontiguousarray(image).astype(np.float32) / np.float32(np.iinfo(image.dtype).max))
    if pixels.ndim == 2:
        pixels = pixels.unsqueeze(2).expand(-1, -1, 3)
    x = pixels.permute(2, 0, 1).unsqueeze(0).contiguous()
    return x.mul_(2).sub_(1).sub_(SHIFT).div_(SCALE)


def load_network(files: LPIPSFiles, backbone: Path) -> LPIPSNetwork:
    """Build a network from the published parameters.

    Args:
        files: Which network.
        backbone: The torchvision file.
    Raises:
        Unavailable: a file is damaged, has other shapes, or holds other parameters than the published ones.
    """
    layers = _layers(load_features(files, backbone), files.read_after)
    return LPIPSNetwork(layers, load_heads(files), files.tile)


def load_features(files: LPIPSFiles, path: Path) -> nn.Sequential:
    """The feature layers of a torchvision file, frozen, in float32; raises as `load_network`."""
    with torch.device("meta"):  # shapes without values: what the file lacks cannot be random
        features = alexnet_features() if files.model == "alexnet" else _torchvision_features(files.model)
    state = {k.removeprefix("features."): v for k, v in _read(path).items() if k.startswith("features.")}
    try:
        features.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as fault:
        raise Unavailable(f"{path} does not hold the layers of {files.model}: {fault}") from fault
    if files.features_sha256 != features_hash(state):  # a file stripped of its classifier will do
        check_published(path, files.backbone)
    return features.float().eval().requires_grad_(False)


def alexnet_features() -> nn.Sequential:
    """torchvision's AlexNet up to the classifier, layer for layer.

    Written out because importing torchvision costs each scoring process as much CPU time as scoring eight images.
    """

    def conv(inputs: int, outputs: int, side: int, *, stride: int = 1, padding: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, side, stride=stride, padding=padding), nn.ReLU(inplace=True)]

    def pool() -> list[nn.Module]:
        return [nn.MaxPool2d(3, stride=2)]

    return nn.Sequential(
        *conv(3, 64, 11, stride=4, padding=2),
        *pool(),
        *conv(64, 192, 5, padding=2),
        *pool(),
        *conv(192, 384, 3, padding=1),
        *conv(384, 256, 3, padding=1),
        *conv(256, 256, 3, padding=1),
        *pool(),
    )


def _torchvision_features(model: str) -> nn.Sequential:
    import torchvision

    return getattr(torchvision.models, model)().features


def load_heads(files: LPIPSFiles) -> list[Tensor]:
    """(channels,) per compared layer, from the installed package `lpips`; raises as `load_network`."""
    state = _read(heads_file(files))
    return [state[f"lin{k}.model.1.weight"].flatten() for k in range(len(files.read_after))]


def _read(path: Path) -> dict[str, Any]:
    try:
        state = read_content(path)
    except RequestError as fault:
        raise Unavailable(f"{path} cannot be read as weights; remove it and get it again ({fault})") from fault
    if not isinstance(state, dict):
        raise Unavailable(f"{path} holds a {type(state).__name__}, expected a table of named tensors")
    return state


def _layers(features: nn.Sequential, read_after: tuple[int, ...]) -> list[Layer]:
    """The windowed layers of a torchvision feature extractor, with the ReLU behind each."""
    layers = []
    for index, module in enumerate(features):
        if isinstance(module, nn.ReLU):
            continue
        rectified = index + 1 < len(features) and isinstance(features[index + 1], nn.ReLU)
        read = bool({index, index + 1 if rectified else index} & set(read_after))
        if isinstance(module, nn.Conv2d):
            window = Window(module.kernel_size[0], module.stride[0], int(module.padding[0]))
            layers.append(Layer(window, _convolution(module, rectified), read))
        elif isinstance(module, nn.MaxPool2d):
            window = Window(_int(module.kernel_size), _int(module.stride), _int(module.padding), module.ceil_mode)
            layers.append(Layer(window, _pooling(window), read))
        else:
            layers.append(Layer(Window(3, 1, 1), _fire(module), read))
        if read and sum(layer.read for layer in layers) == len(read_after):
            break
    return layers


def _convolution(conv: nn.Conv2d, rectified: bool) -> Callable[[Tensor, Pads], Tensor]:
    def apply(x: Tensor, pads: Pads) -> Tensor:
        y = F.conv2d(_pad(x, pads, 0.0), conv.weight, conv.bias, conv.stride)
        return y.relu_() if rectified else y

    return apply


def _pooling(window: Window) -> Callable[[Tensor, Pads], Tensor]:
    return lambda x, pads: F.max_pool2d(_pad(x, pads, -torch.inf), window.kernel, window.stride)


def _fire(fire: Any) -> Callable[[Tensor, Pads], Tensor]:
    """SqueezeNet's module: the padding stands between its squeeze and its 3x3 layer."""

    def apply(x: Tensor, pads: Pads) -> Tensor:
        squeezed = _pad(F.conv2d(x, fire.squeeze.weight, fire.squeeze.bias).relu_(), pads, 0.0)
        wide = F.conv2d(squeezed, fire.expand3x3.weight, fire.expand3x3.bias)
        point = F.conv2d(squeezed[..., 1:-1, 1:-1], fire.expand1x1.weight, fire.expand1x1.bias)
        return torch.cat([point, wide], dim=1).relu_()

    return apply


def _pad(x: Tensor, pads: Pads, value: float) -> Tensor:
    return F.pad(x, pads, value=value) if any(pads) else x


def _cut(x: Tensor, rows: tuple[int, int], columns: tuple[int, int], top: int, left: int) -> Tensor:
    return x[..., rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]


def _int(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]
