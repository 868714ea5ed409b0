"""`--degradation` and the metrics that a protocol brings: what a request becomes, and what its LR images are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bench
from bench.api import RequestError, derive_seed, get_protocol
from bench.data import prepare, resolve_dataset
from bench.imaging import draw_real_esrgan, write_png
from bench.imaging.manifest import read_manifest
from bench.metrics.catalog import DEFAULT_METRICS
from bench.session.config import make_config
from bench.session.request import build_request


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A colour image of odd sides, a gray one and a 16-bit one."""
    import cv2

    folder = tmp_path / "Odd"
    folder.mkdir()
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 256, (10, 14, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    write_png(folder / "colour.png", np.ascontiguousarray(coarse[:37, :53]))
    write_png(folder / "gray.png", np.ascontiguousarray(coarse[:37, :53, 0]))
    assert cv2.imwrite(str(folder / "deep.png"), coarse[:37, :53, ::-1].astype(np.uint16) * 257)
    return folder


def test_the_option_replaces_how_lr_is_made_and_nothing_else(images: Path, tmp_path: Path) -> None:
    """Catches an option that changes the scoring half, and one that a stored request forgets."""
    config = make_config(
        {"methods": "bicubic", "scales": "4", "datasets": str(images), "degradation": "real-esrgan-light"}
    )
    request = build_request(config)
    base = get_protocol("sample")
    assert request.protocol.differences(base) == {"degradation": ("real-esrgan-light", "none")}
    assert request.config["degradation"] == "real-esrgan-light"
    assert build_request(make_config(dict(request.config))).protocol == request.protocol
    none = make_config({"methods": "bicubic", "scales": "4", "protocol": "cassr-div2k", "degradation": "none"})
    assert build_request(none).protocol.degradation == "none"


def test_lr_images_of_any_kind_are_those_of_the_stored_manifest(images: Path, tmp_path: Path) -> None:
    """Catches draws that depend on the depth of a file, on its channels or on the order of the images."""
    runs = [
        bench.run("bicubic", 4, datasets=images, metrics="psnr", degradation="real-esrgan-light", out=tmp_path / name)
        for name in ("a", "b")
    ]
    assert all(run.complete for run in runs)
    paths = [tmp_path / name / "degradations" / "real-esrgan-light" / "Odd-s0.json" for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    stored = read_manifest(paths[0])
    protocol = build_request(
        make_config({"methods": "bicubic", "scales": "4", "degradation": "real-esrgan-light"})
    ).protocol
    for sample in resolve_dataset(str(images)).samples(4):
        pair = prepare(sample, 4, protocol)
        assert pair.lr is not None
        assert pair.hr is not None
        assert pair.lr.shape == (9, 13, 3)
        assert stored[sample.id] == draw_real_esrgan(derive_seed(0, sample.id), "real-esrgan-light")
        hr = pair.hr if pair.hr.ndim == 3 else np.repeat(pair.hr[:, :, None], 3, axis=2)
        np.testing.assert_array_equal(np.rint(pair.lr * 255), stored[sample.id].apply(hr, (9, 13)))
    assert list(runs[0].records["value"]) == list(runs[1].records["value"])


def test_a_protocol_that_cannot_be_degraded_says_so() -> None:
    """Catches a ValueError of the protocol that reaches the user as a traceback."""
    config = make_config({"methods": "bicubic", "scales": "4", "protocol": "lut-y", "degradation": "real-esrgan"})
    with pytest.raises(RequestError, match=r"'lut-y' does not take --degradation real-esrgan.*--protocol"):
        build_request(config)


def test_an_unknown_degradation_names_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"--degradation rain.*'real-esrgan-light'"):
        make_config({"methods": "bicubic", "scales": "4", "degradation": "rain"})


@pytest.mark.parametrize("protocol", ["cassr", "cassr-div2k"])
def test_cassr_asks_for_the_metrics_of_its_table_unless_others_are_asked_for(protocol: str) -> None:
    """Catches defaults that overrule what was typed, and a stored request without its metrics."""
    values = {"methods": "bicubic", "scales": "4", "protocol": protocol}
    asked = build_request(make_config(values))
    assert {"fid", "dists", "lpips", "musiq", "maniqa", "clipiqa", "niqe", "psnr", "ssim"} == set(asked.metric_names)
    assert asked.config["metrics"] == list(asked.metric_names)
    assert build_request(make_config({**values, "metrics": "psnr"})).metric_names == ("psnr",)
    assert build_request(make_config({**values, "metrics": DEFAULT_METRICS})).metric_names == DEFAULT_METRICS
    assert build_request(make_config({**values, "protocol": "sample"})).metric_names == DEFAULT_METRICS


def test_cassr_crops_512_and_its_div2k_form_keeps_whole_images(tmp_path: Path) -> None:
    """Catches DIV2K cropped like RealSR, and an LR side that is rounded up."""
    folder = tmp_path / "Large"
    folder.mkdir()
    write_png(folder / "a.png", np.random.default_rng(1).integers(0, 256, (530, 611, 3)).astype(np.uint8))
    (sample,) = resolve_dataset(str(folder)).samples(4)
    sizes = {}
    for name in ("cassr", "cassr-div2k"):
        pair = prepare(sample, 4, get_protocol(name))
        sizes[name] = (pair.size, pair.lr_shape)
    assert sizes == {"cassr": ((512, 512), (128, 128)), "cassr-div2k": ((528, 608), (132, 152))}
