"""A cascade without weights, as a plugin: bicubic steps of at most x2, each sharpened or blurred by a gain."""

import math

import torch
from pydantic import Field
from torch.nn.functional import avg_pool2d, interpolate, pad

from bench.api import Method, MethodInfo, MethodOptions, Upscaled


class CascadeOptions(MethodOptions):
    """What may be changed."""

    gain: float = 1.0
    """Weight of detail in every stage: above 1 sharpens, below 1 blurs."""
    samples: int = Field(default=1, ge=1)
    """Above 1 the only stage is a spread, as some stochastic cascades give."""


class Cascade(Method):
    """Every stage enlarges at most twofold and multiplies the detail by the gain."""

    info = MethodInfo(name="cascade", display="Cascade", summary="bicubic steps with a gain on detail")
    Options = CascadeOptions

    def upscale(self, lr: torch.Tensor, size: tuple[int, int], *, seed: int) -> Upscaled:
        """See `Method.upscale`."""
        count = max(1, math.ceil(math.log2(size[0] / lr.shape[-2]) - 1e-9))
        stages, image = [], lr
        for number in range(1, count + 1):
            share = number / count
            grown = [round(a * (b / a) ** share) for a, b in zip(lr.shape[-2:], size, strict=True)]
            image = interpolate(image[None], size=grown, mode="bicubic", align_corners=False)[0]
            blurred = avg_pool2d(pad(image[None], (1, 1, 1, 1), mode="replicate"), 3, stride=1)[0]
            image = (blurred + self.options.gain * (image - blurred)).clamp(0, 1)
            stages.append(image)
        if self.options.samples > 1:
            stages = [torch.full_like(image, 0.01)]
        return Upscaled(image, tuple(stages))
