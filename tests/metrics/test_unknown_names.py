"""Names of metrics that nobody registered: what each could have meant."""

from __future__ import annotations

import re

import pytest

from bench.api import PRESETS, RequestError, get_protocol
from bench.metrics.catalog import make_metric


@pytest.mark.parametrize("name", ["psnr_y", "psnry", "PSNR-Y", "y_psnr", "ssim_y", "ssimy", "psnr_y_channel"])
def test_luma_is_told_to_be_the_protocols(name: str) -> None:
    """Wrong: "did you mean 'psnr'", which is of RGB under the usual protocol."""
    with pytest.raises(RequestError) as fault:
        make_metric(name)
    text = str(fault.value)
    assert "Did you mean" not in text
    assert f"--metrics {'ssim' if 'ssim' in name else 'psnr'} under a protocol of luma" in text
    named = re.findall(r"(?:--protocol|or) ([a-z-]+) \(", text)
    assert len(named) == 2
    assert set(named) <= set(PRESETS)
    assert all(get_protocol(each).psnr_colour.startswith("y") or get_protocol(each).plane == "y" for each in named)


@pytest.mark.parametrize("name", ["psn", "psnr_x", "yssimx"])
def test_other_slips_are_told_the_nearest_name(name: str) -> None:
    """Wrong: the hint for luma wherever "psnr" stands in a name."""
    with pytest.raises(RequestError, match=r"Did you mean|Registered") as fault:
        make_metric(name)
    assert "luma" not in str(fault.value)
