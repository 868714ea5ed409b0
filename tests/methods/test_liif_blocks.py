"""Coordinates, neighbours and the decoder of LIIF, against the paper's formulas written out the slow way."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from methods.blocks.arbsr import bilinear_at
from methods.blocks.coordinates import cell_of, coord_at, make_coord, neighbours, pixel_centres
from methods.blocks.edsr import EDSRBody
from methods.blocks.query import ContinuousDecoder
from methods.blocks.render import in_chunks
from methods.liif.architecture import LiifArchitecture
from methods.liif.network import LIIFNetwork


def test_centres_are_pixel_centres_and_not_corners():
    assert pixel_centres(4).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert make_coord((2, 3))[4].tolist() == pytest.approx([0.5, 0.0])


def test_cell_is_two_over_the_size_per_axis():
    assert cell_of((8, 20)).tolist() == [0.25, 0.1]


def test_flat_positions_agree_with_the_grid_so_chunks_do_not_drift():
    size = (7, 5)
    assert torch.equal(coord_at(torch.arange(35), size), make_coord(size))


def test_slices_of_a_large_grid_are_exact_in_the_last_row():
    size = (7919, 6007)
    last = coord_at(torch.tensor(size[0] * size[1] - 1), size)
    assert last.tolist() == pytest.approx([1 - 1 / size[0], 1 - 1 / size[1]], abs=1e-15)


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
def test_weights_of_the_neighbours_sum_to_one_and_are_never_negative(ensemble):
    coord = torch.rand(2, 500, 2, dtype=torch.float64) * 2 - 1
    weights = torch.stack([n.weight for n in neighbours(coord, (5, 9), ensemble=ensemble)])
    assert weights.min() >= 0
    assert torch.allclose(weights.sum(0), torch.ones(2, 500), atol=1e-6)


def test_weight_is_the_area_of_the_opposite_rectangle():
    height, width = 6, 4
    coord = (torch.rand(1, 200, 2, dtype=torch.float64) * 2 - 1) * (1 - 1.01 / 4)  # inside the outer centres
    found = neighbours(coord, (height, width))
    areas = torch.stack([n.relative[..., 0].abs() * n.relative[..., 1].abs() for n in found])
    assert torch.allclose(torch.stack([n.weight for n in found]), areas.flip(0) / areas.sum(0), atol=1e-5)


def test_neighbours_are_the_nearest_pixels_of_the_shifted_query():
    """LIIF looks up the nearest pixel of the query moved by half an LR pixel along each diagonal."""
    height, width = 5, 7
    coord = torch.rand(1, 300, 2, dtype=torch.float64) * 2 - 1
    flat = torch.arange(height * width, dtype=torch.float64).reshape(1, 1, height, width)
    for shift, found in zip([(-1, -1), (-1, 1), (1, -1), (1, 1)], neighbours(coord, (height, width)), strict=True):
        moved = coord + torch.tensor(shift, dtype=torch.float64) / torch.tensor((height, width)) + 1e-9
        moved = moved.clamp(-1 + 1e-6, 1 - 1e-6)
        seen = functional.grid_sample(flat, moved.flip(-1)[:, None], mode="nearest", align_corners=False)[:, 0, 0]
        assert torch.equal(found.index.double(), seen)


def test_relative_coordinate_is_scaled_by_the_lr_size():
    coord = torch.tensor([[[0.1, -0.3]]], dtype=torch.float64)
    found = neighbours(coord, (4, 4), ensemble="nearest")[0]
    centre = make_coord((4, 4))[found.index[0, 0]]
    assert found.relative[0, 0].tolist() == pytest.approx(((coord[0, 0] - centre) * 4).tolist())


def _decoder(**switches) -> ContinuousDecoder:
    torch.manual_seed(0)
    return ContinuousDecoder(4, (16, 16), **switches)


def _slow_query(decoder: ContinuousDecoder, features, coord, cell):
    """LIIF's own order of work: unfold, gather nine times the features per neighbour, one MLP."""
    height, width = features.shape[-2:]
    wide = functional.unfold(features, 3, padding=1) if decoder.unfold else features.flatten(2)
    total = 0
    for found in neighbours(coord, (height, width), ensemble="axis" if decoder.local_ensemble else "nearest"):
        picked = wide.transpose(1, 2).gather(1, found.index[..., None].expand(-1, -1, wide.shape[1]))
        parts = [picked, found.relative]
        if decoder.cell_decode:
            relative_cell = (cell * torch.tensor((height, width))).float()
            parts.append(relative_cell[:, None].expand(-1, coord.shape[1], -1))
        total = total + decoder.imnet(torch.cat(parts, dim=-1)) * found.weight[..., None]
    return total


@pytest.mark.parametrize("unfold", [True, False])
@pytest.mark.parametrize("cell_decode", [True, False])
@pytest.mark.parametrize("local_ensemble", [True, False])
def test_split_first_layer_equals_the_unfolded_gather(unfold, cell_decode, local_ensemble):
    decoder = _decoder(unfold=unfold, cell_decode=cell_decode, local_ensemble=local_ensemble)
    features = torch.randn(2, 4, 5, 6)
    coord = torch.rand(2, 50, 2, dtype=torch.float64) * 2 - 1
    cell = torch.tensor([[0.1, 0.2], [0.05, 0.3]], dtype=torch.float64)
    fast = decoder.query(decoder.project(features), (5, 6), coord, cell)
    assert torch.allclose(fast, _slow_query(decoder, features, coord, cell), atol=1e-5)


def test_ensemble_is_continuous_where_the_nearest_pixel_changes():
    decoder, features = _decoder(), torch.randn(1, 4, 6, 6)
    projected, cell = decoder.project(features), cell_of((24, 24))[None]
    edges = torch.linspace(-0.9, 0.9, 40, dtype=torch.float64)
    # across centres (0.1666..) and across borders between pixels (0.0, 0.3333..)
    for border in (-1 / 3, -1 / 6, 0.0, 1 / 6, 1 / 3):
        sides = [torch.stack((torch.full_like(edges, border + e), edges), -1)[None] for e in (-1e-6, 1e-6)]
        low, high = (decoder.query(projected, (6, 6), side, cell) for side in sides)
        assert (low - high).abs().max() < 1e-4


def test_without_ensemble_it_jumps_so_the_test_above_means_something():
    decoder, features = _decoder(local_ensemble=False), torch.randn(1, 4, 6, 6)
    sides = [torch.tensor([[[e, 0.1]]], dtype=torch.float64) for e in (-1e-6, 1e-6)]
    low, high = (decoder.query(decoder.project(features), (6, 6), side, cell_of((24, 24))[None]) for side in sides)
    assert (low - high).abs().max() > 1e-3


def _network() -> LIIFNetwork:
    torch.manual_seed(0)
    return LIIFNetwork(LiifArchitecture(blocks=1, width=4, hidden=(8, 8))).requires_grad_(False)


@pytest.mark.parametrize("chunk", [1, 17, 777, 10**6])
def test_result_does_not_depend_on_the_chunk(chunk):
    network, lr = _network(), torch.randn(2, 3, 5, 6)
    whole = network.upsample(lr, (11, 19), chunk=11 * 19)
    assert torch.allclose(network.upsample(lr, (11, 19), chunk=chunk), whole, atol=1e-6)


def test_image_is_not_transposed_and_covers_every_pixel():
    image = in_chunks(lambda coord: coord.expand(1, -1, -1), (3, 5), chunk=4, device=torch.device("cpu"))
    assert image.shape == (1, 2, 3, 5)
    assert image[0, 0, :, 0].tolist() == pytest.approx(pixel_centres(3).tolist())
    assert image[0, 1, 0, :].tolist() == pytest.approx(pixel_centres(5).tolist())


def test_chunk_of_nothing_is_refused():
    with pytest.raises(ValueError, match="chunk"):
        _network().upsample(torch.randn(1, 3, 5, 5), (4, 4), chunk=0)


def test_batch_of_two_equals_two_singles():
    network, lr = _network(), torch.randn(2, 3, 5, 6)
    both = network.upsample(lr, (9, 7), chunk=20)
    alone = torch.cat([network.upsample(lr[i : i + 1], (9, 7), chunk=20) for i in (0, 1)])
    assert torch.allclose(both, alone, atol=1e-6)


def test_edsr_baseline_has_the_published_size_and_no_upsampler():
    body = EDSRBody(blocks=16, width=64)
    count = (3 * 9 * 64 + 64) + (16 * 2 + 1) * (64 * 64 * 9 + 64)
    assert sum(p.numel() for p in body.parameters()) == count
    assert body(torch.zeros(1, 3, 7, 9)).shape == (1, 64, 7, 9)


def test_edsr_has_the_global_skip():
    body = EDSRBody(blocks=2, width=8)
    for parameter in body.body.parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.randn(1, 3, 6, 6)
    assert torch.allclose(body(image), body.head(image))
    assert not math.isclose(float(body(image).detach().abs().sum()), 0.0)


def test_network_has_no_skip_unless_it_is_asked_for():
    """LIIF predicts colours, not a residual: with a zero decoder the paper's network is gray."""
    network = LIIFNetwork(LiifArchitecture(blocks=1, width=4, hidden=(8,)))
    torch.nn.init.zeros_(network.decoder.imnet.layers[-1].weight)
    torch.nn.init.zeros_(network.decoder.imnet.layers[-1].bias)
    assert network.upsample(torch.rand(1, 3, 5, 5), (9, 9)).abs().max() == 0


def test_optional_skip_is_the_same_in_training_and_in_whole_images():
    lr = torch.rand(1, 3, 5, 7)
    coord = make_coord((11, 12))[None]
    image = functional.interpolate(lr, (11, 12), mode="bilinear", align_corners=False)
    assert torch.allclose(bilinear_at(lr, coord).transpose(1, 2).reshape(1, 3, 11, 12), image, atol=1e-5)
    network = LIIFNetwork(LiifArchitecture(blocks=1, width=4, hidden=(8,), skip="bilinear"))
    sampled = network(lr, coord, cell_of((11, 12))[None]).transpose(1, 2).reshape(1, 3, 11, 12)
    assert torch.allclose(network.upsample(lr, (11, 12), chunk=17), sampled, atol=1e-5)


def test_small_blocks_of_rows_give_what_one_block_gives():
    """Catches blocks put together in another order, and a neighbour whose weights are those of another block."""
    decoder, features = _decoder(), torch.randn(2, 4, 5, 6)
    coord = torch.rand(2, 1300, 2, dtype=torch.float64) * 2 - 1
    cell = torch.tensor([[0.1, 0.2], [0.05, 0.3]], dtype=torch.float64)
    whole = decoder.query(decoder.project(features), (5, 6), coord, cell)
    with torch.no_grad():  # more rows than a block holds
        blocks = decoder.query(decoder.project(features), (5, 6), coord, cell)
    assert whole.requires_grad
    assert not blocks.requires_grad
    assert torch.allclose(blocks, whole, atol=1e-6)
