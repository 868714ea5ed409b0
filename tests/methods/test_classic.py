"""The interpolations under the method contract."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from bench.api import derive_seed
from bench.imaging.planes import resize_planes
from bench.imaging.resize import imresize
from bench.plugins import method_class, method_spec

NAMES = ("nearest", "bilinear", "bicubic", "lanczos")


def _make(name: str):
    return method_class(method_spec(name))()


def _random(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(derive_seed(*shape)).random(shape, np.float32))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(48, 60), (37, 71), (16, 20), (301, 33)])
def test_exact_size_at_fractional_and_unequal_ratios(name, size):
    sr = _make(name).upscale(_random(3, 16, 20), size, seed=0).image
    assert tuple(sr.shape) == (3, *size)
    assert sr.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_channels_are_not_mixed_or_swapped(name):
    lr = _random(3, 12, 15)
    method = _make(name)
    whole = method.upscale(lr, (40, 50), seed=0).image
    for channel in range(3):
        alone = method.upscale(lr[channel].expand(3, -1, -1), (40, 50), seed=0).image
        assert torch.equal(whole[channel], alone[0])


def test_nearly_equal_channels_are_not_taken_for_equal():
    lr = _random(1, 12, 15).repeat(3, 1, 1)
    lr[2, 5, 7] += 1e-6
    sr = resize_planes(lr, (30, 30), "bicubic")
    assert not torch.equal(sr[0], sr[2])
    assert torch.equal(sr[0], sr[1])


def test_equal_channels_are_computed_once(monkeypatch):
    import bench.imaging.planes as planes

    calls = []
    original = planes.interpolate
    monkeypatch.setattr(planes, "interpolate", lambda *a, **k: calls.append(1) or original(*a, **k))
    resize_planes(_random(1, 12, 15).expand(3, -1, -1), (30, 30), "bicubic")
    assert len(calls) == 1


def test_bicubic_is_matlabs_and_not_clipped_or_rounded():
    lr = torch.zeros(3, 8, 8)
    lr[:, :, 4:] = 1
    sr = _make("bicubic").upscale(lr, (32, 32), seed=0).image
    assert float(sr.max()) > 1.01
    assert float(sr.min()) < -0.01
    expected = imresize(lr[0].numpy(), (32, 32))
    assert np.abs(sr[0].numpy() - expected).max() < 1e-7


@pytest.mark.parametrize(
    ("name", "pillow"), [("bilinear", Image.Resampling.BILINEAR), ("lanczos", Image.Resampling.LANCZOS)]
)
def test_kernel_agrees_with_pillow_inside(name, pillow):
    """Pillow's border differs (it renormalises), the inside does not; a wrong kernel or a half-pixel shift would."""
    lr = _random(3, 24, 24)
    sr = _make(name).upscale(lr, (72, 72), seed=0).image[0].numpy()
    other = np.asarray(Image.fromarray(lr[0].numpy()).resize((72, 72), pillow))
    inside = slice(12, -12)
    assert np.abs(sr - other)[inside, inside].max() < 2e-4


def test_nearest_repeats_pixels():
    lr = _random(3, 5, 7)
    sr = _make("nearest").upscale(lr, (15, 21), seed=0).image
    assert torch.equal(sr, lr.repeat_interleave(3, 1).repeat_interleave(3, 2))


def test_the_seed_and_the_memory_order_change_nothing():
    lr = _random(3, 9, 11)
    method = _make("bicubic")
    first = method.upscale(lr, (20, 30), seed=0).image
    assert torch.equal(first, method.upscale(lr, (20, 30), seed=1).image)
    turned = lr.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(first, method.upscale(turned, (20, 30), seed=0).image)


def test_reading_the_specs_imports_no_torch():
    code = (
        "import sys; from bench.plugins import method_spec\n"
        "for n in ('bicubic', 'nearest', 'precomputed', 'command', 'spandrel'): method_spec(n)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_source_that_a_spec_names_is_there():
    for name in (*NAMES, "precomputed", "command", "spandrel"):
        spec = method_spec(name)
        assert spec.root.is_dir(), name
        for path in spec.shared:
            assert path.exists(), (name, path)
