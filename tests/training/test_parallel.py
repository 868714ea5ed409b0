"""Two processes that torchrun starts train what one does with the batch of both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from bench.api import RequestError
from bench.training import parallel
from bench.training.export import newest_checkpoint

CASR = {
    "architecture": {
        "unet": {"channels": [8, 16], "attention": [False, True], "heads": [2, 4], "groups": 4, "cross_dim": 8},
        "control_embedding": [4, 4, 8],
        "ssam": {"backend": "slic", "space": "hr"},
        "sarm": {"heads": 2, "head_dim": 4},
        "semantic_dim": 8,
        "semantic_grid": 2,
    },
    "data": {"crop": 64},
    "loss": {"perceptual": "laplacian", "gan": 0.05, "critic": "patch", "gan_from": 0.5, "shift": 3},
    "steps": 6,
    "batch": 4,
    "lr": 1.0e-3,
    "ema": 0.9,
    "clip": 1.0,
    "validate_every": 6,
    "checkpoint_every": 6,
    "log_every": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("together")
    (root / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "images" / "a.png")
    (root / "tiny.yaml").write_text(yaml.safe_dump({"backbone": CASR, "sarm": {"architecture": CASR["architecture"]}}))
    return root


def _train(folder: Path, name: str, starter: list[str], *words: str) -> Path:
    out = folder / name
    command = [sys.executable, *starter, "-m", "bench", "train", "casr", "--stage", "backbone", "--out", str(out)]
    command += ["--data", str(folder / "images"), "--config", str(folder / "tiny.yaml"), "--device", "cpu", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("weights.safetensors: step 6") == 1
    return out / "backbone"


def _losses(out: Path) -> list[dict[str, float]]:
    (path,) = out.glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in path.open()]
    return [{name: value for name, value in line.items() if "loss" in name} for line in lines if "loss" in line]


@pytest.mark.slow
def test_two_processes_have_the_losses_and_weights_of_one_with_both_batches(folder):
    """Catches gradients that are summed or not exchanged, a critic that is trained apart, the same part twice, and two
    processes that both write."""
    two = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--rdzv_backend", "c10d"]
    one, both = _train(folder, "one", []), _train(folder, "both", [*two, "--rdzv_endpoint", "localhost:0"])
    assert len(_losses(one)) == 6
    for alone, together in zip(_losses(one), _losses(both), strict=True):
        assert together.keys() == alone.keys()
        for name, value in alone.items():
            assert together[name] == pytest.approx(value, abs=1e-5), name
    assert "loss_real" in _losses(one)[-1]
    states = [torch.load(newest_checkpoint(out), weights_only=True)["state_dict"] for out in (one, both)]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-3, atol=2e-4, msg=name)


def test_one_gpu_for_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches processes that all train on one GPU by number, or over gloo, without a word."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RequestError, match=r"cuda:1.*--device cuda"):
        parallel.join("cuda:1")
