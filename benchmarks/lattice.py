"""Whether a method leaves a grid in its images, and how good they are to metrics that it was not trained by.

Run: python benchmarks/lattice.py casr [--weights FILE] [--set KEY=VALUE ..] [--scales 2,4,8,12] [--images FOLDER]
                                  [--phases] [--sheet FILE.png]
Crops of 240 x 240 from the middle of Set14's zebra, lenna, comic, flowers, pepper and man, reduced by MATLAB's bicubic;
images as 8-bit RGB. Printed are PSNR, LPIPS by AlexNet and by SqueezeNet at every scale, beside bicubic; and what a
constant grey image becomes after one, two and three cycles of x4, x4.x2 and x4.x3.x1.5: the root mean square around its
mean and around the grey, in 8-bit steps. --phases: how far LPIPS (AlexNet) at x4 of all images in the folder, whole,
is off its mean where the compared window moves by 0..3 pixels, beside bicubic's (a network that paints where AlexNet's
stride of 4 does not look has one phase of sixteen far below the others; what any method moves by, since windows differ,
falls with the number of pixels).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

from bench.api import Method, RequestError
from bench.imaging.resize import imresize_u8
from bench.metrics.download import obtain
from bench.metrics.lpips_files import ALEX, SQUEEZE, LPIPSFiles
from bench.metrics.lpips_network import LPIPSNetwork, load_network
from bench.plugins import method_class
from bench.registry import METHODS

_NAMES = ("zebra", "lenna", "comic", "flowers", "pepper", "man")
_SIDE = 240
_PHASES = 4
_GREYS = (0.25, 0.5, 0.8)

U8 = NDArray[np.uint8]
Enlarge = Callable[[U8, tuple[int, int]], U8]


@dataclass(frozen=True)
class Judges:
    """The two LPIPS networks."""

    alex: LPIPSNetwork
    squeeze: LPIPSNetwork


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("--weights", type=Path, help="default: the shipped ones")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the method's options")
    parser.add_argument("--scales", default="2,4,8,12")
    parser.add_argument("--images", type=Path, default=Path("data/Set14"), help="a folder with Set14's images")
    parser.add_argument("--phases", action="store_true", help="takes a minute or two")
    parser.add_argument("--sheet", type=Path, help="write HR, bicubic and SR of three images at every scale but x2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    method = loaded(options.method, options.weights, options.set)
    judges = Judges(_network(ALEX), _network(SQUEEZE))
    images = [middle(options.images / f"{name}.png") for name in _NAMES]
    scales = [float(scale) for scale in options.scales.split(",")]
    enlarged = quality(images, scales, method, judges)
    print(grey(method))
    if options.phases:
        for line in phases(sorted(options.images.glob("*.png")), method, judges.alex):
            print(line)
    if options.sheet:
        sheet(images, enlarged, options.sheet)


def loaded(name: str, weights: Path | None, said: list[str]) -> Method:
    """A method on the CPU, ready to enlarge."""
    spec = METHODS.get(name)
    values = {key: yaml.safe_load(value) for key, value in (text.split("=", 1) for text in said)}
    method = method_class(spec)(spec.options.model_validate(values))
    method.load(weights or spec.weights.get(spec.default_weights), torch.device("cpu"), torch.float32)
    return method


def middle(path: Path) -> U8:
    """The 240 x 240 pixels around the middle of an image."""
    image = np.asarray(Image.open(path).convert("RGB"))
    top, left = ((length - _SIDE) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + _SIDE, left : left + _SIDE])


def sr(method: Method, lr: U8, size: tuple[int, int]) -> U8:
    """What a method makes of an image, as 8-bit RGB."""
    shown = torch.from_numpy(lr).permute(2, 0, 1).float() / 255
    image = method.upscale(shown, size, seed=0).image.clamp(0, 1)
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


def quality(images: list[U8], scales: list[float], method: Method, judges: Judges) -> dict[float, list[U8]]:
    """Print means over the images; the enlarged ones by scale."""
    print(f"{'':>6}{'PSNR':>8}{'Alex':>8}{'Squeeze':>9}   bicubic: {'PSNR':>6}{'Alex':>8}{'Squeeze':>9}")
    found: dict[float, list[U8]] = {}
    for scale in scales:
        side = round(_SIDE / scale)
        small = [imresize_u8(image, (side, side)) for image in images]
        found[scale] = [sr(method, lr, (_SIDE, _SIDE)) for lr in small]
        bicubic = [imresize_u8(lr, (_SIDE, _SIDE)) for lr in small]
        ours, theirs = (_means(each, images, judges) for each in (found[scale], bicubic))
        print(
            f"{f'x{scale:g}':>6}{ours[0]:8.2f}{ours[1]:8.4f}{ours[2]:9.4f}"
            f"            {theirs[0]:6.2f}{theirs[1]:8.4f}{theirs[2]:9.4f}",
            flush=True,
        )
    return found


def phases(paths: list[Path], method: Method, alex: LPIPSNetwork) -> list[str]:
    """LPIPS at the sixteen places of a window that is three pixels shorter than an image; a line per enlarger."""
    totals: dict[str, NDArray[np.float64]] = {}
    for path in paths:
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width = (length // 4 * 4 for length in image.shape[:2])
        truth = np.ascontiguousarray(image[:height, :width])
        lr = imresize_u8(truth, (height // 4, width // 4))
        found = {"bicubic": imresize_u8(lr, (height, width)), "the method": sr(method, lr, (height, width))}
        for name, enlarged in found.items():
            for place in np.ndindex(_PHASES, _PHASES):
                window = tuple(
                    slice(first, first + length - _PHASES + 1)
                    for first, length in zip(place, (height, width), strict=True)
                )
                value = distance(alex, np.ascontiguousarray(enlarged[window]), np.ascontiguousarray(truth[window]))
                totals.setdefault(name, np.zeros((_PHASES, _PHASES)))[place] += value / len(paths)
    return [
        f"phases at x4, {name}: LPIPS-Alex {values.min():.4f} to {values.max():.4f}, {values.mean():.4f} on average, "
        f"from which they are off by at most {100 * np.abs(values / values.mean() - 1).max():.1f} %, and (0, 0), where "
        f"LR pixels begin, by {100 * (values[0, 0] / values.mean() - 1):.1f} %"
        for name, values in totals.items()
    ]


def grey(method: Method) -> str:
    """Of a constant image after one, two and three cycles, in 8-bit steps."""
    told = []
    for number, scale in enumerate((4, 8, 18), start=1):
        around, off = 0.0, 0.0
        for value in _GREYS:
            image = method.upscale(torch.full((3, 16, 16), value), (16 * scale, 16 * scale), seed=0).image
            around = max(around, float(image.std(correction=0, dim=(1, 2)).square().mean().sqrt()))
            off = max(off, float((image - value).square().mean().sqrt()))
        told.append(f"{number}: {255 * around:.2f} and {255 * off:.2f}")
    return f"grey after cycles (rms around its mean, around the grey): {'; '.join(told)}"


def distance(network: LPIPSNetwork, image: U8, truth: U8) -> float:
    """LPIPS of one pair."""
    return network.distance(network.features(image), network.features(truth), (image.shape[0], image.shape[1]))


def sheet(images: list[U8], enlarged: dict[float, list[U8]], path: Path) -> None:
    """HR, bicubic and SR side by side, zebra, lenna and comic at every scale but x2."""
    rows = []
    for index in range(3):
        for scale, found in enlarged.items():
            if scale == 2:
                continue
            side = round(_SIDE / scale)
            bicubic = imresize_u8(imresize_u8(images[index], (side, side)), (_SIDE, _SIDE))
            rows.append(np.concatenate((images[index], bicubic, found[index]), axis=1))
    Image.fromarray(np.concatenate(rows)).save(path)


def _means(found: list[U8], images: list[U8], judges: Judges) -> tuple[float, float, float]:
    rows = []
    for image, truth in zip(found, images, strict=True):
        error = np.mean((image.astype(np.float64) - truth) ** 2)
        psnr = 10 * np.log10(255**2 / error)
        rows.append((psnr, distance(judges.alex, image, truth), distance(judges.squeeze, image, truth)))
    psnr, alex, squeeze = np.mean(rows, axis=0)
    return float(psnr), float(alex), float(squeeze)


def _network(files: LPIPSFiles) -> LPIPSNetwork:
    try:
        return load_network(files, obtain(files.backbone, None))
    except Exception as fault:
        raise RequestError(f"this benchmark judges by LPIPS: {fault}") from fault


if __name__ == "__main__":
    main()
