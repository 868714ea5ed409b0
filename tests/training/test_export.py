"""From a checkpoint to a weights file: what is counted, and what 16 bits may be used for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from bench.api import RequestError
from bench.cli.train import register
from bench.training.config import PatchConfig
from bench.training.export import export_weights, newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from bench.training.story import stages_before
from methods.casr.architecture import CasrArchitecture, SsamArchitecture
from methods.casr.training.superpixels import SuperpixelConfig, SuperpixelTask, load_superpixels


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A step of a network with batch normalisation, that is, with statistics beside its parameters."""
    out = tmp_path_factory.mktemp("trained") / "run"
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    config = SuperpixelConfig(
        architecture=CasrArchitecture(ssam=SsamArchitecture(width=0.1)),
        data=PatchConfig(lr_patch=16, scale_max=2.0),
        steps=1,
        batch=2,
        checkpoint_every=1,
    )
    make_runner(SuperpixelTask(config, ImagePool((image,), ("made/noise.png",), (), ("made",))), out).train()
    return out


def test_a_card_counts_parameters_and_not_what_is_stored_beside_them(trained, tmp_path):
    card = export_weights(trained, tmp_path / "w.safetensors")
    network = load_superpixels(tmp_path / "w.safetensors")
    parameters = sum(each.numel() for each in network.parameters())
    assert sum(each.numel() for each in load_file(tmp_path / "w.safetensors").values()) > parameters
    assert card.parameters == parameters
    assert "stored" not in json.loads((tmp_path / "w.json").read_text())


def test_half_the_size_is_what_16_bits_hold_of_the_same_weights(trained, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    export_weights(trained, whole)
    card = export_weights(trained, half, half=True)
    assert card.stored == "float16"
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    exact = load_superpixels(whole).state_dict()
    for name, tensor in load_superpixels(half).state_dict().items():
        assert tensor.dtype == exact[name].dtype
        wanted = exact[name].half().to(exact[name].dtype) if exact[name].is_floating_point() else exact[name]
        assert torch.equal(tensor, wanted), name


@pytest.mark.parametrize("factor", [1e7, 1e-9], ids=["overflows", "vanishes"])
def test_a_tensor_that_16_bits_cannot_hold_stays_in_32(trained, tmp_path, factor):
    out = tmp_path / "run"
    out.mkdir()
    checkpoint = torch.load(newest_checkpoint(trained), weights_only=True)
    name = max((each for each in checkpoint["state_dict"] if each.endswith("weight")), key=len)
    checkpoint["state_dict"][name] *= factor
    torch.save(checkpoint, out / "iter_1.pth")
    (out / "last_checkpoint").write_text("iter_1.pth")
    export_weights(out, tmp_path / "w.safetensors", half=True)
    stored = load_file(tmp_path / "w.safetensors")
    changed = name.removeprefix("network.")
    assert torch.equal(stored[changed], checkpoint["state_dict"][name])
    assert {each.dtype for key, each in stored.items() if key != changed and each.is_floating_point()} == {
        torch.float16
    }


@pytest.mark.parametrize(("size", "kept"), [(3e-6, torch.float32), (6e-5, torch.float16)], ids=["loses", "holds"])
def test_a_tensor_that_would_lose_half_a_percent_in_16_bits_stays_in_32(trained, tmp_path, size, kept):
    """Catches an export that lets a tensor lose 10 % of itself, and one that halves nothing."""
    out = tmp_path / "run"
    out.mkdir()
    checkpoint = torch.load(newest_checkpoint(trained), weights_only=True)
    name = max((each for each in checkpoint["state_dict"] if each.endswith("weight")), key=len)
    # below 6e-5 halves lie 6e-8 apart, whatever the value
    values = torch.randn(checkpoint["state_dict"][name].shape, generator=torch.Generator().manual_seed(0)) * size
    lost = float((values.half().float() - values).square().mean().sqrt() / values.square().mean().sqrt())
    assert (2e-3 < lost < 2e-2) if kept is torch.float32 else lost < 5e-4
    checkpoint["state_dict"][name] = values
    torch.save(checkpoint, out / "iter_1.pth")
    (out / "last_checkpoint").write_text("iter_1.pth")
    export_weights(out, tmp_path / "w.safetensors", half=True)
    assert load_file(tmp_path / "w.safetensors")[name.removeprefix("network.")].dtype == kept


def test_half_and_a_note_are_options_of_exporting_alone(trained, tmp_path):
    target = tmp_path / "w.safetensors"
    chain = tmp_path / "chain"
    chain.mkdir()
    (chain / "superpixel").symlink_to(trained)
    app = typer.Typer()
    register(app)
    said = ["casr", "--out", str(chain), "--stage", "superpixel", "--half", "--note", "made of noise"]
    assert CliRunner().invoke(app, [*said, "--export", str(target)]).exit_code == 0
    card = json.loads(target.with_suffix(".json").read_text())
    assert (card["stored"], card["note"]) == ("float16", "made of noise")
    refused = CliRunner().invoke(app, said).exception
    assert isinstance(refused, RequestError)
    assert "--half and --note are for --export" in str(refused)


def test_a_card_of_other_bytes_tells_nothing_of_a_stage(trained, tmp_path):
    """Catches the story of a file that was replaced beside its card."""
    path = tmp_path / "w.safetensors"
    card = export_weights(trained, path)
    (told,) = stages_before(path)
    fields = card.model_dump()
    assert told == {name: fields[name] for name in told}
    assert told["config"]["steps"] == 1
    path.with_suffix(".json").write_text(card.model_copy(update={"before": [{"stage": "first"}]}).to_json())
    assert [each["stage"] for each in stages_before(path)] == ["first", "superpixel"]
    path.write_bytes(path.read_bytes() + b" ")
    assert [set(each) for each in stages_before(path)] == [{"sha256"}]
    assert stages_before(None) == stages_before(tmp_path / "none.safetensors") == []
