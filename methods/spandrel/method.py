"""A spandrel model under the `Method` contract: the model at its own scale, then one resize to the exact size.

Source: spandrel's `ImageModelDescriptor` (padding to a model's size requirements, tiling advice, clipping to [0, 1]).
A model of scale r applied `passes` times gives r**passes; whatever is missing or too much is MATLAB's bicubic, with
antialiasing where it shrinks. The images before that resize are the method's stages.
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

from bench.api import FixedScale, MethodInfo, RequestError
from bench.weights.reader import read_content
from bench.weights.state import find_state
from methods.spandrel.info import SPANDREL, WEIGHTS_HOW, SpandrelOptions

_PICKLED = (".pth", ".pt", ".ckpt")


class Spandrel(FixedScale):
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

    def plan(self, ratio: float) -> tuple[int, ...]:
        """The model at its own scale, as often as the option `passes` says."""
        return (self._model.scale,) * self.options.passes

    @property
    def tileable(self) -> bool:
        """As the library says of the architecture."""
        return self._model.tiling is ModelTiling.SUPPORTED

    @property
    def tile(self) -> int | None:
        """The option `tile`."""
        return self.options.tile

    def enlarge(self, x: torch.Tensor, s: int) -> torch.Tensor:
        """See `FixedScale.enlarge`; a gray model sees the channels one by one, equal ones once."""
        x = x.to(self._model.device, self._model.dtype)
        if self._model.input_channels == 3:
            return self._model(x)
        if torch.equal(x[:, 0], x[:, 1]) and torch.equal(x[:, 0], x[:, 2]):
            return self._model(x[:, :1]).expand(-1, 3, -1, -1)
        return torch.cat([self._model(x[:, i : i + 1]) for i in range(3)], dim=1)


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
    return find_state(state)[0]


def _first(state: dict[str, Any]) -> str:
    return ", ".join(str(key) for key in list(state)[:3]) + (", …" if len(state) > 3 else "")
