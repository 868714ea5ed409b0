"""Group 15 of the blind model's test list, at the smallest size at which it means something: both stages learn.

Stage 2 must fit sixteen patches better than bicubic does; stage 1 must tell degradations apart on images and
degradations that it has not seen, and estimate their kernels better than by their mean.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from bench.imaging.resize import imresize_u8
from bench.training.degraded import DegradedConfig
from bench.training.images import ImagePool
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.network import RepresentationNetwork
from methods.blind_assr.training.stage1 import RepresentationConfig, RepresentationTask
from methods.blind_assr.training.stage2 import SrConfig, SrTask
from methods.blocks.arbsr import ArbSRArchitecture
from methods.blocks.sampled import SampledConfig

SMALL = BlindArchitecture(
    sr=ArbSRArchitecture(blocks=4, width=16, hidden=32, layers=2),
    encoder=(12, 16, 24),
    head=48,
    estimator=(16, 6),
    modulation=8,
)


def _pool(seed: int, count: int = 6, side: int = 144) -> ImagePool:
    """Overlapping shapes with edges, and texture at every scale."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = []
    for _ in range(count):
        image = np.ones((side, side, 3)) * rng.uniform(60, 190, 3)
        for _ in range(40):
            angle, where, half = rng.uniform(0, np.pi), rng.uniform(0, side, 2), rng.uniform(3, 20, 2)
            along = (x - where[0]) * np.cos(angle) + (y - where[1]) * np.sin(angle)
            across = (y - where[1]) * np.cos(angle) - (x - where[0]) * np.sin(angle)
            image[(abs(along) < half[0]) & (abs(across) < half[1])] = rng.uniform(0, 255, 3)
        image += 12 * sum(gaussian_filter(rng.normal(0, s, (side, side, 3)), (s, s, 0)) for s in (0.5, 1, 2))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return ImagePool(tuple(images), tuple(map(str, range(count))))


def _psnr(seen: torch.Tensor, wanted: torch.Tensor) -> float:
    return -10 * math.log10(float(((seen - wanted) ** 2).mean()))


def _bicubic(lr: torch.Tensor, coord: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
    """The bicubic enlargement of an LR patch at sampled pixels; (Q, 3) in [0, 1]."""
    height, width = (round(float(2 / side)) for side in cell)
    image = imresize_u8((lr.permute(1, 2, 0) * 255).round().byte().numpy(), (height, width))
    row, column = (((coord[:, axis] + 1) * side - 1) / 2 for axis, side in ((0, height), (1, width)))
    return torch.from_numpy(image)[row.round().long(), column.round().long()].float() / 255


@pytest.mark.slow
def test_stage_two_fits_sixteen_patches_a_decibel_better_than_bicubic(tmp_path: Path):
    torch.manual_seed(0)
    about = {"method": "blind_assr", "architecture": SMALL.model_dump(mode="json")}
    stage_one = tmp_path / "stage1.safetensors"
    save_file(RepresentationNetwork(SMALL).state_dict(), stage_one, {"assr-bench": json.dumps(about)})
    data = SampledConfig(lr_patch=16, queries=256, scale_min=1.5, scale_max=4.0)
    task = SrTask(SrConfig(architecture=SMALL, data=data, batch=4), _pool(0))
    task.follow(stage_one)
    network = task.network().train()
    batches = [task.batch(step) for step in range(4)]
    steps = 300
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        optimiser.zero_grad()
        sum(task.losses(network, batches[step % 4]).values()).backward()
        optimiser.step()
        schedule.step()
    ours, bicubic = [], []
    with torch.no_grad():
        for batch in batches:
            gains = network.eval().gains(network.representation(batch["lr"]))
            found = network.sr(batch["lr"] * 2 - 1, batch["coord"], batch["cell"], gains) / 2 + 0.5
            for i, target in enumerate(batch["target"]):
                ours.append(_psnr(found[i].clamp(0, 1), target))
                bicubic.append(_psnr(_bicubic(batch["lr"][i], batch["coord"][i], batch["cell"][i]), target))
    assert len(ours) == 16
    assert 12 < np.mean(bicubic) < 40
    assert np.mean(ours) >= np.mean(bicubic) + 1


@pytest.mark.slow
def test_stage_one_tells_degradations_apart_and_estimates_their_kernels():
    torch.manual_seed(0)
    data = DegradedConfig(lr_patch=32, scale_max=2.0)
    config = RepresentationConfig(architecture=SMALL, data=data, kl_target="analytic", batch=16)
    task = RepresentationTask(config, _pool(0))
    network = task.network().train()
    batches = [task.batch(step) for step in range(60)]
    steps = 300
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        optimiser.zero_grad()
        found = task.losses(network, batches[step % len(batches)])
        (found["loss_kernel"] + found["loss_contrastive"]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    unseen = RepresentationTask(config, _pool(1))
    held_out = [unseen.batch(step) for step in range(1000, 1004)]
    first, second, kernel = (torch.cat([batch[key] for batch in held_out]) for key in ("first", "second", "kernel"))
    with torch.no_grad():
        network.eval()
        z1, z2 = (functional.normalize(network.representation(each), dim=-1) for each in (first, second))
        estimated = network.estimator(network.representation(first))
    similarity = z1 @ z2.T
    within = float(similarity.diagonal().mean())
    across = float((similarity.sum() - similarity.diagonal().sum()) / (similarity.numel() - len(similarity)))
    assert within > across + 0.25 * (1 - across)
    mean = torch.cat([batch["kernel"] for batch in batches]).mean(dim=0, keepdim=True)
    assert float((estimated - kernel).abs().mean()) < 0.92 * float((mean - kernel).abs().mean())
