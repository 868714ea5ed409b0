"""LPIPS as a loss: the package's values and gradients, the metric's files, and flat patches without NaN."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from bench.api import Unavailable
from bench.metrics.lpips_files import LPIPSFiles
from bench.metrics.lpips_network import alexnet_features, features_hash
from bench.metrics.weights import find_weights
from bench.training import perceptual
from bench.training.perceptual import NETWORKS, PerceptualDistance, load_distance, random_window


def _made_up(root: Path, files: LPIPSFiles, monkeypatch) -> dict[str, torch.Tensor]:
    """A backbone of seeded values under `root`, which the loading code is told to be the published one."""
    import torchvision

    generator = torch.Generator().manual_seed(7)
    with torch.device("meta"):
        features = getattr(torchvision.models, files.model)().features
    state = {
        key: torch.randn(value.shape, generator=generator) * (2 / max(value[0].numel(), 1)) ** 0.5
        for key, value in features.state_dict().items()
    }
    path = root / "hub" / files.backbone.relative
    path.parent.mkdir(parents=True)
    torch.save({f"features.{key}": value for key, value in state.items()}, path)
    pinned = dataclasses.replace(files, features_sha256=features_hash(state))
    monkeypatch.setitem(perceptual.NETWORKS, files.net, pinned)
    return state


def _package(net: str, state: dict[str, torch.Tensor]):
    import lpips

    draws = ("normal_", "kaiming_normal_", "kaiming_uniform_", "uniform_", "constant_")
    with mock.patch.multiple(torch.nn.init, **{name: lambda tensor, *_, **__: tensor for name in draws}):
        model = lpips.LPIPS(net=net, verbose=False, pnet_rand=True)
    for name, parameter in model.net.named_parameters():
        parameter.data.copy_(state[name.split(".", 1)[1]])
    return model


@pytest.mark.parametrize("net", sorted(NETWORKS))
def test_smallest_side_is_where_the_last_layer_still_sees_something(tmp_path, monkeypatch, net):
    """Catches a limit that lets a crop through on which a pooling layer fails, or that shuts out one too many."""
    _made_up(tmp_path, NETWORKS[net], monkeypatch)
    distance = load_distance(net, tmp_path)
    side = distance.smallest_side
    assert torch.isfinite(distance(torch.zeros(1, 3, side, side), torch.ones(1, 3, side, side))).all()
    with pytest.raises(RuntimeError, match="too small"):
        distance(torch.zeros(1, 3, side - 1, side - 1), torch.ones(1, 3, side - 1, side - 1))


@pytest.mark.parametrize("net", sorted(NETWORKS))
def test_values_and_gradients_are_those_of_the_package(tmp_path, monkeypatch, net):
    """Catches another input range, a layer too many or too few, a mean over the batch, a detached branch."""
    state = _made_up(tmp_path, NETWORKS[net], monkeypatch)
    distance = load_distance(net, tmp_path)
    rng = torch.Generator().manual_seed(0)
    references = torch.rand((2, 3, 64, 72), generator=rng) * 2 - 1
    images = (references + 0.3 * torch.randn(references.shape, generator=rng)).clamp(-1, 1)
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    found, wanted = distance(ours, references), _package(net, state)(theirs, references).flatten()
    assert found.shape == (2,)
    assert float(wanted.detach().min()) > 1e-3
    torch.testing.assert_close(found, wanted, rtol=2e-5, atol=0)
    found.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)


def test_flat_patches_have_finite_gradients():
    """Where a patch lights no channel the norm is 0, and its derivative would make every weight NaN."""
    features = alexnet_features()
    for parameter in features.parameters():
        torch.nn.init.zeros_(parameter)
    distance = PerceptualDistance(features, [torch.ones(n) for n in (64, 192, 384, 256, 256)], (1, 4, 7, 9, 11))
    images = torch.zeros(1, 3, 64, 64, requires_grad=True)
    distance(images, torch.ones(1, 3, 64, 64)).sum().backward()
    assert bool(torch.isfinite(images.grad).all())


def test_nothing_of_the_network_is_trained(tmp_path, monkeypatch):
    _made_up(tmp_path, NETWORKS["alex"], monkeypatch)
    distance = load_distance("alex", tmp_path)
    assert [name for name, parameter in distance.named_parameters() if parameter.requires_grad] == []
    references = torch.rand(1, 3, 64, 64, requires_grad=True)
    distance(torch.rand(1, 3, 64, 64, requires_grad=True), references).sum().backward()
    assert references.grad is None


def test_missing_files_are_named_and_never_replaced_by_random_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSR_BENCH_DOWNLOAD", "0")
    with pytest.raises(Unavailable, match=r"alexnet-owt-7be5be79\.pth"):
        load_distance("alex", tmp_path)


@pytest.mark.reference
def test_published_parameters_give_the_metrics_value():
    from bench.metrics.lpips_metric import LPIPS

    backbone = NETWORKS["alex"].backbone.relative
    if find_weights(backbone, None) is None:
        pytest.skip(f"no {backbone} here")
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (20, 25, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    sr = np.clip(hr.astype(int) + rng.integers(-40, 41, hr.shape), 0, 255).astype(np.uint8)
    tensors = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1 for image in (sr, hr)]
    network = LPIPS(None).network()
    wanted = network.distance(network.features(sr), network.features(hr), (80, 100))
    assert float(load_distance("alex")(*tensors)) == pytest.approx(wanted, rel=2e-5)


def _turned(image: torch.Tensor) -> list[torch.Tensor]:
    """The eight ways to lay an image."""
    straight = [image.flip(axes) for axes in ([], [-2], [-1], [-2, -1])]
    return [*straight, *(each.transpose(-2, -1) for each in straight)]


def test_random_window_shows_all_images_the_same_place_the_same_way_round():
    """Catches a window of its own for each image, places or turns that never occur, and a cut gradient."""
    image = torch.arange(2 * 3 * 9 * 9.0).reshape(2, 3, 9, 9).requires_grad_()
    rng, seen = torch.Generator().manual_seed(0), set()
    for _ in range(400):
        window, other = random_window((image, -image), rng, shift=2)
        assert window.shape == (2, 3, 7, 7)
        assert torch.equal(window, -other)
        found = [
            (top, left, turn)
            for top in range(3)
            for left in range(3)
            for turn, view in enumerate(_turned(image[..., top : top + 7, left : left + 7]))
            if torch.equal(view, window)
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) == 3 * 3 * 8
    window.sum().backward()
    assert image.grad is not None
    assert int(image.grad.sum()) == window.numel()


def test_random_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no window is left of 8 x 9"):
        random_window((torch.zeros(1, 3, 8, 9),), torch.Generator(), shift=8)


def test_random_window_may_be_a_magnified_part():
    """Catches a part that is not enlarged, one that lies always alike, and a zoom of another factor."""
    ramp = torch.arange(64.0).expand(1, 1, 64, 64)
    rng, slopes, firsts = torch.Generator().manual_seed(0), [], []
    for _ in range(60):
        (window,) = random_window((ramp,), rng, shift=8, zoom=2.0)
        assert window.shape == (1, 1, 56, 56)
        line = window[0, 0].diff(dim=-1)[20:36, 20:36].abs() + window[0, 0].diff(dim=-2)[20:36, 20:36].abs()
        slopes.append(1 / float(line.mean()))
        firsts.append(float(window.min()))
    assert 1 <= min(slopes) < 1.1
    assert 1.9 < max(slopes) <= 2.05
    assert min(firsts) < 5
    assert max(firsts) > 20
