"""pyiqa's metrics through our wrapper: same numbers, verified files, no silent download, no random network."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.api import Direction, MetricKind, RequestError, Unavailable, UnitError
from bench.api.presets import PRESETS
from bench.metrics import pyiqa_metrics, pyiqa_names
from bench.metrics.base import ScoredPair
from bench.metrics.catalog import make_metric
from bench.metrics.offline import NetworkBlocked, no_network
from bench.metrics.pyiqa_metrics import MUSIQ, MUSIQ_TOKENS, make_pyiqa, shrunk
from bench.metrics.weights import WeightsFile, full_hash

PROTOCOL = next(iter(PRESETS.values()))


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default policy, whatever the environment of the test run says."""
    monkeypatch.delenv("ASSR_BENCH_DOWNLOAD", raising=False)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def scored(sr: np.ndarray, hr: np.ndarray | None = None, protocol=PROTOCOL) -> ScoredPair:
    return ScoredPair(sr=sr, hr=hr, lr=None, scale=4.0, protocol=protocol)


def with_max_side(side: int):
    from dataclasses import replace

    return replace(PROTOCOL, nr_max_side=side)


def test_a_metric_without_weights_equals_pyiqa_itself(tmp_path: Path) -> None:
    import pyiqa
    import torch

    hr = picture(200, 220)
    sr = np.clip(hr.astype(int) + np.random.default_rng(1).integers(-20, 21, hr.shape), 0, 255).astype(np.uint8)
    metric = make_pyiqa("ms_ssim", tmp_path)
    assert metric.unavailable() is None
    as_tensor = [torch.from_numpy(i.copy()).permute(2, 0, 1)[None].float() / 255 for i in (sr, hr)]
    want = float(pyiqa.create_metric("ms_ssim", device=torch.device("cpu"))(*as_tensor))
    assert metric.compute(scored(sr, hr)) == pytest.approx(want, abs=1e-7)
    with pytest.raises(UnitError, match="reference"):
        metric.compute(scored(sr))


def test_mode_and_direction_are_pyiqas_own() -> None:
    import pyiqa

    table = pyiqa_names.pyiqa_metrics()
    assert set(table) | set(pyiqa_names.NOT_PER_IMAGE) == set(pyiqa.list_models())
    for name, kind, direction in (
        ("ms_ssim", MetricKind.FULL_REFERENCE, Direction.HIGHER),
        ("dists", MetricKind.FULL_REFERENCE, Direction.LOWER),
        ("ilniqe", MetricKind.NO_REFERENCE, Direction.LOWER),
        ("topiq_nr", MetricKind.NO_REFERENCE, Direction.HIGHER),
    ):
        info = make_pyiqa(name).info
        assert (info.name, info.kind, info.direction) == (f"pyiqa:{name}", kind, direction)
    for name in ("musiq", "dists", "maniqa", "clipiqa"):
        mine, theirs = make_metric(name).info, make_pyiqa(name).info
        assert (mine.kind, mine.direction) == (theirs.kind, theirs.direction)


def test_listed_files_are_those_that_pyiqa_names_in_its_source() -> None:
    import pyiqa

    source = "".join(path.read_text() for path in (Path(pyiqa.__file__).parent / "archs").glob("*.py"))
    for files in pyiqa_names.FILES.values():
        for file in files:
            if file.relative.startswith(("pyiqa/", "clip/")):
                assert Path(file.relative).name in source, file


def test_unknown_and_set_metrics_are_refused_when_asked_for() -> None:
    with pytest.raises(RequestError, match="Did you mean 'pyiqa:musiq'"):
        make_metric("pyiqa:musiqq")
    with pytest.raises(RequestError, match="ask for 'fid'"):
        make_metric("pyiqa:fid")


def test_signature_holds_version_weights_and_the_size_that_the_network_sees(tmp_path: Path) -> None:
    path = tmp_path / "hub" / "pyiqa" / "musiq_koniq_ckpt-e95806b9.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    metric = MUSIQ(tmp_path)
    full, small = metric.signature(PROTOCOL, 4.0), metric.signature(with_max_side(512), 4.0)
    assert full.startswith("musiq|rgb|in:full|pyiqa@")
    assert f"|w:{full_hash(path)[:12]}|" in full
    assert "|in:max512-bicubic|" in small
    assert "in:full" in make_pyiqa("ms_ssim").signature(with_max_side(512), 4.0)


def test_networks_without_reference_see_the_shrunk_image(monkeypatch) -> None:
    import torch

    seen: list = []
    metric = make_pyiqa("topiq_nr")
    monkeypatch.setattr(metric, "_model", lambda x: seen.append(x) or torch.tensor([[0.5]]))
    image = picture(120, 300)
    assert metric.compute(scored(image, protocol=with_max_side(100))) == 0.5
    assert seen[0].shape == (1, 3, 40, 100)
    assert 0 <= float(seen[0].min()) <= float(seen[0].max()) <= 1
    metric.compute(scored(image[..., 0], protocol=with_max_side(400)))
    assert seen[1].shape == (1, 3, 120, 300)
    assert torch.equal(seen[1][:, 0], seen[1][:, 2])
    assert np.array_equal(shrunk(image, None), shrunk(image.astype(np.uint16) * 257, None))


def test_full_size_8k_is_refused_before_any_memory_is_taken(monkeypatch) -> None:
    def copied(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pyiqa_metrics, "shrunk", copied)
    image = np.broadcast_to(np.uint8(0), (4320, 7680, 3))
    with pytest.raises(UnitError, match=f"tokens.*{MUSIQ_TOKENS}.*nr_max_side"):
        MUSIQ().compute(scored(image))
    with pytest.raises(UnitError, match="memory"):
        make_pyiqa("ms_ssim").compute(scored(image, image))


def made_up_musiq(root: Path, monkeypatch, **options):
    """MUSIQ's own architecture with random values, saved under the published name and pinned to its bytes."""
    import torch
    from pyiqa.archs import musiq_arch

    torch.manual_seed(0)
    network = musiq_arch.MUSIQ(pretrained=False, **options).eval()
    path = root / "hub" / "pyiqa" / "musiq_koniq_ckpt-e95806b9.pth"
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path)
    return network, path


def pin(path: Path, monkeypatch) -> None:
    file = WeightsFile("pyiqa/musiq_koniq_ckpt-e95806b9.pth", "https://example.org/musiq", full_hash(path))
    monkeypatch.setitem(pyiqa_names.FILES, "musiq", (file,))


def test_musiq_is_loaded_from_the_given_root_and_equals_its_network(tmp_path: Path, monkeypatch) -> None:
    import torch

    network, path = made_up_musiq(tmp_path, monkeypatch)
    pin(path, monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "elsewhere"))
    image = picture(96, 130)
    with torch.inference_mode():
        want = float(network(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255))
    usual = torch.hub.get_dir()
    assert MUSIQ(tmp_path).compute(scored(image)) == pytest.approx(want, abs=1e-5)
    assert torch.hub.get_dir() == usual
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_random_values_under_the_published_name_are_refused(tmp_path: Path, monkeypatch) -> None:
    made_up_musiq(tmp_path, monkeypatch)
    with pytest.raises(Unavailable, match="not the published file"):
        MUSIQ(tmp_path).compute(scored(picture(96, 96)))


def test_a_file_of_other_shapes_is_refused(tmp_path: Path, monkeypatch) -> None:
    _, path = made_up_musiq(tmp_path, monkeypatch, num_class=10)
    pin(path, monkeypatch)
    metric = MUSIQ(tmp_path)
    with pytest.raises(Unavailable, match=r"pyiqa's musiq cannot be built.*head"):
        metric.compute(scored(picture(96, 96)))
    with pytest.raises(Unavailable, match="cannot be built"):
        metric.compute(scored(picture(96, 96)))


class _Bomb:
    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (Path(self.target),)


def test_a_file_that_would_run_code_is_not_unpickled(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "hub" / "pyiqa" / "musiq_koniq_ckpt-e95806b9.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"params": _Bomb(str(tmp_path / "ran"))}))
    pin(path, monkeypatch)
    with pytest.raises(Unavailable, match="cannot be built"):
        MUSIQ(tmp_path).compute(scored(picture(96, 96)))
    assert not (tmp_path / "ran").exists()


def test_a_corrupt_mat_file_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "hub" / "pyiqa" / "ILNIQE_templateModel.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a mat file")
    with pytest.raises(Unavailable, match="ilniqe cannot be built"):
        make_pyiqa("ilniqe", tmp_path).compute(scored(picture(96, 96)))


@pytest.mark.parametrize("name", ["topiq_nr", "stlpips", "arniqa"])
def test_metrics_of_unlisted_files_say_what_they_wanted_to_fetch(tmp_path: Path, name: str) -> None:
    metric = make_pyiqa(name, tmp_path)
    assert metric.unavailable() is None
    assert "|w:unlisted|" in metric.signature(PROTOCOL, 4.0)
    image = picture(96, 96)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"ASSR_BENCH_DOWNLOAD"):
            metric.compute(scored(image, image))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_library_that_swallows_the_refusal_and_goes_on_is_caught(tmp_path: Path) -> None:
    from bench.metrics.pyiqa_build import build

    def builds_a_random_network_when_offline() -> str:
        import urllib.request

        try:
            urllib.request.urlopen("https://example.org/backbone.pth")
        except Exception:
            return "random network"
        return "network"

    with pytest.raises(Unavailable, match=r"https://example\.org/backbone\.pth"):
        build("a metric", builds_a_random_network_when_offline, tmp_path)


def test_the_guard_binds_one_thread_and_ends_with_its_block() -> None:
    import socket

    found: list = []
    with no_network() as attempts:
        kept = socket.getaddrinfo
        thread = threading.Thread(target=lambda: found.append(socket.getaddrinfo("127.0.0.1", 80)))
        thread.start()
        thread.join()
        with pytest.raises(NetworkBlocked):
            socket.getaddrinfo("example.org", 80)
        with pytest.raises(NetworkBlocked), socket.socket() as client:
            client.connect(("127.0.0.1", 9))
    assert found
    assert attempts == ["example.org", "127.0.0.1"]
    assert kept("127.0.0.1", 80)


@pytest.mark.reference
def test_wrapped_lpips_has_the_official_value(reference_root: Path) -> None:
    folder = reference_root / "reference" / "iqa_calibration"
    sr, hr = (np.asarray(Image.open(folder / side / "I04.bmp").convert("RGB")) for side in ("dist", "ref"))
    metric = make_pyiqa("lpips", reference_root / "weights" / "torch_home")
    assert metric.compute(scored(sr, hr)) == pytest.approx(0.2572, abs=1e-4)
