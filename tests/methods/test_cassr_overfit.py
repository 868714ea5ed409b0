"""Group 14 of CasSR's list at the smallest size at which it means something: four crops are learnt by heart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bench.training.images import ImagePool
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.training.diffusion import DiffusionConfig, DiffusionTask
from methods.cassr.training.pairs import PairConfig
from methods.cassr.training.restorer import enlarged

SIDE, CROPS, REPEATS, STEPS, RATE = 32, 4, 2, 350, 4e-3


def _drawn(seed: int) -> np.ndarray:
    """Overlapping shapes whose edges a reduction by four loses."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIDE + 8, : SIDE + 8]
    image = np.ones((*y.shape, 3)) * rng.uniform(60, 190, 3)
    for _ in range(20):
        angle, where, half = rng.uniform(0, np.pi), rng.uniform(0, len(y), 2), rng.uniform(1, 5, 2)
        along = (x - where[0]) * np.cos(angle) + (y - where[1]) * np.sin(angle)
        across = (y - where[1]) * np.cos(angle) - (x - where[0]) * np.sin(angle)
        image[(abs(along) < half[0]) & (abs(across) < half[1])] = rng.uniform(0, 255, 3)
    return image.astype(np.uint8)


def _psnr(image: torch.Tensor, hr: torch.Tensor) -> float:
    return -10 * math.log10(float((image - hr).square().mean()))


@pytest.mark.slow
def test_four_crops_are_learnt_by_heart():
    """The loss falls to less than a fifth, and what is sampled under the control of LR alone beats bicubic by far.

    Catches a ControlNet that is not heard, a step that the network is not told, a target of another latent than the
    sampler's, and a sampler that undoes it all.
    """
    torch.manual_seed(0)
    architecture = CassrArchitecture.model_validate(
        {
            "unet": {"channels": [32, 48], "attention": [False, True], "heads": [4, 6], "groups": 4, "cross_dim": 8},
            "control_embedding": [8, 16, 32],
            "decoder": [32, 32, 16],
            "mam": {"layers": [0, 1], "head_dim": 8},
            "csc": None,
            "restorer": None,
        }
    )
    data = PairConfig(crop=SIDE, scale_min=4, scale_max=4, clean_share=1)
    pool = ImagePool(tuple(_drawn(seed) for seed in range(CROPS)), ("drawn",) * CROPS)
    config = DiffusionConfig(architecture=architecture, iam="lr", data=data, batch=CROPS, drop_text=0)
    task = DiffusionTask(config, pool)
    fixed = _each_image_once(task)
    many = {name: each.repeat(REPEATS, 1, 1, 1) for name, each in fixed.items()}
    # every crop is drawn with as many steps and noises at once
    noises = DiffusionTask(config.model_copy(update={"batch": REPEATS * CROPS}), pool)
    network = task.network().train()
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=RATE)
    losses = []
    for step in range(STEPS):
        fall = 0.02 + 0.98 * math.cos(math.pi / 2 * step / STEPS) ** 2
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 20) * fall
        optimiser.zero_grad()
        loss = task.losses(network, noises.batch(step) | many)["loss_noise"]
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-40:]) / 40 < sum(losses[:10]) / 10 / 5
    network.eval()
    network.settings = replace(network.settings, smallest=SIDE)
    sampled = network.upscale(fixed["lr"], (SIDE, SIDE), list(range(CROPS)))
    bicubic = enlarged(fixed["lr"], fixed["hr"])
    for image, blurred, hr in zip(sampled, bicubic, fixed["hr"], strict=True):
        assert _psnr(image, hr) > _psnr(blurred, hr) + 2


def _each_image_once(task: DiffusionTask) -> dict[str, torch.Tensor]:
    """hr and lr of one crop of every image."""
    whole = task.pool
    pairs = []
    for image in whole.images:
        task.pool = ImagePool((image,), ("drawn",))
        batch = task.batch(0)
        pairs.append((batch["hr"][:1], batch["lr"][:1]))
    task.pool = whole
    hr, lr = zip(*pairs, strict=True)
    return {"hr": torch.cat(hr), "lr": torch.cat(lr)}
