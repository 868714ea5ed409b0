"""Images made elsewhere under the `Method` contract: looked up by image id and scale, never computed, never resized."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench.api import Method, MethodInfo, Scale, Size, Sought, UnitError, Upscaled
from methods.precomputed.files import sr_planes
from methods.precomputed.info import PRECOMPUTED, PrecomputedOptions


class Precomputed(Method):
    """Reads the file of the unit that `begin` announced."""

    info: ClassVar[MethodInfo] = PRECOMPUTED.info
    Options = PrecomputedOptions
    options: PrecomputedOptions

    _image = ""
    _scale = 1.0

    def begin(self, *, image: str, scale: Scale) -> None:
        """Remember the unit."""
        self._image, self._scale = image, scale

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """The file's pixels / 255 (or / 65535).

        Raises:
            UnitError: no file or several, unreadable, of another size, or in colour where the protocol gives luma.
        """
        if not self._image:
            raise UnitError("precomputed images are found by image id; they cannot serve an image that has none")
        sought = Sought(self._image, self._scale, lr.permute(1, 2, 0).numpy(), size, self.slack)
        options = self.options
        planes = sr_planes(options.folder, sought, pattern=options.pattern, luma=options.luma)
        return Upscaled(torch.from_numpy(planes))
