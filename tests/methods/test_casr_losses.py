"""What CASR minimises. Groups 8 and 9 of its test list, the reconstruction terms, the critics and what they see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import convolve
from torch import nn

from bench.api import RequestError
from methods.casr.semantics import SamSemantics
from methods.casr.ssam import DepthAnything, ProxyDepth
from methods.casr.training.losses.augment import augmented, coloured, cut_out, translated
from methods.casr.training.losses.correlation import (
    autocorrelation,
    autocorrelation_loss,
    gram,
    gram_loss,
    patch_tokens,
)
from methods.casr.training.losses.depth import depth_loss, normalised
from methods.casr.training.losses.gan import (
    REAL,
    Blur,
    DinoFeatures,
    PatchCritic,
    VisionAidedCritic,
    adversarial_loss,
)
from methods.casr.training.losses.objective import LossConfig, build_critic
from methods.casr.training.losses.reconstruction import laplacian_charbonnier, perceptual_distance


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# group 8: self-similarity


def test_gram_is_symmetric_with_a_diagonal_of_one():
    found = gram(_random(2, 12, 5))
    torch.testing.assert_close(found, found.transpose(1, 2), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.diagonal(dim1=1, dim2=2), torch.ones(2, 12, dtype=torch.float64))


def test_raw_gram_is_divided_by_the_width_of_the_tokens():
    tokens = _random(1, 7, 5)
    torch.testing.assert_close(gram(tokens, "raw")[0], (tokens[0] @ tokens[0].T) / 5)


@pytest.mark.parametrize("norm", ["l2", "raw"])
def test_similarity_is_blind_to_a_common_order_only(norm):
    """Catches a loss on the tokens themselves, and one that sorts or averages the similarities."""
    tokens, order = _random(1, 20, 6), torch.randperm(20, generator=torch.Generator().manual_seed(1))
    other = tokens + 0.1 * _random(1, 20, 6, seed=2)
    assert float(gram_loss(tokens, tokens, norm=norm)) == 0
    assert float(gram_loss(tokens[:, order], tokens, norm=norm)) > 1e-3
    apart, shuffled = (gram_loss(a, b, norm=norm) for a, b in ((tokens, other), (tokens[:, order], other[:, order])))
    torch.testing.assert_close(apart, shuffled)


@pytest.mark.parametrize("chunk", [1, 7, 20, 64])
def test_chunks_are_the_dense_loss_and_its_gradient(chunk):
    """Catches a last chunk left out, a mean of unequal chunks, a mean over tokens instead of pairs."""
    tokens, truth = _random(2, 20, 6), _random(2, 20, 6, seed=1)
    ours, dense = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    found = gram_loss(ours, truth, chunk=chunk)
    unit = [each / each.norm(dim=-1, keepdim=True) for each in (dense, truth)]
    wanted = ((unit[0] @ unit[0].transpose(1, 2) - unit[1] @ unit[1].transpose(1, 2)) ** 2).mean()
    torch.testing.assert_close(found, wanted)
    found.backward()
    wanted.backward()
    torch.testing.assert_close(ours.grad, dense.grad)


def test_flat_patches_have_bounded_gradients():
    """The direction of a patch without contrast is noise; following it would drown every other gradient."""
    image = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    gram_loss(
        patch_tokens(image + 1e-6 * _random(1, 3, 16, 16).float()), patch_tokens(torch.rand(1, 3, 16, 16))
    ).backward()
    assert bool(torch.isfinite(image.grad).all())
    assert float(image.grad.abs().max()) < 10


def test_patch_tokens_are_the_patches_without_their_means():
    image = _random(1, 3, 17, 26)
    tokens = patch_tokens(image)
    assert tokens.shape == (1, 2 * 3, 3 * 64)
    patch = image[0, :, 8:16, 16:24]  # second row, third column
    torch.testing.assert_close(tokens[0, 5], (patch - patch.mean()).flatten())


def _brute_force(plane: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    return np.array([[(plane * np.roll(plane, (-y, -x), (0, 1))).sum() for x in range(width)] for y in range(height)])


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-4, 4, width=32)))
def test_autocorrelation_is_the_circular_sum(plane):
    """Odd and even sides: catches a half spectrum that is unfolded to the wrong width."""
    found = autocorrelation(torch.from_numpy(plane)).numpy()
    np.testing.assert_allclose(found, np.fft.ifft2(np.abs(np.fft.fft2(plane)) ** 2).real, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found, _brute_force(plane), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found[0, 0], (plane**2).sum(), rtol=0, atol=1e-10)


def test_autocorrelation_loss_looks_at_the_central_lags_of_normalised_maps():
    image, truth = _random(1, 2, 80, 70) + 1, _random(1, 2, 80, 70, seed=1) + 1
    maps = [autocorrelation(each) for each in (image, truth)]
    central = [
        torch.stack([torch.stack([each[..., y % 80, x % 70] for x in range(-32, 32)], -1) for y in range(-32, 32)], -2)
        / each[..., :1, :1]
        for each in maps
    ]
    torch.testing.assert_close(autocorrelation_loss(image, truth), ((central[0] - central[1]) ** 2).mean())
    torch.testing.assert_close(autocorrelation_loss(3 * image, truth), autocorrelation_loss(image, truth))
    assert float(autocorrelation_loss(image, image.roll((3, 5), (-2, -1)))) < 1e-20


def test_sam_tokens_carry_gradients_to_the_image_and_none_to_sam(published):
    from transformers import SamModel

    sam = SamSemantics(SamModel.from_pretrained(str(published.sam)).vision_encoder.float(), grid=2)
    image = torch.rand(1, 3, 32, 48).mul(2).sub(1).requires_grad_()
    tokens = sam.tokens(image)
    gram_loss(tokens, torch.rand_like(tokens)).backward()
    assert float(image.grad.abs().max()) > 0
    assert all(parameter.grad is None for parameter in sam.parameters())
    # what SARM is given is an average of the same tokens
    rows, columns = -(-round(32 * sam.side / 48) // sam.patch), sam.side // sam.patch
    assert tokens.shape[1] == rows * columns
    grid = tokens.transpose(1, 2).unflatten(2, (rows, columns))
    torch.testing.assert_close(
        nn.functional.adaptive_avg_pool2d(grid, 2).flatten(2).transpose(1, 2), sam(image), rtol=1e-4, atol=1e-5
    )


# group 9: depth


@pytest.mark.parametrize("norm", ["minmax", "ssi"])
def test_depth_has_neither_scale_nor_shift(norm):
    maps, truth = _random(3, 1, 8, 9), torch.rand(3, 3, 8, 9, dtype=torch.float64)
    scale, shift = torch.tensor([0.1, 1.0, 30.0]), torch.tensor([-5.0, 0.0, 100.0])
    moved = scale[:, None, None, None] * maps + shift[:, None, None, None]
    torch.testing.assert_close(normalised(moved, norm), normalised(maps, norm))

    def depth(image: torch.Tensor) -> torch.Tensor:
        return maps if image is truth else moved

    assert float(depth_loss(torch.rand_like(truth), truth, depth, norm=norm)) < 1e-20
    assert float(depth_loss(torch.rand_like(truth), truth, lambda x: x if x is truth else -x, norm=norm)) > 0.01


def test_ssi_is_median_and_mean_absolute_deviation():
    plane = _random(1, 1, 5, 5)  # an odd number, so that the median is a value
    wanted = plane - np.median(plane)
    torch.testing.assert_close(normalised(plane, "ssi"), wanted / wanted.abs().mean())


def test_constant_depth_is_finite():
    for norm in ("minmax", "ssi"):
        depth = torch.full((1, 1, 4, 4), 3.0, requires_grad=True)
        normalised(depth, norm).square().sum().backward()
        assert bool(torch.isfinite(depth.grad).all())


@pytest.mark.parametrize("kind", ["proxy", "depth-anything"])
def test_depth_gradient_reaches_the_image_alone(published, kind):
    """Catches a network under no_grad, and one that is trained along."""
    depth = ProxyDepth() if kind == "proxy" else DepthAnything(published.depth)
    image, truth = torch.rand(1, 3, 32, 40, requires_grad=True), torch.rand(1, 3, 32, 40, requires_grad=True)
    depth_loss(image, truth, depth).backward()
    assert float(image.grad.abs().max()) > 0
    assert truth.grad is None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in depth.parameters())


# reconstruction


def test_pyramid_distance_is_per_image_and_sees_every_band():
    truth = torch.rand(3, 3, 32, 40)
    fine, coarse = torch.zeros_like(truth), torch.zeros_like(truth)
    fine[..., ::2] = 0.2
    coarse[..., :20] = 0.2
    assert laplacian_charbonnier(truth, truth).tolist() == [0, 0, 0]
    for off in (fine, coarse, torch.full_like(truth, 0.2)):
        found = laplacian_charbonnier(truth + off * torch.tensor([0.0, 1.0, 2.0])[:, None, None, None], truth)
        assert found[0] == 0
        assert 0.01 < found[1] < found[2]
    assert laplacian_charbonnier(truth[..., :1, :3], truth[..., :1, :3] + 1).shape == (3,)


def test_missing_weights_of_the_perceptual_term_are_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("ASSR_BENCH_DOWNLOAD", "0")
    with pytest.raises(RequestError, match=r"vgg16-397923af\.pth.*loss\.perceptual=.*laplacian"):
        perceptual_distance("lpips-vgg")


# adversarial


@pytest.mark.parametrize("wanted", [0.0, REAL])
def test_adversarial_loss_is_cross_entropy_averaged_per_level_and_summed(wanted):
    """Catches levels weighted by their size, and labels that are smoothed on the wrong side."""
    levels = [_random(2, 1, 4, 4), _random(2, 1, seed=1)]
    probability = [1 / (1 + np.exp(-level.numpy())) for level in levels]
    by_hand = sum(-(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean() for p in probability)
    assert float(adversarial_loss(levels, wanted)) == pytest.approx(float(by_hand))
    assert REAL == 0.8


def test_patch_critic_is_the_small_network_of_the_specification_and_lipschitz():
    torch.manual_seed(0)
    critic = PatchCritic().train()
    convolutions = [module for module in critic.modules() if isinstance(module, nn.Conv2d)]
    assert [module.out_channels for module in convolutions] == [32, 64, 128, 128, 1]
    images = torch.rand(2, 3, 64, 80)
    for _ in range(20):  # power iteration
        (scores,) = critic(images, torch.Generator())
    assert scores.shape == (2, 1, 8, 10)
    for module in convolutions:
        assert float(torch.linalg.matrix_norm(module.weight.detach().flatten(1), ord=2)) == pytest.approx(1, rel=0.05)


def test_blur_is_the_binomial_filter_with_zeros_around():
    image = _random(1, 2, 6, 7)
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    wanted = np.stack([convolve(plane, taps, mode="constant") for plane in image[0].numpy()])
    blur = Blur(2).double()
    np.testing.assert_allclose(blur(image)[0].numpy(), wanted, atol=1e-12)
    assert Blur(2, extra=1).double()(image).shape == (1, 2, 8, 9)
    assert not blur.state_dict()


@pytest.fixture(scope="module")
def dino(tmp_path_factory) -> str:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("dino")
    config = ViTConfig(
        hidden_size=12, num_hidden_layers=9, num_attention_heads=2, intermediate_size=16, image_size=56, patch_size=4
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(path)
    return str(path)


def test_dino_features_are_the_normalised_outputs_of_the_fourth_and_eighth_last_and_the_last_layer(dino):
    """Catches counting the embeddings as a layer, a missing final normalisation, a transposed map, another input."""
    from transformers import ViTModel

    images = torch.rand(2, 3, 112, 84) * 2 - 1
    found = DinoFeatures(dino)(images)
    vit = ViTModel.from_pretrained(dino, add_pooling_layer=False).eval()
    outputs: list[torch.Tensor] = []
    for layer in vit.layers if hasattr(vit, "layers") else vit.encoder.layer:
        layer.register_forward_hook(lambda *said: outputs.append(said[2][0] if isinstance(said[2], tuple) else said[2]))
    # area: the mean over the pixels that a target pixel covers
    small = nn.functional.adaptive_avg_pool2d((images + 1) / 2, 56)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.48145466, 0.4578275, 0.40821073), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        vit((small - mean) / std)
        wanted = [vit.layernorm(outputs[index]) for index in (1, 5, 8)]
    for level, plain in zip(found[:2], wanted[:2], strict=True):
        assert level.shape == (2, 12, 14, 14)
        torch.testing.assert_close(level[:, :, 3, 5], plain[:, 1 + 3 * 14 + 5], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[2], wanted[2][:, 0], rtol=1e-4, atol=1e-5)


def test_vision_aided_critic_trains_and_stores_its_heads_alone(dino):
    torch.manual_seed(0)
    critic = VisionAidedCritic(DinoFeatures(dino), width=6)
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    scores = critic(images, torch.Generator().manual_seed(0))
    assert [level.shape for level in scores] == [(2, 1, 4, 4), (2, 1, 4, 4), (2, 1)]
    adversarial_loss(scores, REAL).backward()
    assert float(images.grad.abs().max()) > 0
    assert all(float(parameter.grad.abs().max()) > 0 for parameter in critic.parameters())
    features = critic._features[0]
    assert all(parameter.grad is None for parameter in features.parameters())
    assert not features.vit.training
    assert not [name for name in critic.state_dict() if "vit" in name or "feature" in name]
    critic.double()  # the frozen network moves along
    assert critic(images.double(), torch.Generator())[0].dtype == torch.float64


def test_augmentation_is_the_generators_and_differentiable():
    images = torch.rand(4, 3, 24, 32, requires_grad=True)
    once, again, other = (augmented(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.shape == images.shape
    once.sum().backward()
    assert bool(torch.isfinite(images.grad).all())
    assert float(images.grad.abs().max()) > 0


def test_translation_moves_by_up_to_an_eighth_and_cutout_zeroes_up_to_half():
    """Catches one draw for the whole batch, swapped axes, and borders that are repeated."""
    image = torch.arange(1.0, 1 + 24 * 40).reshape(1, 1, 24, 40)
    moved = translated(image.expand(64, -1, -1, -1), torch.Generator().manual_seed(0))
    seen = set()
    for each in moved:
        by = [
            (y, x)
            for y in range(-3, 4)
            for x in range(-5, 6)
            if torch.equal(
                each[:, max(y, 0) : 24 + min(y, 0), max(x, 0) : 40 + min(x, 0)],
                image[0, :, max(-y, 0) : 24 + min(-y, 0), max(-x, 0) : 40 + min(-x, 0)],
            )
        ]
        assert len(by) == 1
        y, x = by[0]
        assert int((each == 0).sum()) == 24 * 40 - (24 - abs(y)) * (40 - abs(x))
        seen |= set(by)
    assert {y for y, _ in seen} == set(range(-3, 4))
    assert {x for _, x in seen} == set(range(-5, 6))
    cut = cut_out(image.expand(200, -1, -1, -1), torch.Generator().manual_seed(0))
    zeros = [each[0] == 0 for each in cut]
    assert max(int(each.sum()) for each in zeros) == 12 * 20
    for each in zeros:
        rows, columns = each.any(1), each.any(0)
        assert int(each.sum()) == int(rows.sum()) * int(columns.sum())  # a rectangle
        assert 6 <= int(rows.sum()) <= 12
        assert 10 <= int(columns.sum()) <= 20


def test_colours_keep_grey_grey_and_shift_each_image_on_its_own():
    grey = torch.full((50, 3, 4, 4), 0.25)
    found = coloured(grey, torch.Generator().manual_seed(0))
    shifts = found[:, 0, 0, 0] - 0.25
    torch.testing.assert_close(found, (0.25 + shifts)[:, None, None, None].expand_as(found))
    assert -0.5 <= float(shifts.min()) < -0.3
    assert 0.3 < float(shifts.max()) <= 0.5


def test_critics_are_built_as_the_configuration_says(dino, tmp_path):
    assert build_critic(LossConfig(gan=0, dino=str(tmp_path / "nowhere"))) is None
    assert isinstance(build_critic(LossConfig(critic="patch")), PatchCritic)
    assert isinstance(build_critic(LossConfig(dino=dino)), VisionAidedCritic)
    with pytest.raises(RequestError, match="dino-vitb16"):
        build_critic(LossConfig(dino=str(tmp_path / "nowhere")))
