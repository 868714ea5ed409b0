"""Signatures that metrics make: byte for byte those of stored numbers, and every knob shows in one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.api import PLAIN, PRESETS, Signature, get_protocol
from bench.api.knobs import Half
from bench.api.protocol import KNOBS
from bench.metrics import make_metric
from bench.metrics.catalog import BUILT_IN

STORED = [
    line.split(" ") for line in Path(__file__).with_name("signatures.txt").read_text(encoding="utf-8").splitlines()
]
"""(protocol, scale, signature) as finished runs keep them; without any parameter file."""

CHANGED: dict[str, object] = {
    "sr_depth": "float",
    "aggregate": "batch8-mse",
    "first": 5,
    "psnr_colour": "y601s",
    "ssim_colour": "y601s",
    "sr_size": "within-1",
    "shave": "s",
    "ssim_shave": "s",
    "ssim_clamp": True,
    "nr_colour": "y601s",
    "nr_shave": 4,
    "nr_max_side": 512,
}
"""Scoring knob -> another value than that of the protocol `sample`."""


def test_every_protocol_is_among_the_stored_signatures() -> None:
    assert {protocol for protocol, _, _ in STORED} == set(PRESETS)


@pytest.mark.parametrize(("protocol", "scale", "signature"), STORED)
def test_signatures_of_stored_numbers_stay(protocol: str, scale: str, signature: str, tmp_path: Path) -> None:
    """Catches another order, spelling or default of a token: every stored number would be computed again."""
    metric = make_metric(Signature.parse(signature).metric, tmp_path)
    assert metric.signature(get_protocol(protocol), float(scale)) == signature


@pytest.mark.parametrize("name", BUILT_IN)
def test_batches_are_signed_by_psnr_alone(name: str) -> None:
    """Catches a `build_signature` that signs every metric with PSNR's batch mean."""
    signature = Signature.parse(make_metric(name).signature(get_protocol("face-kim"), 8.0))
    assert signature.averaging.aggregation == ("batch8-mse" if name == "psnr" else PLAIN)
    assert signature.averaging.first == 100


def test_a_border_of_its_own_is_signed_by_ssim_alone() -> None:
    """Catches a border of SSIM that PSNR takes or signs too: its numbers would change without a reason."""
    base = get_protocol("basicsr-y")
    other = replace(base, ssim_shave="0")
    assert make_metric("psnr").signature(other, 4.0) == make_metric("psnr").signature(base, 4.0)
    assert Signature.parse(make_metric("ssim").signature(other, 4.0)).value("shave") == "0"
    assert Signature.parse(make_metric("ssim").signature(base, 4.0)).value("shave") == "s"


def test_an_aggregation_that_no_metric_has_is_signed_by_none() -> None:
    protocol = replace(get_protocol("sample"), aggregate="median")
    for name in BUILT_IN:
        assert Signature.parse(make_metric(name).signature(protocol, 2.0)).has("agg:img")


def test_every_scoring_knob_has_a_case_below() -> None:
    assert set(CHANGED) == {name for name, knob in KNOBS.items() if knob.half is Half.SCORING}


@pytest.mark.parametrize("knob", CHANGED)
def test_every_scoring_knob_shows_in_some_signature(knob: str) -> None:
    """Catches a knob that changes numbers and that no signature tells of."""
    base = get_protocol("sample")
    other = replace(base, **{knob: CHANGED[knob]})
    shown = [
        name for name in BUILT_IN if make_metric(name).signature(base, 4.0) != make_metric(name).signature(other, 4.0)
    ]
    assert shown
