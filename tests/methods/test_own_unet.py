"""Our UNet and ControlNet beside diffusers' classes: names, fresh draws, images, gradients; and what nobody imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import nn

from bench.api import RequestError
from methods.blocks.controlnet import ControlNet
from methods.blocks.geometry import Padding, UNetArchitecture
from methods.blocks.stable_diffusion import geometry_of, own_unet
from methods.blocks.unet import Level, UNet
from tests.methods.conftest import theirs_of

SMALL = UNetArchitecture(channels=(8, 8, 16), attention=(False, True, True), heads=(1, 2, 4), groups=4, cross_dim=6)
GEOMETRIES = {
    "one level": SMALL.model_copy(update={"channels": (8,), "attention": (True,), "heads": (2,)}),
    "attention below": SMALL,
    "attention everywhere, two layers": SMALL.model_copy(update={"attention": (True, True, True), "layers": 2}),
    "attention above, linear": SMALL.model_copy(update={"attention": (True, True, False), "linear_projection": True}),
    "odd width": SMALL.model_copy(
        update={"channels": (9, 18), "attention": (False, True), "heads": (1, 3), "groups": 3}
    ),
    "lite": UNetArchitecture(),
}
PADDINGS: tuple[Padding, ...] = ("zeros", "replicate")


@pytest.fixture(params=PADDINGS)
def padding(request: pytest.FixtureRequest) -> Padding:
    return request.param


@pytest.fixture(params=GEOMETRIES.values(), ids=list(GEOMETRIES))
def pair(request: pytest.FixtureRequest, padding: Padding) -> tuple[UNet, ControlNet]:
    """A UNet and a ControlNet no tensor of which is at its start, where a wrong use of it would not show."""
    torch.manual_seed(3)
    unet = UNet(request.param, inputs=5, outputs=3, padding=padding)
    control = ControlNet(unet, channels=4, embedding=(4, 8), padding=padding)
    for parameter in (*unet.parameters(), *control.parameters()):
        nn.init.normal_(parameter, std=0.2)
    return unet, control


def _inputs(unet: UNet) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """z, t, c and an image, of two different samples."""
    draw, dtype = torch.Generator().manual_seed(1), unet.conv_in.weight.dtype
    z = torch.randn(2, 5, 8, 16, generator=draw, dtype=dtype)
    c = torch.randn(2, 3, unet.architecture.cross_dim, generator=draw, dtype=dtype)
    return z, torch.tensor([999, 20]), c, torch.rand(2, 4, 16, 32, generator=draw, dtype=dtype)


def _ours(unet: UNet, control: ControlNet) -> torch.Tensor:
    z, t, c, image = _inputs(unet)
    return unet(z, t, c, control(z, t, c, image, strength=0.7))


def _theirs(unet: UNet, control: ControlNet) -> tuple[torch.Tensor, UNet2DConditionModel, ControlNetModel]:
    z, t, c, image = _inputs(unet)
    whole, beside = theirs_of(unet), theirs_of(control)
    down, mid = beside(z, t, encoder_hidden_states=c, controlnet_cond=image, conditioning_scale=0.7, return_dict=False)
    found = whole(z, t, c, down_block_additional_residuals=tuple(down), mid_block_additional_residual=mid).sample
    return found, whole, beside


def _close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert float(expected.abs().max()) > 1e-3
    assert float((found - expected).abs().max()) <= 1e-6 * float(expected.abs().max())


def test_tensors_have_diffusers_names_shapes_and_order(pair):
    """Order is that of an optimiser's state. Catches a renamed, missing, further or transposed tensor, with which
    published weights and half-done trainings would no longer load."""
    for network in pair:
        theirs = theirs_of(network)  # strict
        assert [(n, p.shape) for n, p in network.state_dict().items()] == [
            (n, p.shape) for n, p in theirs.state_dict().items()
        ]
        assert [n for n, _ in network.named_parameters()] == [n for n, _ in theirs.named_parameters()]


def test_fresh_tensors_are_diffusers_draws():
    """Catches layers that are made in another order or initialised by another rule, and output convolutions that do not
    begin at zero: a training from scratch would begin elsewhere."""
    torch.manual_seed(0)
    unet = UNet(SMALL, inputs=5, outputs=3, padding="zeros")
    control = ControlNet(unet, channels=4, embedding=(4, 8), padding="zeros")
    after = torch.get_rng_state()
    torch.manual_seed(0)
    theirs = UNet2DConditionModel(
        in_channels=5,
        out_channels=3,
        block_out_channels=SMALL.channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=6,
        attention_head_dim=(1, 2, 4),
        norm_num_groups=4,
    )
    beside = ControlNetModel.from_unet(theirs, conditioning_channels=4, conditioning_embedding_out_channels=(4, 8))
    assert torch.equal(after, torch.get_rng_state())
    for ours, other in ((unet, theirs), (control, beside)):
        tensors = other.state_dict()
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in ours.state_dict().items())
    assert not any(parameter.any() for parameter in control.controlnet_down_blocks.parameters())


def test_images_are_diffusers(pair):
    """Catches another eps, GELU, order of cosines and sines, scale of attention, split of the gate, and a timestep of
    one sample that is used for all."""
    with torch.no_grad():
        _close(_ours(*pair), _theirs(*pair)[0])


def test_a_step_is_a_number_too(pair):
    """Catches an integer that is embedded otherwise than a tensor."""
    z, _, c, _ = _inputs(pair[0])
    with torch.no_grad():
        _close(pair[0](z, 7, c), theirs_of(pair[0])(z, 7, c).sample)


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_diffusers(pair, recompute):
    """With and without recomputed activations. Catches a layer whose gradients are cut, and a recomputed one that is
    another function."""
    unet, control = (network.double() for network in pair)  # in float32 some are as small as what is rounded
    expected, whole, beside = _theirs(unet, control)
    expected.square().mean().backward()
    if recompute:
        unet.enable_gradient_checkpointing()
        control.enable_gradient_checkpointing()
        assert all(each.gradient_checkpointing for each in unet.modules() if isinstance(each, Level))
    _ours(unet, control).square().mean().backward()
    for ours, theirs in ((unet, whole), (control, beside)):
        gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
        for name, parameter in ours.named_parameters():
            gradient = gradients[name]
            assert parameter.grad is not None
            assert gradient is not None
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-9 * float(gradient.abs().max()))


def test_recomputing_keeps_less():
    """Catches a switch that is set and never heard."""
    kept = {}
    for recompute in (False, True):
        torch.manual_seed(0)
        unet = UNet(SMALL, inputs=5, outputs=3, padding="zeros")
        if recompute:
            unet.enable_gradient_checkpointing()
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, sizes=sizes: (sizes.append(tensor.numel()), tensor)[1], lambda tensor: tensor
        ):
            z, t, c, _ = _inputs(unet)
            unet(z, t, c)
        kept[recompute] = sum(sizes)
    assert kept[True] < 0.6 * kept[False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_another_dtype_is_computed_throughout(dtype):
    """Catches timestep features that stay in float32."""
    unet = UNet(SMALL, inputs=5, outputs=3, padding="zeros").to(dtype)
    z, t, c, _ = _inputs(unet)
    assert unet(z, t, c).dtype == dtype


def test_a_published_unet_shares_its_tensors_and_comes_in_float32(published):
    """Catches a second copy of 3.5 GB, half precision that stays, and a network left on the meta device."""
    theirs = UNet2DConditionModel.from_pretrained(published.sd / "unet").half().eval()
    unet = own_unet(theirs)
    assert not unet.training
    assert {parameter.dtype for parameter in unet.parameters()} == {torch.float32}
    assert unet.conv_in.weight.data_ptr() == theirs.conv_in.weight.data_ptr()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"norm_eps": 1e-6}, "norm_eps"),
        ({"act_fn": "gelu"}, "act_fn"),
        ({"flip_sin_to_cos": False}, "flip_sin_to_cos"),
        ({"freq_shift": 1}, "freq_shift"),
        ({"transformer_layers_per_block": 2}, "transformer_layers_per_block"),
        ({"mid_block_scale_factor": 2}, "mid_block_scale_factor"),
        ({"num_class_embeds": 3}, "num_class_embeds"),
        ({"mid_block_type": "UNetMidBlock2D"}, "UNetMidBlock2D"),
        ({"layers_per_block": (1, 2)}, "different depth"),
    ],
)
def test_a_unet_that_computes_something_else_is_refused(changes, named):
    """Most of these have the same tensors. Catches one that loads and is silently computed as Stable Diffusion's."""
    said = {"block_out_channels": (8, 8), "norm_num_groups": 4, "cross_attention_dim": 4, "attention_head_dim": 2}
    kinds = {"down_block_types": ("CrossAttnDownBlock2D",) * 2, "up_block_types": ("CrossAttnUpBlock2D",) * 2}
    with pytest.raises(RequestError, match=named):
        geometry_of(UNet2DConditionModel(**(said | kinds | changes)))


@pytest.mark.parametrize("name", ["casr", "cassr"])
def test_the_first_image_needs_torch_and_little_else(name, tmp_path):
    """All that `bench run` has imported when the loaded method is handed its first image. Catches an import that costs
    every run several times what torch costs, packages of the full size that lite does not need, and tables and
    downloads that are got ready before there is anything to show or to fetch."""
    code = (
        "import sys\n"
        "from bench.cli.app import main\n"
        "from bench.engine.inference import Runner\n"
        "def stop(*_, **__):\n"
        "    print('loaded', *sys.modules, flush=True)\n"
        "    raise KeyboardInterrupt\n"
        "Runner.infer = stop\n"
        f"sys.argv[1:] = ['run', '--methods', {name!r}, '--scales', '4', '--limit', '1', '--metrics', 'psnr',"
        f" '--device', 'cpu', '--workers', '0', '--out', {str(tmp_path / 'out')!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded ")]
    packages = {module.partition(".")[0] for module in line.split()}
    assert {"torch", "safetensors"} <= packages
    full_size = {"diffusers", "transformers", "peft", "accelerate", "torchvision"}
    later = {"pandas", "matplotlib", "jinja2", "requests", "pooch", "pyiqa", "lpips", "mmengine", "skimage"}
    assert not packages & (full_size | later)
