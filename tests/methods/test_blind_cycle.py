"""Groups 12 and 13 of the blind model's test list: the cycle loss of Eq. 6, whom it teaches, and what stays frozen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from torch.nn import functional

from bench.imaging.degrade import shrink
from bench.imaging.kernels import GaussianBlur, apply_kernel
from bench.training.export import newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.kernels import apply_kernels
from methods.blind_assr.network import BlindASSR, RepresentationNetwork
from methods.blind_assr.training.stage2 import SrConfig, SrTask, cycle_loss
from methods.blind_assr.training.target import fft_kernel
from methods.blocks.arbsr import ArbSRArchitecture
from methods.blocks.sampled import SampledConfig

TINY = BlindArchitecture(
    sr=ArbSRArchitecture(blocks=2, width=6, hidden=8, layers=1),
    encoder=(4, 5, 6),
    head=8,
    estimator=(5, 4),
    modulation=7,
)


def _textures(count: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Colour noise with the falling spectrum of photographs; uint8 (count, h, w, 3)."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, *size, 3))
    for sigma in (1, 2, 4, 8):
        images += gaussian_filter(rng.normal(0, sigma, images.shape), (0, sigma, sigma, 0)) * sigma
    images += gaussian_filter(rng.normal(0, 2, (*images.shape[:3], 1)), (0, 1, 1, 0))
    return np.clip(128 + 45 * images / images.std(), 0, 255).astype(np.uint8)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    """(B, h, w, 3) 0..255 -> (B, 3, h, w) float64 in [0, 1], rounded to 8 bit."""
    return torch.from_numpy(np.clip(np.rint(pixels), 0, 255) / 255).permute(0, 3, 1, 2).contiguous()


@pytest.fixture
def stage_one(tmp_path: Path) -> Path:
    """Weights as stage 1 leaves them, with batch statistics that are not the initial ones."""
    torch.manual_seed(2)
    network = RepresentationNetwork(TINY).train()
    for _ in range(3):
        q, p = network.simsiam(network.representation(torch.rand(6, 3, 16, 16)))
        network.estimator(q + p)
    for parameter in network.estimator.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    for layer in (network.estimator.reduce[0], network.estimator.reduce[2]):
        layer.weight.data *= 4  # so that two images have visibly different kernels
    about = {
        "format": 1,
        "method": "blind_assr",
        "architecture": TINY.model_dump(mode="json"),
        "stage": "representation",
    }
    save_file(network.state_dict(), tmp_path / "stage1.safetensors", {"assr-bench": json.dumps(about)})
    return tmp_path / "stage1.safetensors"


def _task(stage_one: Path | None, *, architecture: BlindArchitecture = TINY, **changes) -> SrTask:
    values = {
        "data": SampledConfig(lr_patch=16, queries=30, scale_max=2.5),
        "steps": 3,
        "batch": 2,
        "lr": 3e-3,
        "checkpoint_every": 50,
        "log_every": 5,
    }
    pool = ImagePool(tuple(_textures(2, (44, 50))), ("a", "b"))
    task = SrTask(SrConfig(architecture=architecture, **(values | changes)), pool)
    if stage_one is not None:
        task.follow(stage_one)
    return task


def _trained(task: SrTask, out: Path) -> dict[str, torch.Tensor]:
    make_runner(task, out).train()
    return torch.load(newest_checkpoint(out), weights_only=True)["state_dict"]


def _delta(batch: int = 1) -> torch.Tensor:
    kernel = torch.zeros(batch, 1, 21, 21, dtype=torch.float64)
    kernel[..., 10, 10] = 1
    return kernel


def test_a_perfect_image_under_no_blur_costs_nothing():
    lr = torch.rand(3, 3, 24, 17, dtype=torch.float64)
    assert float(cycle_loss(lr, _delta(3), lr)) == 0


def test_under_no_blur_it_is_the_plain_difference():
    small, lr = torch.rand(2, 2, 3, 16, 19, dtype=torch.float64)
    assert float(cycle_loss(small, _delta(2), lr)) == pytest.approx(float((small - lr).abs().mean()))


@pytest.mark.parametrize("shrinker", ["bicubic", "area"])
def test_the_true_sharp_image_and_the_kernel_of_eq_4_close_the_cycle(shrinker):
    """The oracle: a cycle that does not fall below |x_s - y| here could only punish a right answer."""
    rng = np.random.default_rng(1)
    left = []
    for image in _textures(6, (130, 130)):
        scale = rng.uniform(1.3, 2.7)
        hr = image[: round(48 * scale), : round(48 * scale)]
        sigma = rng.uniform(1.0, 3.5, 2)
        blur = GaussianBlur(size=21, sigma_1=sigma[0], sigma_2=sigma[1], theta=rng.uniform(0, 3.1))
        sharp = _tensor(shrink(hr, (48, 48), shrinker)[None])
        lr = _tensor(shrink(apply_kernel(hr, blur.kernel()), (48, 48), shrinker)[None])
        kernel = fft_kernel(sharp, lr, target="fft_joint_taper")
        left.append(float(cycle_loss(sharp, kernel, lr) / (sharp - lr).abs().mean()))
    assert max(left) < 1
    assert np.median(left) < 0.67


def test_each_image_is_blurred_by_its_own_kernel():
    """Against scipy, image by image and colour by colour; catches kernels spread over the batch in another order, a
    correlation for the convolution, and zeros beyond the border."""
    images, kernels = torch.rand(4, 3, 15, 13, dtype=torch.float64), torch.randn(4, 1, 21, 21, dtype=torch.float64)
    lr = torch.rand(4, 3, 15, 13, dtype=torch.float64)
    found = apply_kernels(images, kernels)
    for b in range(4):
        for c in range(3):
            padded = np.pad(images[b, c].numpy(), 10, mode="reflect")
            expected = convolve2d(padded, kernels[b, 0].numpy(), mode="valid")
            assert np.allclose(found[b, c].numpy(), expected, atol=1e-10)
    alone = [float(cycle_loss(images[b : b + 1], kernels[b : b + 1], lr[b : b + 1])) for b in range(4)]
    assert float(cycle_loss(images, kernels, lr)) == pytest.approx(np.mean(alone))


def test_images_and_kernels_permuted_together_change_nothing_and_apart_do():
    images, kernels = torch.rand(4, 3, 15, 15, dtype=torch.float64), torch.rand(4, 1, 21, 21, dtype=torch.float64)
    kernels = kernels / kernels.sum(dim=(-2, -1), keepdim=True)
    lr, order = apply_kernels(images, kernels), [2, 0, 3, 1]
    assert float(cycle_loss(images[order], kernels[order], lr[order])) < 1e-12
    assert float(cycle_loss(images, kernels[order], lr)) > 1e-4


def _cycle_alone(task: SrTask, network: BlindASSR) -> torch.Tensor:
    return task.losses(network, task.batch(0))["loss_cycle"]


def test_gradient_reaches_the_whole_sr_network_and_neither_e_nor_m(stage_one):
    task = _task(stage_one)
    network = task.network().train()
    _cycle_alone(task, network).backward()
    taught = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    frozen = {name for name, _ in network.named_parameters() if name.startswith(("encoder.", "estimator."))}
    assert frozen
    assert not any(p.grad is not None for name, p in network.named_parameters() if name in frozen)
    # omega turns nothing where delta is 0, and at scale 1 it is 0 everywhere
    silent = {"sr.decoder.freq.weight", "sr.decoder.freq.bias"}
    assert taught == {name for name, _ in network.named_parameters()} - frozen - silent


def test_loss_of_a_batch_is_eq_7_written_out(stage_one):
    """Catches: a lambda on the wrong term, a cycle in [-1, 1], z of the HR image, another cell at scale 1, M fed
    with another z, a kernel used upside down."""
    task = _task(stage_one, lambda_cycle=0.3)
    network, batch = task.network(), task.batch(0)
    lr = batch["lr"] = torch.rand(2, 3, 16, 16) * torch.tensor([0.02, 1.0])[:, None, None, None]  # unlike in z
    with torch.no_grad():
        found = task.losses(network.train(), batch)
        z = network.eval().representation(lr)
        kernels = network.estimator(z)
        assert (kernels - kernels.flip(-2, -1)).abs().max() > 1e-3
        assert (kernels - kernels.flip(0)).abs().max() > 1e-3
        small = network.upsample(lr, (16, 16)) / 2 + 0.5
        asked = network.sr(lr * 2 - 1, batch["coord"], batch["cell"], network.gains(z)) / 2 + 0.5
    total = 0.0
    for b in range(2):
        for c in range(3):
            padded = np.pad(small[b, c].double().numpy(), 10, mode="reflect")
            blurred = convolve2d(padded, kernels[b, 0].double().numpy(), mode="valid")
            total += np.abs(blurred - lr[b, c].numpy()).mean() / 6
    assert float(found["loss_cycle"]) == pytest.approx(0.3 * total, rel=1e-4)
    assert float(found["loss_sr"]) == pytest.approx(float((asked - batch["target"]).abs().mean()), rel=1e-4)
    assert SrConfig().lambda_cycle == 0.1


def test_clamping_concerns_both_predictions_and_is_off_by_default(stage_one):
    plain, clamped = _task(stage_one), _task(stage_one, clamp=True)
    network = plain.network()
    torch.nn.init.constant_(network.sr.decoder.imnet.layers[-1].bias, 50.0)  # white, and far beyond
    with torch.no_grad():
        losses = [each.losses(network, each.batch(0)) for each in (plain, clamped)]
    assert float(losses[0]["loss_sr"]) > 10
    assert float(losses[1]["loss_sr"]) < 1
    assert float(losses[0]["loss_cycle"]) > 1
    assert float(losses[1]["loss_cycle"]) < 0.1 * float(losses[0]["loss_cycle"])


def test_lambda_of_zero_trains_bit_for_bit_as_without_the_cycle(stage_one, tmp_path):
    without = _trained(_task(stage_one, cycle=False), tmp_path / "without")
    zero = _trained(_task(stage_one, lambda_cycle=0.0), tmp_path / "zero")
    with_cycle = _trained(_task(stage_one), tmp_path / "with")
    assert without.keys() == zero.keys()
    assert all(torch.equal(zero[name], tensor) for name, tensor in without.items())
    assert not torch.equal(with_cycle["network.sr.encoder.head.0.weight"], zero["network.sr.encoder.head.0.weight"])


def test_cycle_works_without_modulation(stage_one):
    """Table 2's "cycle only": E is still there for the kernel, and z does not touch the network."""
    task = _task(stage_one, architecture=TINY.model_copy(update={"implicit": False}))
    network = task.network().train()
    assert network.modulation is None
    _cycle_alone(task, network).backward()
    assert network.sr.encoder.head[0].weight.grad.abs().max() > 0


def test_area_ensemble_is_cycled_through_its_own_border(stage_one):
    task = _task(
        stage_one, architecture=TINY.model_copy(update={"sr": TINY.sr.model_copy(update={"ensemble": "area"})})
    )
    network, batch = task.network().eval(), task.batch(0)
    with torch.no_grad():
        small = network.upsample(batch["lr"], (16, 16)) / 2 + 0.5
        expected = cycle_loss(small, network.kernel(network.representation(batch["lr"])), batch["lr"])
        assert float(task.losses(network, batch)["loss_cycle"]) == pytest.approx(0.1 * float(expected), rel=1e-4)


@pytest.mark.parametrize("extra", [{}, {"ema": 0.9, "clip": 1.0}], ids=["plain", "averaged"])
def test_ten_steps_leave_every_tensor_of_e_and_m_as_stage_one_left_it(stage_one, tmp_path, extra):
    """Also the running statistics of batch normalisation, and also in the averaged copy."""
    state = _trained(_task(stage_one, steps=10, **extra), tmp_path / "run")
    before = {f"network.{name}": tensor for name, tensor in load_file(stage_one).items() if "simsiam" not in name}
    assert any(name.endswith("running_var") for name in before)
    assert any(name.endswith("num_batches_tracked") for name in before)
    kept = {name for name in state if name.startswith(("network.encoder.", "network.estimator."))}
    assert kept == set(before)
    assert [name for name in sorted(kept) if not torch.equal(state[name], before[name])] == []
    torch.manual_seed(0)  # as the loop does before it builds the network
    fresh = _task(stage_one).network().state_dict()
    names = ("sr.encoder.head.0.weight", "modulation.blocks.0.0.weight", "sr.decoder.coef.weight")
    assert not any(torch.equal(state[f"network.{name}"], fresh[name]) for name in names)


def test_in_the_mode_of_the_release_only_the_statistics_drift(stage_one, tmp_path):
    """So that the test above means something."""
    state = _trained(_task(stage_one, frozen_mode=False), tmp_path / "run")
    before = {f"network.{name}": tensor for name, tensor in load_file(stage_one).items() if "simsiam" not in name}
    moved = {name for name, tensor in before.items() if not torch.equal(state[name], tensor)}
    assert moved == {name for name in before if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}


def test_what_e_says_of_an_image_does_not_depend_on_the_batch_while_training(stage_one):
    network, lr = _task(stage_one).network().train(), torch.rand(4, 3, 16, 16)
    assert torch.allclose(network.representation(lr)[:1], network.representation(lr[:1]), atol=1e-6)


def test_a_patch_too_small_for_the_cycles_border_is_refused_with_the_configuration():
    """Reflecting ten pixels needs eleven; found while training it is a traceback."""
    with pytest.raises(ValueError, match="lr_patch"):
        SrConfig(architecture=TINY, data=SampledConfig(lr_patch=10, queries=30))
    SrConfig(architecture=TINY, data=SampledConfig(lr_patch=10, queries=30), cycle=False)


def test_l1_is_taken_over_all_images_alike():
    small, lr = torch.zeros(2, 3, 12, 12, dtype=torch.float64), torch.ones(2, 3, 12, 12, dtype=torch.float64)
    lr[1] = 3
    assert float(cycle_loss(small, _delta(2), lr)) == pytest.approx(float(functional.l1_loss(small, lr))) == 2
