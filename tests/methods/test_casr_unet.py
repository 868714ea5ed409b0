"""The split UNet, LoRA, codec and the one-step formula (groups 4 and 5 of CASR's list)."""

from __future__ import annotations

import copy
from typing import TypeVar

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import nn

from bench.api import RequestError
from methods.blocks.codec import UnshuffleCodec, VaeCodec
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.schedule import alpha_bar
from methods.blocks.stable_diffusion import geometry_of, own_unet
from methods.casr.architecture import CasrArchitecture, SarmArchitecture, SsamArchitecture
from methods.casr.loading import Sources, load_full
from methods.casr.network import Casr, TileSettings
from methods.casr.unet import build_controlnet, build_unet
from tests.methods.conftest import theirs_of

M = TypeVar("M", bound=nn.Module)
TINY = CasrArchitecture(
    factor=2,
    control_embedding=(4, 8),
    unet=UNetArchitecture(channels=(8, 8, 16), attention=(False, True, True), heads=(1, 2, 4), groups=4, cross_dim=6),
    ssam=SsamArchitecture(width=0.1),
    sarm=SarmArchitecture(heads=2, head_dim=4),
    semantic_dim=6,
    semantic_grid=4,
)


def _random(module: M, std: float = 0.2) -> M:
    """No layer is left at zero, where differences would not show."""
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    return module.eval()


def _same(split: torch.Tensor, whole: torch.Tensor) -> None:
    assert whole.abs().max() > 1e-3
    assert torch.equal(split, whole)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_constant_images_have_constant_features_only_without_zeros_around(padding):
    """Catches a convolution that keeps diffusers' zeros."""
    shape = TINY.model_copy(update={"padding": padding})
    unet = _random(build_unet(shape))
    net = _random(build_controlnet(unet, shape))
    x, c, shown = torch.ones(1, 12, 8, 12), torch.randn(1, 3, 6), torch.ones(1, 4, 16, 24)
    with torch.no_grad():
        found = unet(x, 999, c, net(x, 999, c, shown))
    assert float(found.abs().max()) > 1e-2
    assert (float(found.std(dim=(-2, -1)).max()) < 1e-5) == (padding == "replicate")


@pytest.mark.parametrize("control", [False, True])
def test_both_halves_are_the_whole_unet(control):
    """Catches a skip that is taken twice or in the wrong order, and control added at the wrong place."""
    unet = _random(build_unet(TINY))
    x, c = torch.randn(2, 12, 8, 16), torch.randn(2, 3, 6)
    said, extra = {}, None
    with torch.no_grad():
        if control:
            net = _random(build_controlnet(unet, TINY))
            extra = net(x, 999, c, torch.rand(2, 4, 16, 32))
            said = {"down_block_additional_residuals": extra[0], "mid_block_additional_residual": extra[1]}
        whole = theirs_of(unet)(x, 999, c, **said).sample
        h, skips, emb = unet.down_mid(x, 999, c, extra)
        assert h.shape == (2, 16, 2, 4)
        _same(unet.up(h, skips, emb, c), whole)
        _same(unet(x, 999, c, extra), whole)


def test_the_published_unet_is_split_exactly_too(published):
    theirs = UNet2DConditionModel.from_pretrained(published.sd / "unet").eval()
    x, c = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 16)
    with torch.no_grad():
        whole = theirs(x, 999, c).sample
        unet = own_unet(theirs)
        _same(unet.up(*unet.down_mid(x, 999, c), c), whole)


def test_a_unet_with_unknown_parts_is_refused_not_computed_wrongly():
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        norm_num_groups=4,
        cross_attention_dim=4,
        class_embed_type="timestep",
    )
    with pytest.raises(RequestError, match="class_embed_type"):
        geometry_of(unet)


def test_sides_that_the_levels_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiples of 4"):
        build_unet(TINY).down_mid(torch.zeros(1, 12, 8, 6), 999, torch.zeros(1, 1, 6))


@pytest.mark.parametrize("architecture", [CasrArchitecture(), CasrArchitecture.nano()])
def test_geometry_is_read_back_from_the_unet_that_was_built(architecture):
    assert geometry_of(theirs_of(build_unet(architecture))) == architecture.unet


# --- group 4: at the start nothing is changed ---


@pytest.fixture(scope="module")
def full(published) -> Casr:
    torch.manual_seed(0)
    network, notes = load_full(Sources(published.sd, published.sam, published.depth), None)
    assert len(notes) == 1  # only that it is untrained
    network.settings = TileSettings(tile=32, overlap=8, smallest=16, decode_tile=8, decode_overlap=2)
    return network


def _scene(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    s = torch.rand((1, 3, height, width), generator=draw) * 2 - 1
    return s, torch.rand((1, 1, height, width), generator=draw), torch.rand((1, 3, 10, 12), generator=draw) * 2 - 1


@torch.no_grad()
def test_fresh_adapters_leave_sd_turbo_as_it_is(full, published):
    """SD-Turbo itself by diffusers' own forward and scheduler. Catches a LoRA that starts elsewhere than at zero, a
    wrong latent scale, a wrong step, noise in the latent."""
    unet = UNet2DConditionModel.from_pretrained(published.sd / "unet").eval()
    vae = AutoencoderKL.from_pretrained(published.sd / "vae").eval()
    s, depth, reference = _scene(32, 32)
    z = vae.encode(s).latent_dist.mode() * 0.18215
    noise = unet(z, 999, full.text(full.prompter(reference))).sample
    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="trailing",
        clip_sample=False,
    )
    scheduler.set_timesteps(1)
    assert scheduler.timesteps.tolist() == [999]
    clean = scheduler.step(noise, 999, z).pred_original_sample
    expected = vae.decode(clean / 0.18215).sample
    found = full.enhance(s, depth, reference)
    assert expected.std() > 1e-2
    kept = alpha_bar(999)
    exact = vae.decode((z - (1 - kept) ** 0.5 * noise) / kept**0.5 / 0.18215).sample
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # the scheduler's betas are rounded to float32


@torch.no_grad()
@pytest.mark.parametrize("part", ["unet lora", "vae lora", "controlnet", "sarm"])
def test_every_adapter_starts_at_zero_and_is_heard_once_it_is_not(full, part):
    """Catches an adapter that is never called, which would pass for one that starts at zero."""
    s, depth, reference = _scene(40, 64)
    before = full.enhance(s, depth, reference)
    network = copy.deepcopy(full)
    layers = {
        "unet lora": [p for n, p in network.unet.named_parameters() if ".lora_B." in n],
        "vae lora": [p for n, p in network.codec.named_parameters() if ".lora_B." in n],
        "controlnet": list(network.controlnet.controlnet_mid_block.parameters()),
        "sarm": list(network.sarm.self_attention.to_out.parameters()),
    }[part]
    assert layers
    assert all(not parameter.any() for parameter in layers)
    for parameter in layers:
        nn.init.normal_(parameter, std=0.1)
    assert not torch.allclose(network.enhance(s, depth, reference), before, atol=1e-4)


@torch.no_grad()
def test_fresh_control_and_sarm_are_as_if_they_were_off(full):
    s, depth, reference = _scene(40, 64)
    whole = full.enhance(s, depth, reference)
    assert torch.equal(full.enhance(s, None, reference), whole)
    network = copy.copy(full)
    network.settings = TileSettings(tile=32, overlap=8, smallest=16, decode_tile=8, decode_overlap=2, sarm=False)
    assert torch.equal(network.enhance(s, depth, reference), whole)


@torch.no_grad()
def test_a_fresh_lite_network_gives_back_what_it_is_shown():
    """Catches a residual that does not start at zero, and padding or tiles that move the image."""
    network = Casr(TINY).eval()
    network.settings = TileSettings(tile=16, overlap=4, smallest=16)
    for size in ((1, 40), (16, 17), (33, 50)):
        s, depth, reference = _scene(*size)
        torch.testing.assert_close(network.enhance(s, depth, reference), s, rtol=0, atol=1e-6)


def test_the_state_holds_what_casr_adds_and_comes_back_without_sd_turbo(full, published):
    """Catches a weights file with a gigabyte of frozen weights, or without the superpixel network or a LoRA."""
    held = full.state_dict()
    names = {name.split(".")[0] for name in held}
    assert names == {"unet", "codec", "controlnet", "sarm"}
    assert all(".lora_" in name for name in held if name.startswith(("unet.", "codec.")))
    other, _ = load_full(Sources(published.sd, published.sam, published.depth), None)
    changed = {name: tensor + 1 for name, tensor in held.items()}
    other.load_state_dict(changed)
    assert all(torch.equal(tensor, changed[name]) for name, tensor in other.state_dict().items())
    wrapped = nn.ModuleDict({"network": other})
    assert set(wrapped.state_dict()) == {f"network.{name}" for name in held}
    wrapped.load_state_dict(wrapped.state_dict())
    del changed[next(iter(changed))]
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict(changed)


# --- group 5: one step, and the codecs ---


def test_the_share_of_signal_at_the_last_step_is_stable_diffusions():
    expected = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    assert alpha_bar(999) == pytest.approx(0.0046601, abs=5e-8)
    for step in (0, 400, 999):
        assert alpha_bar(step) == pytest.approx(float(expected[step]), rel=1e-5)


def test_unshuffling_is_undone_exactly_and_keeps_neighbours_together():
    codec = UnshuffleCodec(4)
    image = torch.randn(2, 3, 8, 12)
    z = codec.encode(image)
    assert z.shape == (2, codec.channels, 2, 3)
    assert torch.equal(codec.decode(z), image)
    assert torch.equal(z[0, :, 1, 2].sort().values, image[0, :, 4:8, 8:12].flatten().sort().values)


def test_the_vae_is_used_without_noise(published):
    codec = VaeCodec(AutoencoderKL.from_pretrained(published.sd / "vae"))
    image = torch.rand(1, 3, 32, 16) * 2 - 1
    with torch.no_grad():
        z = codec.encode(image)
        assert z.shape == (1, 4, 4, 2)
        assert torch.equal(codec.encode(image), z)
        torch.testing.assert_close(z / 0.18215, codec.vae.encode(image).latent_dist.mean)
        torch.testing.assert_close(codec.decode(z), codec.vae.decode(z / 0.18215).sample)
    codec.place(torch.bfloat16)
    with torch.no_grad():
        assert next(codec.vae.encoder.parameters()).dtype == torch.bfloat16
        assert codec.encode(image).dtype == torch.float32  # its last layers: what they round would be multiplied by 15
        assert codec.decode(codec.encode(image)).dtype == torch.float32
