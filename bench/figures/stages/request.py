"""`bench figure stages`: its options, and the way from them to strips of a cascade's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, Sample, Scale, UnitError, counted, derive_seed, format_scale, format_times
from bench.figures import options as opt
from bench.figures.cascades import CascadeFigure, cycle_images
from bench.figures.contract import Drawn, Warn

if TYPE_CHECKING:
    from bench.data import Pair
    from bench.engine.inference import Runner
    from bench.engine.request import RunRequest
    from bench.engine.rounding import Pixels
    from bench.figures.pictures import Box
    from bench.figures.sheet import Panel

_ACROSS = 7
"""Panels of a strip; a longer cascade goes on below."""


@dataclass(frozen=True, kw_only=True)
class Stages(CascadeFigure):
    """Run methods on one image and show the image of every cycle, each at the same size on paper."""

    summary: ClassVar[str] = "Strips of a cascade: LR, the image of every cycle, the result, HR."

    out: opt.Out
    image: Annotated[str | None, typer.Option(help="The image; default the first.")] = None
    box: Annotated[str | None, typer.Option(help="x,y,w,h in pixels of the result; default the whole image.")] = None

    def draw(self, warn: Warn) -> Drawn:
        """One strip per method variant."""
        from bench.data import prepare
        from bench.engine.inference import Runner
        from bench.figures.numbers import csv_text
        from bench.figures.pictures import Box
        from bench.figures.sheet import Group, Sheet, Strip, cell_dots, draw_sheet

        box = None if self.box is None else Box.parse(self.box)
        request = self.resolved()
        (scale,), protocol = request.scales, request.protocol.drawn(self.seed)
        sample = _sample(request, scale, self.image)
        try:
            pair = prepare(sample, scale, protocol)
        except UnitError as fault:
            raise RequestError(f"{sample.id}: {fault}") from None
        if box is not None and not box.within(pair.size):
            raise RequestError(
                f"--box {box} is not inside {sample.id} at x{format_scale(scale)}, which is {pair.size[1]} px wide and "
                f"{pair.size[0]} px high; give x,y,w,h within it"
            )
        groups, lines, failed = [], [], []
        for choice in request.methods:
            runner = Runner(choice, device=self.device, tile=self.tile)
            for note in runner.method.notes:
                warn(f"{choice.display}: {note}")
            try:
                images = _cycles(runner, sample, pair, request, self.seed)
            except UnitError as fault:
                failed.append(f"{choice.display} failed: {fault}")
                warn(failed[-1])
                continue
            panels, values = _panels(images, pair, request, box)
            parts = [panels[start : start + _ACROSS] for start in range(0, len(panels), _ACROSS)]
            groups.append(Group(choice.display, tuple(Strip("", tuple(part)) for part in parts)))
            lines += [{"method": choice.name, "variant": choice.variant, "image": sample.id, **line} for line in values]
        if not groups:
            raise RequestError(f"nothing could be drawn: {failed[0]}")
        part = f", part {box}" if box is not None else ""
        note = (
            f"{sample.id} of {request.datasets[0].name} at {format_times(scale)}{part}, protocol {protocol.name}, "
            f"seed {self.seed}. Above: magnification so far, width × height. All images are shown at one size, pixels "
            "repeated."
        )
        compared = (
            "Below: PSNR against HR reduced to the size of the cycle, without border." if pair.hr is not None else ""
        )
        notes = (f"{note} {compared}".strip(), *failed)
        numbers = self.out.with_suffix(".csv")
        widest = max(len(strip.panels) for group in groups for strip in group.strips)
        smallest = min(box.width if box is not None else pair.size[1], 300)
        return Drawn(
            figure=draw_sheet(
                Sheet(columns=(), groups=tuple(groups), notes=notes),
                cell_dots(max(widest, 4), whole=False, smallest=smallest),
            ),
            texts={numbers: csv_text(lines)},
            shown="\n".join(notes),
            closing=f"{self.out} and {numbers.name}: {counted(len(groups), 'variant')}",
            complete=not failed,
        )


def _sample(request: RunRequest, scale: Scale, image: str | None) -> Sample:
    from bench.engine.plan import select_samples

    samples = select_samples(request.datasets[0], scale, request.protocol, None)
    if image is None:
        return samples[0]
    found = next((sample for sample in samples if sample.id == image), None)
    if found is None:
        near = ", ".join(sample.id for sample in samples[:12]) + (", …" if len(samples) > 12 else "")
        raise RequestError(f"--image {image}: {request.datasets[0].name} has no such image; it has {near}")
    return found


def _cycles(runner: Runner, sample: Sample, pair: Pair, request: RunRequest, seed: int) -> list[Pixels]:
    (scale,) = request.scales
    if pair.lr is None:
        raise UnitError(f"{sample.id} has no LR image")
    result = runner.infer(
        pair.lr,
        pair.asked,
        request.protocol,
        image=sample.id,
        scale=scale,
        seed=derive_seed(seed, sample.id),
        keep=pair.size,
    )
    return cycle_images(pair.lr, result, pair.asked, request.protocol)


def _panels(
    images: Sequence[Pixels], pair: Pair, request: RunRequest, box: Box | None
) -> tuple[list[Panel], list[Mapping[str, Any]]]:
    """LR, every cycle and HR as panels, with the lines of the file of numbers."""
    import math

    from bench.figures.pictures import as_shown, repeated
    from bench.figures.sheet import Panel
    from bench.imaging.resize import imresize_u8
    from bench.metrics.scorer import Scorer

    (scale,) = request.scales
    scorer = Scorer(["psnr"], replace(request.protocol, shave="0", ssim_shave=None))
    whole = images[-1].shape[:2]
    panels, lines = [], []
    for number, pixels in enumerate(images):
        height, width = pixels.shape[:2]
        value = None
        if pair.hr is not None and number:
            hr = pair.hr if (height, width) == pair.hr.shape[:2] else imresize_u8(pair.hr, (height, width))
            value = scorer.score(pixels, hr, None, scale, f"{height}x{width}")["psnr"].value
        growth = math.sqrt(height / pair.lr_shape[0] * width / pair.lr_shape[1])
        shown = repeated(as_shown(pixels), (whole[0], whole[1]))
        heading = f"×{growth:.3g}, {width}×{height}" if number else f"LR, {width}×{height}"
        words = () if value is None else (f"{value:.2f} dB",)
        panels.append(Panel(shown if box is None else box.of(shown), words, heading=heading))
        lines.append({"cycle": number, "height": height, "width": width, "growth": round(growth, 6), "psnr": value})
    if pair.hr is not None:
        hr = as_shown(pair.hr)
        panels.append(Panel(hr if box is None else box.of(hr), heading=f"HR, {hr.shape[1]}×{hr.shape[0]}"))
    return panels, lines
