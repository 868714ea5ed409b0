"""Images made elsewhere under the `Method` contract: looked up by image id and scale, never computed, never resized."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Method, MethodInfo, Scale, Size, UnitError, Upscaled, format_scale
from bench.imaging.colour import studio_luma
from methods.precomputed.files import locate, read_sr
from methods.precomputed.info import PRECOMPUTED, PrecomputedOptions

_COLOURFUL = 8 / 255
"""Mean spread between channels above which a file is in colour; a network's tint on a gray photograph stays below."""


class Precomputed(Method):
    """Reads the file of the unit that `begin` announced."""

    info: ClassVar[MethodInfo] = PRECOMPUTED.info
    Options = PrecomputedOptions
    options: PrecomputedOptions

    _image = ""
    _scale = ""

    def begin(self, *, image: str, scale: Scale) -> None:
        """Remember the unit."""
        self._image, self._scale = image, format_scale(scale)

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """The file's pixels / 255 (or / 65535).

        Raises:
            UnitError: no file or several, unreadable, of another size, or in colour where the protocol gives luma.
        """
        if not self._image:
            raise UnitError("precomputed images are found by image id; they cannot serve an image that has none")
        path = locate(self.options.folder, self._image, self._scale, self.options.pattern)
        pixels = read_sr(path, size, slack=self.slack)
        if pixels.ndim == 3 and self.options.luma:
            return _three((studio_luma(pixels) / 255).astype(np.float32))
        if pixels.ndim == 2:
            return _three(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        sr = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        if torch.equal(lr[0], lr[1]) and torch.equal(lr[0], lr[2]):
            spread = float((sr.amax(0) - sr.amin(0)).mean())
            if spread > _COLOURFUL:
                raise UnitError(
                    f"{path} is in colour, but the LR image is gray or a luma plane; give the luma, or take the studio "
                    "luma of the files with --set precomputed.luma=true"
                )
        return Upscaled(sr)


def _three(plane: NDArray[np.float32]) -> Upscaled:
    return Upscaled(torch.from_numpy(plane).expand(3, *plane.shape))
