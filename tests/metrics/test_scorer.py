"""The scorer: what it refuses, what it remembers, and that nothing but a number is ever a value."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from bench.api import Direction, MetricInfo, MetricKind, RequestError, Unavailable, UnitError, get_protocol
from bench.metrics import Metric, Scorer, choose_metrics, make_metric, metric_info, metric_names
from bench.metrics import base as base_module
from bench.metrics import scorer as scorer_module
from bench.metrics.scorer import ReferenceCache, nbytes
from bench.registry import METRICS

SAMPLE = get_protocol("sample")
LUMA = replace(SAMPLE, psnr_colour="y601s", ssim_colour="y601s")


class Broken(Metric):
    """Gives or raises what it is told."""

    info = MetricInfo(
        name="broken", display="B", kind=MetricKind.NO_REFERENCE, direction=Direction.LOWER, decimals=2, summary=""
    )
    outcome: float | Exception = math.nan

    def signature(self, protocol, scale):
        return "broken|v1"

    def compute(self, pair):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def scorer_of(metric):
    return Scorer([metric], SAMPLE)


@pytest.fixture(scope="module")
def images():
    hr = data.chelsea()
    return np.roll(hr, 1, axis=0), hr


def test_scores_carry_signature_and_seconds(images):
    scorer = Scorer(["psnr", "ssim"], SAMPLE)
    values = scorer.score(*images, None, 4.0, "a")
    assert list(values) == ["psnr", "ssim"]
    assert {name: value.signature for name, value in values.items()} == scorer.signatures(4.0)
    assert all(value.value is not None and value.reason == "" and value.seconds > 0 for value in values.values())


def test_another_size_is_refused_with_both_sizes_never_resized(images):
    scorer = Scorer(["psnr"], SAMPLE)
    with pytest.raises(UnitError, match="SR is 299 x 451 px but HR is 300 x 451"):
        scorer.score(images[0][1:], images[1], None, 4.0, "a")


def test_gray_against_colour_is_refused(images):
    with pytest.raises(UnitError, match="SR is gray but HR is of 3 channels"):
        Scorer(["psnr"], SAMPLE).score(images[0][:, :, 0], images[1], None, 4.0, "a")


@pytest.mark.parametrize(
    "bad", [np.zeros((20, 20), np.float32), np.zeros(20, np.uint8), np.zeros((1, 9, 9, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(UnitError, match="expected uint8 or uint16"):
        Scorer(["psnr"], SAMPLE).score(bad, bad, None, 4.0, "a")


def test_full_reference_without_hr_has_a_reason_and_lr_metrics_still_run(images):
    lr = np.zeros((75, 113, 3), np.float32)
    values = Scorer(["psnr", "ssim", "lr_psnr"], SAMPLE).score(images[0], None, lr, 4.0, "a")
    assert values["psnr"].value is None
    assert values["psnr"].reason == values["ssim"].reason == "the set has no HR"
    assert values["lr_psnr"].value is not None


def test_unit_error_of_one_metric_leaves_the_others():
    image = np.zeros((10, 40, 3), np.uint8)
    values = Scorer(["ssim", "psnr"], SAMPLE).score(image, image + 1, None, 4.0, "a")
    assert values["ssim"].value is None
    assert "11 x 11" in values["ssim"].reason
    assert values["psnr"].value == pytest.approx(48.13, abs=0.01)


@pytest.mark.parametrize("outcome", [math.nan, math.inf, -math.inf, UnitError("x"), Unavailable("y")])
def test_nan_infinity_and_errors_are_never_values(images, outcome):
    metric = Broken()
    metric.outcome = outcome
    value = scorer_of(metric).score(*images, None, 4.0, "a")["broken"]
    assert value.value is None
    assert value.reason


def test_infinite_psnr_is_a_value(images):
    assert Scorer(["psnr"], SAMPLE).score(images[1], images[1], None, 4.0, "a")["psnr"].value == math.inf


def test_each_plane_is_made_once_and_the_references_only_once_in_all(images, monkeypatch):
    made = []
    make = base_module._make_plane
    monkeypatch.setattr(base_module, "_make_plane", lambda pixels, colour: made.append(colour) or make(pixels, colour))
    scorer = Scorer(["psnr", "ssim"], LUMA)
    scorer.score(*images, None, 4.0, "a")
    assert made == ["y601s", "y601s"]
    scorer.score(images[1], images[1], None, 4.0, "a")
    assert made == ["y601s"] * 3


def test_references_of_another_id_are_not_mixed_up(images):
    scorer = Scorer(["psnr"], LUMA)
    scorer.score(*images, None, 4.0, "a")
    fresh = Scorer(["psnr"], LUMA).score(images[0], images[0], None, 4.0, "b")
    assert scorer.score(images[0], images[0], None, 4.0, "b")["psnr"].value == fresh["psnr"].value == math.inf


def test_reference_memory_is_bounded_and_drops_the_oldest():
    cache = ReferenceCache(3000)
    for key in "abc":
        cache.get(key)["plane"] = np.zeros(1000, np.uint8)
    cache.trim()
    cache.get("a")
    cache.get("d")["features"] = [np.zeros(500, np.uint8), (np.zeros(400, np.uint8),)]
    cache.trim()
    assert sorted(cache._memos) == ["a", "c", "d"]
    cache.get("e")["plane"] = np.zeros(4000, np.uint8)
    cache.trim()
    assert nbytes(dict(cache._memos)) <= 3000
    assert "e" not in cache._memos


def test_scores_do_not_depend_on_the_cache(images):
    tight, wide = Scorer(["psnr", "ssim"], LUMA, reference_cache_mb=0), Scorer(["psnr", "ssim"], LUMA)
    for _ in range(2):
        a, b = (scorer.score(*images, None, 4.0, "a") for scorer in (tight, wide))
        assert {n: v.value for n, v in a.items()} == {n: v.value for n, v in b.items()}


def test_subset_of_metrics_and_what_needs_lr(images):
    scorer = Scorer(["psnr", "ssim", "lr_psnr"], SAMPLE)
    assert list(scorer.score(*images, None, 4.0, "a", metrics=["ssim"])) == ["ssim"]
    assert scorer.needs_lr()
    assert not scorer.needs_lr(["psnr", "ssim"])


def test_unknown_metric_is_a_request_error_that_names_the_nearest():
    with pytest.raises(RequestError, match="Did you mean 'ssim'"):
        Scorer(["sssim"], SAMPLE)


def test_metrics_are_resolved_once_in_the_order_given(tmp_path):
    """Catches a scorer that makes metrics anew: what was chosen, with its folder of parameters, is what scores."""
    chosen = choose_metrics(["ssim", "niqe", "ssim", "psnr"], tmp_path)
    assert [metric.info.name for metric in chosen] == ["ssim", "niqe", "psnr"]
    assert all(metric.weights_root == tmp_path for metric in chosen)
    scorer = Scorer(chosen, SAMPLE)
    assert list(scorer._metrics.values()) == list(chosen)
    assert set(scorer.unavailable()) == {"niqe"}
    assert choose_metrics([]) == ()


def test_choosing_an_unknown_metric_names_the_nearest():
    with pytest.raises(RequestError, match="Did you mean 'psnr'"):
        choose_metrics(["ssim", "pnsr"])


def test_a_metric_that_signs_under_another_name_is_refused():
    """Catches numbers that are stored under one name and signed under another."""
    METRICS.add("whole", Broken, origin="plug.py")
    try:
        with pytest.raises(RequestError, match=r"metric 'whole' \(plug.py\) signs its numbers as 'broken'"):
            choose_metrics(["whole"])
    finally:
        METRICS.forget("whole")


def test_unavailable_says_why_and_gives_no_value(images, tmp_path):
    scorer = Scorer(["psnr", "niqe", "pi"], SAMPLE, weights_root=tmp_path)
    assert set(scorer.unavailable()) == {"niqe", "pi"}
    value = scorer.score(*images, None, 4.0, "a")["pi"]
    assert value.value is None
    assert "NRQM_model.mat" in value.reason


@pytest.mark.parametrize("name", ["psnr", "ssim", "lr_psnr", "niqe", "nrqm", "pi"])
def test_catalog_describes_every_metric(name):
    assert name in metric_names()
    info = metric_info(name)
    assert info.name == name
    assert info.summary
    assert make_metric(name).signature(SAMPLE, 4.0).split("|")[0] == name


def test_scoring_without_networks_does_not_import_torch(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from bench.metrics import Scorer\n"
        "from bench.api import get_protocol\n"
        "x = np.random.default_rng(0).integers(0, 256, (120, 130, 3), dtype=np.uint8)\n"
        "s = Scorer(['psnr', 'ssim', 'niqe', 'nrqm', 'pi', 'lr_psnr'], get_protocol('basicsr-y'))\n"
        "s.signatures(4.0), s.unavailable(), s.score(x, x, np.zeros((30, 32, 3), np.float32), 4.0, 'a')\n"
        "heavy = {'torch', 'pyiqa', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_trimming_looks_at_new_references_only_and_still_bounds_the_bytes(monkeypatch) -> None:
    """Measuring every reference after every image makes n images cost n * n."""
    looked = []

    def counted(memo: object) -> int:
        looked.extend([1] * isinstance(memo, dict))  # it calls itself for what is inside
        return nbytes(memo)

    monkeypatch.setattr(scorer_module, "nbytes", counted)
    cache = scorer_module.ReferenceCache(10_000)
    for index in range(50):
        cache.get(index)["plane"] = np.zeros(1000, np.uint8)
        cache.trim()
        cache.get(index)["more"] = np.zeros(500, np.uint8)
        cache.trim()
    assert len(looked) == 100
    kept = [index for index in range(50) if "plane" in cache.get(index)]
    assert kept == list(range(44, 50))  # six of 1500 bytes
