"""The weights of CasArbi that are shipped: the card's own, flat on nothing, sharper than what they refine."""

from __future__ import annotations

import json

import pytest
import torch

from bench.metrics.lpips_metric import LPIPS
from bench.metrics.lr_psnr import LRPSNR
from methods.casarbi.info import CASARBI as SPEC
from methods.casarbi.info import CasArbiOptions
from methods.casarbi.method import CasArbiMethod, load_network
from methods.liif.info import LIIF as PRIOR
from methods.liif.method import LIIF
from methods.liif.method import load_network as load_liif

PATH = SPEC.weights["lite"]


def _loaded(**options) -> CasArbiMethod:
    method = CasArbiMethod(CasArbiOptions(**options))
    method.load(PATH, torch.device("cpu"), torch.float32)
    return method


def test_the_card_counts_the_parameters():
    card = json.loads(PATH.with_suffix(".json").read_text())
    network = load_network(PATH)
    assert sum(p.numel() for p in network.parameters()) == SPEC.info.parameters
    assert card["parameters"] == SPEC.info.parameters  # without the buffer `gain`, which the file stores too


def test_its_prior_is_the_shipped_liif():
    """Catches a training that moved the frozen network, or one around another LIIF than the row beside it."""
    mine, shipped = load_network(PATH).prior.state_dict(), load_liif(PRIOR.weights["lite"]).state_dict()
    assert mine.keys() == shipped.keys()
    assert all(torch.equal(mine[name], shipped[name]) for name in shipped)


def test_a_flat_image_stays_nearly_flat():
    colour = torch.tensor([0.2, 0.5, 0.8])[:, None, None]
    image = _loaded().upscale(colour.expand(3, 24, 24), (60, 60), seed=0).image
    inner = image[:, 15:-15, 15:-15]
    assert (inner - colour).abs().max() < 0.06
    assert (inner.mean(dim=(1, 2)) - colour[:, 0, 0]).abs().max() < 0.01


@pytest.mark.reference
@pytest.mark.slow
def test_lpips_is_lower_than_that_of_bicubic_and_of_its_prior_and_guidance_raises_lr_psnr(butterfly, reference_root):
    """The butterfly of Set5 at x4. Catches weights, seeds or guidance that have stopped meaning anything."""
    seen = butterfly(4, "basicsr-y")
    liif = LIIF()
    liif.load(PRIOR.weights["lite"], torch.device("cpu"), torch.float32)
    pairs = {"bicubic": seen.scored(seen.bicubic)}
    for name, method in {"liif": liif, "casarbi": _loaded(), "off": _loaded(scg="off")}.items():
        pairs[name] = seen.scored(method.upscale(seen.lr, seen.pair.size, seed=0).image)
    metric = LPIPS(reference_root / "weights" / "torch_home")
    found = {name: metric.compute(each) for name, each in pairs.items()}
    assert found["casarbi"] < 0.9 * found["liif"] < 0.9 * found["bicubic"]
    assert LRPSNR().compute(pairs["casarbi"]) > LRPSNR().compute(pairs["off"]) + 0.5
