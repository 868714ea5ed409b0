"""One table may hold sets that bring their LR beside sets that do not, and FID of sets of different size."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.analysis import check_one_protocol
from bench.analysis.signatures import signature_lines
from bench.api import RequestError

HEAD = "psnr|rgb|shave:0|q:u8|agg:img"


def rows(*found: tuple[str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["dataset", "metric", "signature"])
    return frame.assign(scale=4.0)


def test_a_set_with_its_own_lr_may_stand_beside_one_without() -> None:
    check_one_protocol(
        rows(("Set5", "psnr", f"{HEAD}|lr:matlab-bicubic|v1"), ("RealSR", "psnr", f"{HEAD}|lr:given|v1")), {}
    )


def test_two_downsamplers_at_one_scale_are_refused_even_between_sets() -> None:
    with pytest.raises(RequestError, match=r"lr:matlab-bicubic vs lr:pillow-bicubic"):
        check_one_protocol(
            rows(("A", "psnr", f"{HEAD}|lr:matlab-bicubic|v1"), ("B", "psnr", f"{HEAD}|lr:pillow-bicubic|v1")), {}
        )


def test_one_set_made_in_two_ways_is_refused() -> None:
    with pytest.raises(RequestError, match="lr:given"):
        check_one_protocol(
            rows(("A", "psnr", f"{HEAD}|lr:matlab-bicubic|v1"), ("A", "psnr", f"{HEAD}|lr:given|v1")), {}
        )


def test_a_set_metric_may_name_different_numbers_of_images() -> None:
    check_one_protocol(rows(("A", "fid", "fid|rgb|n:5|v1"), ("B", "fid", "fid|rgb|n:14|v1")), {})


def test_lines_name_the_sets_where_they_differ_between_sets() -> None:
    lines = signature_lines(
        rows(("Set5", "psnr", f"{HEAD}|lr:matlab-bicubic|v1"), ("RealSR", "psnr", f"{HEAD}|lr:given|v1"))
    )
    assert [(line.datasets, line.scales) for line in lines] == [(("Set5",), ()), (("RealSR",), ())]
