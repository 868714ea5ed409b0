"""Weights files and cards: what is written is what is read, and what cannot be read is named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.api import RequestError
from bench.weights.card import WeightsCard
from bench.weights.reader import read_card, read_content, read_weights
from bench.weights.writer import write_weights

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path for folder in ("weights", "ablations") for path in ROOT.glob(f"methods/*/{folder}/*.safetensors"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_shipped_card_survives_reading_and_writing(path: Path) -> None:
    """Catches a field that only the reader or only the writer knows, and another order."""
    assert read_card(path).to_json() == path.with_suffix(".json").read_text(encoding="utf-8")


def test_a_written_file_says_what_it_is_and_its_card_what_lies_there(tmp_path: Path) -> None:
    """Catches a hash of other bytes than those written, and metadata that the reader does not find."""
    tensors = {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(3)}
    asked = WeightsCard(method="liif", stage="first", parameters=6, seed=4, config={"lr": 0.1})
    path = tmp_path / "new" / "w.safetensors"
    card = write_weights(path, tensors, {"width": 8}, asked)
    weights = read_weights(path)
    assert (weights.method, weights.architecture, weights.extra["stage"]) == ("liif", {"width": 8}, "first")
    assert {name: tensor.tolist() for name, tensor in weights.tensors.items()} == {
        name: tensor.tolist() for name, tensor in tensors.items()
    }
    assert card == read_card(path)
    assert (card.sha256, card.bytes) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    assert (card.file, card.stored, card.config) == ("w.safetensors", "", {"lr": 0.1})


def test_weights_go_to_safetensors_only_and_nothing_is_left_elsewhere(tmp_path: Path) -> None:
    """Catches a .pth file with safetensors inside."""
    with pytest.raises(RequestError, match=r"\.safetensors; got"):
        write_weights(tmp_path / "w.pth", {}, {}, WeightsCard())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "cannot be read"),
        ("{", "w.json is not the card"),
        ("[]", "w.json is not the card"),
        ('{"steps": "x"}', "steps"),
    ],
    ids=["absent", "damaged", "a list", "another type"],
)
def test_a_card_that_cannot_be_read_is_named(text: str | None, named: str, tmp_path: Path) -> None:
    """Catches a traceback, and a card of zeros in place of an error."""
    if text is not None:
        (tmp_path / "w.json").write_text(text)
    with pytest.raises(RequestError, match=named):
        read_card(tmp_path / "w.safetensors")


def test_a_card_of_a_newer_version_is_read_without_what_is_new(tmp_path: Path) -> None:
    """Catches a reader that refuses what it does not know."""
    (tmp_path / "w.json").write_text(json.dumps({"method": "liif", "watts": 3}))
    assert read_card(tmp_path / "w.safetensors").method == "liif"


def test_content_is_read_as_it_is_nested_and_never_run(tmp_path: Path) -> None:
    """Catches a flattened checkpoint, and pickled code that is run."""
    torch.save({"params_ema": {"w": torch.ones(2)}, "epoch": 3}, tmp_path / "a.pth")
    assert sorted(read_content(tmp_path / "a.pth")) == ["epoch", "params_ema"]
    assert list(read_weights(tmp_path / "a.pth").tensors) == ["w"]
    torch.save({"w": Path("x")}, tmp_path / "b.pth")
    with pytest.raises(RequestError, match=r"b\.pth"):
        read_content(tmp_path / "b.pth")
    with pytest.raises(RequestError, match="no weights file"):
        read_content(tmp_path / "none.pth")


def test_reading_does_not_import_the_writer() -> None:
    """Catches an edit of the writer that would make stored images stale."""
    code = "import sys, bench.weights.reader; print('bench.weights.writer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
