"""A published table reproduced by a plugin of one page: LR, upsampling, rounding and border all have to be right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.api import ImageRef, RequestError, Sample, UnitError, get_protocol
from bench.check import Status, run_battery
from bench.data.pair import prepare
from bench.engine.choice import choose_methods
from bench.plugins import load_plugin, method_class, method_spec

PLUGIN = Path(__file__).parent / "plugins" / "vdsr.py"


@pytest.fixture
def vdsr():
    load_plugin(PLUGIN)
    return method_class(method_spec("vdsr"))()


def test_the_plugin_fits_on_a_page():
    assert len(PLUGIN.read_text().splitlines()) <= 80


def test_missing_or_wrong_weights_are_named(vdsr, tmp_path):
    with pytest.raises(RequestError, match="--weights vdsr="):
        vdsr.load(None, torch.device("cpu"), torch.float32)
    (tmp_path / "other.mat").write_bytes(b"nothing")
    with pytest.raises(RequestError, match=r"other\.mat is not VDSR_Official"):
        vdsr.load(tmp_path / "other.mat", torch.device("cpu"), torch.float32)


def test_colour_is_refused(vdsr):
    with pytest.raises(UnitError, match="classic-y"):
        vdsr.upscale(torch.rand(3, 8, 8), (16, 16), seed=0)


@pytest.mark.reference
def test_the_contract_is_kept_on_gray_images(vdsr, reference_root):
    """Catches a battery that cannot judge a method for luma planes, and what only real weights show."""
    weights = reference_root / "weights" / "sr" / "VDSR_Official.mat"
    (choice,) = choose_methods(["vdsr"], weights=str(weights), overrides=())
    report = run_battery(choice, device="cpu")
    assert not report.of(Status.FAILED), report.of(Status.FAILED)
    assert "takes gray images alone" in report.results[0].remark


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(("scale", "published"), [(2, 37.53), (3, 33.66), (4, 31.35)])
def test_set5_equals_the_paper(vdsr, reference_root, scale, published):
    """Table 2 of the paper. PSNR is written out here, so that the harness' own metric is not judged by itself."""
    vdsr.load(reference_root / "weights" / "sr" / "VDSR_Official.mat", torch.device("cpu"), torch.float32)
    protocol = get_protocol("classic-y")
    values = []
    for file in sorted((reference_root / "data" / "test" / "Set5").glob("*.png")):
        pair = prepare(Sample(file.stem, ImageRef(file)), scale, protocol)
        assert pair.lr is not None
        assert pair.hr is not None
        lr = torch.from_numpy(np.ascontiguousarray(pair.lr.transpose(2, 0, 1)))
        with torch.inference_mode():
            sr = vdsr.upscale(lr, pair.size, seed=0).image[0].numpy()
        sr = np.floor(np.clip(sr * 255, 0, 255) + 0.5)
        error = (sr - pair.hr)[scale:-scale, scale:-scale]
        values.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert len(values) == 5
    assert abs(np.mean(values) - published) < 0.01
