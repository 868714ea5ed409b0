"""Checks of values: type, range, NaN, what happens to the LR image, stages, and tiles against the whole image."""

from __future__ import annotations

import torch

from bench.api import Size, Tiling, UnitError, factors, format_scale
from bench.check.cases import FIRST, FLAT, GRAY, OVERSHOOT, TILED, Case
from bench.check.check import check
from bench.check.subject import SEED, Subject, as_broken, difference
from bench.check.verdict import Broken, NotApplicable
from bench.engine.returned import require_floating, require_image
from bench.imaging.tiling import tiled

_TILE = 32
_TILE_RMS, _TILE_MOST = 1.0, 16.0
"""Difference of tiles from the whole image in 1/255: root of the mean square, and the largest. Twice that at a
fractional scale, where tiles lie up to half a pixel beside the grid."""


@check("floating", "a dense floating tensor of three channels")
def floating_type(subject: Subject) -> str | None:
    """Whole numbers would leave it open what their white is."""
    image = subject.keep(FIRST).image
    try:
        require_floating(image, subject.name)
    except UnitError as fault:
        raise as_broken(fault, FIRST) from fault
    if image.ndim != 3 or image.shape[0] != 3:
        raise Broken(
            expected="three axes (3, H, W)",
            seen=f"shape {tuple(image.shape)}",
            next="take the batch axis off: result[0]",
        )
    return None


@check("range", "values lie about [0, 1], as bright as the LR image")
def about_unit_range(subject: Subject) -> str | None:
    """Catches 0 to 255, and -1 to 1."""
    if not subject.keep(FIRST).image.is_floating_point():
        raise NotApplicable("the values are whole numbers: see 'floating'")
    image, lr = subject.kept_image(FIRST), FIRST.tensor().double()
    low, high, mean = float(image.min()), float(image.max()), float(image.mean())
    if low >= -0.5 and high <= 1.5 and abs(mean - float(lr.mean())) <= 0.25:
        return None
    raise Broken(
        expected=f"values about [0, 1] with a mean near {float(lr.mean()):.2f}",
        seen=f"{low:.3g} to {high:.3g} with a mean of {mean:.3g}",
        next="undo the scaling that the network was trained with, such as (x + 1) / 2 or x / 255",
    )


@check("flat", "a black and a white LR image give finite values")
def flat_images(subject: Subject) -> str | None:
    """A division by the spread of the image is a division by zero here."""
    for case in subject.cases(FLAT):
        subject.finite(case)
    return None


@check("overshoot", "LR values a few levels beyond [0, 1] do no harm")
def beyond_the_range(subject: Subject) -> str | None:
    """Protocols that keep LR in float have them: bicubic overshoots."""
    subject.finite(OVERSHOOT)
    return None


@check("lr-kept", "the LR image is not written to")
def lr_stays(subject: Subject) -> str | None:
    """Metrics read it afterwards."""
    for case in (FIRST, OVERSHOOT):
        lr = subject.lr(case)
        before = lr.clone()
        subject.call(case, lr=lr)
        if not torch.equal(lr, before):
            raise Broken(
                expected="the LR image as it was", seen="other values in it", next="work on lr.clone(), or avoid x_()"
            )
    return None


@check("stages", "stages are finite images of three channels")
def stages_are_images(subject: Subject) -> str | None:
    """Those of every image that was computed so far."""
    most = 0
    for case, result in subject.answers():
        most = max(most, len(result.stages))
        for number, stage in enumerate(result.stages, start=1):
            good = stage.is_floating_point() and stage.ndim == 3 and stage.shape[0] == 3 and 0 not in stage.shape
            if not good or not bool(torch.isfinite(stage).all()):
                kind = "not finite" if good else f"{str(stage.dtype).removeprefix('torch.')} {tuple(stage.shape)}"
                raise Broken(
                    expected=f"finite floating stages (3, h, w) for {case.label}",
                    seen=f"stage {number} is {kind}",
                    next="give each stage without its batch axis, in [0, 1]",
                )
    return f"up to {most} of them" if most else "it has none"


@check("tiles", "tiles = the whole image, where Tiling.SUPPORTED says so")
def tiles_are_the_whole(subject: Subject) -> str | None:
    """The harness splits large images of such a method, so their seams must not show."""
    if subject.choice.spec.info.tiling is not Tiling.SUPPORTED:
        raise NotApplicable(f"info.tiling is {subject.choice.spec.info.tiling}: the harness never splits its images")
    told = []
    for case in subject.cases(TILED):
        whole = subject.image(subject.call(case), case)

        def one(part: torch.Tensor, size: Size, case: Case = case) -> torch.Tensor:
            result = subject.runner.call(part, size, image=case.image, scale=case.scale, seed=SEED)
            require_image(result.image, size, subject.name)
            return result.image

        try:
            split = tiled(one, subject.lr(case), case.size, tile=_TILE).detach().to("cpu", torch.float64)
        except UnitError as fault:
            raise as_broken(fault, case) from fault
        rms, most = 255 * float((split - whole).square().mean().sqrt()), 255 * difference(split, whole)
        slack = 1 if all(factor.is_integer() for factor in factors(case.scale)) else 2
        told.append(f"{rms:.2g} at x{format_scale(case.scale)} ({most:.2g} at most)")
        if rms > _TILE_RMS * slack or most > _TILE_MOST * slack:
            raise Broken(
                expected=f"the whole image from {_TILE}-px tiles within {_TILE_RMS * slack:g}/255 for {case.label}",
                seen=f"a difference of {rms:.1f}/255 on average, {most:.0f}/255 at most",
                next="write Tiling.NONE where it looks at the whole image, or tile it yourself: Tiling.INTERNAL",
            )
    return f"apart in 1/255: {', '.join(told)}"


@check("gray", "gray LR works; a colour cast is told, not judged")
def gray_stays_gray(subject: Subject) -> str | None:
    """Luma protocols give three equal channels and take the mean of the result's."""
    image = subject.finite(GRAY)
    spread = float((image.amax(dim=0) - image.amin(dim=0)).max())
    return f"channels are up to {spread * 255:.1f}/255 apart" if spread * 255 >= 0.5 else None
