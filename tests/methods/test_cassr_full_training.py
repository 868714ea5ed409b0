"""The training of CasSR's full size on tiny models in the published formats: tuner, then ControlNet and MAM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.api import RequestError
from bench.training.config import read_config
from bench.training.export import export_weights, newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from bench.weights.reader import read_weights
from methods.cassr.info import CassrOptions
from methods.cassr.loading import fitting, load_parts
from methods.cassr.method import load_network
from methods.cassr.network import Cassr
from methods.cassr.training.diffusion import DiffusionConfig, DiffusionTask
from methods.cassr.training.noise import noised
from methods.cassr.training.pairs import PairConfig
from methods.cassr.training.restorer import RestorerConfig, RestorerTask, enlarged
from methods.cassr.training.tuner import TunerConfig, TunerTask

DATA = PairConfig(crop=32, scale_min=4, scale_max=4, upright=True, recipe="real-esrgan", clean_share=0)


@dataclass(frozen=True)
class Given:
    """What a training begins with.

    Attributes:
        sd15: Stable Diffusion 1.5.
        pool: The images.
    """

    sd15: Path
    pool: ImagePool


@pytest.fixture(scope="module")
def given(published, made_pool) -> Given:
    return Given(published.sd15, made_pool)


def _light(network: Cassr) -> Cassr:
    """Few steps on small canvases."""
    network.settings = replace(network.settings, smallest=32, iam_steps=2, steps=2)
    return network


class Tuner(TunerTask):
    def build(self) -> Cassr:
        return _light(super().build())


class Control(DiffusionTask):
    def build(self) -> Cassr:
        return _light(super().build())


def _common(given, **changes) -> dict:
    said = {
        "architecture": fitting(load_parts(given.sd15)),
        "data": DATA,
        "sd_path": given.sd15,
        "steps": 2,
        "batch": 2,
        "lr": 1e-3,
        "clip": 1.0,
        "checkpoint_every": 1,
    }
    return said | changes


def _tuner(given, **changes) -> Tuner:
    return Tuner(TunerConfig(**_common(given, **changes)), given.pool)


def _control(given, csc: Path | None, folder: Path | None, **changes) -> Control:
    said = {"iam": "scedit", "iam_weights": csc, "references": folder, "triplets": 3} | changes
    return Control(DiffusionConfig(**_common(given, **said)), given.pool)


def _trained(task, out: Path) -> Path:
    make_runner(task, out).train()
    export_weights(out, out / "weights.safetensors")
    return out / "weights.safetensors"


@pytest.fixture(scope="module")
def csc(given, tmp_path_factory) -> Path:
    """Two steps of the first stage, in parts and with activations computed again."""
    out = tmp_path_factory.mktemp("csc")
    return _trained(_tuner(given, accumulate=2, gradient_checkpointing=True), out / "run")


@pytest.fixture(scope="module")
def control(given, csc, tmp_path_factory) -> Path:
    """Two steps of the second on kept references of the first, alike."""
    out = tmp_path_factory.mktemp("control")
    task = _control(given, csc, out / "references", accumulate=2, gradient_checkpointing=True)
    return _trained(task, out / "run")


def test_weights_hold_what_is_trained_and_nothing_of_stable_diffusion(given, csc, control):
    """Catches checkpoints of gigabytes, moments of frozen parameters, and a tuner that the second stage forgets."""
    tuner, adapters = read_weights(csc).tensors, read_weights(control).tensors
    assert {name.split(".")[0] for name in tuner} == {"csc"}
    assert {name.split(".")[0] for name in adapters} == {"controlnet", "mam", "csc"}
    assert all(torch.equal(adapters[name], each) for name, each in tuner.items())
    assert all(float(each.abs().max()) > 0 for name, each in adapters.items() if name.endswith("ref.out.weight"))
    for file, names in ((csc, list(tuner)), (control, [name for name in adapters if not name.startswith("csc.")])):
        checkpoint = torch.load(newest_checkpoint(file.parent), weights_only=True)
        network = load_network(control, CassrOptions(sd_path=given.sd15))[0]
        trained = [each for name, each in network.named_parameters() if name in names]
        assert len(checkpoint["optimizer"]["state"]) == len(trained)
        assert {name.split(".")[1] for name in checkpoint["state_dict"]} <= {"csc", "controlnet", "mam"}


@pytest.mark.parametrize("stage", ["csc", "diffusion"])
def test_parts_and_recomputed_activations_make_the_same_steps(given, csc, control, stage, tmp_path):
    """Catches a part of a batch with other draws, and a backward pass through something else than the forward one."""
    if stage == "csc":
        plain, saving = _trained(_tuner(given), tmp_path / "run"), csc
    else:
        plain, saving = _trained(_control(given, csc, tmp_path / "kept"), tmp_path / "run"), control
    wanted, seen = read_weights(plain).tensors, read_weights(saving).tensors
    assert wanted.keys() == seen.keys()
    for name, each in wanted.items():
        torch.testing.assert_close(seen[name], each, rtol=0, atol=1e-4)


@pytest.mark.parametrize("stage", ["csc", "diffusion"])
def test_gradients_are_the_same_when_activations_are_computed_again(given, csc, stage):
    """Of one batch, tensor for tensor. Catches a decoder of our own that recomputes with another skip or key."""
    gradients = []
    for again in (False, True):
        torch.manual_seed(0)
        task = (
            _tuner(given, gradient_checkpointing=again)
            if stage == "csc"
            else _control(given, csc, None, gradient_checkpointing=again)
        )
        network = task.network().train()
        assert network.unet.up_blocks[0].gradient_checkpointing == again
        _shake(network, "csc" if stage == "csc" else "mam", "controlnet")
        sum(task.losses(network, task.batch(0)).values()).backward()
        gradients.append({name: each.grad for name, each in network.named_parameters() if each.grad is not None})
    assert {name.split(".")[0] for name in gradients[0]} == ({"csc"} if stage == "csc" else {"controlnet", "mam"})
    assert any(float(each.abs().max()) > 0 for each in gradients[0].values())
    for name, each in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], each, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("stage", ["csc", "diffusion"])
def test_a_step_in_mixed_precision_stays_near(given, csc, stage):
    """`amp` is for CUDA; a processor's autocast mixes the same types. Catches layers that meet in two precisions, and a
    loss or a schedule that is computed in half of it."""
    torch.manual_seed(0)
    task = _tuner(given) if stage == "csc" else _control(given, csc, None)
    network, batch = task.network().train(), task.batch(0)
    _shake(network, "csc" if stage == "csc" else "mam", "controlnet")
    whole = task.losses(network, batch)["loss_noise"].detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = task.losses(network, batch)["loss_noise"]
    assert mixed.dtype == torch.float32
    mixed.backward()
    assert all(bool(each.grad.isfinite().all()) for each in network.parameters() if each.grad is not None)
    assert float(mixed.detach()) == pytest.approx(float(whole), rel=0.05)


def _shake(network: Cassr, *parts: str) -> None:
    """Adapters that do something, so that every path has a gradient."""
    torch.manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.split(".")[0] in parts and parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1)


@pytest.mark.parametrize("stage", ["csc", "diffusion"])
def test_a_resumed_training_is_the_whole_one(given, csc, control, stage, tmp_path):
    """Bit for bit. Catches a state without the optimiser's moments, and draws from a global generator."""

    def task(steps: int):
        said = {"accumulate": 2, "gradient_checkpointing": True, "steps": steps}
        return _tuner(given, **said) if stage == "csc" else _control(given, csc, tmp_path / "kept", **said)

    make_runner(task(1), tmp_path / "run").train()
    torch.rand(7)
    make_runner(task(2), tmp_path / "run", resume=True).train()
    whole = torch.load(newest_checkpoint((csc if stage == "csc" else control).parent), weights_only=True)
    pieces = torch.load(newest_checkpoint(tmp_path / "run"), weights_only=True)
    assert pieces["meta"]["iter"] == whole["meta"]["iter"] == 2
    assert pieces["state_dict"].keys() == whole["state_dict"].keys()
    assert all(torch.equal(pieces["state_dict"][name], each) for name, each in whole["state_dict"].items())
    for key, state in whole["optimizer"]["state"].items():
        assert torch.equal(pieces["optimizer"]["state"][key]["exp_avg"], state["exp_avg"])


# --- references ---


def test_references_are_made_of_lr_and_never_of_hr(given, csc, tmp_path):
    """The cascade learns to use what it will have at test time. Catches HR, or anything that follows it, as reference:
    other HR images beside the same LR leave the reference as it is, made at once or kept."""
    for folder in (None, tmp_path / "kept"):
        task = _control(given, csc, folder)
        network, batch = task.network(), task.batch(0)
        _shake(network, "controlnet")
        for parameter in network.csc.parameters():
            nn.init.normal_(parameter, std=0.3)  # a tuner that heeds its hint
        shown = []
        network.encode_controls = lambda z, t, c, up, ref, real=network.encode_controls, shown=shown: (
            shown.append((up, ref)),
            real(z, t, c, up, ref),
        )[1]
        task.losses(network, batch)
        task.losses(network, batch | {"hr": batch["hr"].flip(-1)})
        assert torch.equal(shown[0][1], shown[1][1])
        assert torch.equal(shown[0][0], enlarged(batch["lr"], batch["hr"]))
        assert not torch.equal(shown[0][1], shown[0][0])
        if folder is not None:
            (folder / f"{int(batch['triplet'][0]):06d}.png").unlink()
        task.losses(network, batch | {"lr": 1 - batch["lr"]})
        assert not torch.allclose(shown[2][1][0], shown[0][1][0], atol=0.02)


def test_references_of_another_stable_diffusion_or_other_pixels_are_refused(given, csc, tmp_path):
    """Catches a folder that is told apart by the names of the images, or without what sampled them."""
    task = _control(given, csc, tmp_path / "kept")
    task.network()
    again = _control(given, csc, tmp_path / "kept")
    again.network()
    again.pool = replace(given.pool, images=given.pool.images[::-1])
    with pytest.raises(RequestError, match="made with images"):
        again.network()
    other = Control(task.config, given.pool)
    other.build = lambda: (network := _light(TunerTask.build(other)), _more_steps(network))[0]
    with pytest.raises(RequestError, match="made with sampling"):
        other.network()


def _more_steps(network: Cassr) -> None:
    network.settings = replace(network.settings, iam_steps=3)


def test_a_share_of_the_references_is_the_enlargement(given, csc):
    """Catches an option that is ignored, and a batch that is dropped as a whole."""
    task = _control(given, csc, None, ref_drop=0.5, batch=2)
    network, batch = task.network(), task.batch(0)
    up = enlarged(batch["lr"], batch["hr"])
    ref = task.reference(network, batch | {"bare": torch.tensor([True, False])}, up)
    assert torch.equal(ref[0], up[0])
    assert not torch.allclose(ref[1], up[1], atol=1e-3)
    dropped = torch.cat([task.batch(step)["bare"] for step in range(40)])
    assert 0.2 < float(dropped.float().mean()) < 0.8
    assert not any(bool(_control(given, csc, None).batch(step)["bare"].any()) for step in range(9))


# --- what is noised ---


def test_a_latent_is_a_draw_of_the_posterior(given, csc):
    """Its mean over many seeds is the mode and its spread the encoder's. Catches the mode, a draw that is the noise of
    Eq. 3 as well, and a global generator."""
    task = _tuner(given)
    network, batch = task.network(), task.batch(0)
    image = batch["hr"][:1]
    posterior = network.codec.vae.encode(image * 2 - 1).latent_dist
    many = {
        "hr": image.expand(400, -1, -1, -1),
        "seed": torch.arange(400),
        "t": torch.zeros(400, dtype=torch.int64),
        "dropped": torch.zeros(400, dtype=torch.bool),
    }
    z, noise, _ = noised(network, many, many["hr"])
    a, s = network.diffusion.signal_and_noise(many["t"], z)
    drawn = (z - s * noise) / a / network.codec.scaling
    mean, std = posterior.mean.detach(), posterior.std.detach()
    assert float(std.min()) > 1e-3
    assert float(((drawn.mean(0) - mean[0]) / std[0]).abs().max()) < 5 / 400**0.5
    assert float((drawn.std(0) / std[0] - 1).abs().max()) < 5 / 800**0.5
    standard = ((drawn - mean) / std).flatten()
    assert abs(float((standard * noise.flatten()).mean())) < 5 / standard.numel() ** 0.5
    torch.rand(3)
    assert torch.equal(noised(network, many, many["hr"])[0], z)


# --- configurations ---


def test_the_tuner_is_validated_by_its_own_images(given, csc):
    """Catches figures of plain Stable Diffusion, which a fresh ControlNet leaves as it is whatever the tuner learns."""
    task = _tuner(given)
    network = task.network().eval()
    lr = torch.from_numpy(given.pool.images[0][:8, :8]).permute(2, 0, 1)[None].float() / 255
    fresh = task.upscale(network, lr, (32, 32))
    _shake(network, "csc")
    assert fresh.shape == (1, 3, 32, 32)
    assert not torch.allclose(task.upscale(network, lr, (32, 32)), fresh, atol=1e-3)


def test_full_has_no_stage_iam(given):
    """Catches a full training that begins with the lite restorer because its section is missing."""
    path, stages = RestorerTask.configs / "full.yaml", ("iam", "diffusion", "csc")
    config = read_config(RestorerConfig, path, section="iam", sections=stages)
    with pytest.raises(RequestError, match=r"begins with --stage csc"):
        RestorerTask(config, given.pool).network()
    with pytest.raises(RequestError, match=r"--set csc\.sd_path=FOLDER"):
        TunerTask(read_config(TunerConfig, path, section="csc", sections=stages), given.pool).network()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"iam": "lr", "ref_drop": 0.1}, "ref_drop"),
        ({"iam": "lr", "references": "x"}, "references"),
        ({"iam": "lr", "iam_weights": "x"}, "iam_weights"),
        ({"iam": "sr"}, "iam sr needs"),
    ],
)
def test_options_that_do_nothing_are_refused(given, said, words):
    with pytest.raises(ValueError, match=words):
        DiffusionConfig(**_common(given, **said))


def test_a_small_size_takes_no_stable_diffusion():
    with pytest.raises(ValueError, match="sd_path"):
        DiffusionConfig(sd_path=Path("x"))
