"""Images that failed, in the records that a run exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.api import Signature


def test_a_failed_image_is_listed_under_the_signature_of_its_own_scale(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches a failed unit listed under another scale's signature: above x4 this protocol makes LR with Pillow.

    Such a row would count in no mean of its own scale, and the cell would seem complete.
    """
    (photos / "torn.png").write_bytes((photos / "p0.png").read_bytes()[:200])
    words = ("run", "--methods", "bicubic,nearest", "--datasets", "Photos", "--protocol", "liif-benchmark")
    done = bench(*words, "--scales", "2,4,6,8", "--metrics", "psnr,ssim", "--workers", 0, "--out", "run")
    assert done.code == 1
    rows = pd.read_csv(newcomer / "run" / "records.csv", dtype={"signature": str}, keep_default_na=False)
    failed, scored = (rows.loc[rows["unit_status"] == status] for status in ("failed", "ok"))
    columns = ["method", "scale", "metric", "signature"]
    assert set(failed["image"]) == {"torn"}
    assert len(failed) == 2 * 4 * 2
    assert set(failed[columns].itertuples(index=False)) == set(scored[columns].itertuples(index=False))
    for scale, signature in zip(failed["scale"], failed["signature"], strict=True):
        assert Signature.parse(signature).value("lr") == ("matlab-bicubic" if scale <= 4 else "pillow-bicubic")
    summary = pd.read_csv(newcomer / "run" / "summary.csv", keep_default_na=False)
    assert set(zip(summary["n"], summary["expected"], summary["failed"], summary["note"], strict=True)) == {
        (3, 4, 1, "3/4")
    }
