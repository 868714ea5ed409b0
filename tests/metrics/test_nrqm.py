"""Ma et al.'s features, the forests' file and PI against pyiqa's code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from skimage import data

from bench.api import Unavailable, UnitError, get_protocol
from bench.imaging import yiq_luma_u8
from bench.metrics.base import ScoredPair
from bench.metrics.forest import GROUPS, read_model
from bench.metrics.ma_features import SMALLEST, dct_features, gaussian_pyramid, ma_features, patch_spectrum
from bench.metrics.mixture import normalised_bands
from bench.metrics.nrqm import NRQM
from bench.metrics.pi import PI
from bench.metrics.steerable import steerable_pyramid

PYIQA = get_protocol("pyiqa-default")
TREES, NODES = 30, 31


@pytest.fixture(scope="module")
def reference():
    return pytest.importorskip("pyiqa.archs.nrqm_arch")


@pytest.fixture(scope="module")
def crop():
    """RGB 107 x 122: an odd side, so that halvings round; small, since pyiqa takes seconds."""
    return np.ascontiguousarray(data.astronaut()[60:167, 160:282])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a model file of the released structure (random forests) and NIQE parameters."""
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("weights") / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    forests = np.empty((1, 3), dtype=object)
    for index, features in enumerate(GROUPS):
        forests[0, index] = _random_forest(rng, features)
    linear = np.array([[0.5], [0.2], [0.4], [0.3]])
    savemat(folder / "NRQM_model.mat", {"model": {"linear": linear, "rf": forests}})
    factor = rng.normal(size=(36, 36)) * 0.1
    parameters = {"mu_prisparam": rng.uniform(0.2, 3, (1, 36)), "cov_prisparam": factor @ factor.T + 0.02 * np.eye(36)}
    savemat(folder / "niqe_modelparameters.mat", parameters)
    return folder.parents[1]


def _random_forest(rng, features):
    """Complete binary trees of 31 nodes; children count from 1, leaves have child 0."""
    children = np.arange(NODES)[:, None] * 2 + 2
    left = np.where(children <= NODES, children, 0).repeat(TREES, axis=1).astype(np.int32)
    right = np.where(left > 0, left + 1, 0).astype(np.int32)
    leaf = left == 0
    attribute = np.where(leaf, 0, rng.integers(1, features + 1, left.shape)).astype(np.int32)
    threshold = np.where(leaf, 0, rng.choice([0.3, 0.8, 1.5, 3.0], left.shape))
    prediction = rng.uniform(0, 10, left.shape)
    empty = np.zeros((1, 1))
    return {
        "lDau": left,
        "rDau": right,
        "nodeStatus": empty,
        "nodeCount": empty,
        "threshold": threshold,
        "prediction": prediction,
        "attribute": attribute,
    }


def as_tensor(rgb):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255


def pair(rgb, protocol=PYIQA):
    return ScoredPair(sr=rgb, hr=None, lr=None, scale=4, protocol=protocol)


def test_features_equal_pyiqa(reference, crop):
    torch = pytest.importorskip("torch")
    luma = yiq_luma_u8(crop).astype(np.float64)
    tensor = torch.from_numpy(luma)[None, None]
    scales = reference.get_gauss_pyramid(tensor / 255)
    ours = ma_features(luma)
    dct = torch.cat([reference.block_dct(scale) for scale in scales], 1)[0]
    np.testing.assert_allclose(ours.dct, dct, rtol=1e-6)
    np.testing.assert_allclose(ours.mixture, reference.global_gsm(tensor)[0], rtol=1e-6)
    columns = [reference.im2col(scale, 5, "distinct") for scale in scales]
    spectra = torch.cat([torch.linalg.svdvals(column) for column in columns], 1)[0]
    np.testing.assert_allclose(ours.spectra, spectra, rtol=1e-9)
    assert [len(group) for group in ours] == list(GROUPS)


def test_pyramid_keeps_every_second_pixel_from_the_second_on(reference, crop):
    torch = pytest.importorskip("torch")
    luma = yiq_luma_u8(crop) / 255
    theirs = reference.get_gauss_pyramid(torch.from_numpy(luma)[None, None])
    for mine, other in zip(gaussian_pyramid(luma), theirs, strict=True):
        np.testing.assert_allclose(mine, other[0, 0], atol=1e-14)


def test_bands_of_a_grating_answer_to_its_orientation():
    """Bands are ordered by angle, from gratings that vary along columns on: a transposed grid swaps 0 and 3."""
    x = np.arange(128)
    grating = np.cos(2 * np.pi * x / 6)[None, :].repeat(128, axis=0) * 50 + 100
    energy = [np.mean(band**2) for band in steerable_pyramid(grating).levels[0]]
    across = [np.mean(band**2) for band in steerable_pyramid(grating.T.copy()).levels[0]]
    assert np.argmax(energy) == 0
    assert np.argmax(across) == 3


def test_normalised_bands_of_noise_have_unit_scale():
    """The amplitude divided out is the local standard deviation, also where contrast changes by a factor of 20."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(256, 256)) * np.linspace(1, 20, 256)[:, None]
    fine, _ = normalised_bands(*steerable_pyramid(noise).levels)
    for band in fine:
        rows = band.std(axis=1)
        assert rows[:40].mean() == pytest.approx(rows[-40:].mean(), rel=0.25)


def test_spectrum_survives_rank_deficiency():
    """Singular values by way of the Gram matrix would leave 1e-8 where there is nothing."""
    plane = np.add.outer(np.arange(100.0), np.arange(90.0)) / 255
    exact = np.linalg.svd(plane.reshape(20, 5, 18, 5).transpose(0, 2, 1, 3).reshape(-1, 25), compute_uv=False)
    np.testing.assert_allclose(patch_spectrum(plane), exact, atol=1e-12)


def test_dct_statistics_do_not_depend_on_the_strip_height(monkeypatch, crop):
    plane = yiq_luma_u8(crop) / 255
    whole = dct_features(plane)
    monkeypatch.setattr("bench.metrics.ma_features.row_strips", lambda h, w, values: ((i, i + 1) for i in range(h)))
    np.testing.assert_allclose(dct_features(plane), whole, rtol=1e-12)


@pytest.mark.parametrize("image", [np.full((120, 130), 80.0), np.zeros((100, 100))])
def test_flat_image_has_a_reason_not_a_number(image):
    with pytest.raises(UnitError, match="flat"):
        ma_features(image)


def test_smallest_side_has_all_singular_values_and_below_is_an_error():
    rng = np.random.default_rng(0)
    assert ma_features(rng.uniform(0, 255, (SMALLEST, SMALLEST))).spectra.shape == (75,)
    with pytest.raises(UnitError, match=r"at least 84 px.*83 x 200"):
        ma_features(rng.uniform(0, 255, (83, 200)))


def test_forest_file_is_read_and_walked_as_pyiqa_does(reference, weights, crop):
    theirs = reference.NRQM(pretrained_model_path=str(weights / "hub/pyiqa/NRQM_model.mat"))
    metric = NRQM(weights)
    assert metric.unavailable() is None
    assert metric.compute(pair(crop)) == pytest.approx(float(theirs(as_tensor(crop))), abs=1e-5)


def test_forest_walk_ends_at_leaves_and_takes_the_left_on_equality(weights):
    model = read_model(weights / "hub/pyiqa/NRQM_model.mat")
    forest = model.forests[0]
    features = np.array([0.3, 0.8, 1.5, 3.0, 0.1, 9.0] * 3)
    for tree in range(TREES):
        node = 0
        while forest.left[node, tree] >= 0:
            below = features[forest.feature[node, tree]] <= forest.threshold[node, tree]
            node = forest.left[node, tree] if below else forest.right[node, tree]
        single = type(forest)(*(getattr(forest, name)[:, [tree]] for name in forest.__dataclass_fields__))
        assert single.predict(features) == forest.prediction[node, tree]


def test_pi_has_its_own_luma_and_border_not_the_protocols(reference, weights, crop):
    niqe = pytest.importorskip("pyiqa.archs.niqe_arch")
    folder = weights / "hub/pyiqa"
    nrqm_part = reference.NRQM(
        color_space="ycbcr", crop_border=4, pretrained_model_path=str(folder / "NRQM_model.mat")
    )(as_tensor(crop))
    niqe_part = niqe.NIQE(
        color_space="ycbcr", crop_border=4, pretrained_model_path=str(folder / "niqe_modelparameters.mat")
    )(as_tensor(crop))
    expected = 0.5 * (10 - float(nrqm_part) + float(niqe_part))
    assert PI(weights).compute(pair(crop)) == pytest.approx(expected, abs=2e-3)
    assert PI(weights).signature(PYIQA, 4).startswith("pi|y601s-u8|k:f32|w:")
    assert "|shave:4|" in PI(weights).signature(PYIQA, 4)


@pytest.mark.parametrize("metric", [NRQM, PI])
def test_missing_model_names_the_file(tmp_path, metric):
    reason = metric(tmp_path).unavailable()
    assert reason is not None
    assert "NRQM_model.mat" in reason
    assert "w:missing" in metric(tmp_path).signature(PYIQA, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"other": 1}, "KeyError"),
        ({"model": {"linear": np.ones((4, 1)), "rf": np.zeros((1, 3))}}, "not Ma et al.'s model file"),
    ],
)
def test_a_file_of_another_structure_is_refused(tmp_path, content, message):
    path = tmp_path / "NRQM_model.mat"
    savemat(path, content)
    with pytest.raises(Unavailable, match=message):
        read_model(path)
