"""FID: the distance against closed forms, the features against pyiqa's own pipeline, the weights against mix-ups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from PIL import Image

from bench.api import Unavailable, UnitError
from bench.api.presets import PRESETS
from bench.metrics.fid import FID, bias_note
from bench.metrics.frechet import frechet_distance
from bench.metrics.weights import WeightsFile, full_hash

PROTOCOL = next(iter(PRESETS.values()))


def sample_of(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """A sample whose own mean and covariance are exactly these."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_diagonal_gaussians_have_the_closed_form() -> None:
    s1, s2 = np.array([1.0, 4.0, 0.25, 9.0]), np.array([2.0, 1.0, 0.5, 16.0])
    m1, m2 = np.zeros(4), np.array([1.0, -2.0, 0.0, 3.0])
    a, b = sample_of(m1, np.diag(s1), 50, 0), sample_of(m2, np.diag(s2), 70, 1)
    want = np.sum((m1 - m2) ** 2) + np.sum((np.sqrt(s1) - np.sqrt(s2)) ** 2)
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-10)


def test_covariances_that_do_not_commute_equal_the_matrix_square_root() -> None:
    rng = np.random.default_rng(3)
    a = rng.standard_normal((200, 12)) @ rng.standard_normal((12, 12))
    b = rng.standard_normal((90, 12)) @ rng.standard_normal((12, 12)) + 1
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(ca @ cb).real
    want = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(ca + cb - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(want, rel=1e-9)


def test_fewer_samples_than_dimensions_need_no_fudge() -> None:
    a = np.random.default_rng(4).standard_normal((6, 300))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2.0) == pytest.approx(300 * 4.0, rel=1e-10)
    assert frechet_distance(a, 3 * (a - a.mean(0)) + a.mean(0)) == pytest.approx(4 * np.trace(np.cov(a.T)), rel=1e-9)


def test_bad_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 samples"):
        frechet_distance(np.zeros((1, 4)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(np.full((3, 4), np.nan), np.zeros((5, 4)))


def test_small_sets_are_called_biased_and_counted() -> None:
    assert "100 images is biased" in str(bias_note(100))
    assert bias_note(2048) is None
    assert "|n:100|" in FID().signature(PROTOCOL, 4.0, n=100)


def test_without_weights_the_reason_names_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("ASSR_BENCH_DOWNLOAD", raising=False)
    images = [np.zeros((32, 32, 3), np.uint8)] * 2
    assert "pt_inception-2015-12-05-6726825d.pth" in str(FID(tmp_path).unavailable())
    with pytest.raises(Unavailable, match=r"pt_inception-2015-12-05-6726825d\.pth"):
        FID(tmp_path).compute_sets(images, images)
    with pytest.raises(UnitError, match="at least 2 images"):
        FID(tmp_path).compute_sets(images[:1], images[:1])


@pytest.fixture
def fid(made_up_inception: Path) -> FID:
    """FID pinned to the made-up bytes, so that the real loading code accepts them."""
    path = made_up_inception / "hub" / "pyiqa" / "pt_inception-2015-12-05-6726825d.pth"
    file = WeightsFile(f"pyiqa/{path.name}", "https://example.org/inception", full_hash(path))
    return type("MadeUpFID", (FID,), {"file": file})(made_up_inception)


def pictures(n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (40 + 7 * k, 61, 3), np.uint8) for k in range(n)]


def test_features_equal_pyiqas_own_pipeline_from_files(fid: FID, tmp_path: Path) -> None:
    import torch
    from pyiqa.archs.fid_arch import get_folder_features

    from bench.metrics.inception import features

    images = pictures(3, 0)
    for k, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{k}.png")
    want = get_folder_features(
        str(tmp_path), fid.network(), num_workers=0, batch_size=2, device=torch.device("cpu"), verbose=False
    )
    mine = features(fid.network(), images)
    assert mine.shape == (3, 2048)
    scale = np.abs(want).max()
    assert np.abs(mine - want).max() < 1e-4 * scale
    from_paths = features(fid.network(), sorted(tmp_path.glob("*.png")))
    assert np.abs(mine - from_paths).max() < 1e-6 * scale


def test_equal_sets_have_distance_zero_and_planes_and_16_bit_count_alike(fid: FID) -> None:
    images = pictures(3, 0)
    others = pictures(4, 5)
    far = fid.compute_sets(others, images)
    assert far > 0
    assert fid.compute_sets(images, images) < 1e-6 * far
    assert fid.compute_sets([i.astype(np.uint16) * 257 for i in others], images) == pytest.approx(far, rel=1e-4)
    planes = [np.ascontiguousarray(i[..., 0]) for i in images]
    assert fid.compute_sets(planes, [np.stack([p] * 3, 2) for p in planes]) < 1e-6 * far


def test_random_inception_under_the_published_name_is_refused(made_up_inception: Path) -> None:
    images = pictures(2, 0)
    with pytest.raises(Unavailable, match=r"not the published file.*6726825d"):
        FID(made_up_inception).compute_sets(images, images)


def test_a_file_of_other_layers_is_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "hub" / "pyiqa" / "pt_inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    torch.save({"fc.weight": torch.zeros(3, 3)}, path)
    file = WeightsFile(f"pyiqa/{path.name}", "https://example.org/inception", full_hash(path))
    images = pictures(2, 0)
    with pytest.raises(Unavailable, match=r"Inception network cannot be built.*fc\.weight|Missing key"):
        type("MadeUpFID", (FID,), {"file": file})(tmp_path).compute_sets(images, images)
