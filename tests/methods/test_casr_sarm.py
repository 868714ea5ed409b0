"""SARM and the two passes over tiles (group 6 of CASR's list), and the semantics that SARM reads."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from methods.blocks.geometry import UNetArchitecture
from methods.blocks.tiles import grid
from methods.casr.architecture import CasrArchitecture, SarmArchitecture, SsamArchitecture
from methods.casr.network import Casr, TileSettings
from methods.casr.passes import Scene, predict
from methods.casr.sarm import Sarm, sincos
from methods.casr.semantics import PatchSemantics, SamSemantics

ARCHITECTURE = CasrArchitecture(
    factor=2,
    control_embedding=(4, 8),
    unet=UNetArchitecture(channels=(8, 16), attention=(False, True), heads=(1, 2), groups=4, cross_dim=6),
    ssam=SsamArchitecture(width=0.1),
    sarm=SarmArchitecture(heads=2, head_dim=4),
    semantic_dim=6,
    semantic_grid=4,
)
SETTINGS = TileSettings(tile=16, overlap=4, smallest=16, batch=3)


def _network(**said) -> Casr:
    """Random in every layer, also those that training starts at zero."""
    torch.manual_seed(3)
    network = Casr(ARCHITECTURE.model_copy(update=said)).eval()
    for module in (network.unet, network.controlnet, network.sarm):
        for parameter in module.parameters() if module is not None else ():
            nn.init.normal_(parameter, std=0.15)
    network.settings = SETTINGS
    return network


@pytest.fixture(scope="module")
def network() -> Casr:
    return _network()


def _scene(height: int, width: int, *, batch: int = 1, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    return (
        torch.rand((batch, 3, height, width), generator=draw) * 2 - 1,
        torch.rand((batch, 1, height, width), generator=draw),
        torch.rand((batch, 3, 20, 24), generator=draw) * 2 - 1,
    )


def _sarm(**said) -> Sarm:
    torch.manual_seed(4)
    sarm = Sarm(8, 6, SarmArchitecture(heads=2, head_dim=4, **said))
    for parameter in sarm.parameters():
        nn.init.normal_(parameter, std=0.5)
    return sarm


def _softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


@torch.no_grad()
def test_the_equations_are_those_of_the_description():
    """F' = F + Attn(LN F, LN F) W, F'' = F' + Attn(LN F', LN G) W', head by head in numpy. Catches heads that are
    mixed up, a missing normalisation or scale, and attention to the wrong tokens."""
    sarm = _sarm()
    tokens, semantics = torch.randn(1, 5, 8), torch.randn(1, 3, 6)

    def norm(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * layer.weight.numpy() + layer.bias.numpy()

    def attend(layer, asked: np.ndarray, offered: np.ndarray) -> np.ndarray:
        q, k, v = asked @ layer.to_q.weight.numpy().T, offered @ layer.to_k.weight.numpy().T, offered
        v = v @ layer.to_v.weight.numpy().T
        heads = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            heads.append(_softmax(q[:, part] @ k[:, part].T / 2) @ v[:, part])
        return np.concatenate(heads, axis=1) @ layer.to_out.weight.numpy().T + layer.to_out.bias.numpy()

    first, second = sarm.self_attention, sarm.cross_attention
    f, g = tokens[0].numpy(), semantics[0].numpy()
    f = f + attend(first, norm(first.norm, f), norm(first.norm, f))
    expected = f + attend(second, norm(second.norm, f), norm(sarm.semantic_norm, g))
    np.testing.assert_allclose(sarm(tokens, semantics)[0].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(sarm(tokens, None)[0].numpy(), f, atol=1e-5)


@torch.no_grad()
def test_the_order_of_tokens_is_only_an_order():
    sarm, tokens, semantics = _sarm(), torch.randn(2, 7, 8), torch.randn(2, 3, 6)
    order = torch.randperm(7)
    torch.testing.assert_close(sarm(tokens[:, order], semantics), sarm(tokens, semantics)[:, order])
    torch.testing.assert_close(sarm(tokens, semantics, keys=tokens), sarm(tokens, semantics))


@torch.no_grad()
def test_places_count_with_sincos_only():
    tokens, places = torch.randn(1, 6, 8), torch.rand(6, 2) * 9
    plain, coded = _sarm(), _sarm(position="sincos")
    assert torch.equal(plain(tokens, None, places=places), plain(tokens, None))
    assert not torch.allclose(coded(tokens, None, places=places), coded(tokens, None, places=places + 1))
    with pytest.raises(ValueError, match="places"):
        coded(tokens, None)


def test_the_code_of_a_place_is_sines_and_cosines_of_both_axes():
    found = sincos(torch.tensor([[3.0, 0.5]]), 8).double()
    rates = np.array([1.0, 1e-4])
    expected = [[*np.sin(3 * rates), *np.sin(0.5 * rates), *np.cos(3 * rates), *np.cos(0.5 * rates)]]
    np.testing.assert_allclose(np.sort(found.numpy()), np.sort(expected), atol=1e-6)


# --- tiles ---


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 8), st.integers(0, 4))
def test_all_tiles_of_an_image_have_one_size_and_lie_on_tokens(height, width, tile, overlap):
    """Catches a last tile that is cut short, which cannot be batched with the others."""
    overlap = min(overlap, tile // 2)
    size = (4 * height, 4 * width)
    tiles = grid(size, tile=4 * tile, overlap=4 * overlap)
    assert len({each.size for each in tiles}) == 1
    assert all(each.reduced(4) for each in tiles)
    covered = torch.zeros(size)
    for each in tiles:
        each.of(covered).fill_(1)
    assert covered.all()


@torch.no_grad()
@pytest.mark.parametrize("shuffled", [False, True])
def test_tiles_may_come_in_any_order(network, shuffled):
    """Catches features that go back to another tile than theirs, in and across batches of tiles."""
    s, depth, reference = _scene(28, 52)
    text, semantics = network.text([""]), network.semantics(reference)
    scene = Scene(s, depth, text, semantics)
    tiles = grid((28, 52), tile=16, overlap=4)
    assert len(tiles) == 8
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1)).tolist() if shuffled else list(range(8))
    batch = 3 if shuffled else 8
    found = predict(network, scene, [tiles[number] for number in order], replace(SETTINGS, batch=batch))
    torch.testing.assert_close(found, predict(network, scene, tiles, SETTINGS), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(network):
    """Catches attention over the tokens of a whole batch, and tiles and images in the wrong order."""
    s, depth, reference = _scene(28, 24, batch=2)
    both = network.enhance(s, depth, reference)
    for number in range(2):
        part = slice(number, number + 1)
        alone = network.enhance(s[part], depth[part], reference[part])
        torch.testing.assert_close(both[part], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("sarm", [True, False])
def test_a_tile_hears_of_another_through_sarm_alone(network, sarm):
    """Catches a SARM that sees its own tile only, and statistics that leak between tiles without it."""
    network = copy.copy(network)
    network.settings = replace(SETTINGS, sarm=sarm)
    s, depth, reference = _scene(16, 48)
    tiles = grid((16, 48), tile=16, overlap=0)
    before = network.enhance(s, depth, reference, tiles=tiles)
    s[..., 32:] = s[..., 32:].flip(-1)
    after = network.enhance(s, depth, reference, tiles=tiles)
    assert torch.allclose(before[..., :16], after[..., :16], atol=1e-6) is not sarm
    assert not torch.allclose(before[..., 32:], after[..., 32:], atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("kept", [0, 1])
def test_what_is_computed_again_is_what_would_have_been_kept(network, kept):
    s, depth, reference = _scene(40, 40)
    whole = network.enhance(s, depth, reference)
    again = copy.copy(network)
    again.settings = replace(SETTINGS, kept=kept, batch=3)
    assert torch.equal(again.enhance(s, depth, reference), whole)


@torch.no_grad()
def test_above_the_limit_tokens_are_averaged_to_keys(network, monkeypatch):
    """64 tokens of four tiles stand for 16, then 4 keys; the queries stay."""
    s, depth, reference = _scene(32, 32)
    tiles = grid((32, 32), tile=16, overlap=0)
    seen = []
    forward = Sarm.forward

    def spy(self, tokens, semantics, *, keys=None, **said):
        seen.append((tokens, keys))
        return forward(self, tokens, semantics, keys=keys, **said)

    monkeypatch.setattr(Sarm, "forward", spy)
    found = {}
    for limit in (64, 63, 4):
        network = copy.copy(network)
        network.settings = replace(SETTINGS, keys=limit)
        found[limit] = network.enhance(s, depth, reference, tiles=tiles)
    (tokens, none), (_, some), (_, few) = seen
    assert (none, some.shape[1], few.shape[1]) == (None, 16, 4)
    assert tokens.shape == (1, 64, 16)
    torch.testing.assert_close(few[:, 1], tokens[:, 16:32].mean(1))
    assert not torch.equal(found[64], found[4])


@torch.no_grad()
def test_semantics_are_read_where_they_are_on(network):
    s, depth, reference = _scene(16, 32)
    other = reference.flip(-1)
    assert not torch.allclose(network.enhance(s, depth, reference), network.enhance(s, depth, other), atol=1e-5)
    deaf = copy.copy(network)
    deaf.settings = replace(SETTINGS, lr_semantics=False)
    assert torch.equal(deaf.enhance(s, depth, reference), deaf.enhance(s, depth, other))
    never = _network(sarm=SarmArchitecture(heads=2, head_dim=4, lr_semantics=False))
    assert (never.semantics, never.sarm.cross_attention) == (None, None)


def test_gradients_reach_every_part_through_tiles_and_sarm(network):
    """Catches a detached cache; the superpixels get none."""
    s, depth, reference = _scene(16, 32)
    network.enhance(s, depth, reference).square().mean().backward()
    for name, parameter in network.named_parameters():
        if name.startswith("ssam."):
            assert parameter.grad is None, name
        elif parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
    network.zero_grad()


# --- semantics ---


def test_patches_are_projected_by_an_orthonormal_matrix_that_is_always_the_same():
    semantics = PatchSemantics(64, 16)
    torch.testing.assert_close(semantics.basis.T @ semantics.basis, torch.eye(64), atol=1e-5, rtol=0)
    assert torch.equal(semantics.basis, PatchSemantics(64, 16).basis)
    image = torch.rand(2, 3, 32, 24) * 2 - 1
    found = semantics(image)
    assert found.shape == (2, 12, 64)
    patch = image[1, :, 8:16, 16:24].flatten()
    torch.testing.assert_close(found[1, 1 * 3 + 2], patch @ semantics.basis)


@pytest.mark.parametrize(("size", "count"), [((1, 1), 1), ((3, 500), 16), ((256, 256), 256), ((1024, 300), 80)])
def test_the_number_of_patches_is_bounded(size, count):
    assert PatchSemantics(6, 16)(torch.rand(1, 3, *size)).shape == (1, count, 6)


@pytest.mark.parametrize("size", [(48, 64), (90, 40), (16, 16)])
def test_sam_sees_what_its_own_processor_makes(published, monkeypatch, size):
    """transformers' image processor as the outside truth: longer side, normalisation, padding below and to the right.
    It rounds the resized image to 8 bit. Catches padding that is averaged into the tokens."""
    from transformers import SamImageProcessor, SamModel

    encoder = SamModel.from_pretrained(published.sam).vision_encoder
    semantics = SamSemantics(encoder, grid=4)
    seen = {}

    def spy(pixels):
        seen["pixels"] = pixels
        return forward(pixels)

    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", spy)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    found = semantics(image)
    assert found.shape == (1, 16, 8)
    processor = SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    expected = processor(images=pixels, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(seen["pixels"], expected, atol=0.03, rtol=0)
    features = forward(seen["pixels"]).last_hidden_state
    height, width = (-(-round(length * 64 / max(size)) // 8) for length in size)
    inside = features[..., :height, :width]
    torch.testing.assert_close(found[0, 0], inside[0, :, : -(-height // 4), : -(-width // 4)].mean((1, 2)))
