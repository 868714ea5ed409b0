"""NIQE and its shape tables against pyiqa's code and the official values of the calibration images."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import savemat
from scipy.special import gammaln
from skimage import data

from bench.api import Unavailable, UnitError, get_protocol
from bench.imaging import imresize_u8, read_image, yiq_luma_u8
from bench.metrics.base import ScoredPair
from bench.metrics.ggd import AGGD, GGD
from bench.metrics.niqe import NIQE, Pristine, load_parameters, niqe

PYIQA = get_protocol("pyiqa-default")


@pytest.fixture(scope="module")
def pristine():
    """A Gaussian in the place of the released parameters: any positive definite one tests the code as well."""
    rng = np.random.default_rng(3)
    factor = rng.normal(size=(36, 36)) * 0.1
    return Pristine(rng.uniform(0.2, 3, 36), factor @ factor.T + 0.02 * np.eye(36))


@pytest.fixture(scope="module")
def pyiqa_niqe():
    return pytest.importorskip("pyiqa.archs.niqe_arch").calculate_niqe


def by_pyiqa(calculate, rgb, pristine, **options):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
    mean, covariance = torch.from_numpy(pristine.mean), torch.from_numpy(pristine.covariance)
    return float(calculate(tensor, mu_pris_param=mean, cov_pris_param=covariance, **options))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("factor", [1, 4])
def test_equals_pyiqa_on_natural_and_soft_images(pyiqa_niqe, pristine, name, factor):
    rgb = getattr(data, name)()
    height, width = rgb.shape[:2]
    rgb = imresize_u8(imresize_u8(rgb, (height // factor, width // factor)), (height, width))
    assert niqe(yiq_luma_u8(rgb), pristine) == pytest.approx(by_pyiqa(pyiqa_niqe, rgb, pristine), abs=2e-3)


def test_flat_blocks_are_left_out_as_in_pyiqa_not_zeroed(pyiqa_niqe, pristine):
    """A saturated region has no negative coefficients: NaN statistics there, and the kernel's rounding decides."""
    rgb = data.astronaut().copy()
    rgb[:200, :300] = 255
    rgb[300:, 350:] = 0
    assert niqe(yiq_luma_u8(rgb), pristine) == pytest.approx(by_pyiqa(pyiqa_niqe, rgb, pristine), abs=2e-3)


def test_protocol_luma_and_border_are_used(pyiqa_niqe, pristine, tmp_path):
    folder = tmp_path / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    parameters = {"mu_prisparam": pristine.mean[None], "cov_prisparam": pristine.covariance}
    savemat(folder / "niqe_modelparameters.mat", parameters)
    rgb = data.chelsea()
    metric = NIQE(tmp_path)
    for colour, theirs in (("yiq-u8", "yiq"), ("y601s-u8", "ycbcr")):
        for border in (0, 4):
            protocol = replace(PYIQA, nr_colour=colour, nr_shave=border)
            pair = ScoredPair(sr=rgb, hr=None, lr=None, scale=4, protocol=protocol)
            expected = by_pyiqa(pyiqa_niqe, rgb, pristine, crop_border=border, color_space=theirs)
            assert metric.compute(pair) == pytest.approx(expected, abs=2e-3)
            assert metric.signature(protocol, 4).startswith(f"niqe|{colour}|k:f32|w:")
            assert f"|shave:{border}|" in metric.signature(protocol, 4)


@pytest.mark.parametrize("shape", [(95, 400), (400, 95), (20, 20)])
def test_too_small_for_a_block_is_an_error_of_the_unit(pristine, shape):
    with pytest.raises(UnitError, match=f"at least 96 px.*{shape[0]} x {shape[1]}"):
        niqe(np.zeros(shape, np.uint8), pristine)


@pytest.mark.parametrize("level", [0, 127, 255])
def test_flat_image_has_a_reason_not_a_nan(pristine, level):
    with pytest.raises(UnitError, match="undefined"):
        niqe(np.full((200, 300), level, np.uint8), pristine)


def test_one_block_is_enough(pyiqa_niqe, pristine):
    rgb = data.astronaut()[100:196, 150:250]
    assert niqe(yiq_luma_u8(rgb), pristine) == pytest.approx(by_pyiqa(pyiqa_niqe, rgb, pristine), abs=2e-3)


@pytest.mark.parametrize("table", [AGGD, GGD])
def test_table_search_is_the_argmin_also_on_ties_and_outside(table):
    rng = np.random.default_rng(5)
    middles = (table.ratios[10:-10:997] + table.ratios[11:-9:997]) / 2
    inside = rng.uniform(table.ratios.min(), np.median(table.ratios) * 2, 300)
    ratios = np.concatenate([middles, inside, table.ratios[::1500], [-1.0, 0.0, 1e9, np.nan]])
    scanned = table.shapes[[np.argmin(np.abs(ratio - table.ratios)) for ratio in ratios]]
    np.testing.assert_array_equal(table.nearest(ratios), scanned)


def test_table_inverts_the_moment_ratio_of_known_shapes():
    shape = np.array([0.5, 1.0, 2.0, 4.0])
    ratio = np.exp(gammaln(1 / shape) + gammaln(3 / shape) - 2 * gammaln(2 / shape))
    np.testing.assert_allclose(GGD.nearest(ratio), shape, atol=1e-6)
    np.testing.assert_allclose(AGGD.nearest(1 / ratio), shape, atol=1e-6)


def test_missing_parameters_are_named_and_never_replaced(tmp_path):
    metric = NIQE(tmp_path)
    reason = metric.unavailable()
    assert reason is not None
    assert "niqe_modelparameters.mat" in reason
    assert "|w:missing|" in metric.signature(PYIQA, 4)
    with pytest.raises(Unavailable, match="niqe_modelparameters"):
        metric.compute(ScoredPair(sr=data.chelsea(), hr=None, lr=None, scale=4, protocol=PYIQA))


def test_another_mat_file_is_refused(tmp_path):
    folder = tmp_path / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    savemat(folder / "niqe_modelparameters.mat", {"mu_prisparam": np.zeros((1, 4)), "cov_prisparam": np.eye(4)})
    with pytest.raises(Unavailable, match="expected a mean of 36"):
        load_parameters(tmp_path)
    (folder / "niqe_modelparameters.mat").write_bytes(b"not a mat file")
    with pytest.raises(Unavailable, match="not NIQE's parameter file"):
        load_parameters(tmp_path)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["I04.bmp", "I06.bmp"])
def test_calibration_images_give_the_official_values(reference_root, name):
    from bench.metrics.scorer import Scorer

    folder = reference_root / "reference" / "iqa_calibration"
    with (folder / "official.csv").open(newline="") as file:
        official = {row["Method"]: float(row[name]) for row in csv.DictReader(file)}
    sr, hr = (read_image(folder / kind / name).pixels for kind in ("dist", "ref"))
    scorer = Scorer(["psnr", "ssim", "niqe"], PYIQA, weights_root=reference_root / "weights" / "torch_home")
    values = {key: value.value for key, value in scorer.score(sr, hr, None, 1.0, name).items()}
    # The table prints two and four digits: the values must round to them, up to its own rounding.
    assert values["psnr"] == pytest.approx(official["psnr"], abs=0.005 + 1e-4)
    assert values["ssim"] == pytest.approx(official["ssim"], abs=5e-4)
    assert values["niqe"] == pytest.approx(official["niqe"], rel=3e-3)
