"""Copies of a larger canvas that methods hold: counted on torch's meta device, which computes nothing."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from bench.engine.choice import choose_methods
from bench.engine.inference import Runner
from bench.profile.live import LiveTensors

SIDE = 512
"""More than a tile of any of them."""


def peak_bytes(name: str, side: int, *overrides: str) -> int:
    """The most that one call holds, from 64 x 64 to a square of this side; weights are not counted."""
    method = Runner(choose_methods([name], weights=None, overrides=overrides)[0], device="cpu").method
    network = getattr(method, "network")  # noqa: B009 - the base class has none
    network.to("meta")
    method.__dict__["_device"] = torch.device("meta")
    lr = torch.zeros(3, 64, 64)
    with torch.no_grad(), LiveTensors() as live:
        method.upscale(lr, (side, side), seed=0)
    return live.peak


@pytest.mark.parametrize(
    ("name", "copies", "overrides"),
    [
        ("liif", 3, ("liif.chunk=65536",)),
        ("lte", 3, ("lte.chunk=65536",)),
        ("blind_assr", 3, ("blind_assr.chunk=65536",)),
        ("casarbi", 10, ("casarbi.max_pixels=65536", "casarbi.tile=384", "casarbi.chunk=65536")),
        ("casr", 10, ("casr.kept=0",)),
        ("cassr", 10, ("cassr.steps=1",)),
    ],
)
def test_a_larger_canvas_costs_a_few_copies_of_itself(
    name: str, copies: float, overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches features, latents or attention of the whole canvas: 24 channels in float32 are eight copies of it."""
    monkeypatch.setattr("methods.casarbi.cascade._CACHED", 0)  # what is kept where there is room has a bound of its own
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it knows no meta device
    small, large = (peak_bytes(name, side, *overrides) for side in (SIDE, SIDE + SIDE // 2))
    grown = (large - small) / (3 * 4 * ((SIDE + SIDE // 2) ** 2 - SIDE**2))
    assert grown < copies


def test_tensors_are_counted_while_they_live_and_views_once() -> None:
    """Catches a peak that is a sum over time, and a view that counts as memory."""
    with LiveTensors() as live:
        kept = torch.zeros(1000)
        view = kept[10:]
        for _ in range(3):
            torch.ones(500)
    assert live.bytes == 4000
    assert live.peak == 6000
    assert view.numel() == 990
