"""Group 16 of the blind model's test list: exact sizes, tiles that change nothing, published parameter counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bench.api import sr_size
from bench.training.config import read_config
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.info import BLIND_ASSR
from methods.blind_assr.network import BlindASSR, RepresentationNetwork
from methods.blind_assr.training.stage1 import RepresentationConfig, RepresentationTask
from methods.blind_assr.training.stage2 import SrConfig
from methods.blocks.arbsr import ArbSR, ArbSRArchitecture
from methods.blocks.render import plan_parts
from methods.lte.info import LTE
from methods.lte.training.task import LteTask, LteTrainConfig

TINY = ArbSRArchitecture(blocks=2, width=5, hidden=8, layers=1)
BLIND = BlindArchitecture(sr=TINY, encoder=(4, 5, 6), head=8, estimator=(5, 4), modulation=7)


def _spans_cover(spans: list[tuple[int, int]], length: int) -> bool:
    """Whether spans follow each other from 0 to the length without a gap, an overlap or an empty one."""
    ends = [0, *(last for _, last in spans)]
    return [first for first, _ in spans] == ends[:-1] and ends[-1] == length and all(a < b for a, b in spans)


def _needed(pixel: int, lr: int, out: int, reach: int) -> tuple[int, int]:
    """First and last LR pixel that an output pixel depends on, clipped to the image, in whole-number arithmetic."""
    below = ((2 * pixel + 1) * lr - out) // (2 * out)  # floor((pixel + 1/2) lr / out - 1/2)
    first, last = (min(max(each, 0), lr - 1) for each in (below, below + 1))
    return max(first - reach, 0), min(last + reach, lr - 1)


def test_parts_cover_ten_thousand_random_outputs_once_and_see_all_they_need():
    """Catches rounding at the seams, a tile without output at scales below 1, a window one neighbour too small."""
    rng = np.random.default_rng(0)
    for _ in range(10_000):
        lr = (int(rng.integers(1, 400)), int(rng.integers(1, 400)))
        scale = float(rng.choice([rng.uniform(0.2, 1), rng.uniform(1, 4), rng.uniform(4, 30), 2.0, 3.5]))
        size = sr_size(lr, scale)
        if rng.random() < 0.5:  # anisotropic
            size = (size[0], round(lr[1] * rng.uniform(0.2, 9)))
        size = (max(size[0], 1), max(size[1], 1))
        tile, reach = int(rng.integers(max(lr) // 4 + 1, max(lr) + 2)), int(rng.integers(0, 40))
        parts = list(plan_parts(lr, size, tile=tile, reach=reach))
        rows, columns = sorted({part.rows for part in parts}), sorted({part.columns for part in parts})
        assert _spans_cover(rows, size[0])
        assert _spans_cover(columns, size[1])
        assert {(part.rows, part.columns) for part in parts} == {(r, c) for r in rows for c in columns}
        assert len(parts) == len(rows) * len(columns)
        for part in parts:
            for axis, span, first, count in (
                (0, part.rows, part.seen.top, part.seen.height),
                (1, part.columns, part.seen.left, part.seen.width),
            ):
                low, high = (
                    _needed(span[0], lr[axis], size[axis], reach),
                    _needed(span[1] - 1, lr[axis], size[axis], reach),
                )
                assert 0 <= first <= low[0]
                assert high[1] < first + count <= lr[axis]


def test_windows_are_no_larger_than_tile_halo_and_neighbour():
    """The memory is what tiles are for."""
    for part in plan_parts((500, 300), (1111, 900), tile=64, reach=35):
        assert part.seen.height <= 64 + 2 * 36
        assert part.seen.width <= 64 + 2 * 36


def test_no_tile_is_one_part_and_a_tile_of_nothing_is_refused():
    (part,) = plan_parts((9, 8), (20, 31), tile=None, reach=3)
    assert (part.rows, part.columns) == ((0, 20), (0, 31))
    assert (part.seen.top, part.seen.left, part.seen.height, part.seen.width) == (0, 0, 9, 8)
    with pytest.raises(ValueError, match="tile"):
        list(plan_parts((9, 8), (20, 31), tile=0, reach=3))


def test_real_network_gives_exactly_the_size_asked_for():
    rng = np.random.default_rng(1)
    torch.manual_seed(0)
    network = BlindASSR(BLIND).eval()
    with torch.inference_mode():
        for _ in range(25):
            lr = torch.rand(1, 3, int(rng.integers(2, 14)), int(rng.integers(2, 14)))
            size = tuple(max(1, round(side * rng.uniform(0.3, 5))) for side in lr.shape[-2:])
            tile = int(rng.integers(3, 16)) if rng.random() < 0.5 else None
            image = network.upsample(lr, size, tile=tile, chunk=int(rng.integers(20, 4000)))
            assert image.shape == (1, 3, *size)
            assert torch.isfinite(image).all()


def _loud(network: nn.Module) -> nn.Module:
    """Weights so large that a pixel at the end of the receptive field is felt; in float64, so that only it is."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if not name.startswith(("encoder.layers", "estimator")):
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return network.double().eval()


SHAPES = [
    ((13, 17), (26, 51)),
    ((13, 17), (30, 29)),
    ((17, 11), (9, 8)),
    ((16, 15), (16, 15)),
    ((12, 19), (70, 7)),
    ((5, 30), (1, 41)),
]


@pytest.mark.parametrize("lr_size, size", SHAPES)  # noqa: PT006
@pytest.mark.parametrize("inr, ensemble", [("lte", "axis"), ("lte", "area"), ("lte", "nearest"), ("liif", "axis")])  # noqa: PT006
def test_tiles_give_the_image_of_one_pass(lr_size, size, inr, ensemble):
    """Catches: a halo one pixel short, coordinates or cells of the tile, a neighbour across the seam, the padding of a
    window's border where the image goes on."""
    network = _loud(ArbSR(TINY.model_copy(update={"inr": inr, "ensemble": ensemble})))
    lr = torch.rand(2, 3, *lr_size, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        whole = network.upsample(lr, size)
        for tile in (3, 7, 64):
            assert (network.upsample(lr, size, tile=tile, chunk=500) - whole).abs().max() < 1e-8 * whole.abs().max()


def test_tiles_agree_to_float_rounding_in_single_precision():
    torch.manual_seed(0)
    network, lr = ArbSR(TINY).eval(), torch.rand(1, 3, 30, 41) * 2 - 1
    with torch.inference_mode():
        assert (network.upsample(lr, (77, 131), tile=8) - network.upsample(lr, (77, 131))).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(55, 36), (14, 60), (9, 11)])
def test_tiles_of_the_blind_network_share_the_z_of_the_whole_image(size):
    """The left half is flat, the right half noise: a z of each tile would be another one."""
    network = _loud(BlindASSR(BLIND))
    lr = torch.rand(1, 3, 22, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    lr[..., :9] = 0.5
    with torch.inference_mode():
        z = network.representation(lr)
        assert (network.representation(lr[..., :9]) - z).abs().max() > 1e-3
        whole = network.upsample(lr, size)
        local = network.sr.upsample(lr * 2 - 1, size, gains=network.gains(network.representation(lr[..., :9])))
        assert (local - whole).abs().max() > 1e-4 * whole.abs().max()
        for tile in (3, 5, 9, 40):
            assert (network.upsample(lr, size, tile=tile) - whole).abs().max() < 1e-8 * whole.abs().max()


def test_cell_and_gains_reach_every_tile():
    network = _loud(ArbSR(TINY))
    lr = torch.rand(2, 3, 11, 14, dtype=torch.float64) * 2 - 1
    gains = [torch.rand(2, TINY.width, dtype=torch.float64) for _ in range(TINY.blocks)]
    cell = torch.tensor([[0.3, 0.1], [0.02, 0.5]], dtype=torch.float64)
    with torch.inference_mode():
        whole = network.upsample(lr, (25, 20), gains=gains, cell=cell)
        assert torch.allclose(network.upsample(lr, (25, 20), gains=gains, cell=cell, tile=4), whole, rtol=1e-8)
        assert not torch.allclose(network.upsample(lr, (25, 20), gains=gains), whole)
        assert not torch.allclose(network.upsample(lr, (25, 20), cell=cell), whole)


@pytest.mark.parametrize("inr", ["lte", "liif"])
def test_reach_is_the_receptive_field_and_no_more(inr):
    """One pixel is changed; the table changes up to exactly `reach` pixels away."""
    network = _loud(ArbSR(TINY.model_copy(update={"inr": inr})))
    lr = torch.rand(1, 3, 41, 1, dtype=torch.float64).expand(-1, -1, -1, 41).clone()
    other = lr.clone()
    other[..., 20, 20] += 0.5
    with torch.inference_mode():
        changed = (network.prepare(other).table - network.prepare(lr).table).abs().amax(-1).reshape(41, 41) > 0
    reach = network.encoder.reach + network.decoder.reach
    rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
    assert (int(rows.min()), int(rows.max())) == (int(columns.min()), int(columns.max())) == (20 - reach, 20 + reach)


def test_reach_of_the_papers_network_is_thirty_five():
    network = ArbSR()
    assert network.encoder.reach + network.decoder.reach == 1 + 32 + 1 + 1


# parameters


def _count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def _configured(name: str) -> BlindArchitecture:
    sections = ("representation", "sr")
    path = RepresentationTask.configs / f"{name}.yaml"
    first = read_config(RepresentationConfig, path, section="representation", sections=sections)
    second = read_config(SrConfig, path, section="sr", sections=sections)
    assert first.architecture == second.architecture
    return first.architecture


FULL = {
    "E": 1.151e6,
    "projector": 0.198e6,
    "G": 0.263e6,
    "M": 0.021e6,
    "EDSR": 1.220e6,
    "modulation": 0.330e6,
    "LTE": 0.494e6,
    "SR": 2.044e6,
    "inference": 3.195e6,
    "trained": 3.677e6,
}
LITE = {
    "E": 0.206e6,
    "projector": 0.028e6,
    "G": 0.037e6,
    "M": 0.004e6,
    "SR": 0.299e6,
    "inference": 0.505e6,
    "trained": 0.575e6,
}


@pytest.mark.parametrize(("name", "published"), [("full", FULL), ("lite", LITE)])
def test_parameter_counts_are_those_of_the_specification(name, published):
    architecture = _configured(name)
    first, second = RepresentationNetwork(architecture), BlindASSR(architecture)
    sr = _count(second.sr, second.modulation)
    seen = {
        "E": _count(first.encoder),
        "projector": _count(first.simsiam.projector),
        "G": _count(first.simsiam.predictor),
        "M": _count(first.estimator),
        "EDSR": _count(second.sr.encoder),
        "modulation": _count(second.modulation),
        "LTE": _count(second.sr.decoder),
        "SR": sr,
        "inference": _count(second.encoder) + sr,
        "trained": _count(first) + sr,
    }
    for part, count in published.items():
        # the figures are rounded to a thousand, which is more than 1 % of the small parts
        assert seen[part] == pytest.approx(count, rel=0.01, abs=500), part


def test_counts_that_are_known_exactly_are_exact():
    network = RepresentationNetwork(_configured("full"))
    assert _count(network.encoder) == 1_150_656
    assert _count(network.estimator) == 20_820
    assert (
        _configured("full")
        == BlindArchitecture()
        == _configured("release").model_copy(update={"sr": ArbSRArchitecture()})
    )


def test_registered_counts_are_those_of_the_lite_networks():
    lite = read_config(LteTrainConfig, LteTask.configs / "lite.yaml")
    assert _count(ArbSR(lite.architecture)) == LTE.info.parameters
    assert _count(BlindASSR(_configured("lite"))) == BLIND_ASSR.info.parameters


def test_full_lte_is_the_shared_baseline_of_the_full_blind_model():
    full = read_config(LteTrainConfig, LteTask.configs / "full.yaml")
    assert full.architecture.model_dump() == _configured("full").sr.model_dump()
    lite = read_config(LteTrainConfig, LteTask.configs / "lite.yaml")
    assert lite.architecture.model_dump() == _configured("lite").sr.model_dump()
