"""What makes CasArbi's steps cheap, beside plain restatements of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture
from methods.casarbi.network import Denoiser
from methods.casarbi.unet import doubled, modulated_norm


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (4, 2)])
@torch.no_grad()
def test_doubled_equals_repeating_and_then_convolving(height, width):
    """Catches taps summed for the other phase, transposed phases, and a border that is not zero."""
    torch.manual_seed(0)
    conv, features = nn.Conv2d(3, 5, kernel_size=3, padding=1).double(), torch.randn(2, 3, height, width).double()
    repeated = conv(functional.interpolate(features, scale_factor=2.0, mode="nearest"))
    assert conv.bias is not None
    torch.testing.assert_close(doubled(features, conv.weight, conv.bias), repeated)


def test_doubled_has_the_gradients_of_repeating_and_convolving():
    """Catches a result written where no gradient flows."""
    torch.manual_seed(0)
    conv, features = nn.Conv2d(2, 3, kernel_size=3, padding=1).double(), torch.randn(1, 2, 3, 4).double()
    repeated = conv(functional.interpolate(features, scale_factor=2.0, mode="nearest"))
    assert conv.bias is not None
    made = doubled(features, conv.weight, conv.bias)
    seen = [torch.autograd.grad((each**2).sum(), list(conv.parameters())) for each in (repeated, made)]
    torch.testing.assert_close(*seen)


@pytest.mark.parametrize("batch", [1, 2])
@torch.no_grad()
def test_modulated_norm_equals_norm_then_gain_and_bias(batch):
    """Catches a bias of the norm without the gain, and the gain of one image used for another."""
    torch.manual_seed(0)
    norm, features = nn.GroupNorm(2, 6), torch.randn(batch, 6, 3, 4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    gamma, beta = torch.randn(2, batch, 6, 1, 1)
    torch.testing.assert_close(modulated_norm(norm, features, gamma, beta), norm(features) * (1 + gamma) + beta)


@torch.no_grad()
def test_shared_part_and_step_equal_one_convolution_of_everything():
    """Catches channels of the residual taken for features, a bias added twice, and a padding of the parts alone."""
    torch.manual_seed(0)
    encoder = EncoderArchitecture(width=4, blocks=1)
    denoiser = Denoiser(
        CasArbiArchitecture(lr_encoder=encoder, hr_encoder=encoder, base=8, mult=(1, 2), blocks=1, coord_adapter=False)
    )
    nn.init.normal_(denoiser.unet.out[2].weight)  # pyright: ignore[reportArgumentType]
    r, lr, hr = torch.randn(1, 3, 7, 9), torch.randn(1, 4, 7, 9), torch.randn(1, 4, 7, 9)
    t, scale = torch.tensor([2]), torch.tensor([2.0])
    shown = functional.pad(torch.cat((r, lr, hr), dim=1), (0, 1, 0, 1), mode="reflect")
    plain = denoiser.unet(denoiser.head(shown), denoiser.embedding(t, scale), None)[..., :7, :9]
    still = denoiser.still(lr, hr)
    torch.testing.assert_close(denoiser.step(r, still, t, scale), plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(denoiser(r, lr, hr, t, scale), plain, atol=1e-4, rtol=1e-4)
