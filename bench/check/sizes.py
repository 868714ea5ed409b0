"""Checks of sizes: the first image, awkward LR sides, ratios that differ per axis, fractional and large scales."""

from __future__ import annotations

from collections.abc import Iterable

from bench.check.cases import AXES, FIRST, FRACTIONS, GRAY, LARGE, SIDES, Case
from bench.check.check import check
from bench.check.subject import Subject
from bench.check.verdict import Broken


@check("first-image", "gives an image at all, wrapped in Upscaled")
def gives_an_image(subject: Subject) -> str | None:
    """Nothing else can be tried without it. A method for luma planes alone is then tried on gray images."""
    try:
        subject.kept_image(FIRST)
    except Broken as fault:
        try:
            subject.image(subject.call(GRAY), GRAY)
        except Broken:
            raise fault from None
        subject.accept_gray_only()
        subject.kept_image(FIRST)
        return f"takes gray images alone ({fault.seen}); all else is tried on these"
    return None


@check("exact-size", "exactly the size asked for, also of LR images of 1 px")
def small_sides(subject: Subject) -> str | None:
    """Odd, thin and tiny LR images."""
    return _sized(subject, SIDES)


@check("per-axis", "each axis has its own ratio, in size and content")
def axes_apart(subject: Subject) -> str | None:
    """Four flat fields that meet in the middle of LR meet in the middle of SR, along both axes."""
    _sized(subject, AXES)
    for case in subject.cases(AXES):
        image = subject.kept_image(case).mean(dim=0)
        for axis, name in ((0, "rows"), (1, "columns")):
            profile = image.mean(dim=1 - axis)
            middle = (profile.max() + profile.min()) / 2
            share = float((profile < middle).double().mean())
            # the fields are wide, so that only a wrong ratio or a crop moves the line by more than one LR pixel
            if abs(share - 0.5) > 1.25 / case.lr[axis]:
                raise Broken(
                    expected=f"the edge in the middle of the {name} for {case.label}",
                    seen=f"it at {share:.0%}",
                    next="compute a ratio for each axis from lr.shape and size; nothing may be cropped or padded",
                )
    return None


@check("fractions", "fractional scales: 1.1, 2.5, 3.6")
def fractional_scales(subject: Subject) -> str | None:
    """Sizes that no integer scale gives."""
    return _sized(subject, FRACTIONS)


@check("large", "large scales: 8, 12, 30")
def large_scales(subject: Subject) -> str | None:
    """Far beyond what was trained."""
    return _sized(subject, LARGE)


def _sized(subject: Subject, cases: Iterable[Case]) -> str | None:
    for case in subject.cases(cases):
        result = subject.keep(case)
        shape = tuple(getattr(result.image, "shape", ()))
        wanted = (3, *case.size)
        if shape != wanted:
            raise Broken(
                expected=f"shape {wanted} for {case.label}",
                seen=str(shape) if shape else f"a {type(result.image).__name__}",
                next="return exactly `size`; nothing is resized for you",
            )
    return None
