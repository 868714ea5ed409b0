"""DISTS and MANIQA are loaded from files of their published layout, which are made here, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.api import Unavailable
from bench.api.presets import get_protocol
from bench.metrics import pyiqa_names
from bench.metrics.base import ScoredPair
from bench.metrics.catalog import make_metric
from bench.metrics.pyiqa_build import build_metric
from bench.metrics.weights import WeightsFile, full_hash

DISTS_CHANNELS = (3, 64, 128, 256, 512, 512)


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default policy, whatever the environment of the test run says."""
    monkeypatch.delenv("ASSR_BENCH_DOWNLOAD", raising=False)


def pin(root: Path, name: str, relatives: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the made-up files for the published ones."""
    files = tuple(WeightsFile(r, f"https://example.org/{r}", full_hash(root / "hub" / r)) for r in relatives)
    monkeypatch.setitem(pyiqa_names.FILES, name, files)


def made_up_dists(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's VGG16 with random features (the classifier, which DISTS drops, is one stretched zero), and the
    weights of structure and texture."""
    import torch
    from torchvision.models import vgg16

    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in vgg16().state_dict().items()}
    values = {
        key: torch.randn(shape) * (2 / max(shape[1:].numel(), 1)) ** 0.5
        if key.startswith("features")
        else torch.zeros(1).expand(shape)
        for key, shape in shapes.items()
    }
    (root / "hub" / "checkpoints").mkdir(parents=True)
    (root / "hub" / "pyiqa").mkdir(parents=True)
    torch.save(values, root / "hub" / "checkpoints" / "vgg16-397923af.pth")
    own = {name: torch.rand(1, sum(DISTS_CHANNELS), 1, 1) for name in ("alpha", "beta")}
    torch.save(own, root / "hub" / "pyiqa" / "DISTS_weights-f5e65c96.pth")
    pin(root, "dists", ("checkpoints/vgg16-397923af.pth", "pyiqa/DISTS_weights-f5e65c96.pth"), monkeypatch)


def dists_by_hand(root: Path, sr: np.ndarray, hr: np.ndarray) -> float:
    """The paper's definition: 1 - sum of alpha * texture + beta * structure over the image and five VGG stages."""
    import torch
    from torch.nn import functional

    vgg = torch.load(root / "hub" / "checkpoints" / "vgg16-397923af.pth", weights_only=True)
    own = torch.load(root / "hub" / "pyiqa" / "DISTS_weights-f5e65c96.pth", weights_only=True)
    window = torch.from_numpy(np.outer(np.hanning(5)[1:-1], np.hanning(5)[1:-1])).float()
    window = window / window.sum()
    stages = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))

    def maps(image: np.ndarray) -> list[torch.Tensor]:
        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        found, mean, std = [x], torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        for number, layers in enumerate(stages):
            if number:
                kernel = window.expand(x.shape[1], 1, 3, 3)
                x = (functional.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()
            for layer in layers:
                x = functional.conv2d(x, vgg[f"features.{layer}.weight"], vgg[f"features.{layer}.bias"], padding=1)
                x = functional.relu(x)
            found.append(x)
        return found

    total = own["alpha"].sum() + own["beta"].sum()
    alphas, betas = (torch.split(own[key] / total, list(DISTS_CHANNELS), dim=1) for key in ("alpha", "beta"))
    value = torch.zeros(())
    for x, y, alpha, beta in zip(maps(sr), maps(hr), alphas, betas, strict=True):
        mx, my = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
        vx, vy = ((x - mx) ** 2).mean((2, 3), keepdim=True), ((y - my) ** 2).mean((2, 3), keepdim=True)
        cov = (x * y).mean((2, 3), keepdim=True) - mx * my
        value = value + (alpha * (2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6)).sum()
        value = value + (beta * (2 * cov + 1e-6) / (vx + vy + 1e-6)).sum()
    return float(1 - value)


def test_dists_of_the_given_files_is_the_papers_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches random VGG or alpha and beta that stay (its file is loaded leniently), and sr and hr exchanged ranges."""
    made_up_dists(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    hr = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    sr = np.clip(hr + rng.normal(0, 25, hr.shape), 0, 255).astype(np.uint8)
    metric = make_metric("dists", tmp_path)
    assert metric.unavailable() is None
    pair = ScoredPair(sr=sr, hr=hr, lr=None, scale=4.0, protocol=get_protocol("cassr"))
    assert metric.compute(pair) == pytest.approx(dists_by_hand(tmp_path, sr, hr), abs=2e-4)
    same = ScoredPair(sr=hr, hr=hr, lr=None, scale=4.0, protocol=get_protocol("cassr"))
    assert metric.compute(same) == pytest.approx(0, abs=1e-5)


def test_dists_without_one_of_its_files_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a DISTS whose alpha and beta are drawn at random because only VGG is there."""
    made_up_dists(tmp_path, monkeypatch)
    (tmp_path / "hub" / "pyiqa" / "DISTS_weights-f5e65c96.pth").unlink()
    reason = make_metric("dists", tmp_path).unavailable()
    assert reason is not None
    assert "DISTS_weights-f5e65c96.pth" in reason


def made_up_maniqa(root: Path, *, leave_out: str = "") -> dict[str, float]:
    """A checkpoint with MANIQA's own names and shapes, every tensor one stretched number; name -> number."""
    import timm
    import torch
    from pyiqa.archs import maniqa_arch

    real = timm.create_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maniqa_arch.timm, "create_model", lambda name, **_: real(name, pretrained=False))
        patch.setattr(maniqa_arch, "load_pretrained_network", lambda *_, **__: None)
        shapes = {k: (v.shape, v.dtype) for k, v in maniqa_arch.MANIQA(train_dataset="koniq").state_dict().items()}
    numbers = {key: (place % 97) / 97 for place, key in enumerate(shapes)}
    values = {
        key: (torch.tensor([numbers[key]]).to(dtype)).expand(shape)
        for key, (shape, dtype) in shapes.items()
        if key != leave_out
    }
    path = root / "hub" / "pyiqa" / "ckpt_koniq10k.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(values, path)
    return numbers


def test_maniqa_holds_every_tensor_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a backbone that keeps random values, and one that wants a file of its own."""
    numbers = made_up_maniqa(tmp_path)
    pin(tmp_path, "maniqa", ("pyiqa/ckpt_koniq10k.pt",), monkeypatch)
    state = build_metric("maniqa", tmp_path).net.state_dict()
    assert set(state) == set(numbers)
    assert any(key.startswith("vit.") for key in state)
    for key, value in state.items():
        if value.is_floating_point():
            assert float(value.min()) == pytest.approx(numbers[key], abs=1e-6), key
            assert float(value.max()) == pytest.approx(numbers[key], abs=1e-6), key


def test_a_maniqa_file_with_a_hole_is_refused_by_the_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a lenient load, after which one tensor is random."""
    made_up_maniqa(tmp_path, leave_out="fc_score.0.weight")
    pin(tmp_path, "maniqa", ("pyiqa/ckpt_koniq10k.pt",), monkeypatch)
    with pytest.raises(Unavailable, match=r"maniqa cannot be built.*fc_score\.0\.weight"):
        build_metric("maniqa", tmp_path)
