"""Checkpoints in the authors' format: their images, and a refusal of its own for each way in which a file is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.api import Method, RequestError
from bench.plugins import method_class, method_spec
from methods.blocks.arbsr import ArbSR
from methods.liif.network import LIIFNetwork
from methods.lte.method import LteArchitecture

ENCODER = {"name": "edsr-baseline", "args": {"no_upsampling": True, "n_resblocks": 2, "n_feats": 8}}
CPU = torch.device("cpu")


def loaded(name: str, path: Path) -> Method:
    method = method_class(method_spec(name))()
    method.load(path, CPU, torch.float32)
    return method


def theirs(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Our tensors as the authors' code would name and order them, with the mean shifts that it never applies."""
    found = {name.removeprefix("decoder."): tensor for name, tensor in network.state_dict().items()}
    for name in ("freq.weight", "freq.bias"):
        if name in found:
            half = len(found[name]) // 2
            found[name] = torch.stack((found[name][:half], found[name][half:]), dim=1).flatten(0, 1)
    for shift in ("sub_mean", "add_mean"):
        found |= {f"encoder.{shift}.weight": torch.eye(3)[..., None, None], f"encoder.{shift}.bias": torch.zeros(3)}
    return found


def small_lte() -> ArbSR:
    torch.manual_seed(2)
    return ArbSR(LteArchitecture(blocks=2, width=8, hidden=16, layers=2, ensemble="area"))


def lte_args(**changed: Any) -> dict[str, Any]:
    mlp = {"name": "mlp", "args": {"out_dim": 3, "hidden_list": [16, 16]}}
    return {"encoder_spec": ENCODER, "imnet_spec": mlp, "hidden_dim": 16, **changed}


def save(path: Path, sd: dict[str, Any], *, name: str = "lte", args: dict[str, Any] | None = None) -> Path:
    torch.save({"model": {"name": name, "args": lte_args() if args is None else args, "sd": sd}, "epoch": 1000}, path)
    return path


@pytest.mark.reference
@pytest.mark.parametrize("name", ["liif", "lte"])
def test_images_are_those_of_the_authors_code(name: str, reference_root: Path) -> None:
    """Catches frequencies whose y and x channels are mixed up, lost tensors, another cell and another normalisation."""
    folder = reference_root / "reference" / "authors_checkpoints"
    images = np.load(folder / f"{name}.npz")
    method = loaded(name, folder / f"{name}.pth")
    sizes = [key for key in images if key.startswith("sr_")]
    assert len(sizes) == 3
    for key in sizes:
        expected = torch.from_numpy(images[key])
        image = method.upscale(torch.from_numpy(images["lr"]), (expected.shape[1], expected.shape[2]), seed=0).image
        assert torch.allclose(image, expected, rtol=0, atol=2e-5), key


def test_lte_in_the_authors_format_is_the_same_network(tmp_path: Path) -> None:
    """Catches a reader that ignores the shape that the file tells, and frequencies in the authors' order."""
    network = small_lte()
    read = loaded("lte", save(tmp_path / "a.pth", theirs(network)))
    assert isinstance(read, method_class(method_spec("lte")))
    lr = torch.rand(3, 9, 7, generator=torch.Generator().manual_seed(0))
    expected = network.upsample(lr[None] * 2 - 1, (20, 23))[0] / 2 + 0.5
    assert torch.allclose(read.upscale(lr, (20, 23), seed=0).image, expected, atol=1e-6)


def test_a_checkpoint_of_the_default_shape_needs_no_arguments(tmp_path: Path) -> None:
    """Catches a reader that needs what the authors' code leaves out, and one that takes bare tensors for ours."""
    torch.manual_seed(0)
    network = ArbSR(LteArchitecture())
    torch.save({"state_dict": theirs(network)}, tmp_path / "bare.pth")
    save(tmp_path / "named.pth", theirs(network), args={})
    for file in ("bare.pth", "named.pth"):
        read = loaded("lte", tmp_path / file).network.state_dict()  # type: ignore[attr-defined]
        assert all(torch.equal(read[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"encoder_spec": {"name": "rdn", "args": {"no_upsampling": True}}}, r"encoder 'rdn'.*edsr-baseline-lte\.pth"),
        ({"encoder_spec": {"name": "swinir"}}, "encoder 'swinir'"),
        ({"encoder_spec": {"name": "edsr-baseline", "args": {"res_scale": 0.1}}}, "scales its branches"),
        ({"imnet_spec": {"name": "siren"}}, "'siren'.*'mlp'"),
        ({"imnet_spec": {"name": "mlp", "args": {"hidden_list": "wide"}}}, "'hidden_list' is 'wide'"),
        ({"imnet_spec": {"name": "mlp", "args": {"hidden_list": [16, 32]}}}, "widths 16, 32 on 16 coefficients"),
        ({"encoder_spec": {"name": "edsr-baseline", "args": {"n_feats": -1}}}, "width"),
        ({"encoder_spec": 3}, "'encoder_spec' is a int"),
        ({"gates": 2}, "trained with 'gates'"),
    ],
)
def test_another_architecture_is_refused_by_its_name(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Catches a missing tensor as the only word about an encoder that this version does not have."""
    path = save(tmp_path / "x.pth", theirs(small_lte()), args=lte_args(**changed))
    with pytest.raises(RequestError, match=rf"x\.pth.*{said}"):
        loaded("lte", path)


@pytest.mark.parametrize("name", ["liif", "blind_assr", "casarbi"])
def test_a_checkpoint_that_names_another_model_is_refused(name: str, tmp_path: Path) -> None:
    """Catches a message about tensors where the file itself says whose it is."""
    path = save(tmp_path / "edsr-baseline-lte.pth", theirs(small_lte()))
    with pytest.raises(RequestError, match=rf"edsr-baseline-lte\.pth holds weights of 'lte', expected '{name}'"):
        loaded(name, path)


def test_tensors_of_another_size_than_the_file_says_are_named(tmp_path: Path) -> None:
    """Catches a network that is built from the tensors, whatever the file claims."""
    wider = {"name": "edsr-baseline", "args": {"no_upsampling": True, "n_resblocks": 2, "n_feats": 16}}
    path = save(tmp_path / "x.pth", theirs(small_lte()), args=lte_args(encoder_spec=wider))
    with pytest.raises(RequestError, match=r"x\.pth: tensor 'encoder\.head.*\(8, 3, 3, 3\), expected \(16, 3, 3, 3\)"):
        loaded("lte", path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (Path("exploded"), "code ran")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def cut_old(path: Path) -> None:
    torch.save({"weight": torch.ones(900)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-200])


def bomb(path: Path) -> None:
    torch.save({"model": {"name": "liif", "sd": Bomb()}}, path)


def module(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


def pointer(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1c' * 32}\nsize 18890445\n")


def page(path: Path) -> None:
    path.write_text("\n<!DOCTYPE html><html><body>Please log in</body></html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("edsr-baseline-liif, the best one")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "is damaged: it ends too early, after [0-9]+ bytes"),
        (cut_old, "is damaged: it ends too early, after [0-9]+ bytes"),
        (bomb, r"holds Python objects \(.*code in a file is never run"),
        (module, r"holds Python objects \(torch\.nn\.modules\.linear\.Linear\)"),
        (pointer, "is a Git LFS pointer.*1c1c1c1c1c1c.*git lfs pull"),
        (page, "is a web page"),
        (empty, "is damaged: it is empty"),
        (text, "is damaged, or no checkpoint of torch and no safetensors file"),
    ],
)
@pytest.mark.parametrize("name", ["liif", "lte", "spandrel"])
def test_each_way_in_which_a_file_is_wrong_has_its_own_words(
    name: str, spoil: Callable[[Path], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches one message for all of them, torch's advice to run the file's code, and code that is run."""
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "edsr-baseline-liif.pth", {"weight": torch.ones(900)}, name="liif", args={})
    spoil(path)
    with pytest.raises(RequestError, match=rf"edsr-baseline-liif\.pth {said}") as caught:
        loaded(name, path)
    assert "weights_only" not in str(caught.value)
    assert not Path("exploded").exists()


def test_liif_keeps_its_switches(tmp_path: Path) -> None:
    """Catches an ablation's checkpoint that is run with the paper's switches."""
    from methods.liif.architecture import LiifArchitecture

    shape = LiifArchitecture(blocks=2, width=8, hidden=(16, 16), unfold=False, cell_decode=False)
    network = LIIFNetwork(shape)
    args = {key: value for key, value in lte_args().items() if key != "hidden_dim"}
    args |= {"feat_unfold": False, "cell_decode": False}
    read = loaded("liif", save(tmp_path / "c.pth", theirs(network), name="liif", args=args))
    assert read.network.architecture == shape  # type: ignore[attr-defined]
