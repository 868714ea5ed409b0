"""`bench train` from the outside: train, resume, export, and what it says when the request is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from bench.api import RequestError
from bench.cli.train import register
from methods.liif.method import load_network

TINY = """
architecture: {blocks: 1, width: 4, hidden: [8]}
data: {lr_patch: 8, queries: 16, scale_max: 2.0}
steps: 2
batch: 1
lr: 1.0e-3
schedule: {kind: wsd, cooldown: 0.5}
ema: 0.9
checkpoint_every: 2
log_every: 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def _bench(*words: object):
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    if isinstance(result.exception, RequestError):
        raise result.exception
    return result


def test_train_resume_and_export(folder):
    out, data = folder / "run", folder / "images"
    first = _bench("liif", "--out", out, "--data", data, "--config", folder / "tiny.yaml", "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert load_network(out / "weights.safetensors").architecture.width == 4
    # --resume alone goes on with the configuration that the training began with, not with lite
    more = _bench("liif", "--out", out, "--data", data, "--resume", "--steps", 4, "--device", "cpu")
    assert more.exit_code == 0, more.output
    assert "step 4" in more.output
    apart = _bench("liif", "--out", out, "--export", folder / "again.safetensors")
    assert apart.exit_code == 0, apart.output
    assert (folder / "again.safetensors").read_bytes() == (out / "weights.safetensors").read_bytes()


def test_minutes_stop_a_training_and_say_how_to_go_on(folder):
    """Catches weights written of a training that is not done, which the next stage would take for its end."""
    out, data = folder / "run", folder / "images"
    words = ("liif", "--out", out, "--data", data, "--device", "cpu")
    stopped = _bench(*words, "--config", folder / "tiny.yaml", "--steps", 20, "--minutes", 0)
    assert stopped.exit_code == 0, stopped.output
    said = " ".join(stopped.output.split())
    assert "step 1 of 20" in said
    assert "--resume --steps 2" in said
    assert not (out / "weights.safetensors").exists()
    ended = _bench(*words, "--resume", "--steps", 2)
    assert ended.exit_code == 0, ended.output
    assert (out / "weights.safetensors").is_file()


def test_a_test_image_in_the_data_leaves_nothing_to_train_on(folder):
    with pytest.raises(RequestError, match="no training image is left"):
        _bench("liif", "--out", folder / "run", "--data", folder / "images", "--exclude", folder / "images")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["lif", "--out", "x"], "Did you mean 'liif'"),
        (["bicubic", "--out", "x"], "has no training"),
        (["liif", "--out", "x"], "--data"),
        (["liif", "--out", "x", "--data", "nowhere"], "nowhere"),
        (
            ["liif", "--out", "x", "--config", "huge"],
            "neither a YAML file nor a configuration of liif, which has full, lite",
        ),
        (["liif", "--out", "x", "--export", "w.safetensors"], "no checkpoint"),
        (["liif", "--out", "x", "--export", "w.pth"], "safetensors"),
        (["liif", "--out", "x", "--data", "d", "--set", "blocks=3"], "blocks"),
    ],
)
def test_wrong_requests_say_what_is_wrong(folder, monkeypatch, words, named):
    monkeypatch.chdir(folder)
    with pytest.raises(RequestError, match=named):
        _bench(*words)
