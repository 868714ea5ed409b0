"""Metrics over sets and scales: once per cell or pair of scales, signed with n, never over a part of a set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.imaging import read_png_exact
from bench.metrics.fid import FID
from bench.metrics.selfssim import self_ssim

Build = Callable[..., RunRequest]


@pytest.fixture
def counted_fid(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """FID without its network: what the engine hands over is counted, the value is made up."""
    calls: list[tuple[int, int]] = []

    def compute_sets(_: FID, sr: list, hr: list) -> float:
        calls.append((len(sr), len(hr)))
        return 12.5

    monkeypatch.setattr(FID, "compute_sets", compute_sets)
    monkeypatch.setattr(FID, "unavailable", lambda _: None)
    return calls


def test_a_set_metric_is_computed_once_per_cell_and_signed_with_n(
    make_request: Build, counted_fid: list[tuple[int, int]]
) -> None:
    wanted = {"metrics": ("psnr", "fid"), "scales": (2.0, 3.0)}
    result = execute(make_request(**wanted))
    assert counted_fid == [(4, 4), (4, 4)]
    rows = [row for row in result.rows.rows if row.metric == "fid"]
    assert [(row.image, row.scale, row.value, row.unit_status) for row in rows] == [
        ("*", 2.0, 12.5, "ok"),
        ("*", 3.0, 12.5, "ok"),
    ]
    assert all("|n:4|" in row.signature for row in rows)
    again = execute(make_request(**wanted))
    assert again.tally.scored == 0
    assert len(counted_fid) == 2


def test_a_set_with_a_failed_image_has_no_set_value(
    make_request: Build, counted_fid: list[tuple[int, int]], photos: Path
) -> None:
    (photos / "broken.png").write_bytes(b"")
    result = execute(make_request(metrics=("psnr", "fid")))
    assert counted_fid == []
    assert not [row for row in result.rows.rows if row.metric == "fid" and row.unit_status == "ok"]


def test_each_scale_is_compared_with_each_other_one_at_the_size_of_the_reference(make_request: Build) -> None:
    wanted = {"metrics": ("selfssim",), "scales": (2.0, 3.5, 5.0)}
    request = make_request(**wanted)
    result = execute(request)
    found = {(row.image, row.scale, row.metric): row.value for row in result.rows.rows}
    assert len(found) == 4 * 6
    images = [
        read_png_exact(request.out / "images" / "bicubic" / "Photos" / f"x{scale}-s0" / "photo 1.png")
        for scale in ("2", "3.5")
    ]
    assert found["photo 1", 2.0, "selfssim@3.5"] == pytest.approx(self_ssim(images[0], images[1]))
    assert found["photo 1", 3.5, "selfssim@2"] == pytest.approx(self_ssim(images[1], images[0]))
    again = execute(make_request(**wanted))
    assert (again.tally.scored, again.tally.inferred) == (0, 0)


def test_one_scale_alone_says_that_it_cannot_be_compared(make_request: Build) -> None:
    result = execute(make_request(metrics=("psnr", "selfssim")))
    assert "at least two" in result.metrics.unavailable["selfssim"]


def test_stored_images_of_an_unrounded_run_are_rounded_where_the_protocol_says_so(
    make_request: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Catches 16-bit pixels under a signature that says 8 bit, for scales and for sets."""
    seen: list[list[np.ndarray]] = []

    def compute_sets(_: FID, sr: Sequence[np.ndarray], hr: Sequence[np.ndarray]) -> float:
        seen.append([*sr, *hr[:1]])
        return float(sum(image.astype(np.float64).mean() for image in sr))

    monkeypatch.setattr(FID, "compute_sets", compute_sets)
    monkeypatch.setattr(FID, "unavailable", lambda _: None)
    rounded = make_request(metrics=("selfssim", "fid"), scales=(2.0, 3.5))
    unrounded = replace(rounded, protocol=replace(rounded.protocol, sr_depth="float"))
    execute(unrounded)
    assert {image.dtype for image in seen[0][:-1]} == {np.dtype(np.uint16)}
    again = execute(rounded)
    assert again.tally.inferred == 0
    assert {image.dtype for image in seen[-1]} == {np.dtype(np.uint8)}
    fresh = execute(replace(rounded, out=tmp_path / "fresh"))
    values = [
        {(row.dataset, row.image, row.scale, row.seed, row.metric): row.value for row in result.rows.rows if row.value}
        for result in (again, fresh)
    ]
    assert values[0] == values[1]
    assert len(values[0]) == 2 + 2 * 4
