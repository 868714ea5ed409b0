"""Requests in which a folder of images made elsewhere has nothing for any image asked for: a slip, told before work."""

from __future__ import annotations

from bench.api import RequestError
from bench.engine.choice import MethodChoice
from bench.engine.faults import attributed
from bench.engine.plan import Samples
from bench.engine.request import RunRequest


def refuse_unmatched(request: RunRequest, samples: Samples) -> None:
    """Refuse a request with a row that has no file for any image at any scale; single ones fail in their turn.

    Args:
        request: What is asked for.
        samples: Its images.
    Raises:
        RequestError: says how many were looked for, and what of the first.
    """
    for choice in request.methods:
        reason = _why_nothing(choice, samples)
        if reason:
            count = len({(dataset, sample.id) for (dataset, _), images in samples.items() for sample in images})
            asked = ", ".join(dict.fromkeys(dataset for dataset, _ in samples))
            raise RequestError(
                f"{choice.display} has no file for any of the {count} images of {asked}: {reason}. Nothing was written"
            )


def _why_nothing(choice: MethodChoice, samples: Samples) -> str:
    """The first reason, where every image has one; else empty."""
    missing = choice.spec.missing
    if missing is None:
        return ""
    first = ""
    for (_, scale), images in samples.items():
        for sample in images:
            with attributed(choice.spec):
                reason = missing(choice.options, sample.id, scale)
            if not reason:
                return ""
            first = first or reason
    return first
