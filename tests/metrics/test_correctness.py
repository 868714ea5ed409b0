"""Shares of improvement, omission and hallucination against opensr-test's own numbers, and what they must mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

from bench.api import Signature, UnitError, get_protocol
from bench.imaging import downsample, imresize_u8, interpolate
from bench.metrics import Scorer
from bench.metrics import correctness as module
from bench.metrics.correctness import correctness

HERE = Path(__file__).parent / "opensr"
REFERENCE = json.loads((HERE / "values.json").read_text(encoding="utf-8"))
NAMES = ("improvement", "omission", "hallucination")
SAMPLE = get_protocol("sample")
U8 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def images() -> dict[str, U8]:
    """The images that opensr-test was run on."""
    with np.load(HERE / "images.npz") as stored:
        return dict(stored)


def lr_of(hr: U8, size: tuple[int, int]) -> NDArray[np.float32]:
    return (downsample(hr, size, kernel="matlab-bicubic", depth="u8") / 255).astype(np.float32)


@pytest.mark.parametrize(("index", "case"), list(enumerate(REFERENCE["cases"])), ids=lambda p: str(p)[:40])
def test_shares_equal_those_of_opensr_test(index: int, case: dict[str, Any], images: dict[str, U8]) -> None:
    """Catches another distance, epsilon, enlarging, threshold, exponential or temperature: its values in double
    precision, made once and stored, and those of its own single precision within 1e-6."""
    lr = images[f"lr{index}"].astype(np.float64) / 255
    shares = correctness(images[f"sr{index}"], images[f"hr{index}"], lr, case["scale"])
    assert tuple(shares) == pytest.approx(case["double"], abs=1e-12)
    assert tuple(shares) == pytest.approx(case["single"], abs=1e-6)


def test_the_reference_is_of_the_version_that_the_page_names() -> None:
    """Catches stored values of another version than the one that documentation and code follow."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert f"{REFERENCE['source']} {REFERENCE['version']}" in page
    assert module.__doc__
    assert f"{REFERENCE['source']} {REFERENCE['version']}" in module.__doc__


def test_each_share_leads_where_its_name_says() -> None:
    """Catches two shares that were exchanged: HR improves, enlarged LR omits, strange texture is hallucinated."""
    hr = np.ascontiguousarray(data.chelsea()[:120, :120])
    lr = lr_of(hr, (10, 10))
    enlarged = imresize_u8((lr * 255).astype(np.uint8), (120, 120))
    strange = np.random.default_rng(0).integers(0, 256, hr.shape, dtype=np.uint8)
    leads = [int(np.argmax(correctness(sr, hr, lr, 12.0))) for sr in (hr, enlarged, strange)]
    assert leads == [0, 1, 2]


@given(step=st.floats(0, 1), seed=st.integers(0, 9))
def test_shares_are_shares(step: float, seed: int) -> None:
    """Catches sums, counts or NaN that enter a mean: whatever the images, three shares of one whole."""
    rng = np.random.default_rng(seed)
    hr = rng.integers(0, 256, (24, 36, 3), dtype=np.uint8)
    hr[:8] = 0
    sr = np.rint(hr * step + rng.integers(0, 256, hr.shape) * (1 - step)).astype(np.uint8)
    shares = correctness(sr, hr, lr_of(hr, (6, 9)), 4.0)
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert min(shares) >= 0


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an enlarged LR that is interpolated within a strip, and a threshold per strip."""
    hr = np.ascontiguousarray(data.chelsea()[:97, :121])
    lr = lr_of(hr, (24, 30))
    sr = np.roll(hr, 2, axis=1)
    whole = correctness(sr, hr, lr, 4.0)
    rows = module.row_strips
    monkeypatch.setattr(module, "row_strips", lambda height, width: rows(height, width, values=7 * width))
    assert tuple(correctness(sr, hr, lr, 4.0)) == pytest.approx(tuple(whole), abs=1e-12)


def test_an_hr_that_was_cut_lies_on_the_grid_of_its_lr() -> None:
    """Catches an LR that is squeezed to an HR cut from the top left: with it, an enlargement is no longer one."""
    ramp = np.tile(np.linspace(20, 230, 31), (31, 1))
    lr = np.repeat(ramp[:, :, None], 3, axis=2).astype(np.float32) / 255
    asked = np.rint(interpolate(lr * 255, (124, 124), "bilinear")).astype(np.uint8)
    hr = asked[:121, :121].copy()
    hr[::2, ::2] += 9
    shares = correctness(asked[:121, :121], hr, lr, 4.0)
    assert shares.omission > 0.9


def test_three_equal_images_have_no_detail_to_judge() -> None:
    """Catches 0/0 as a value, and 1 for a result of which nothing can be said."""
    grey = np.full((24, 24, 3), 51, np.uint8)
    with pytest.raises(UnitError, match="the same everywhere"):
        correctness(grey, grey, np.full((6, 6, 3), 0.2, np.float32), 4.0)


def test_sixteen_bit_and_gray_images_are_on_the_same_range() -> None:
    """Catches 65535 levels compared with 255, and three equal channels of LR counted against one of HR."""
    hr = np.ascontiguousarray(data.camera()[:96, :96])
    lr = np.repeat(lr_of(hr, (24, 24))[:, :, None], 3, axis=2)
    sr = np.roll(hr, 1, axis=0)
    shares = correctness(sr, hr, lr, 4.0)
    assert correctness(sr.astype(np.uint16) * 257, hr, lr, 4.0) == pytest.approx(shares, abs=1e-12)
    colour = [np.repeat(plane[:, :, None], 3, axis=2) for plane in (sr, hr)]
    assert correctness(*colour, lr, 4.0) == pytest.approx(shares, abs=1e-12)


def test_three_numbers_are_one_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the same distances computed three times, or shares of one image given to the next."""
    hr = np.ascontiguousarray(data.chelsea()[:60, :60])
    lr = lr_of(hr, (15, 15))
    calls: list[int] = []
    real = module.correctness
    monkeypatch.setattr(module, "correctness", lambda *words: (calls.append(1), real(*words))[1])
    scorer = Scorer(NAMES, SAMPLE)
    for sr in (hr, np.roll(hr, 3, axis=1)):
        values = scorer.score(sr, hr, lr, 4.0, "a")
        assert tuple(values[name].value for name in NAMES) == tuple(real(sr, hr, lr, 4.0))
    assert len(calls) == 2


def test_without_hr_or_lr_there_is_a_reason() -> None:
    """Catches a metric that needs LR taken for one that needs nothing else, as LR-PSNR is."""
    hr = np.ascontiguousarray(data.chelsea()[:60, :60])
    scorer = Scorer([*NAMES, "lr_psnr"], SAMPLE)
    assert scorer.needs_lr(["omission"])
    without_hr = scorer.score(hr, None, lr_of(hr, (15, 15)), 4.0, "a")
    assert {without_hr[name].reason for name in NAMES} == {"the set has no HR"}
    assert without_hr["lr_psnr"].value is not None
    without_lr = scorer.score(hr, hr, None, 4.0, "b")
    assert {without_lr[name].reason for name in NAMES} == {"the LR image is not at hand"}


def test_how_lr_was_made_and_every_constant_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches numbers of two LR images, or of two temperatures, under one signature."""
    own = Scorer(NAMES, SAMPLE).signatures(4.0)
    assert len(set(own.values())) == 3
    other = Scorer(NAMES, replace(SAMPLE, downsampler="opencv-area")).signatures(4.0)
    assert all(own[name] != other[name] for name in NAMES)
    parsed = Signature.parse(own["omission"])
    for token in ("rgb", "nd", "up:bilinear", "threshold:q75", "rate:0.05", "softmin:0.25", "shave:0"):
        assert parsed.has(token)
    monkeypatch.setattr(module, "TEMPERATURE", 0.5)
    assert Scorer(NAMES, SAMPLE).signatures(4.0) != own
