"""Groups 9 and 10 of the blind model's test list: LTE's decoder against its formula written out the slow way, the
weights of the neighbours at every border, scale 1, and axes that must not be swapped."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from methods.blocks.arbsr import ArbSR, ArbSRArchitecture, bilinear_at
from methods.blocks.coordinates import cell_of, make_coord, neighbours
from methods.blocks.fourier import FourierDecoder

TINY = ArbSRArchitecture(blocks=1, width=6, hidden=12, layers=2)
SIZE = (5, 7)


def _decoder(ensemble="axis", *, width: int = 4, hidden: int = 10) -> FourierDecoder:
    torch.manual_seed(0)
    return FourierDecoder(width, hidden, 2, ensemble=ensemble)


def _network(**changes) -> ArbSR:
    torch.manual_seed(0)
    return ArbSR(TINY.model_copy(update=changes)).eval()


def _queries(count: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# LTE's formula, one query and one neighbour at a time, in Python's own double arithmetic


def _nearest(position: float, count: int) -> int:
    """The pixel whose area holds a coordinate in [-1, 1]."""
    return min(max(math.floor((position + 1) / 2 * count), 0), count - 1)


def _axis_pair(p: float, count: int) -> tuple[tuple[int, float, float], ...]:
    """(index, delta, weight) of both neighbours along an axis; each has the other's distance as its weight."""
    shifted = [min(max(p + way / count + 1e-9, -1 + 1e-6), 1 - 1e-6) for way in (-1, 1)]
    index = [_nearest(each, count) for each in shifted]
    delta = [(p - (-1 + (2 * each + 1) / count)) * count for each in index]
    total = abs(delta[0]) + abs(delta[1])
    first = abs(delta[1]) / total if total > 0 else 1.0
    return (index[0], delta[0], first), (index[1], delta[1], 1 - first)


def _slow_neighbours(p: tuple[float, float], size: tuple[int, int], ensemble: str):
    """(row, column, delta y, delta x, weight) of each neighbour."""
    if ensemble == "nearest":
        row, column = (_nearest(each, count) for each, count in zip(p, size, strict=True))
        dy, dx = ((each - (-1 + (2 * i + 1) / n)) * n for each, i, n in zip(p, (row, column), size, strict=True))
        return [(row, column, dy, dx, 1.0)]
    down, right = (_axis_pair(each, count) for each, count in zip(p, size, strict=True))
    corners = [(y, x) for y in down for x in right]
    if ensemble == "axis":
        return [(y[0], x[0], y[1], x[1], y[2] * x[2]) for y, x in corners]
    areas = [abs(y[1] * x[1]) + 1e-9 for y, x in corners]
    return [
        (y[0], x[0], y[1], x[1], opposite / sum(areas))
        for (y, x), opposite in zip(corners, reversed(areas), strict=True)
    ]


def _slow_query(decoder: FourierDecoder, features: torch.Tensor, coord: torch.Tensor, cell: torch.Tensor):
    """Sum over the neighbours of weight * MLP(A * [cos pi theta; sin pi theta]), theta = omega . delta + phase."""
    height, width = features.shape[-2:]
    half = decoder.hidden // 2
    coefficients, frequencies = decoder.coef(features), decoder.freq(features)
    images = []
    for b in range(features.shape[0]):
        phase = decoder.phase.weight @ torch.tensor([cell[b, 0] * height, cell[b, 1] * width], dtype=features.dtype)
        colours = []
        for p in coord[b].tolist():
            total = torch.zeros(3, dtype=features.dtype)
            for row, column, dy, dx, weight in _slow_neighbours(tuple(p), (height, width), decoder.ensemble):
                omega = frequencies[b, :, row, column]
                theta = torch.stack([omega[d] * dy + omega[half + d] * dx + phase[d] for d in range(half)])
                wave = torch.cat((torch.cos(math.pi * theta), torch.sin(math.pi * theta)))
                total = total + weight * decoder.imnet(coefficients[b, :, row, column] * wave)
            colours.append(total)
        images.append(torch.stack(colours))
    return torch.stack(images)


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
def test_query_is_the_formula_of_the_paper_per_query_and_neighbour(ensemble):
    """Catches: sine before cosine, a missing pi, the phase outside the frequency's argument, delta in pixels and not in
    half pixels, weights that are not those of the opposite side, axes swapped, a batch entry that reads another's."""
    decoder = _decoder(ensemble).double()
    features = torch.randn(2, 4, *SIZE, dtype=torch.float64)
    coord = torch.cat((_queries(40, batch=2), torch.tensor([[[-1.0, 1.0], [1.0, -1.0], [0.999, 0.03]]] * 2)), dim=1)
    cell = torch.tensor([[0.11, 0.23], [0.4, 0.05]], dtype=torch.float64)
    with torch.no_grad():
        fast = decoder.query(decoder.project(features), SIZE, coord, cell)
        slow = _slow_query(decoder, features, coord, cell)
    assert slow.std() > 1e-2
    assert torch.allclose(fast, slow, atol=1e-5)


def test_projection_is_the_two_convolutions_row_by_row():
    decoder, features = _decoder(), torch.randn(2, 4, *SIZE)
    table = decoder.project(features)
    both = torch.cat((decoder.coef(features), decoder.freq(features)), dim=1)
    assert table.is_contiguous()
    assert torch.allclose(table.transpose(1, 2).reshape(both.shape), both, atol=1e-6)


def test_phase_has_no_bias_and_an_odd_width_is_refused():
    assert _decoder().phase.bias is None
    assert _decoder(hidden=256).phase.weight.shape == (128, 2)
    with pytest.raises(ValueError, match="even"):
        FourierDecoder(4, 9, 2)


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 10**6))
def test_weights_are_shares_on_every_grid_also_at_the_corners(ensemble, height, width, seed):
    ends = torch.tensor([[[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 1.0]]], dtype=torch.float64)
    coord = torch.cat((_queries(30, seed=seed), ends), dim=1)
    found = neighbours(coord, (height, width), ensemble=ensemble)
    weights = torch.stack([each.weight for each in found])
    assert weights.min() >= 0
    assert (weights.sum(0) - 1).abs().max() < 1e-6
    assert all(((each.index >= 0) & (each.index < height * width)).all() for each in found)


def test_area_and_axis_agree_wherever_the_areas_do_not_vanish():
    """The products of opposite distances factorise: only the border may tell the two forms apart."""
    size = (9, 6)
    coord = _queries(2000) * (1 - torch.tensor([1 / 9, 1 / 6], dtype=torch.float64)) * 0.999  # within the outer centres
    axis, area = (neighbours(coord, size, ensemble=form) for form in ("axis", "area"))

    def per_pixel(found):
        spread = torch.zeros(coord.shape[1], size[0] * size[1])
        for each in found:
            spread.scatter_add_(1, each.index[0, :, None], each.weight[0, :, None])
        return spread

    assert torch.allclose(per_pixel(axis), per_pixel(area), atol=1e-5)


def _largest_share(size: tuple[int, int], ensemble) -> torch.Tensor:
    """At each LR pixel's centre: the summed weight of that very pixel; (h, w)."""
    found = neighbours(make_coord(size)[None], size, ensemble=ensemble)
    own = torch.arange(size[0] * size[1])
    return sum(torch.where(each.index[0] == own, each.weight[0], 0.0) for each in found).reshape(size)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [(48, 48), (37, 50), (1, 9), (7919, 3)])
def test_at_scale_one_a_pixel_is_its_own_neighbour_up_to_the_last_row_and_column(size):
    assert _largest_share(size, "axis").min() > 0.999


def test_area_form_mixes_a_wrong_neighbour_into_the_last_row_and_column():
    """LTE's own arithmetic; where this stops failing, the area form is no longer LTE's and the test above is idle."""
    share = _largest_share((48, 48), "area")
    assert share[:-1, :-1].min() > 0.999
    assert (share[-1, :-1] - 0.5).abs().max() < 1e-3
    assert (share[:-1, -1] - 0.5).abs().max() < 1e-3
    found = neighbours(make_coord((48, 48))[None], (48, 48), ensemble="area")
    last_row = torch.stack([each.weight[0].reshape(48, 48)[-1, :-1] for each in found])
    assert (last_row - 0.25).abs().max() < 1e-3  # the floor alone: a quarter each


@pytest.mark.parametrize("size", [(5, 7), (48, 48), (31, 2)])
def test_centres_at_scale_one_are_those_of_the_features(size):
    for each in neighbours(make_coord(size)[None], size, ensemble="nearest"):
        assert each.relative.abs().max() < 1e-5
        assert torch.equal(each.index[0], torch.arange(size[0] * size[1]))


@pytest.mark.parametrize("ensemble", ["axis", "nearest"])
@pytest.mark.parametrize("size", [(5, 7), (8, 3), (24, 24)])
def test_shortcut_at_the_centres_is_the_query_there(ensemble, size):
    """Catches a shortcut that forgets the phase, or takes another cell than that of an LR pixel."""
    decoder, features = _decoder(ensemble), torch.randn(2, 4, *size)
    table, cell = decoder.project(features), cell_of(size).expand(2, 2)
    asked = decoder.query(table, size, make_coord(size).expand(2, -1, -1), cell)
    assert torch.allclose(decoder.at_centres(table, size, cell), asked, atol=1e-5)


def test_area_form_differs_from_the_shortcut_in_the_last_row_and_column_only():
    decoder, features = _decoder("area"), torch.randn(1, 4, *SIZE) * 5
    table, cell = decoder.project(features), cell_of(SIZE)[None]
    gap = decoder.query(table, SIZE, make_coord(SIZE)[None], cell) - decoder.at_centres(table, SIZE, cell)
    gap = gap[0].abs().amax(-1).reshape(SIZE)
    assert gap[:-1, :-1].max() < 1e-5
    assert gap[-1, :-1].min() > 1e-4
    assert gap[:-1, -1].min() > 1e-4


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
@pytest.mark.parametrize("inr", ["lte", "liif"])
def test_scale_one_is_the_query_of_the_lr_grid_in_every_form(ensemble, inr):
    """The area form has to take its own, wrong border along; LIIF's decoder always weights per axis."""
    network, lr = _network(ensemble=ensemble, inr=inr), torch.rand(2, 3, *SIZE) * 2 - 1
    prepared = network.prepare(lr)
    asked = network.query(prepared, make_coord(SIZE).expand(2, -1, -1), cell_of(SIZE).expand(2, 2))
    assert torch.allclose(network.at_scale_one(prepared), asked.transpose(1, 2).reshape(lr.shape), atol=1e-5)


def _heard_cells(network: ArbSR, act) -> torch.Tensor:
    heard = []
    handle = network.decoder.phase.register_forward_hook(lambda module, inputs, output: heard.append(inputs[0]))
    act()
    handle.remove()
    return torch.cat(heard)


@pytest.mark.parametrize(
    ("size", "ratio"), [((10, 14), (2, 2)), ((5, 7), (1, 1)), ((18, 21), (3.6, 3)), ((4, 28), (0.8, 4))]
)
def test_decoder_hears_two_over_the_scale_per_axis(size, ratio):
    """Catches a cell in output coordinates, one of the nominal scale, or (x, y) order."""
    network, lr = _network(), torch.rand(1, 3, *SIZE)
    heard = _heard_cells(network, lambda: network.upsample(lr, size))
    assert heard.reshape(-1, 2).unique(dim=0)[0].tolist() == pytest.approx([2 / each for each in ratio])


def test_decoder_hears_two_at_scale_one():
    network, lr = _network(), torch.rand(3, 3, *SIZE)
    heard = _heard_cells(network, lambda: network.at_scale_one(network.prepare(lr)))
    assert torch.allclose(heard, torch.full_like(heard, 2.0))


def test_each_image_of_a_batch_has_its_own_cell():
    network, lr = _network(), torch.rand(2, 3, *SIZE)
    cell = torch.stack((cell_of((9, 30)), cell_of((20, 8))))
    coord = _queries(50, batch=2)
    both = network(lr, coord, cell)
    alone = torch.cat([network(lr[i : i + 1], coord[i : i + 1], cell[i : i + 1]) for i in (0, 1)])
    assert torch.allclose(both, alone, atol=1e-6)
    assert not torch.allclose(both, network(lr, coord, cell.flip(0)), atol=1e-4)


@pytest.mark.parametrize(("chunk", "size"), [(1, (6, 8)), (777, (30, 41)), (10**6, (30, 41))])
@pytest.mark.parametrize("ensemble", ["axis", "area"])
def test_result_does_not_depend_on_the_chunk(chunk, size, ensemble):
    network, lr = _network(ensemble=ensemble), torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        whole = network(lr, make_coord(size)[None], cell_of(size)[None]).transpose(1, 2).reshape(1, 3, *size)
        assert torch.allclose(network.upsample(lr, size, chunk=chunk), whole, atol=1e-6)


def _without_decoder(network: ArbSR) -> ArbSR:
    last = network.decoder.imnet.layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return network


@pytest.mark.parametrize("inr", ["lte", "liif"])
@pytest.mark.parametrize("size", [(10, 14), (17, 9), (5, 7), (3, 30)])
def test_with_a_silent_decoder_the_output_is_the_bilinear_image(size, inr):
    network, lr = _without_decoder(_network(inr=inr)), torch.rand(2, 3, *SIZE) * 2 - 1
    bilinear = functional.interpolate(lr, size, mode="bilinear", align_corners=False)
    assert torch.allclose(network.upsample(lr, size), bilinear, atol=1e-5)


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
def test_with_a_silent_decoder_scale_one_is_the_image_itself(ensemble):
    network, lr = _without_decoder(_network(ensemble=ensemble)), torch.rand(2, 3, 20, 31) * 2 - 1
    assert torch.allclose(network.at_scale_one(network.prepare(lr)), lr, atol=2e-5)
    assert torch.allclose(network.upsample(lr, (20, 31)), lr, atol=2e-5)


@pytest.mark.parametrize("ensemble", ["axis", "area", "nearest"])
@pytest.mark.parametrize("inr", ["lte", "liif"])
def test_corners_of_the_image_are_numbers(ensemble, inr):
    network, lr = _network(ensemble=ensemble, inr=inr), torch.rand(1, 3, *SIZE)
    ends = torch.tensor([[[y, x] for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]], dtype=torch.float64)
    prepared = network.prepare(lr)
    assert torch.isfinite(network.query(prepared, ends, cell_of((400, 400))[None])).all()
    assert torch.isfinite(network.upsample(lr, (1, 1))).all()
    assert torch.isfinite(network.upsample(lr[..., :1, :1], (4, 3))).all()


@pytest.mark.parametrize("size", [(10, 21), (23, 9), (6, 50)])
def test_a_ramp_stays_a_ramp_along_both_axes(size):
    """Red rises downwards, green rightwards, by unlike amounts: swapped axes or sides change one of them."""
    height, width = 6, 9
    rows, columns = torch.meshgrid(torch.arange(height) * 0.1, torch.arange(width) * 0.03, indexing="ij")
    lr = torch.stack((rows, columns, rows + columns))[None]
    image = _without_decoder(_network()).upsample(lr, size)[0]
    y = ((torch.arange(size[0]) + 0.5) * height / size[0] - 0.5).clamp(0, height - 1) * 0.1
    x = ((torch.arange(size[1]) + 0.5) * width / size[1] - 0.5).clamp(0, width - 1) * 0.03
    assert torch.allclose(image[0], y[:, None].expand(size), atol=1e-5)
    assert torch.allclose(image[1], x.expand(size), atol=1e-5)
    assert torch.allclose(image[2], y[:, None] + x, atol=1e-5)


def _transposed(network: ArbSR) -> ArbSR:
    """The network that does along columns what the given one does along rows."""
    turned = ArbSR(network.architecture).eval()
    half = network.architecture.hidden // 2
    state = {}
    for name, tensor in network.state_dict().items():
        state[name] = tensor.transpose(-1, -2) if tensor.dim() == 4 else tensor
        if name.startswith("decoder.freq."):
            state[name] = torch.cat((state[name][half:], state[name][:half]))  # y and x
        if name == "decoder.phase.weight":
            state[name] = tensor.flip(1)
    turned.load_state_dict(state)
    return turned


@pytest.mark.parametrize("ensemble", ["axis", "area"])
@pytest.mark.parametrize("size", [(12, 30), (23, 9)])
def test_transposing_image_weights_and_size_transposes_the_result(size, ensemble):
    """Catches height and width that are taken for each other anywhere: lookup, delta, cell, skip, chunks."""
    network, lr = _network(ensemble=ensemble), torch.rand(1, 3, *SIZE) * 2 - 1
    turned = _transposed(network).upsample(lr.transpose(-1, -2), (size[1], size[0]), chunk=50)
    assert torch.allclose(turned.transpose(-1, -2), network.upsample(lr, size), atol=1e-5)


def test_the_skip_reaches_to_the_edge_without_darkening_it():
    lr = torch.full((1, 2, 4, 4), 0.7)
    ends = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [-0.999, 1.0]]], dtype=torch.float64)
    assert torch.allclose(bilinear_at(lr, ends), torch.full((1, 3, 2), 0.7))
