"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["ASSR_BENCH_DOWNLOAD"] = "0"  # no test reaches the network; those of downloads say so themselves


def pytest_configure(config: pytest.Config) -> None:
    """Before several processes start: mmengine's formatter writes a cache when a fresh installation first imports it,
    and a second process that reads the unfinished file cannot import mmengine at all."""
    if getattr(config.option, "numprocesses", None):
        import mmengine.config  # noqa: F401


@pytest.fixture(scope="session")
def reference_root() -> Path:
    """The folder of outside files (test images, published values, metric parameters); skips where there is none."""
    folder = os.environ.get("ASSR_BENCH_REFERENCE", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ASSR_BENCH_REFERENCE does not point to the reference files")
    return Path(folder)
