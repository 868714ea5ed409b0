"""Weights as others publish them: every common form is read alike, and what is no weights is called what it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.api import MethodSpec, RequestError
from bench.engine.choice import choose_methods
from bench.plugins import method_spec
from bench.weights.card import WeightsCard
from bench.weights.reader import load_into, read_weights
from bench.weights.writer import write_weights

State = dict[str, torch.Tensor]
LAST = {"body.weight": torch.arange(6.0).view(2, 3), "body.bias": torch.ones(2), "alpha": torch.tensor(3.0)}
EMA = {name: tensor + 8 for name, tensor in LAST.items()}
CRITIC = {"d.weight": torch.zeros(4)}


def under(prefix: str, state: State) -> State:
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


FORMS: dict[str, tuple[object, State]] = {
    "bare": (LAST, LAST),
    "params": ({"params": LAST}, LAST),
    "params_ema before params": ({"params": LAST, "params_ema": EMA}, EMA),
    "state_dict": ({"state_dict": LAST, "epoch": 3, "lr": torch.tensor(0.1)}, LAST),
    "DataParallel": (under("module", LAST), LAST),
    "compiled": (under("_orig_mod", LAST), LAST),
    "wrapped twice": (under("module._orig_mod", LAST), LAST),
    "Lightning": ({"state_dict": {**under("net_g", LAST), **under("net_d", CRITIC)}, "hparams": {"a": 1}}, LAST),
    "Lightning, one network": ({"state_dict": under("model", LAST)}, LAST),
    "Lightning, averaged": ({"state_dict": {**under("net_g", LAST), **under("net_g_ema", EMA)}}, EMA),
    "mmediting": ({"state_dict": {**under("generator", LAST), **under("generator_ema", EMA)}, "meta": {}}, EMA),
    "nested": ({"model": {"state_dict": {"params": under("module", LAST)}}, "optimizer": {"step": 1}}, LAST),
    "LIIF": ({"model": {"name": "liif", "args": {"a": 1}, "sd": LAST}, "optimizer": {}}, LAST),
    "model_ema": ({"model": LAST, "model_ema": EMA}, EMA),
    "float16": ({"params": {name: tensor.half() for name, tensor in LAST.items()}}, LAST),
    "bfloat16": ({name: tensor.bfloat16() for name, tensor in LAST.items()}, LAST),
}
FLAT = {
    "params": under("params", LAST),
    "params_ema before params": {**under("params", LAST), **under("params_ema", EMA)},
    "Lightning": {**under("net_g", LAST), **under("net_d", CRITIC)},
    "state_dict": under("state_dict.net_g", LAST),
    "DataParallel": under("module", LAST),
    "bfloat16": under("params", {name: tensor.bfloat16() for name, tensor in LAST.items()}),
}


def assert_read(path: Path, expected: State) -> None:
    found = read_weights(path).tensors
    assert sorted(found) == sorted(expected)
    network = torch.nn.Module()
    for name, tensor in expected.items():
        holder = network if "." not in name else _child(network, name.split(".")[0])
        holder.register_buffer(name.split(".")[-1], torch.zeros_like(tensor))
    load_into(network, found, path)
    for name, tensor in network.state_dict().items():
        assert tensor.dtype is torch.float32
        assert torch.equal(tensor, expected[name]), name


def _child(network: torch.nn.Module, name: str) -> torch.nn.Module:
    if name not in dict(network.named_children()):
        network.add_module(name, torch.nn.Module())
    return network.get_submodule(name)


@pytest.mark.parametrize("form", FORMS)
def test_every_public_form_of_torch_gives_the_same_tensors(form: str, tmp_path: Path) -> None:
    """Catches a form that one reader knows and another does not, and last weights in place of averaged ones."""
    content, expected = FORMS[form]
    torch.save(content, tmp_path / "w.pth")
    assert_read(tmp_path / "w.pth", expected)


@pytest.mark.parametrize("form", FLAT)
def test_a_safetensors_file_is_read_as_the_checkpoint_that_it_was_made_from(form: str, tmp_path: Path) -> None:
    """Catches prefixes that only nested dicts lose."""
    save_file(FLAT[form], tmp_path / "w.safetensors")
    assert_read(tmp_path / "w.safetensors", EMA if "ema" in form else LAST)


def test_names_of_the_network_itself_stay() -> None:
    """Catches ESRGAN's `model.0.weight` losing the name that its architecture is known by."""
    from bench.weights.state import find_state

    state = {"model.0.weight": torch.zeros(1), "model.1.sub.0.weight": torch.zeros(1)}
    assert sorted(find_state(state)[0]) == sorted(state)
    assert sorted(find_state({"params": state})[0]) == sorted(state)
    assert sorted(find_state({"a.w": torch.zeros(1), "model.w": torch.zeros(1)})[0]) == ["a.w", "model.w"]


def test_a_file_of_this_project_keeps_the_names_that_it_has(tmp_path: Path) -> None:
    """Catches a prefix taken off a network of our own."""
    write_weights(tmp_path / "w.safetensors", under("params", LAST), {}, WeightsCard(method="liif"))
    assert sorted(read_weights(tmp_path / "w.safetensors").tensors) == sorted(under("params", LAST))


def test_a_checkpoint_that_holds_itself_is_read_to_an_end(tmp_path: Path) -> None:
    """Catches endless recursion through a dict inside of itself."""
    content: dict[str, object] = {"epoch": 3}
    content["model"] = content
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(RequestError, match="no tensors by name"):
        read_weights(tmp_path / "w.pth")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a" * 16 + b"\nsize 1234567\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>"
DAMAGED = {
    "an LFS pointer": (POINTER, "Git LFS pointer"),
    "a page": (PAGE, "web page"),
    "nothing": (b"", "empty"),
    "noise": (bytes(range(256)) * 8, "damaged"),
    "half a zip": (b"PK\x03\x04" + b"\0" * 400, "damaged"),
    "a pickle that runs code": (b"\x80\x02cos\nsystem\nq\0X\4\0\0\0trueq\1\x85q\2Rq\3.", "code in a file is never run"),
    "half a safetensors": (b"\xff\0\0\0\0\0\0\0{" + b" " * 40, "damaged"),
}
ADVICE = ("weights_only", "unsafe", "torch.load", "trust", "pickle", "allowlist", "safe_globals")


@pytest.mark.parametrize("method", ["liif", "spandrel", "cassr"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_weights_is_named_and_nobody_is_told_to_load_it(
    kind: str, suffix: str, method: str, tmp_path: Path
) -> None:
    """Catches torch's advice to set weights_only=False, under any method, and "damaged" for a failed download."""
    content, named = DAMAGED[kind]
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(RequestError) as refused:
        load(choose_methods([method], weights={method: str(path)})[0].spec, path)
    said = str(refused.value)
    assert str(path) in said
    if suffix == ".pth" or named in ("Git LFS pointer", "web page", "empty"):
        assert named in said
    assert not [word for word in ADVICE if word in said.lower()], said


def load(spec: MethodSpec, path: Path) -> None:
    from bench.plugins import method_class

    method_class(spec)().load(path, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("method", ["liif", "spandrel"])
def test_an_empty_file_and_a_failed_download_are_refused_before_loading(method: str, tmp_path: Path) -> None:
    """Catches a request that is planned and loads for a minute before it fails."""
    for name, content in (("a.pth", b""), ("b.pth", POINTER), ("c.safetensors", PAGE)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RequestError, match=name):
            choose_methods([method], weights={method: str(tmp_path / name)})


@pytest.mark.parametrize("method", ["liif", "spandrel"])
def test_a_device_a_pipe_and_a_folder_are_refused_at_once(method: str, tmp_path: Path) -> None:
    """Catches a hash over /dev/zero or a pipe, which never ends."""
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (Path("/dev/zero"), tmp_path / "pipe.pth"):
        with pytest.raises(RequestError, match="regular file"):
            choose_methods([method], weights={method: str(path)})


def test_a_folder_where_a_file_is_expected_is_refused_and_a_huge_one_anywhere(tmp_path: Path, monkeypatch) -> None:
    """Catches a home folder that is hashed from end to end."""
    (tmp_path / "lite.safetensors").write_bytes(b"x")
    with pytest.raises(RequestError, match=r"is a folder, expected a file, such as .*lite\.safetensors"):
        choose_methods(["liif"], weights={"liif": str(tmp_path)})
    monkeypatch.setattr("bench.weights.given._MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.bin").write_bytes(b"x")
    with pytest.raises(RequestError, match="more than 3 files"):
        choose_methods(["spandrel"], weights={"spandrel": str(tmp_path)})


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LIIF's shipped weights and their card in a folder of their own, which the method then ships."""
    spec = method_spec("liif")
    original = spec.weights["lite"]
    path = tmp_path / "shipped" / "lite.safetensors"
    path.parent.mkdir()
    for suffix in (".safetensors", ".json"):
        shutil.copy(original.with_suffix(suffix), path.with_suffix(suffix))
    moved = replace(spec, weights={"lite": path})
    monkeypatch.setattr("bench.engine.typed.method_spec", lambda name: moved)
    return path


def change(path: Path, how: Callable[[torch.Tensor], torch.Tensor]) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({name: how(tensor) for name, tensor in load_file(path).items()}, path, metadata)


def test_shipped_weights_that_were_changed_do_not_bear_their_name(shipped: Path) -> None:
    """Catches "LIIF (lite)" over a file times 0.97, which scores 26.52 for 36.05."""
    assert choose_methods(["liif"])[0].display == "LIIF (lite)"
    same = choose_methods(["liif"], weights={"liif": str(shipped)})[0]
    assert same.trained == "lite"
    change(shipped, lambda tensor: tensor * 0.97)
    for weights in (None, {"liif": "lite"}):
        with pytest.raises(RequestError, match=r"lite\.safetensors is not the file that lite\.json"):
            choose_methods(["liif"], weights=weights)
    own = choose_methods(["liif"], weights={"liif": str(shipped)})[0]
    assert (own.trained, own.default) == ("", False)
    assert own.display.startswith("LIIF (weights=")


def test_a_replaced_part_of_the_same_size_and_date_is_seen(tmp_path: Path) -> None:
    """Catches a pipeline whose parts are known by name, size and date: CASR full's folders."""
    from methods.casr.info import CasrOptions, fingerprint

    part = tmp_path / "sd" / "unet" / "w.safetensors"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"one")
    os.utime(part, (1, 1))
    before = fingerprint(CasrOptions(sd_path=tmp_path / "sd"), "", 4)
    part.write_bytes(b"two")
    os.utime(part, (1, 1))
    assert fingerprint(CasrOptions(sd_path=tmp_path / "sd"), "", 4) != before


def test_two_path_options_are_told_apart_by_more_than_four_digits() -> None:
    """Catches two folders of one short hash under one name: with 4 digits, 400 paths collide almost surely."""
    variants = {choose_methods(["casr"], overrides=[f"casr.sd_path=/p/{n}"])[0].variant for n in range(400)}
    assert len(variants) == 400
    folders = {choose_methods(["casr"], overrides=[f"casr.sd_path=/p/{n}"])[0].folder for n in range(400)}
    assert len(folders) == 400


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_written(value: float, tmp_path: Path) -> None:
    """Catches an export of a training that diverged."""
    tensors = {**LAST, "body.bias": torch.tensor([1.0, value])}
    with pytest.raises(RequestError, match=r"body\.bias.*not finite"):
        write_weights(tmp_path / "w.safetensors", tensors, {}, WeightsCard())
    assert not list(tmp_path.iterdir())


def test_a_card_is_json_whatever_the_validation_said(tmp_path: Path) -> None:
    """Catches Infinity and NaN, which no JSON reader but Python's takes."""
    import json

    card = WeightsCard(validation={"psnr": float("inf"), "ssim": float("nan"), "lpips": 0.1})
    write_weights(tmp_path / "w.safetensors", LAST, {}, card)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / "w.json").read_text()
    assert json.loads(text, parse_constant=refuse)["validation"] == {"lpips": 0.1}
