"""Group 15 of CasArbi's list at the smallest size at which it means something: the diffusion learns eight images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from bench.training.images import ImagePool
from methods.blocks.resample import resample
from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture, ScheduleArchitecture
from methods.casarbi.cascade import Sampling, sample_stage
from methods.casarbi.network import CasArbi
from methods.casarbi.training.pairs import StageConfig
from methods.casarbi.training.task import CasArbiTask, CasArbiTrainConfig
from methods.liif.architecture import LiifArchitecture

SIDE, SOURCE, COUNT, STEPS = 12, 64, 8, 500


def _images() -> list[np.ndarray]:
    """Overlapping shapes with edges, and some texture."""
    rng = np.random.default_rng(0)
    side = SOURCE
    y, x = np.mgrid[:side, :side]
    images = []
    for _ in range(COUNT):
        image = np.ones((side, side, 3)) * rng.uniform(60, 190, 3)
        for _ in range(30):
            angle, where, half = rng.uniform(0, np.pi), rng.uniform(0, side, 2), rng.uniform(2, 8, 2)
            along = (x - where[0]) * np.cos(angle) + (y - where[1]) * np.sin(angle)
            across = (y - where[1]) * np.cos(angle) - (x - where[0]) * np.sin(angle)
            image[(abs(along) < half[0]) & (abs(across) < half[1])] = rng.uniform(0, 255, 3)
        image += 12 * gaussian_filter(rng.normal(0, 1, (side, side, 3)), (1, 1, 0))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


def _psnr(image: torch.Tensor, wanted: torch.Tensor) -> float:
    """Of images in [-1, 1]."""
    return -10 * math.log10(float(((image - wanted) ** 2).mean()) / 4)


def _network() -> CasArbi:
    """The prior is the bilinear image: a LIIF that adds it to nothing."""
    network = CasArbi(
        CasArbiArchitecture(
            prior=LiifArchitecture(blocks=0, width=1, hidden=(1,), skip="bilinear"),
            lr_encoder=EncoderArchitecture(width=8, blocks=1),
            hr_encoder=EncoderArchitecture(width=8, blocks=0),
            base=8,
            mult=(1, 2),
            blocks=1,
            octaves=4,
            schedule=ScheduleArchitecture(steps=4, m=0.2),
        )
    )
    for parameter in network.prior.parameters():
        nn.init.zeros_(parameter)
    return network


@pytest.mark.slow
def test_crops_of_eight_images_are_learnt_in_five_hundred_steps():
    """Catches a loss against the wrong residual, a step that the network is not told, a sampler that undoes it all.

    From one step's noise the prediction must beat the prior's image by a decibel, and the whole chain, from l0 and
    noise, the bicubic image, which is better than the prior's. With crops instead of eight fixed images the network
    cannot learn them by heart, so it must listen to r_t: at t = 1 that holds most of the answer.
    """
    torch.manual_seed(0)
    config = CasArbiTrainConfig(batch=COUNT, aug=False, data=StageConfig(sides=(SIDE,), p_fix=1, reduce=(1,)))
    task = CasArbiTask(config, ImagePool(tuple(_images()), ("drawn",) * COUNT))
    sources = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in task.pool.images]) / 127.5 - 1
    x0 = sources[..., 20:44, 20:44]
    y = resample(x0, (SIDE, SIDE))
    size = (2 * SIDE, 2 * SIDE)
    network = _network().train()
    u = network.anchor(y, size)
    network.gain.fill_(1 / float((x0 - u).std()))
    torch.testing.assert_close(
        u, nn.functional.interpolate(y, size, mode="bilinear", align_corners=False).clamp(-1, 1), atol=1e-6, rtol=0
    )
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=3e-3)
    draw = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (0.02 + 0.98 * math.cos(math.pi / 2 * step / STEPS) ** 2)
        corners = torch.randint(0, SOURCE - size[0] + 1, (COUNT, 2), generator=draw).tolist()
        crops = torch.stack(
            [
                image[:, top : top + size[0], left : left + size[1]]
                for image, (top, left) in zip(sources, corners, strict=True)
            ]
        )
        crops = crops.flip(-1) if step % 2 else crops
        batch = {
            "x0": crops,
            "y": resample(crops, (SIDE, SIDE)),
            "t": torch.randint(1, 5, (COUNT,), generator=draw),
            "noise": torch.randn(x0.shape, generator=draw),
            "aug": torch.zeros_like(y),
        }
        optimiser.zero_grad()
        task.losses(network, batch)["loss_l1"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    network.eval()
    with torch.no_grad():
        t = torch.ones(COUNT, dtype=torch.int64)
        noise = torch.randn(x0.shape, generator=draw)
        r = network.shift.q_sample(network.residual(x0, u), network.lr_residual(y, u), t, noise)
        once = network.image(task.predicted(network, y, u, r, t), u)
    whole = sample_stage(network, y, size, None, generator=draw, sampling=Sampling(scg="off"))
    bicubic = resample(y, size).clamp(-1, 1)
    found = {name: _psnr(image, x0) for name, image in (("u", u), ("once", once), ("bicubic", bicubic), ("all", whole))}
    assert found["bicubic"] > found["u"]
    assert found["once"] >= found["u"] + 1, found
    assert found["all"] >= found["bicubic"], found
    assert found["once"] >= found["all"] + 3, found
