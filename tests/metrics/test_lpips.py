"""LPIPS against the `lpips` package, in one piece and in tiles, with made-up and with published parameters."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from bench.api import Unavailable, UnitError
from bench.api.presets import PRESETS
from bench.metrics.base import ScoredPair
from bench.metrics.lpips_files import ALEX, SQUEEZE, VGG, LPIPSFiles
from bench.metrics.lpips_metric import LPIPS, LPIPSVGG, LPIPSSqueeze
from bench.metrics.receptive import Window, output_lengths, plan_axis

PROTOCOL = next(iter(PRESETS.values()))
NETS = {"alex": (ALEX, LPIPS), "vgg": (VGG, LPIPSVGG), "squeeze": (SQUEEZE, LPIPSSqueeze)}


def scored(sr, hr, **memos) -> ScoredPair:
    return ScoredPair(sr=sr, hr=hr, lr=None, scale=4.0, protocol=PROTOCOL, **memos)


def noisy_pair(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    hr = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8).repeat(4, 0).repeat(4, 1)[:height, :width]
    sr = np.clip(hr.astype(int) + rng.integers(-40, 41, hr.shape), 0, 255).astype(np.uint8)
    return sr, hr


def made_up_state(files: LPIPSFiles) -> dict:
    """Seeded values in the shapes of the backbone's feature layers."""
    import torch
    import torchvision

    generator = torch.Generator().manual_seed(7)
    with torch.device("meta"):
        features = getattr(torchvision.models, files.model)().features
    return {
        key: torch.randn(value.shape, generator=generator) * (2 / max(value[0].numel(), 1)) ** 0.5
        for key, value in features.state_dict().items()
    }


def save_backbone(root: Path, files: LPIPSFiles, state: dict) -> Path:
    import torch

    path = root / "hub" / files.backbone.relative
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({f"features.{key}": value for key, value in state.items()}, path)
    return path


def made_up_metric(root: Path, net: str) -> tuple[LPIPS, dict]:
    """A metric whose pinned hash is that of made-up values, so that the real loading code accepts them."""
    from bench.metrics.lpips_network import features_hash

    files, cls = NETS[net]
    state = made_up_state(files)
    save_backbone(root, files, state)
    pinned = dataclasses.replace(files, features_sha256=features_hash(state))
    return type(f"MadeUp{cls.__name__}", (cls,), {"files": pinned})(root), state


def package_model(net: str, state: dict | None):
    """The package's network; with made-up values, without drawing 100 million random ones for the classifier first."""
    import lpips
    import torch

    draws = ("normal_", "kaiming_normal_", "kaiming_uniform_", "uniform_", "constant_")
    untouched = {name: lambda tensor, *_, **__: tensor for name in draws} if state is not None else {}
    with mock.patch.multiple(torch.nn.init, **untouched) if untouched else contextlib.nullcontext():
        model = lpips.LPIPS(net=net, verbose=False, pnet_rand=state is not None)
    for name, parameter in model.net.named_parameters() if state is not None else ():
        parameter.data.copy_(state[name.split(".", 1)[1]])
    return model


def package_value(net: str, state: dict | None, sr: np.ndarray, hr: np.ndarray) -> float:
    """What the package says of the same parameters."""
    import torch

    model = package_model(net, state)
    tensors = [torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255 for image in (sr, hr)]
    with torch.inference_mode():
        return float(model(*tensors, normalize=True))


@pytest.mark.parametrize("net", NETS)
def test_equals_the_package_whole_and_in_tiles_of_awkward_sizes(tmp_path: Path, net: str) -> None:
    metric, state = made_up_metric(tmp_path, net)
    sr, hr = noisy_pair(171, 149)
    want = package_value(net, state, sr, hr)
    assert want > 1e-3
    for tile in (4096, 80, 57):
        metric.network().tile = tile
        assert metric.compute(scored(sr, hr)) == pytest.approx(want, rel=2e-5), tile


def test_forgetting_the_range_minus_one_to_one_would_show(tmp_path: Path) -> None:
    import torch

    metric, state = made_up_metric(tmp_path, "alex")
    sr, hr = noisy_pair(64, 64)
    model = package_model("alex", state)
    tensors = [torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255 for image in (sr, hr)]
    with torch.inference_mode():
        wrong = float(model(*tensors))
    assert abs(metric.compute(scored(sr, hr)) - wrong) > 1e-3


def test_planes_16_bit_and_identity(tmp_path: Path) -> None:
    metric, _ = made_up_metric(tmp_path, "squeeze")
    sr, hr = noisy_pair(70, 90)
    plane_sr, plane_hr = sr[..., 0], hr[..., 0]
    as_rgb = metric.compute(scored(np.stack([plane_sr] * 3, 2), np.stack([plane_hr] * 3, 2)))
    assert metric.compute(scored(plane_sr, plane_hr)) == as_rgb
    assert metric.compute(scored(sr.astype(np.uint16) * 257, hr)) == pytest.approx(
        metric.compute(scored(sr, hr)), abs=1e-6
    )
    assert metric.compute(scored(hr, hr)) == 0


def test_reference_features_are_kept_for_small_images_only(tmp_path: Path, monkeypatch) -> None:
    from bench.metrics import lpips_metric
    from bench.metrics.scorer import nbytes

    metric, _ = made_up_metric(tmp_path, "alex")
    sr, hr = noisy_pair(100, 120)
    memo: dict = {}
    first = metric.compute(scored(sr, hr, reference_memo=memo))
    assert 0 < nbytes(memo) <= metric.network().feature_bytes((100, 120))
    assert metric.compute(scored(sr, np.zeros_like(hr), reference_memo=memo)) == first
    monkeypatch.setattr(lpips_metric, "CACHED_FEATURES", 1000)
    large: dict = {}
    assert metric.compute(scored(sr, hr, reference_memo=large)) == first
    assert large == {}


def test_too_small_images_and_unequal_sizes_fail_as_units(tmp_path: Path) -> None:
    metric, _ = made_up_metric(tmp_path, "alex")
    small = np.zeros((12, 200, 3), np.uint8)
    with pytest.raises(UnitError, match=r"12x200.*needs"):
        metric.compute(scored(small, small))
    with pytest.raises(UnitError, match="SR is"):
        metric.compute(scored(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8)))
    with pytest.raises(UnitError, match="reference"):
        metric.compute(scored(small, None))


def test_random_parameters_under_the_published_name_are_refused(tmp_path: Path) -> None:
    save_backbone(tmp_path, ALEX, made_up_state(ALEX))
    metric = LPIPS(tmp_path)
    sr, hr = noisy_pair(64, 64)
    with pytest.raises(Unavailable, match=r"not the published file.*7be5be79"):
        metric.compute(scored(sr, hr))


def test_a_file_of_other_layers_is_refused_with_their_names(tmp_path: Path) -> None:
    state = made_up_state(ALEX)
    state["0.weight"] = state["0.weight"][:, :, :7, :7]
    del state["10.bias"]
    save_backbone(tmp_path, ALEX, state)
    with pytest.raises(Unavailable, match=r"(?s)alexnet.*10\.bias"):
        LPIPS(tmp_path).network()


def test_a_corrupt_or_empty_file_is_refused_without_a_traceback_of_pickle(tmp_path: Path) -> None:
    path = tmp_path / "hub" / ALEX.backbone.relative
    path.parent.mkdir(parents=True)
    for content in (b"", b"<html>not found</html>", b"PK\x03\x04 cut"):
        path.write_bytes(content)
        with pytest.raises(Unavailable, match="cannot be read as weights"):
            LPIPS(tmp_path).network()


def test_a_missing_backbone_is_no_random_backbone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("ASSR_BENCH_DOWNLOAD", raising=False)
    sr, hr = noisy_pair(64, 64)
    with pytest.raises(Unavailable, match=r"vgg16-397923af\.pth"):
        LPIPSVGG(tmp_path).compute(scored(sr, hr))


@pytest.mark.parametrize("ceil", [False, True])
def test_window_lengths_equal_torch(ceil: bool) -> None:
    import torch
    import torch.nn.functional as F

    for kernel, stride, padding in ((3, 2, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1)):
        for n in range(kernel, 40):
            out = F.max_pool2d(torch.zeros(1, 1, n, n), kernel, stride, padding, ceil_mode=ceil).shape[-1]
            assert Window(kernel, stride, padding, ceil).length(n) == out, (kernel, stride, padding, n)


def test_own_shares_partition_every_layer_that_is_read() -> None:
    windows = [Window(11, 4, 2), Window(3, 2), Window(5, 1, 2), Window(3, 2), Window(3, 1, 1)]
    read = [True, False, True, False, True]
    for n in range(40, 400, 7):
        for tiles in (1, 2, 3, 9):
            plans = plan_axis(windows, read, n, tiles)
            for layer, length in enumerate(output_lengths(windows, n)):
                if read[layer]:
                    shares = [plan[layer].own for plan in plans]
                    assert [i for start, stop in shares for i in range(start, stop)] == list(range(length))


@pytest.mark.reference
def test_official_values(reference_root: Path) -> None:
    folder = reference_root / "reference" / "iqa_calibration"
    with (folder / "official.csv").open() as file:
        official = {row["Method"]: row for row in csv.DictReader(file)}["lpips"]
    metric = LPIPS(reference_root / "weights" / "torch_home")
    for name in ("I04.bmp", "I06.bmp"):
        sr, hr = (np.asarray(Image.open(folder / side / name).convert("RGB")) for side in ("dist", "ref"))
        assert metric.compute(scored(sr, hr)) == pytest.approx(float(official[name]), abs=1e-4)


@pytest.mark.reference
@pytest.mark.parametrize(("cls", "net"), [(LPIPS, "alex"), (LPIPSSqueeze, "squeeze")])
def test_published_parameters_equal_the_package(reference_root: Path, monkeypatch, cls: type[LPIPS], net: str) -> None:
    root = reference_root / "weights" / "torch_home"
    monkeypatch.setattr("torch.hub._hub_dir", str(root / "hub"))  # other tests may have moved it already
    image = np.asarray(Image.open(reference_root / "reference" / "iqa_calibration" / "ref" / "I06.bmp").convert("RGB"))
    hr = image[:257, :389]
    sr = np.clip(hr.astype(int) + np.random.default_rng(3).integers(-25, 26, hr.shape), 0, 255).astype(np.uint8)
    metric = cls(root)
    metric.network().tile = 110
    assert metric.compute(scored(sr, hr)) == pytest.approx(package_value(net, None, sr, hr), abs=1e-5)


def test_the_written_out_alexnet_is_torchvisions_layer_for_layer() -> None:
    import torchvision

    from bench.metrics.lpips_network import alexnet_features

    assert repr(alexnet_features()) == repr(torchvision.models.alexnet().features)


def test_the_numpy_network_is_the_torch_network_also_for_one_grey_level_planes_and_16_bit(tmp_path: Path) -> None:
    """Where images hardly differ, a wrong norm, head or border shows first."""
    from bench.metrics.lpips_alex import AlexNetwork
    from bench.metrics.lpips_network import load_network

    metric, _ = made_up_metric(tmp_path, "alex")
    mine = metric.network()
    assert isinstance(mine, AlexNetwork)  # so that what is compared is not torch with itself
    theirs = load_network(metric.files, tmp_path / "hub" / metric.files.backbone.relative)
    sr, hr = noisy_pair(149, 131)
    near = np.clip(hr.astype(int) + np.random.default_rng(1).integers(-1, 2, hr.shape), 0, 255).astype(np.uint8)
    for one, other in ((sr, hr), (near, hr), (sr[..., 0], hr[..., 0]), (sr.astype(np.uint16) * 257, hr)):
        size = (other.shape[0], other.shape[1])
        here, there = (net.distance(net.features(one), net.features(other), size) for net in (mine, theirs))
        assert here == pytest.approx(there, rel=2e-6, abs=1e-8)


def test_a_damaged_backbone_is_named_as_before_torch_was_left_out(tmp_path: Path) -> None:
    metric, _ = made_up_metric(tmp_path, "alex")
    path = tmp_path / "hub" / metric.files.backbone.relative
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(Unavailable, match="cannot be read as weights"):
        metric.network()
