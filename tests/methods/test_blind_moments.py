"""The width and direction of kernels: second moments, the layer that says them beside M, and the figure of the log."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bench.imaging.kernels import GaussianBlur
from bench.training.images import ImagePool
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.kernels import second_moments
from methods.blind_assr.network import RepresentationNetwork
from methods.blind_assr.training.stage1 import RepresentationConfig, RepresentationTask, kernel_figures
from methods.blind_assr.training.target import hr_kernel
from methods.blocks.arbsr import ArbSRArchitecture

TINY = {
    "sr": ArbSRArchitecture(blocks=2, width=5, hidden=8, layers=1),
    "encoder": (4, 5, 6),
    "head": 8,
    "estimator": (5, 4),
}


def _kernel(angle: float, major: float = 2.5, minor: float = 1.2) -> torch.Tensor:
    return hr_kernel(GaussianBlur(size=21, sigma_1=major, sigma_2=minor, theta=angle))[None]


def test_one_tap_counts_by_its_distance_from_the_centre():
    """Catches rows taken for columns, a centre that is one off, and a moment that is not about the centre."""
    kernel = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    kernel[0, 0, 10 + 1, 10 + 3] = 1
    assert second_moments(kernel).tolist() == [[(9 + 1) / 2, (9 - 1) / 2, 3]]


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.5])
def test_moments_of_a_gaussian_are_its_covariance(angle: float):
    mean, difference, cross = second_moments(_kernel(angle))[0].tolist()
    assert mean == pytest.approx((2.5**2 + 1.2**2) / 2, rel=0.02)
    along = (2.5**2 - 1.2**2) / 2
    assert difference == pytest.approx(along * math.cos(2 * angle), abs=0.05 * along)
    assert cross == pytest.approx(along * math.sin(2 * angle), abs=0.05 * along)


def test_direction_is_one_for_the_truth_none_for_round_kernels_and_negative_a_quarter_turn_off():
    angles = [0.1, 0.9, 1.7, 2.6]
    target = torch.cat([_kernel(angle) for angle in angles]).float()
    image = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def seen(kernels: torch.Tensor) -> float:
        return kernel_figures(kernels, target, image, image)["kernel_direction"]

    assert seen(target) == pytest.approx(1, abs=1e-5)
    assert seen(torch.cat([_kernel(0, 2, 2)] * 4).float()) == pytest.approx(0, abs=1e-3)
    turned = torch.cat([_kernel(angle + math.pi / 2) for angle in angles]).float()
    assert seen(turned) == pytest.approx(-1, abs=1e-2)


def _task(*, moments: bool, weight: float = 1.0) -> RepresentationTask:
    image = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    config = RepresentationConfig(
        architecture=BlindArchitecture(**TINY, moments=moments),
        kl_target="analytic",
        batch=4,
        moment_loss_weight=weight,
    )
    return RepresentationTask(config, ImagePool((image,), ("noise",)))


def test_the_layer_is_trained_only_where_it_is_asked_for():
    """Catches a paper configuration that got the aid, and an aid whose gradient stops before E."""
    plain, aided = _task(moments=False), _task(moments=True, weight=3.0)
    assert not [name for name, _ in plain.network().named_parameters() if name.startswith("moments")]
    torch.manual_seed(0)
    network = aided.network()
    assert isinstance(network, RepresentationNetwork)
    assert "loss_moments" not in plain.losses(plain.network(), plain.batch(0))
    batch = aided.batch(0)
    loss = aided.losses(network, batch)["loss_moments"]
    assert network.moments is not None
    count = batch["first"].shape[0]
    z = network.representation(torch.cat((batch["first"], batch["second"])))[:count]
    wrong = (network.moments(z) - second_moments(batch["kernel"])).abs().mean()
    assert loss.item() == pytest.approx(3 * wrong.item(), rel=1e-4)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.moments.parameters())
    assert sum(float(p.grad.abs().sum()) for p in network.encoder.parameters() if p.grad is not None) > 0
    assert all(p.grad is None for p in network.estimator.parameters())
