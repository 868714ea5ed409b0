"""Counted operations against sums by hand, from the layer sizes that the papers give."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.profile.operations import OUTSIDE, count_operations
from methods.liif.network import LIIFNetwork

LR, SR = (24, 20), (60, 50)
BLOCKS, WIDTH, HIDDEN = 16, 64, (256, 256, 256, 256)
"""EDSR-baseline without its upsampler (Lim et al. 2017, Table 1), and LIIF's MLP (Chen et al. 2021, section 4.1)."""
UNFOLDED, PLACE, CELL = 9 * WIDTH, 2, 2
"""Inputs of the MLP: the features of 3 x 3 pixels, the relative coordinate, the cell (section 3)."""


def _encoder_macs(pixels: int) -> int:
    """3 x 3 convolutions: 3 -> 64, two 64 -> 64 in each block, 64 -> 64."""
    return 9 * pixels * (3 * WIDTH + 2 * BLOCKS * WIDTH**2 + WIDTH**2)


def _mlp_macs(inputs: int) -> int:
    widths = (inputs, *HIDDEN, 3)
    return sum(a * b for a, b in pairwise(widths))


def _macs(run) -> int:
    with torch.inference_mode():
        counted = count_operations(run).macs
    assert counted is not None
    return counted


def test_edsr_baseline_with_the_mlp_as_published_is_the_sum_of_its_layers():
    """Catches a MAC counted as one FLOP, and a batch, bias or padding that is counted wrongly: a plain restatement,
    whose MLP sees 580 numbers per query and neighbour."""

    def conv(a: int, b: int) -> nn.Module:
        return nn.Conv2d(a, b, 3, padding=1)

    encoder = nn.Sequential(conv(3, WIDTH), *(conv(WIDTH, WIDTH) for _ in range(2 * BLOCKS + 1)))
    widths = (UNFOLDED + PLACE + CELL, *HIDDEN, 3)
    mlp = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))
    queries = 4 * SR[0] * SR[1]

    def run() -> None:
        encoder(torch.zeros(1, 3, *LR))
        mlp(torch.zeros(queries, widths[0]))

    wanted = _encoder_macs(LR[0] * LR[1]) + queries * _mlp_macs(widths[0])
    assert _macs(run) == wanted


def test_our_edsr_baseline_liif_is_within_one_percent_of_the_same_sum():
    """Catches a decoder whose passes are counted once, or once too often. The features' columns of the first layer are
    a convolution here, once per LR pixel and not per query and neighbour; everything else is as published."""
    network = LIIFNetwork().eval()
    pixels, queries = LR[0] * LR[1], 4 * SR[0] * SR[1]
    split = pixels * UNFOLDED * HIDDEN[0] + queries * (_mlp_macs(UNFOLDED + PLACE + CELL) - UNFOLDED * HIDDEN[0])
    wanted = _encoder_macs(pixels) + split
    counted = _macs(lambda: network.upsample(torch.zeros(1, 3, *LR), SR))
    assert counted == pytest.approx(wanted, rel=0.01)


def test_attention_is_counted_on_a_cpu():
    """torch has no formula for it there. Catches transformers that seem to cost their linear layers alone."""
    query, key, value = torch.zeros(2, 4, 30, 16), torch.zeros(2, 4, 50, 16), torch.zeros(2, 4, 50, 16)
    macs = _macs(lambda: functional.scaled_dot_product_attention(query, key, value))
    assert macs == 2 * 4 * 30 * 50 * (16 + 16)


def test_sampling_at_places_is_counted_by_its_taps():
    """Catches a formula without the channels, and bicubic counted as bilinear."""
    image, grid = torch.zeros(1, 3, 8, 8), torch.zeros(1, 5, 7, 2)
    for mode, taps in (("bilinear", 4), ("nearest", 0), ("bicubic", 16)):
        run = lambda mode=mode: functional.grid_sample(image, grid, mode=mode, align_corners=False)  # noqa: E731
        assert _macs(run) == 3 * 5 * 7 * taps


def test_operators_without_a_formula_are_named_and_moves_are_not():
    """Catches a sum that silently leaves out an FFT, and a list full of views and copies."""
    image = torch.ones(1, 3, 8, 8)

    def run() -> None:
        moved = torch.cat([image.permute(0, 2, 3, 1).reshape(1, 8, 24)] * 2).clone()
        functional.pixel_shuffle(image.repeat(1, 4, 1, 1), 2)
        torch.fft.fft2(moved.to(torch.complex64)).real.erf()
        torch.arange(5).add(1)

    counted = count_operations(run)
    assert counted.flops == 0
    assert counted.unknown.keys() == {"aten._fft_c2c", "aten.erf"}


def test_what_runs_outside_torch_has_no_count():
    """Catches a bicubic enlargement that costs 0 FLOPs."""
    counted = count_operations(lambda: torch.from_numpy(torch.ones(4).numpy() * 2))
    assert (counted.flops, counted.macs, counted.reason) == (None, None, OUTSIDE)


def test_a_module_that_returns_its_parameter_is_counted_too():
    """torch's tracker of modules cannot hook such a result in inference mode."""

    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.ones(2, 3))

        def forward(self) -> torch.Tensor:
            return self.token

    token = Token()
    assert _macs(lambda: token() @ torch.ones(3, 5)) == 2 * 3 * 5
