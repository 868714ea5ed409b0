"""The weights of CASR that are shipped: the card's own, honest about what trained them, better than bicubic."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bench.api import get_protocol
from bench.data import prepare
from bench.data.embedded import SampleDataset
from bench.engine.inference import as_tensor
from bench.metrics.download import obtain
from bench.metrics.lpips_files import ALEX
from bench.metrics.lpips_metric import LPIPS
from bench.metrics.lpips_network import load_network as load_alex
from methods.casr.info import CASR as SPEC
from methods.casr.info import CasrOptions
from methods.casr.method import CasrMethod, load_network
from methods.casr.training.superpixels import superpixel_figures

PATH = SPEC.weights["lite"]


def _loaded(**options) -> CasrMethod:
    method = CasrMethod(CasrOptions(**options))
    method.load(PATH, torch.device("cpu"), torch.float32)
    return method


def test_the_card_counts_the_parameters_of_the_last_stage():
    card = json.loads(PATH.with_suffix(".json").read_text())
    network, notes = load_network(PATH)
    assert notes == ()
    assert sum(each.numel() for each in network.parameters()) == SPEC.info.parameters == card["parameters"]
    assert card["stage"] == "sarm"


def test_the_card_says_that_it_was_trained_by_a_metric_that_is_reported():
    """Catches weights that were trained by LPIPS (AlexNet) and are compared by it without a word."""
    card = json.loads(PATH.with_suffix(".json").read_text())
    assert card["config"]["loss"]["perceptual"] == "lpips-alex"
    assert "LPIPS (AlexNet)" in card["note"]
    assert "LPIPS (AlexNet)" in (PATH.parents[1] / "README.md").read_text()


def test_its_parts_have_learned_something():
    """Catches a stage that was left at its initialisation: zero output layers, cells as they are."""
    network, _ = load_network(PATH)
    for part in (network.unet.conv_out, network.sarm.self_attention.to_out, network.sarm.cross_attention.to_out):
        assert part.weight.abs().max() > 1e-4
    assert network.controlnet.controlnet_mid_block.weight.abs().max() > 1e-4
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    disc = (((y - 33) ** 2 + (x - 30) ** 2) < 400).float() * 0.6 + 0.2
    image = disc.expand(1, 3, -1, -1).contiguous()
    assert network.ssam.ssn is not None
    with torch.no_grad():
        found = superpixel_figures(image, network.ssam.ssn(image), network.ssam.architecture.cell)
    assert found["superpixel_psnr"] > found["cell_psnr"] + 3


@pytest.mark.parametrize("level", [0.25, 0.5, 0.8])
@pytest.mark.parametrize(("cycles", "scale"), [(1, 4), (2, 8), (3, 18)])
def test_grey_in_grey_out(level, cycles, scale):
    """Root mean square around the grey, at most half an 8-bit step. Catches weights that paint a lattice on nothing, as
    the first ones did: 3.6 steps after one cycle, 6.9 after three."""
    found = _loaded().upscale(torch.full((3, 16, 16), level), (16 * scale, 16 * scale), seed=0)
    assert len(found.stages) == cycles
    assert (found.image - level).square().mean().sqrt() <= 0.5 / 255


def test_a_colour_keeps_its_hue_and_stays_flat_through_three_cycles():
    """Three channels of unlike value: catches a fault that grey hides, a channel that leaks into another."""
    colour = torch.tensor([0.2, 0.5, 0.8])[:, None, None]
    image = _loaded().upscale(colour.expand(3, 16, 16), (288, 288), seed=0).image
    assert (image.mean(dim=(1, 2)) - colour[:, 0, 0]).abs().max() < 0.005
    assert image.std(dim=(1, 2)).max() < 0.005


@pytest.mark.reference
@pytest.mark.slow
def test_lpips_does_not_hang_on_where_the_window_begins(reference_root):
    """LPIPS (AlexNet) of the sample photographs at x4, windows that begin at 0..3 pixels: each of the sixteen is within
    2 % of their mean (bicubic: 1.4 %). Catches a network that paints where AlexNet's stride does not look: the first
    one had 0.175 where LR pixels begin and 0.204 on average elsewhere."""
    alex = load_alex(ALEX, obtain(ALEX.backbone, reference_root / "weights" / "torch_home"))
    method, found = _loaded(), np.zeros((4, 4))
    for sample in SampleDataset().samples(4.0):
        pair = prepare(sample, 4.0, get_protocol("sample"))
        assert pair.lr is not None
        assert pair.hr is not None
        height, width = pair.size
        image = method.upscale(as_tensor(pair.lr), pair.size, seed=0).image.clamp(0, 1)
        shown = (image * 255).round().byte().permute(1, 2, 0).numpy()
        for y, x in np.ndindex(4, 4):
            window = slice(y, y + height - 3), slice(x, x + width - 3)
            ours, theirs = (alex.features(np.ascontiguousarray(each[window])) for each in (shown, pair.hr))
            found[y, x] += alex.distance(ours, theirs, (height - 3, width - 3))
    off = found / found.mean() - 1
    assert np.abs(off).max() <= 0.02
    assert off[0, 0] >= -0.01


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.parametrize("scale", [4, 8])
def test_lpips_is_lower_than_that_of_bicubic(butterfly, reference_root, scale):
    """The butterfly of Set5. Catches weights that have stopped meaning anything, and images in another range."""
    seen = butterfly(scale, "casr")
    metric = LPIPS(reference_root / "weights" / "torch_home")
    own = metric.compute(seen.scored(_loaded().upscale(seen.lr, seen.pair.size, seed=0).image))
    assert own < 0.8 * metric.compute(seen.scored(seen.bicubic))
