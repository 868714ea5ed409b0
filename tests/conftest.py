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


@pytest.fixture(scope="session")
def made_up_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with seeded values in the layers of FID's network, under the published name."""
    from unittest import mock

    import torch
    from pyiqa.archs import inception

    root = tmp_path_factory.mktemp("inception")
    path = root / "hub" / "pyiqa" / "pt_inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    with mock.patch.object(inception, "load_pretrained_network"):
        network = inception.fid_inception_v3()
    torch.save(network.state_dict(), path)
    return root
