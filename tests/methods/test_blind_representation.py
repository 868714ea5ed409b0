"""The degradation encoder E (test group 2) and SimSiam's loss with its stop-gradient (test group 3)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from methods.blind_assr.haar import encoder_input
from methods.blind_assr.network import RepresentationNetwork
from methods.blind_assr.representation import DegradationEncoder, SimSiamHead
from methods.blind_assr.training.contrastive import contrastive_loss, spread


def _encoder(channels: tuple[int, ...] = (64, 128, 256)) -> DegradationEncoder:
    """E with statistics of batch normalisation that are not those of a fresh one."""
    torch.manual_seed(0)
    encoder = DegradationEncoder(9, channels)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return encoder.eval()


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("size", [(48, 48), (37, 51), (300, 200), (2, 2)])
def test_z_has_256_numbers_whatever_the_size_of_the_image(size):
    """Catches a fixed pooling window, and an odd side that the transform or a stride does not take."""
    with torch.no_grad():
        z = _encoder()(encoder_input(torch.rand(2, 3, *size)))
    assert z.shape == (2, 256)
    assert bool(torch.isfinite(z).all())


def test_z_does_not_depend_on_the_other_images_of_the_batch():
    """Catches statistics of the batch in evaluation mode, and pooling over the batch."""
    encoder, images = _encoder(), torch.rand(3, 3, 40, 36)
    with torch.no_grad():
        together = encoder(encoder_input(images))
        for i in range(3):
            assert torch.allclose(encoder(encoder_input(images[i : i + 1]))[0], together[i], atol=1e-6)
    assert not torch.allclose(together[0], together[1], atol=1e-4)


def test_e_has_the_published_size_and_takes_nine_channels():
    """Catches a convolution without bias, another width, and the image itself as input."""
    encoder = RepresentationNetwork().encoder
    assert _count(encoder) == 1_150_656
    encoder.eval()
    assert encoder(torch.rand(1, 9, 24, 24)).shape == (1, 256)
    for channels in (3, 12):
        with pytest.raises(RuntimeError, match="channels"):
            encoder(torch.rand(1, channels, 24, 24))


def test_z_is_that_of_the_unit_range_bands():
    """Catches sub-bands of an image in [-1, 1], which are twice as large."""
    network = RepresentationNetwork().eval()
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.representation(image), network.encoder(encoder_input(image)))


def test_e_is_six_convolutions_of_stride_1_1_2_1_2_1():
    """Catches a stride at the wrong place, another slope, ReLU, normalisation after it, max pooling."""
    encoder = _encoder((4, 6, 8))
    tensors = [t for name, t in encoder.state_dict().items() if "num_batches" not in name]
    bands = torch.rand(2, 9, 17, 22)
    x = bands
    for layer, stride in enumerate((1, 1, 2, 1, 2, 1)):
        weight, bias, gamma, beta, mean, variance = tensors[6 * layer : 6 * layer + 6]
        x = functional.conv2d(x, weight, bias, stride=stride, padding=1)
        shape = (1, -1, 1, 1)
        x = (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + 1e-5) * gamma.view(shape) + beta.view(shape)
        x = torch.where(x > 0, x, 0.1 * x)
    with torch.no_grad():
        assert torch.allclose(encoder(bands), x.sum(dim=(-2, -1)) / (x.shape[-2] * x.shape[-1]), atol=1e-5)


def test_projector_and_head_have_the_published_shape():
    """Catches a bias before a normalisation, and a missing layer of the projector."""
    head = RepresentationNetwork().simsiam
    assert _count(head.projector) == 3 * 256 * 256 + 2 * 2 * 256
    assert _count(head.predictor) == 256 * 512 + 2 * 512 + 512 * 256 + 256


def test_q_leaves_the_projector_normalised_and_without_learned_scale():
    """Catches a projector without its last normalisation, or with an affine one."""
    torch.manual_seed(0)
    head = SimSiamHead(16, 32)
    with torch.no_grad():
        for parameter in head.projector.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 3)
        q, p = head(torch.randn(64, 16))
    assert torch.allclose(q.mean(0), torch.zeros(16), atol=1e-5)
    assert torch.allclose(q.var(0, unbiased=False), torch.ones(16), atol=1e-2)
    assert torch.allclose(p, head.predictor(q), atol=1e-5)


def _vectors(seed: int, *, count: int = 4, rows: int = 5, width: int = 7) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, width, generator=generator, dtype=torch.float64) for _ in range(count)]


def _cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    rows = [np.dot(x, y) / math.sqrt(np.dot(x, x) * np.dot(y, y)) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    return float(np.mean(rows))


def test_loss_is_half_of_each_negative_cosine():
    """Catches a sum without the half, a cosine over the whole batch, q1 paired with its own prediction."""
    q1, p1, q2, p2 = _vectors(1)
    expected = -_cosine(p1, q2) / 2 - _cosine(p2, q1) / 2
    assert float(contrastive_loss(q1, p1, q2, p2)) == pytest.approx(expected, abs=1e-12)


def test_no_gradient_takes_the_path_of_the_target():
    """Catches a missing stop-gradient on either side: with predictions that do not depend on q, q gets none."""
    q1, p1, q2, p2 = (vector.requires_grad_() for vector in _vectors(2))
    loss = contrastive_loss(q1, p1, q2, p2)
    found = torch.autograd.grad(loss, (q1, q2, p1, p2), allow_unused=True)
    for gradient in found[:2]:
        assert gradient is None or float(gradient.abs().max()) == 0
    for gradient in found[2:]:
        assert gradient is not None
        assert float(gradient.abs().max()) > 0


def test_gradient_of_q_is_that_of_its_own_prediction_alone():
    """Catches a stop-gradient on the prediction instead of the target."""
    torch.manual_seed(0)
    head = SimSiamHead(7, 12).double()
    q1, q2 = (vector.requires_grad_() for vector in _vectors(3, count=2))
    p1, p2 = head.predictor(q1), head.predictor(q2)
    got = torch.autograd.grad(contrastive_loss(q1, p1, q2, p2), (q1, q2))
    for gradient, q, other in ((got[0], q1, q2), (got[1], q2, q1)):
        alone = -functional.cosine_similarity(head.predictor(q), other.detach(), dim=-1).mean() / 2
        assert torch.allclose(gradient, torch.autograd.grad(alone, q)[0], atol=1e-12)
        assert float(gradient.abs().max()) > 0


def test_equal_crops_give_minus_the_cosine_of_prediction_and_q():
    """Catches a positive sign and a loss that is zero for equal inputs."""
    torch.manual_seed(0)
    head = SimSiamHead(7, 12).double()
    with torch.no_grad():
        q, p = head(_vectors(4, count=1)[0])
        assert float(contrastive_loss(q, p, q, p)) == pytest.approx(-_cosine(p, q), abs=1e-12)


def test_the_two_crops_may_change_places():
    """Catches a loss that predicts in one direction only."""
    torch.manual_seed(0)
    head = SimSiamHead(7, 12).double().eval()
    first, second = _vectors(5, count=2)
    with torch.no_grad():
        (q1, p1), (q2, p2) = head(first), head(second)
        forth, back = contrastive_loss(q1, p1, q2, p2), contrastive_loss(q2, p2, q1, p1)
    assert float(forth) == pytest.approx(float(back), abs=1e-12)
    assert float(contrastive_loss(q1, p1, q2, p2)) != pytest.approx(float(contrastive_loss(q1, p2, q2, p1)), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3))
def test_loss_stays_between_minus_one_and_one(seed, factor):
    """Catches a dot product without normalisation."""
    q1, p1, q2, p2 = _vectors(seed)
    value = float(contrastive_loss(q1 * factor, p1, q2, p2 * factor))
    assert -1 <= value <= 1
    assert value == pytest.approx(float(contrastive_loss(q1, p1, q2, p2)), abs=1e-9)
    assert float(contrastive_loss(q1, q2, q2, q1)) == pytest.approx(-1)
    assert float(contrastive_loss(q1, -q2 * factor, q2, -q1)) == pytest.approx(1)


def test_a_vector_of_zeros_gives_no_nan():
    """Catches a division by the norm of a dead projection."""
    q1, p1, q2, p2 = _vectors(6)
    zero = torch.zeros_like(p1, requires_grad=True)
    loss = contrastive_loss(q1, zero, q2, p2)
    loss.backward()
    assert math.isfinite(loss.item())
    assert bool(torch.isfinite(zero.grad).all())


def test_spread_is_small_after_a_collapse_and_one_over_the_root_of_the_width_before():
    """Catches a spread of the raw q, which grows with its length, and one taken along the wrong axis."""
    torch.manual_seed(0)
    q = torch.randn(2000, 256)
    assert float(spread(q)) == pytest.approx(1 / 16, rel=0.02)
    assert float(spread(30 * q)) == pytest.approx(float(spread(q)), rel=1e-4)
    assert float(spread(q[:1].expand(50, -1) * torch.rand(50, 1))) < 1e-6
