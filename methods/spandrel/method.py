"""A spandrel model under the `Method` contract: the model at its own scale, then one resize to the exact size.

Source: spandrel's `ImageModelDescriptor` (padding to a model's size requirements, tiling advice, clipping to [0, 1]).
A model of scale r applied `passes` times gives r**passes; whatever is missing or too much is MATLAB's bicubic, with
antialiasing where it shrinks. The image before that resize is the method's one stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from spandrel import (
    ImageModelDescriptor,
    ModelLoader,
    ModelTiling,
    UnsupportedDtypeError,
    UnsupportedModelError,
    canonicalize_state_dict,
)

from bench.api import Method, MethodInfo, RequestError, Size, Upscaled
from bench.imaging.tiling import with_backoff
from bench.weights.reader import read_content
from methods.classic.planes import resize_planes
from methods.spandrel.info import SPANDREL, WEIGHTS_HOW, SpandrelOptions

_PICKLED = (".pth", ".pt", ".ckpt")


class Spandrel(Method):
    """Loads any architecture that spandrel recognises from its state dict."""

    info: ClassVar[MethodInfo] = SPANDREL.info
    Options = SpandrelOptions
    options: SpandrelOptions

    _model: ImageModelDescriptor[Any]

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Recognise the architecture and load it.

        Raises:
            RequestError: no file given, unreadable, of no known architecture, or not from image to image.
        """
        if weights is None:
            raise RequestError(f"spandrel has no weights of its own: {WEIGHTS_HOW}")
        state = canonicalize_state_dict(_state_dict(weights))
        try:
            model = ModelLoader(device).load_from_state_dict(state)
        except UnsupportedModelError:
            raise RequestError(
                f"{weights}: spandrel recognises no architecture in its {len(state)} entries ({_first(state)}); "
                f"{WEIGHTS_HOW}"
            ) from None
        except Exception as fault:
            raise RequestError(
                f"{weights}: spandrel cannot build this model: {type(fault).__name__}: {fault}"
            ) from fault
        channels = (model.input_channels, model.output_channels)
        if not isinstance(model, ImageModelDescriptor) or channels not in ((3, 3), (1, 1)):
            raise RequestError(
                f"{weights} is a {model.purpose} model ({model.architecture.name}) from {channels[0]} to {channels[1]} "
                "channels; expected one from RGB to RGB, or from gray to gray"
            )
        try:
            self._model = model.to(device, dtype).eval()
        except UnsupportedDtypeError as fault:
            raise RequestError(f"{weights}: {fault}") from None

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Apply the model `passes` times, then resize to `size` if that is another size."""
        image, tile = lr.to(self._model.device, self._model.dtype), None
        for _ in range(self.options.passes):
            image, used = self._apply(image)
            tile = used if tile is None else tile
        image = image.float()
        if tuple(image.shape[1:]) == tuple(size):
            return Upscaled(image, tile=tile)
        return Upscaled(resize_planes(image, size, "bicubic"), (image,), tile)

    def _apply(self, image: torch.Tensor) -> tuple[torch.Tensor, int | None]:
        if self._model.tiling is not ModelTiling.SUPPORTED:
            return self._once(image), None
        scale = self._model.scale
        whole = (image.shape[1] * scale, image.shape[2] * scale)
        return with_backoff(lambda part, _: self._once(part), image, whole, tile=self.options.tile)

    def _once(self, image: torch.Tensor) -> torch.Tensor:
        """(3, h, w) -> (3, h * scale, w * scale); a gray model sees the channels one by one, equal ones once."""
        if self._model.input_channels == 3:
            return self._model(image[None])[0]
        if torch.equal(image[0], image[1]) and torch.equal(image[0], image[2]):
            return self._model(image[None, :1])[0].expand(3, -1, -1)
        return torch.cat([self._model(image[None, i : i + 1])[0] for i in range(3)])


def _state_dict(file: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything that is pickled in it."""
    if file.suffix.lower() not in (".safetensors", *_PICKLED):
        raise RequestError(f"{file}: expected .safetensors, {', '.join(_PICKLED)}; {WEIGHTS_HOW}")
    try:
        state = read_content(file)
    except RequestError as fault:
        raise RequestError(f"{fault}; {WEIGHTS_HOW}") from fault
    if not isinstance(state, dict):
        raise RequestError(f"{file} holds a {type(state).__name__}; expected a state dict; {WEIGHTS_HOW}")
    return state


def _first(state: dict[str, Any]) -> str:
    return ", ".join(str(key) for key in list(state)[:3]) + (", …" if len(state) > 3 else "")
