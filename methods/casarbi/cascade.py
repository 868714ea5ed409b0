"""Sampling: one stage of residual shifting, and the cascade of stages.

Source: CasArbi, section IV-A. [inferred] Noise is one generator per (seed, stage), drawn on the CPU in float32, so
that two targets that share their leading stages share them bit for bit; stages are not rounded to 8 bit in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from bench.api import Size, derive_seed
from bench.imaging.tiles import plan_axis
from methods.blocks.arbsr import DEFAULT_CHUNK
from methods.blocks.edsr import EDSRBody
from methods.blocks.resample import needed, resample_window
from methods.casarbi.guidance import Guidance, guided
from methods.casarbi.network import CasArbi, Span, Still
from methods.casarbi.plan import Strategy, plan, stage_scale

_PRIOR_TILE = 256
"""Side of the LR windows of the prior's features; they change nothing."""
_CACHED = 2**27
"""Maps of up to so many values that all steps of a stage share are kept; larger ones are made again for every tile and
step."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a trained network is run.

    Attributes:
        strategy: Where the part of the scale that is no power of two goes.
        cascade: False: one stage, whatever the scale (Table VII's network was trained for that).
        scg: What a prediction is held against.
        rho: Strength of the guidance, see `guidance.step_size`.
        max_pixels: Canvases above this are denoised in tiles.
        tile, overlap: Of those tiles, in output pixels. Their results are feathered; noise, guidance and update are the
            canvas's. Normalisation statistics are a tile's own, so more than one tile changes the image.
        chunk: Queries of the prior at a time.
    """

    strategy: Strategy = "remainder-last"
    cascade: bool = True
    scg: Guidance = "prev"
    rho: float = 0.5
    max_pixels: int = 512 * 512
    tile: int = 256
    overlap: int = 32
    chunk: int = DEFAULT_CHUNK


def upscale(network: CasArbi, lr: torch.Tensor, size: Size, *, seed: int, sampling: Sampling) -> list[torch.Tensor]:
    """Run the cascade.

    Args:
        network: In evaluation mode.
        lr: (1, 3, h, w) in [-1, 1].
        size: (H, W), on no axis below the LR size.
        seed: Of this image.
        sampling: How.
    Returns:
        The image of every stage, (1, 3, h_i, w_i) in [-1, 1]; the last has `size`. Empty where the LR image has it.
    Raises:
        ValueError: a size below that of the LR image.
    """
    first = (lr.shape[-2], lr.shape[-1])
    sizes = plan(first, size, sampling.strategy)
    if not sampling.cascade:
        sizes = sizes[-1:]
    images: list[torch.Tensor] = []
    for number, each in enumerate(sizes, start=1):
        generator = torch.Generator().manual_seed(derive_seed(seed, "stage", number))
        y = images[-1] if images else lr
        reference = {"off": None, "prev": y, "lr": lr}[sampling.scg]
        images.append(sample_stage(network, y, each, reference, generator=generator, sampling=sampling))
    return images


@torch.no_grad()
def sample_stage(
    network: CasArbi,
    y: torch.Tensor,
    size: Size,
    reference: torch.Tensor | None,
    *,
    generator: torch.Generator,
    sampling: Sampling,
) -> torch.Tensor:
    """One stage: a prior image and two encodings, then T denoising steps from l0 and noise.

    Args:
        network, sampling: As in `upscale`.
        y: (B, 3, h, w) in [-1, 1].
        size: (H, W) of the result.
        reference: (B, 3, ., .), what predictions are guided by; None: nothing.
        generator: On the CPU.
    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    shift, steps = network.shift, network.shift.schedule.steps
    u = network.anchor(y, size, chunk=sampling.chunk, tile=_PRIOR_TILE)
    predict = predictor(network, y, u, sampling)

    def noise() -> torch.Tensor:
        drawn = torch.randn(u.shape, generator=generator, dtype=torch.float32)
        return drawn.to(device=u.device, dtype=u.dtype)

    r = shift.prior(network.lr_residual(y, u), noise())
    for t in range(steps, 0, -1):
        clean = network.image(predict(r, t), u)
        if reference is not None:
            clean = guided(clean, reference, rho=sampling.rho)
        kept, new, spread = shift.posterior(t)
        r = r.mul_(kept).add_(network.residual(clean.clamp_(-1, 1), u), alpha=new)
        if t > 1:
            r.add_(noise(), alpha=spread)
    return network.image(r, u).clamp_(-1, 1)


def predictor(
    network: CasArbi, y: torch.Tensor, u: torch.Tensor, sampling: Sampling
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """(r_t, t) -> the predicted r0, whole or in tiles; the encoders run once per stage where their maps can be kept."""
    size, lr_size = (u.shape[-2], u.shape[-1]), (y.shape[-2], y.shape[-1])
    scale = torch.full((y.shape[0],), stage_scale(lr_size, size), device=y.device)
    of_lr, of_hr = _Features(network.lr_encoder, y), _Features(network.hr_encoder, u)

    made: dict[tuple[Span, Span], Still] = {}
    keeping = 2 * y.shape[0] * network.denoiser.base * size[0] * size[1] <= _CACHED

    def still(rows: Span, columns: Span) -> Still:
        found = made.get((rows, columns))
        if found is None:
            seen = needed(lr_size[0], size[0], rows), needed(lr_size[1], size[1], columns)
            enlarged = resample_window(of_lr.window(*seen), lr_size, size, rows, columns)
            found = network.denoiser.still(enlarged, of_hr.window(rows, columns), place=(size, rows, columns))
            if keeping:
                made[rows, columns] = found
        return found

    def part(r: torch.Tensor, t: int, rows: Span, columns: Span) -> torch.Tensor:
        step = torch.full((r.shape[0],), t, device=r.device)
        inputs = network.shift.normalised(r[..., slice(*rows), slice(*columns)], step)
        return network.denoiser.step(inputs, still(rows, columns), step, scale)

    if size[0] * size[1] <= sampling.max_pixels:
        return lambda r, t: part(r, t, (0, size[0]), (0, size[1]))
    overlap = min(sampling.overlap, sampling.tile // 2)
    axes = [plan_axis(length, length, tile=sampling.tile, overlap=overlap) for length in size]

    def in_tiles(r: torch.Tensor, t: int) -> torch.Tensor:
        if len(axes[0]) == len(axes[1]) == 1:
            return part(r, t, axes[0][0].hr, axes[1][0].hr)
        whole = torch.zeros_like(r)
        for row in axes[0]:
            for column in axes[1]:
                weights = torch.as_tensor(row.weights[:, None] * column.weights).to(r)
                whole[..., slice(*row.hr), slice(*column.hr)] += part(r, t, row.hr, column.hr) * weights
        return whole

    return in_tiles


class _Features:
    """An encoder's features of an image, window by window: kept where they fit, else made again from a larger crop."""

    def __init__(self, encoder: EDSRBody, image: torch.Tensor) -> None:
        self.encoder, self.image = encoder, image
        kept = image.shape[0] * encoder.width * image.shape[-2] * image.shape[-1] <= _CACHED
        self.whole = encoder(image) if kept else None

    def window(self, rows: Span, columns: Span) -> torch.Tensor:
        """(B, width, rows, columns), equal to that part of the features of the whole image."""
        if self.whole is not None:
            return self.whole[..., slice(*rows), slice(*columns)]
        reach = self.encoder.reach
        top, left = max(rows[0] - reach, 0), max(columns[0] - reach, 0)
        crop = self.image[..., top : rows[1] + reach, left : columns[1] + reach]
        down, across = (rows[0] - top, rows[1] - top), (columns[0] - left, columns[1] - left)
        return self.encoder(crop)[..., slice(*down), slice(*across)]
