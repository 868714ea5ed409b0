"""`bench weights list | fetch | verify` as typed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[1] / "methods" / "plugins" / "vdsr.py"
SHADE = """
import torch
from bench.api import Method, MethodInfo, Upscaled

class Shade(Method):
    info = MethodInfo(name="shade", display="Shade", summary="one grey")

    def load(self, weights, device, dtype):
        self.grey = weights.read_bytes()[6] / 255

    def upscale(self, lr, size, *, seed):
        return Upscaled(torch.full((3, *size), self.grey))
"""


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
    done = bench("weights", "fetch", "lte")
    assert done.code == 2
    assert "no address to download edsr-baseline-lte.pth" in done.err
    assert "Google Drive" in done.err


def test_an_address_that_the_user_gives_must_have_the_published_bytes(bench: Callable, server: Any) -> None:
    """Catches `--url` taking what is there, and an address that is taken for a file."""
    server.files["/w"] = b"\x80other" * 100
    done = bench("weights", "fetch", "liif", "--url", f"{server.url}/w", "--weights-dir", "here")
    assert done.code == 2
    assert "not the file that the card describes" in done.err
    assert not Path("here/edsr-baseline-liif.pth").exists()
    assert "expected an address" in bench("weights", "fetch", "liif", "--url", "w.pth").err


def test_a_plugin_brings_a_card_and_its_file_is_fetched_and_used(
    bench: Callable, server: Any, newcomer: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches cards of built-in methods alone, a file that `--weights` does not find, a row that the method names."""
    body = b"\x80 six \x06" * 30
    server.files["/six.bin"] = body
    server.cut["/six.bin"] = [100]
    card = {"name": "six", "method": "shade", "label": "published", "display": "Six", "title": "t", "licence": "none"}
    card |= {"source": "Nobody, 2020", "file": "six.bin", "bytes": len(body)}
    card |= {"sha256": hashlib.sha256(body).hexdigest(), "downloads": [{"url": f"{server.url}/six.bin"}]}
    (newcomer / "published").mkdir()
    (newcomer / "published" / "six.yaml").write_text(json.dumps(card))
    (newcomer / "shade.py").write_text(SHADE)
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", "w")
    fetched = bench("weights", "fetch", "shade", "--plugin", "shade.py")
    assert fetched.code == 0
    assert "--weights shade=published" in fetched.out
    assert bench("weights", "verify", "six", "--plugin", "shade.py").code == 0
    run = ("run", "--plugin", "shade.py", "--scales", 2, "--datasets", "Photos", "--metrics", "psnr", "--workers", 0)
    done = bench(*run, "--methods", "shade", "--weights", "published", "--out", "run")
    assert done.code == 0
    assert "  Six " in done.out
    assert "Six: published weights, six.bin (sha256 " in done.out
    (newcomer / "w" / "six.bin").write_bytes(body[:-1])
    again = bench(*run, "--methods", "shade", "--weights", "published", "--out", "run")
    assert again.code == 2
    assert "is not the published file" in again.err
