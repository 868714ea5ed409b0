"""Checks that an image depends on weights, LR, size and seed, and on nothing else."""

from __future__ import annotations

import torch

from bench.api import UnitError
from bench.check.cases import FIRST, OTHER
from bench.check.check import check
from bench.check.subject import SEED, Subject, as_broken, difference
from bench.check.verdict import Broken

_ON_A_GPU = 1e-3
"""Sums of a GPU may run in another order from call to call; on a CPU nothing may differ."""


@check("repeatable", "two equal calls give the same image")
def same_twice(subject: Subject) -> str | None:
    """Called twice in a row."""
    return _same(subject, subject.image(subject.call(FIRST), FIRST), "for the same call", "look for what changes in it")


@check("global-random", "the global random state has no say")
def no_global_noise(subject: Subject) -> str | None:
    """The generators of torch, numpy and Python stand elsewhere."""
    return _same(
        subject,
        subject.image(subject.call(FIRST, noise=12345), FIRST),
        "under another global random state",
        "draw from torch.Generator().manual_seed(derive_seed(seed, ...))",
    )


@check("order", "earlier and later calls have no say")
def no_leaks(subject: Subject) -> str | None:
    """Another image in between changes neither the next answer nor the tensor that was returned before."""
    returned = subject.call(FIRST)
    before = subject.image(returned, FIRST).clone()
    subject.call(OTHER, SEED + 1)
    if difference(subject.image(returned, FIRST), before) > 0:
        raise Broken(
            expected="a returned image to stay as it is",
            seen="a later call wrote into it",
            next="return a new tensor, not a buffer that is used again",
        )
    subject.keep(FIRST)
    after = subject.image(subject.call(FIRST), FIRST)
    return _same(subject, after, "after another image", "keep nothing of one image for the next")


@check("batch", "an image does not depend on those that are computed beside it")
def same_in_a_batch(subject: Subject) -> str | None:
    """Three images of one size at once, where the method says that it takes several: none may differ in a bit."""
    most = subject.runner.method.batch
    if most < 2:
        return None
    lr = subject.lr(FIRST)
    lrs = [lr, lr.flip(1).contiguous(), lr.flip(2).contiguous()][:most]
    seeds = [SEED + number for number in range(len(lrs))]
    try:
        together = subject.runner.call_batch(lrs, FIRST.size, seeds=seeds)
    except UnitError as fault:
        raise as_broken(fault, FIRST) from fault
    alone = [subject.call(FIRST, seed, lr=one) for one, seed in zip(lrs, seeds, strict=True)]
    pairs = zip(*([subject.image(one, FIRST) for one in results] for results in (alone, together)), strict=True)
    apart = max(difference(a, b) for a, b in pairs)
    if apart > _tolerance(subject):
        raise Broken(
            expected=f"{len(lrs)} images at once to be those that it computes one by one, each with its own seed",
            seen=f"a difference of {apart:.2g}",
            next="leave out `batch`, unless `upscale_batch` mixes images or seeds up: many networks round differently",
        )
    return f"differs by {apart:.1g} on this device" if apart else None


@check("reload", "a second loading gives the same image", quick=False)
def same_after_loading(subject: Subject) -> str | None:
    """What `load` does not set has values of chance."""
    return _same(subject, subject.second().first, "of a second loading", "set every parameter in `load`")


@check("seeds", "the seed decides where it says stochastic, else nothing")
def seeds_count(subject: Subject) -> str | None:
    """Another seed gives another image of a stochastic method, the same of a deterministic one."""
    stochastic = subject.choice.spec.info.stochastic
    apart = difference(subject.kept_image(FIRST), subject.image(subject.call(FIRST, SEED + 1), FIRST))
    if stochastic and apart == 0:
        raise Broken(
            expected="another image for another seed (info.stochastic is True)",
            seen="the same image",
            next="draw noise from the seed, or write stochastic=False",
        )
    if not stochastic and apart > _tolerance(subject):
        raise Broken(
            expected="one image for all seeds (info.stochastic is False)",
            seen=f"a difference of {apart:.2g}",
            next="write stochastic=True, so that --seeds runs it more than once",
        )
    return None


def _same(subject: Subject, image: torch.Tensor, when: str, then: str) -> str | None:
    apart = difference(subject.kept_image(FIRST), image)
    if apart > _tolerance(subject):
        raise Broken(expected=f"the same image {when}", seen=f"a difference of {apart:.2g}", next=then)
    return f"differs by {apart:.1g} on this device" if apart else None


def _tolerance(subject: Subject) -> float:
    return 0.0 if subject.runner.device == "cpu" else _ON_A_GPU
