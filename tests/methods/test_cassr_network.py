"""CasSR's network at one step (groups 1 to 5 and 9 of its list): zero-initialisation, sharing, wiring, counts."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from methods import cassr
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.stable_diffusion import blank_vae
from methods.blocks.unet import UNet
from methods.cassr.architecture import CassrArchitecture, CscArchitecture, MamArchitecture
from methods.cassr.control import control_maps
from methods.cassr.decoder import decode, decoder_shape
from methods.cassr.denoiser import Denoiser, Parts
from methods.cassr.network import Cassr
from tests.methods.conftest import theirs_of

SMALL = UNetArchitecture(channels=(8, 8, 16), attention=(False, True, True), heads=(1, 2, 4), groups=4, cross_dim=6)
TINY = CassrArchitecture(
    codec="unshuffle",
    anchor="none",
    padding="zeros",
    prediction="epsilon",
    factor=2,
    unet=SMALL,
    control_embedding=(4, 8),
    mam=MamArchitecture(layers=(0, 1, 2, 3), head_dim=4),
    csc=CscArchitecture(stem=(4, 8)),
    restorer=None,
)


def _network(architecture: CassrArchitecture = TINY, *, alive: bool = False) -> Cassr:
    """A base that paints something; alive: adapters that do something too."""
    torch.manual_seed(0)
    network = Cassr(architecture)
    for part in (network.unet, network.text, *((network.controlnet, network.mam, network.csc) if alive else ())):
        for parameter in part.parameters():
            nn.init.normal_(parameter, std=0.2)
    return network.eval()


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, ...]:
    """z, c, the enlarged LR image and a reference."""
    torch.manual_seed(1)
    return torch.randn(2, 12, 16, 8), torch.randn(2, 1, 6), torch.rand(2, 3, 32, 16), torch.rand(2, 3, 32, 16)


# --- 1: nothing at first ---


def test_a_fresh_network_is_its_base_exactly(batch):
    """At any step, whatever it is shown. Catches an adapter that begins with something."""
    network, (z, c, image, ref) = _network(), batch
    with torch.no_grad():
        for t in (0, 411, 999):
            base = network.unet(z, t, c)
            assert torch.equal(base, theirs_of(network.unet)(z, t, c).sample)
            assert float(base.abs().max()) > 1e-2
            assert torch.equal(network.predict(z, t, c, *network.encode_controls(z, t, c, image, ref)), base)
            assert torch.equal(network.predict_scedit(z, t, c, image), base)


@pytest.mark.parametrize("linear", [False, True])
def test_the_decoder_written_out_is_diffusers(linear, batch):
    """Operation for operation, with either projection. Catches a residual or a norm in another place."""
    z, c, _, _ = batch
    torch.manual_seed(2)
    unet = UNet(SMALL.model_copy(update={"linear_projection": linear}), inputs=12, outputs=12, padding="zeros").eval()
    with torch.no_grad():
        found = decode(unet, *unet.down_mid(z, 7, c), c)
        assert torch.equal(found, unet(z, 7, c))
        assert torch.equal(found, theirs_of(unet)(z, 7, c).sample)


def test_the_controlnet_written_out_is_diffusers(batch):
    network, (z, c, image, _) = _network(alive=True), batch
    with torch.no_grad():
        maps = control_maps(network.controlnet, z, 30, c, image, "post_zero")
        theirs = theirs_of(network.controlnet)
        down, mid = theirs(z, 30, encoder_hidden_states=c, controlnet_cond=image, return_dict=False)
        assert all(torch.equal(one, other) for one, other in zip(maps.down, down, strict=True))
        assert torch.equal(maps.mid, mid)
        assert maps.keys == maps.down
        before = control_maps(network.controlnet, z, 30, c, image, "pre_zero").keys
    for zero, key, after in zip(network.controlnet.controlnet_down_blocks, before, maps.down, strict=True):
        assert torch.equal(zero(key), after)


@pytest.mark.parametrize("stage", ["control", "csc"])
def test_one_step_of_the_optimiser_makes_a_difference(stage, batch):
    """Catches adapters whose gradients are cut off, or that are not used."""
    network, (z, c, image, ref) = _network(), batch
    network.architecture = TINY.model_copy(update={"codec": "vae"})  # a prior that is kept
    parameters = network.trainable_parameters(stage)
    optimiser = torch.optim.SGD(parameters, lr=1.0)

    def predicted() -> torch.Tensor:
        if stage == "csc":
            return network.predict_scedit(z, 500, c, image)
        return network.predict(z, 500, c, *network.encode_controls(z, 500, c, image, ref))

    before = predicted()
    (before - torch.randn_like(before)).square().mean().backward()
    optimiser.step()
    assert not torch.equal(predicted(), before)


# --- 2, 4: attention ---


def test_without_the_residual_a_fresh_network_differs(batch):
    """Eq. 1 and 2 as they are printed. Catches a switch that is ignored, at building and at running."""
    z, c, image, ref = batch
    printed = TINY.model_copy(update={"mam": TINY.mam.model_copy(update={"residual": False})})
    network, other = _network(), _network(printed)
    with torch.no_grad():
        base = network.unet(z, 9, c)
        assert not torch.allclose(other.predict(z, 9, c, *other.encode_controls(z, 9, c, image, ref)), base, atol=1e-3)
        network.settings = replace(network.settings, mam=replace(network.settings.mam, residual=False))
        found = network.predict(z, 9, c, *network.encode_controls(z, 9, c, image, ref))
        assert not torch.allclose(found, base, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "value"), [("features", "post_zero"), ("order", "outer"), ("ref", False), ("lr", False)]
)
def test_every_switch_of_the_attention_is_heard(batch, name, value):
    network, (z, c, image, ref) = _network(alive=True), batch

    def predicted() -> torch.Tensor:
        with torch.no_grad():
            return network.predict(z, 9, c, *network.encode_controls(z, 9, c, image, ref))

    before = predicted()
    network.settings = replace(network.settings, mam=replace(network.settings.mam, **{name: value}))
    assert not torch.allclose(predicted(), before, atol=1e-4)


def test_each_attention_sees_its_own_image(batch):
    """L' in place of L changes what LR attention gives and not what reference attention gives, and the other way round.
    Catches keys and values that are taken from the wrong image."""
    network, (z, c, image, ref) = _network(alive=True), batch
    heard: dict[str, torch.Tensor] = {}
    layer = network.mam.at(0)
    layer.ref.k.register_forward_hook(lambda _m, inputs, _out: heard.update(ref=inputs[0].clone()))
    layer.lr.k.register_forward_hook(lambda _m, inputs, _out: heard.update(lr=inputs[0].clone()))
    with torch.no_grad():
        first, second = network.encode_controls(z, 9, c, image, ref)
        third, _ = network.encode_controls(z, 9, c, torch.rand_like(image), ref)
        network.predict(z, 9, c, first, second)
        kept = dict(heard)
        network.predict(z, 9, c, third, second)
        assert torch.equal(heard["ref"], kept["ref"])
        assert not torch.equal(heard["lr"], kept["lr"])
        network.predict(z, 9, c, first, third)
        assert torch.equal(heard["lr"], kept["lr"])
        assert not torch.equal(heard["ref"], kept["ref"])


def test_without_lr_attention_and_without_l_the_lr_image_has_no_say(batch):
    """Catches a hidden path of the LR image beside skips, attention and start."""
    network, (z, c, image, ref) = _network(alive=True), batch
    network.settings = replace(network.settings, mam=replace(network.settings.mam, lr=False))

    def predicted(shown: torch.Tensor) -> torch.Tensor:
        lr, r = network.encode_controls(z, 9, c, shown, ref)
        nothing = lr._replace(down=tuple(each * 0 for each in lr.down), mid=lr.mid * 0)
        return network.predict(z, 9, c, nothing, r)

    with torch.no_grad():
        assert torch.equal(predicted(image), predicted(image.flip(-1)))


# --- 3: one ControlNet ---


def test_one_controlnet_reads_both_images(batch):
    """Catches a second ControlNet, and L and R that are mixed up."""
    network, (z, c, image, ref) = _network(alive=True), batch
    names = [name for name, _ in network.named_modules() if name.endswith("controlnet_mid_block")]
    assert names == ["controlnet.controlnet_mid_block"]
    with torch.no_grad():
        lr, r = network.encode_controls(z, 9, c, image, ref)
        swapped = network.encode_controls(z, 9, c, ref, image)
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(lr.keys, swapped[1].keys, strict=True))
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(r.down, swapped[0].down, strict=True))
        assert not torch.allclose(lr.mid, r.mid, atol=1e-3)
        same = network.encode_controls(z, 9, c, image, image)
    assert all(torch.equal(one, other) for one, other in zip(same[0].keys, same[1].keys, strict=True))


# --- 4, 5: the full size on the meta device ---


def _full(**changes) -> Denoiser:
    said = CassrArchitecture.full()
    said = said.model_copy(update={"csc": said.csc.model_copy(update=changes)})
    with torch.device("meta"):
        text = nn.Module()
        unet = UNet(said.unet, inputs=4, outputs=4, padding="zeros")
        return Cassr(said, Parts(unet=unet, vae=blank_vae(), text=text))


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.slow
def test_parameters_are_the_specifications():
    """ControlNet, CSC-Tuner with both kernels, MAM, and what is trained: 408.9 M."""
    network = _full()
    assert _count(network.controlnet) == 361_279_120
    assert _count(network.mam) == 47_576_960
    assert _count(network.csc) == 28_824_400
    assert sum(parameter.numel() for parameter in network.trainable_parameters("control")) == 408_856_080
    assert sum(parameter.numel() for parameter in network.trainable_parameters("csc")) == 28_824_400
    assert _count(_full(kernel=3).csc) == 99_111_760


@pytest.mark.slow
@pytest.mark.parametrize("size", [(512, 512), (512, 768)])
def test_keys_of_every_decoder_layer_have_its_size(size):
    """Widths 1280, 1280, 640, 640, 640, 320, 320, 320, 320 at a layer's own resolution. Catches skips that are counted
    from the wrong end."""
    network = _full()
    _, keys, _, _ = decoder_shape(network.unet)
    assert keys[3:] == [1280, 1280, 640, 640, 640, 320, 320, 320, 320]
    height, width = size
    with torch.device("meta"):
        z, c, image = (
            torch.empty(1, 4, height // 8, width // 8),
            torch.empty(1, 77, 768),
            torch.empty(1, 3, height, width),
        )
        maps = control_maps(network.controlnet, z, torch.zeros(1, dtype=torch.long), c, image, "post_zero")
    seen = [tuple(each.shape[1:]) for each in reversed(maps.keys)][3:]
    reductions = [16, 16, 16, 32, 32, 32, 64, 64, 64]
    assert seen == [
        (channels, height // 8 * part // 64, width // 8 * part // 64)
        for channels, part in zip(keys[3:], reductions, strict=True)
    ]


@pytest.mark.parametrize(("name", "most"), [("lite", 5_000_000), ("literal", 5_000_000), ("nano", 2_500_000)])
def test_small_sizes_are_small(name, most):
    network = Cassr(getattr(CassrArchitecture, name)())
    assert _count(network) <= most
    if name == "literal":
        sizes = [_count(part) for part in (network.unet, network.controlnet, network.mam, network.csc)]
        assert sizes == [2_677_568, 1_271_648, 199_616, 105_888]


def test_every_convolution_of_lite_sees_the_border_again():
    """Zeros around an image are a frame that is not in it. Catches a part that is built without the architecture's
    padding."""
    network = Cassr(TINY.model_copy(update={"padding": "replicate"}))
    kinds = {m.padding_mode for m in network.modules() if isinstance(m, nn.Conv2d) and m.padding != (0, 0)}
    assert kinds == {"replicate"}


# --- 9: gradients ---


def test_noise_is_what_a_fresh_network_misses():
    """Its last convolution is zero, so that Eq. 3 is the noise's variance. Catches a mean over the wrong axes."""
    torch.manual_seed(4)
    literal = CassrArchitecture.literal().model_copy(update={"prediction": "epsilon"})
    network = Cassr(literal)
    image = torch.rand(2, 3, 64, 64)
    z0, t = network.latents.encode(image, image), torch.tensor([100, 900])
    noise, c = torch.randn_like(z0), network.text(["", "x"])
    z = network.diffusion.noised(z0, noise, t)
    with torch.no_grad():
        loss = (network.eps(z, t, c, *network.encode_controls(z, t, c, image, image)) - noise).square().mean()
    assert float(loss) == pytest.approx(1.0, abs=0.03)


def test_gradients_reach_what_is_trained_and_nothing_else(batch):
    """With a prior: ControlNet and MAM; without: the base too. Of the CSC-Tuner no gradient enters the encoder."""
    network, (z, c, image, ref) = _network(alive=True), batch
    network.architecture = TINY.model_copy(update={"codec": "vae"})
    network.trainable_parameters("control")
    network.predict(z, 3, c, *network.encode_controls(z, 3, c, image, ref)).square().mean().backward()
    with_gradient = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert with_gradient == {"controlnet", "mam"}
    network.zero_grad(set_to_none=True)
    network.trainable_parameters("csc")
    network.requires_grad_(True)
    network.predict_scedit(z, 3, c, image).square().mean().backward()
    assert all(p.grad is None for p in (*network.unet.down_blocks.parameters(), *network.unet.conv_in.parameters()))
    assert all(p.grad is not None for p in network.csc.parameters())
    joint = _network()
    names = {id(parameter) for parameter in joint.trainable_parameters("control")}
    assert all(id(parameter) in names for parameter in joint.unet.parameters())


def test_recomputing_gives_the_same_gradients(batch):
    """Catches a decoder of our own that forgets gradient checkpointing, or recomputes something else."""
    z, c, image, ref = batch
    plain, saving = _network(alive=True), _network(alive=True)
    saving.train()
    plain.train()
    saving.recompute()
    for network in (plain, saving):
        network.trainable_parameters("control")
        network.predict(z, 3, c, *network.encode_controls(z, 3, c, image, ref)).square().mean().backward()
    assert saving.unet.up_blocks[0].gradient_checkpointing
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)


def test_unknown_stages_are_refused():
    with pytest.raises(ValueError, match="restorer, csc or control"):
        _network().trainable_parameters("backbone")
    with pytest.raises(ValueError, match="no restorer"):
        _network().trainable_parameters("restorer")


def test_a_copy_keeps_what_it_leaves_out():
    """Training copies networks for averages. Catches hooks that speak of the first one."""
    network = copy.deepcopy(_network())
    assert set(network.state_dict()) == set(_network().state_dict())


@pytest.mark.parametrize("size", ["lite", "nano", "full"])
def test_configurations_are_the_sizes(size):
    """Catches a file that trains another network than the one that is documented."""
    file = Path(cassr.__file__).parent / "configs" / f"{size}.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))["diffusion"]["architecture"]
    assert CassrArchitecture.model_validate(said) == getattr(CassrArchitecture, size)()
