"""The training of CASR: what is drawn, what each stage trains (group 10), that it learns (13), and the whole chain."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from torch import nn

from bench.api import RequestError
from bench.cli import app as command_line
from bench.training.config import PatchConfig, TrainConfig, read_config
from bench.training.images import ImagePool
from bench.training.task import split
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.tiles import Tile
from methods.casr.architecture import CasrArchitecture, SarmArchitecture, SsamArchitecture
from methods.casr.cycle import Sampling, cycle
from methods.casr.network import Casr
from methods.casr.training.crops import CropConfig, draw_batch, draw_scale
from methods.casr.training.losses import LossConfig, Objective
from methods.casr.training.stage1 import BackboneConfig, BackboneTask, SourcesConfig
from methods.casr.training.stage2 import SarmConfig, SarmTask
from methods.casr.training.superpixels import SuperpixelConfig, SuperpixelTask

SHAPE = {
    "unet": {
        "channels": [8, 16],
        "attention": [False, True],
        "heads": [2, 4],
        "groups": 4,
        "cross_dim": 8,
    },
    "control_embedding": [4, 4, 8],
    "ssam": {"width": 0.1, "space": "hr"},
    "sarm": {"heads": 2, "head_dim": 4},
    "semantic_dim": 8,
    "semantic_grid": 2,
}
TINY = CasrArchitecture.model_validate(SHAPE)
SLIC = TINY.model_copy(update={"ssam": SsamArchitecture(backend="slic", space="hr")})
"""Needs no stage before the first."""


def _photo(height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = sum(gaussian_filter(rng.normal(0, s * s, (height, width, 3)), (s, s, 0)) for s in (1, 2, 4))
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


POOL = ImagePool((_photo(70, 90, 0), _photo(130, 140, 1)), ("made/0.png", "made/1.png"), (), ("made",))


def _config(kind: type = BackboneConfig, **changes) -> BackboneConfig:
    values = {
        "architecture": SLIC,
        "data": CropConfig(crop=64),
        "loss": LossConfig(perceptual="laplacian", gan=0.05, critic="patch", gan_from=0.5),
        "steps": 10,
        "batch": 2,
        "lr": 1e-3,
    }
    return kind(**(values | changes))


# what a step draws


def test_batch_is_one_scale_of_crops_and_their_reductions():
    data = CropConfig(crop=64, reduce=(1, 2))
    for seed in range(20):
        batch = draw_batch(POOL, data, np.random.default_rng(seed), count=3)
        side = batch["lr"].shape[-1]
        assert batch["hr"].shape == (3, 3, 64, 64)
        assert batch["lr"].shape == (3, 3, side, side)
        assert 16 <= side <= 64
        # LR is a reduction of its own HR: their means agree, those of other crops do not
        means = [each.mean(dim=(-2, -1)) for each in (batch["hr"], batch["lr"])]
        torch.testing.assert_close(means[0], means[1], atol=0.01, rtol=0)
        assert -1 <= float(batch["hr"].min()) < -0.2
        assert 0.2 < float(batch["hr"].max()) <= 1


def test_scales_span_the_range_and_the_largest_has_its_share():
    rng = np.random.default_rng(0)
    scales = [draw_scale(CropConfig(crop=64), rng) for _ in range(400)]
    assert 1 <= min(scales) < 1.1
    assert 3.9 < max(scales) < 4
    most = [draw_scale(CropConfig(crop=64, p_max=0.25), rng) == 4 for _ in range(400)]
    assert 0.18 < np.mean(most) < 0.32


def test_batch_is_a_function_of_its_step():
    task = BackboneTask(_config(), POOL)
    first, again, other = task.batch(3), task.batch(3), task.batch(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hr"], other["hr"])


def test_superpixels_learn_from_what_they_will_be_shown():
    """Where cells count HR pixels that is an enlargement: of the same LR, by the drawn scale, and of the same side."""
    data = PatchConfig(lr_patch=32, scale_min=2.0, scale_max=2.0)
    low, high = (
        SuperpixelTask(SuperpixelConfig(architecture=shape, data=data, batch=3), POOL).batch(0)["image"]
        for shape in (TINY.model_copy(update={"ssam": SsamArchitecture(width=0.1)}), TINY)
    )
    assert low.shape == high.shape == (3, 3, 32, 32)
    middle = low[..., 8:24, 8:24]
    torch.testing.assert_close(nn.functional.avg_pool2d(high, 2), middle, atol=0.05, rtol=0)
    assert float((high - low).abs().mean()) > 0.05


def test_second_cycles_are_trained_on_the_networks_own_image():
    """Catches a gradient through the first cycle, a first cycle of the wrong size, and LR that is not smaller."""
    task = BackboneTask(_config(data=CropConfig(crop=64, cycle_aug=1.0)), POOL)
    torch.manual_seed(0)
    network = task.network().train()
    _wake(network)
    batch = next(
        batch for batch in map(task.batch, range(99)) if batch["lr"].shape[-1] + 8 < int(batch["between"]) < 56
    )
    between = int(batch["between"])
    first = cycle(network, batch["lr"], (between, between), Sampling())
    assert first.shape[-1] == between
    found = task.enlarged(network, batch)
    wanted = task.enlarged(network, {"lr": first, "hr": batch["hr"]})
    torch.testing.assert_close(found, wanted)
    assert found.requires_grad
    assert not first.requires_grad


# group 10: what is trained


def _wake(network: nn.Module) -> None:
    """Give what begins at zero some weight."""
    rng = torch.Generator().manual_seed(5)
    for name, parameter in network.named_parameters():
        if "ssam" not in name and float(parameter.detach().abs().max()) == 0:
            parameter.data.copy_(0.05 * torch.randn(parameter.shape, generator=rng))


def _moved(task: BackboneTask, network: Casr, steps: int) -> tuple[set[str], set[str], set[str]]:
    """Names of parameters that had a finite gradient other than zero, of those that had any, of tensors that moved."""
    network.train()
    before = {name: tensor.clone() for name, tensor in nn.Module.state_dict(network).items()}
    for name, tensor in network.named_parameters():  # borrowed parts are not in the state
        before.setdefault(name, tensor.detach().clone())
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-2)
    reached: set[str] = set()
    touched: set[str] = set()
    for step in range(steps):
        optimiser.zero_grad()
        sum(task.losses(network, task.batch(step)).values()).backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                assert bool(torch.isfinite(parameter.grad).all()), name
                touched.add(name)
                if float(parameter.grad.abs().max()) > 0:
                    reached.add(name)
        optimiser.step()
    after = dict(network.named_parameters()) | nn.Module.state_dict(network)
    return reached, touched, {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def test_stage_one_of_lite_trains_unet_controlnet_and_text_and_nothing_else():
    task = BackboneTask(_config(), POOL)
    torch.manual_seed(0)
    network = task.network()
    assert network.sarm is None
    assert task.architecture()["sarm"] is None
    # zeros behind zeros: conv_out hides the rest in the first step, the ControlNet's outputs its inside in the second,
    # the end of its stem the stem in the third
    reached, touched, moved = _moved(task, network, 4)
    own = {name for name, _ in network.named_parameters() if name.startswith(("unet.", "controlnet.", "text."))}
    assert touched == own
    # who attends to a single text token has no choice, so what chooses is not learned
    chooses = (".0.norm2.", "attn2.to_q", "attn2.to_k")
    assert own - reached == {name for name in own if "transformer" in name and any(each in name for each in chooses)}
    assert moved <= own


def _stage_one_file(task: BackboneTask, network: Casr, path: Path) -> Path:
    from safetensors.torch import save_file

    from bench.weights.card import METADATA_KEY

    said = {"format": 1, "method": "casr", "stage": "backbone", "architecture": task.architecture()}
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path, {METADATA_KEY: json.dumps(said)})
    return path


def test_stage_two_of_lite_trains_sarm_and_nothing_else(tmp_path):
    first = BackboneTask(_config(), POOL)
    begun = first.network()
    _wake(begun)
    task = SarmTask(_config(SarmConfig), POOL)
    task.follow(_stage_one_file(first, begun, tmp_path / "one.safetensors"))
    network = task.network()
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in begun.state_dict().items())
    reached, touched, moved = _moved(task, network, 2)
    own = {name for name, _ in network.named_parameters() if name.startswith("sarm.")}
    assert reached == touched == own
    assert "sarm.self_attention.norm.weight" in own
    assert moved <= own
    assert task.architecture()["sarm"] is not None
    assert set(task.losses(network, task.batch(0))) == {"loss_l2", "loss_perceptual", "loss_depth", "loss_corr"}


def test_stage_two_cuts_two_by_two_tiles_that_see_each_other_through_sarm(tmp_path, monkeypatch):
    seen: list[list[Tile]] = []
    enhance = Casr.enhance
    monkeypatch.setattr(Casr, "enhance", lambda *a, tiles, **k: (seen.append(tiles), enhance(*a, tiles=tiles, **k))[1])
    first, task = BackboneTask(_config(), POOL), SarmTask(_config(SarmConfig), POOL)
    first.losses(first.network(), first.batch(0))
    task.follow(_stage_one_file(first, first.network(), tmp_path / "one.safetensors"))
    task.losses(task.network(), task.batch(0))
    assert seen[0] == [Tile((0, 64), (0, 64))]
    assert seen[1] == [Tile((y, y + 32), (x, x + 32)) for y in (0, 32) for x in (0, 32)]


def _full(published) -> tuple[CasrArchitecture, SourcesConfig]:
    from methods.casr.loading import Sources, load_full

    network, _ = load_full(Sources(sd=published.sd, sam=published.sam, depth=published.depth), None)
    assert network.sarm is not None
    slim = network.architecture.model_copy(
        update={
            "lora_unet": 2,
            "lora_vae": 2,
            "control_embedding": (4, 4, 4, 4),
            "sarm": SarmArchitecture(heads=2, head_dim=4),
        }
    )
    return slim, SourcesConfig(sd_path=published.sd, sam_path=published.sam, depth_path=published.depth)


def test_full_size_trains_lora_and_controlnet_then_sarm(published, tmp_path, monkeypatch):
    """SD-Turbo, SAM, DepthAnything and superpixels stay as they were, and get no gradients at all."""
    from methods.casr import passes

    # tiles of 512 are for images, not for a test
    monkeypatch.setattr(passes.TileSettings, "__post_init__", lambda said: object.__setattr__(said, "smallest", 64))
    shape, sources = _full(published)
    first = BackboneTask(_config(architecture=shape, sources=sources, batch=1), POOL)
    torch.manual_seed(0)
    begun = first.network()
    reached, touched, moved = _moved(first, begun, 3)
    own = {name for name, _ in begun.named_parameters() if "lora_" in name or name.startswith("controlnet.")}
    assert {name.split(".")[0] for name in own} == {"unet", "codec", "controlnet"}
    assert touched == own
    assert reached == own
    assert moved <= own
    task = SarmTask(_config(SarmConfig, architecture=shape, sources=sources, batch=1), POOL)
    path = _stage_one_file(first, begun, tmp_path / "one.safetensors")
    assert not [name for name in load_file(path) if "vit" in name or "semantics" in name or name.startswith("text")]
    task.follow(path)
    network = task.network()
    reached, touched, moved = _moved(task, network, 2)
    sarm = {name for name, _ in network.named_parameters() if name.startswith("sarm.")}
    assert reached == touched == sarm
    assert moved <= sarm


@pytest.mark.parametrize("size", ["lite", "full"])
def test_activations_computed_again_and_parts_give_the_same_gradients(size, published, monkeypatch):
    """Catches a part that is not recomputed with what it was given (LoRA, control, text), and weights of the parts."""
    from methods.casr import passes

    monkeypatch.setattr(passes.TileSettings, "__post_init__", lambda said: object.__setattr__(said, "smallest", 64))
    changes = {}
    if size == "full":
        changes["architecture"], changes["sources"] = _full(published)
    found, kept = [], []
    for said in ({}, {"gradient_checkpointing": True, "accumulate": 2}):
        task = BackboneTask(_config(**changes, **said), POOL)
        torch.manual_seed(0)
        network = task.network().train()
        _wake(network)
        saved: list[int] = []
        for part in split(task.batch(0), task.config.accumulate, size=2):
            saved.append(0)

            def counted(tensor: torch.Tensor, saved: list[int] = saved) -> torch.Tensor:
                saved[-1] += tensor.numel()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(counted, lambda tensor: tensor):
                total = sum(task.losses(network, part).values()) / task.config.accumulate
            total.backward()
        found.append({name: each.grad for name, each in network.named_parameters() if each.grad is not None})
        kept.append(max(saved))
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-5, msg=name)
    assert kept[1] < 0.4 * kept[0]


# the critic's turn


def test_critic_joins_at_its_share_of_the_steps_and_gradients_stay_on_their_side():
    task = BackboneTask(_config(), POOL)
    network, critic = task.network().train(), task.critic()
    losses, shown = task.against(network, critic, task.batch(4))
    assert not shown
    assert "loss_gan" not in losses
    losses, shown = task.against(network, critic, task.batch(5))
    assert not any(tensor.requires_grad for tensor in shown.values())
    with torch.no_grad():
        image = task.enlarged(network, task.batch(5))
    torch.testing.assert_close(shown["fake"], image)
    torch.testing.assert_close(shown["hr"], task.batch(5)["hr"])
    losses["loss_gan"].backward()
    assert float(network.unet.conv_out.weight.grad.abs().max()) > 0
    network.zero_grad()
    sum(task.critic_losses(critic, shown).values()).backward()
    assert all(float(parameter.grad.abs().max()) > 0 for parameter in critic.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_critic_learns_which_is_which():
    """Catches exchanged labels on either side."""
    torch.manual_seed(0)
    task = BackboneTask(_config(), POOL)
    critic = task.critic().train()
    shown = {"hr": torch.rand(4, 3, 64, 64) * 2 - 1, "fake": torch.zeros(4, 3, 64, 64), "step": torch.tensor(0)}
    optimiser = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for _ in range(20):
        optimiser.zero_grad()
        sum(task.critic_losses(critic, shown).values()).backward()
        optimiser.step()
    with torch.no_grad():
        real, fake = (float(critic(shown[name], torch.Generator())[0].mean()) for name in ("hr", "fake"))
    assert real > fake + 1


def test_losses_have_their_weights():
    batch = BackboneTask(_config(), POOL).batch(0)
    found = []
    for factor in (1, 3):
        loss = LossConfig(l2=2 * factor, lpips=5 * factor, depth=factor, perceptual="laplacian", gan=0)
        task = BackboneTask(_config(loss=loss), POOL)
        torch.manual_seed(0)
        found.append(task.losses(task.network(), batch))
    assert set(found[0]) == {"loss_l2", "loss_perceptual", "loss_depth"}
    for name, value in found[0].items():
        torch.testing.assert_close(3 * value, found[1][name])
    # of a fresh lite network the image is what it was shown
    torch.manual_seed(0)
    network = task.network()
    image = network.align(batch["lr"], (64, 64))[0]
    torch.testing.assert_close(found[0]["loss_l2"], 2 * ((image - batch["hr"]) ** 2).mean())


def test_consistency_compares_with_the_first_lr_and_l1_with_the_truth():
    """Catches an LR of the second cycle, which is the network's own image."""
    loss = LossConfig(l1=1, consistency=1, l2=0, lpips=0, depth=0, gan=0)
    task = BackboneTask(_config(loss=loss, data=CropConfig(crop=64, cycle_aug=1.0)), POOL)
    network, batch = task.network(), task.batch(0)
    assert "between" in batch
    truth, rng = batch["hr"], torch.Generator()
    objective = Objective(loss, network, correlation=False)
    found = objective.terms(network, truth, truth, batch["lr"], rng)
    assert float(found["loss_l1"]) == 0
    assert float(found["loss_consistency"]) < 0.01  # LR is rounded to 8 bit
    found = objective.terms(network, truth + 0.25, truth, batch["lr"], rng)
    assert float(found["loss_l1"]) == pytest.approx(0.25, abs=1e-5)
    assert float(found["loss_consistency"]) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("shift", [0, 5])
def test_perceptual_and_adversarial_terms_look_through_a_window(shift, monkeypatch):
    """Catches a term that still sees the crop as it lies, the same window at every step, and different windows of an
    image and its truth."""
    loss = LossConfig(perceptual="laplacian", gan=0.05, critic="patch", gan_from=0, shift=shift)
    task = BackboneTask(_config(loss=loss), POOL)
    network, critic, sides = task.network(), task.critic(), []
    monkeypatch.setattr(
        "methods.casr.training.stage1.adversarial_loss",
        lambda scores, wanted: (sides.append(scores[0].shape[-1]), scores[0].sum())[1],
    )
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    assert task._objective is not None
    task._objective.distance = lambda image, truth: (seen.append((image, truth)), image.mean((1, 2, 3)))[1]
    monkeypatch.setattr(critic, "forward", lambda images, rng: [images])
    for step in (0, 0, 1):
        _, shown = task.against(network, critic, task.batch(step))
        task.critic_losses(critic, shown)
    assert set(sides) == {64 - shift}
    assert len(sides) == 9
    assert all(truth.shape[-1] == 64 - shift for _, truth in seen)
    assert torch.equal(seen[0][1], seen[1][1])
    hr = task.batch(0)["hr"]
    assert torch.equal(seen[0][1], hr) == (shift == 0)
    # the image of a fresh network is what it was shown, so it lies nearest to the truth in the same window
    ours, truth = seen[0][0].detach(), seen[0][1]
    assert float((ours - truth).abs().mean()) < 0.8 * float((ours - truth.flip(-1)).abs().mean())


# group 13: it learns


@pytest.mark.slow
def test_lite_learns_one_image_by_heart_in_three_hundred_steps():
    """Catches a prediction that is not added to what it should correct, and codecs that lose pixels."""
    shape = CasrArchitecture(ssam=SsamArchitecture(backend="slic", space="hr"))
    loss = LossConfig(l2=1, lpips=0, gan=0, depth=0)
    task = BackboneTask(_config(architecture=shape, loss=loss, data=CropConfig(crop=64, scale_min=4), batch=1), POOL)
    torch.manual_seed(0)
    network = task.network().train()
    batch = task.batch(0)
    s, depth = network.align(batch["lr"], (64, 64))
    optimiser = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], lr=1e-3)
    found = []
    for _ in range(300):
        if found and found[-1] < found[0] / 10:
            break
        optimiser.zero_grad()
        off = ((network.enhance(s, depth, batch["lr"]) - batch["hr"]) ** 2).mean()
        off.backward()
        optimiser.step()
        found.append(off.item())
    assert found[0] == pytest.approx(float(task.losses(Casr(task.shape), batch)["loss_l2"].detach()), rel=1e-4)
    assert found[-1] < found[0] / 10


# the whole chain through the command

CHAIN = {
    "superpixel": {
        "architecture": SHAPE,
        "data": {"lr_patch": 16, "scale_max": 2.0},
        "steps": 2,
        "batch": 2,
        "validate_every": 2,
    },
    "backbone": {
        "architecture": SHAPE,
        "data": {"crop": 64, "cycle_aug": 0.5},
        "loss": {
            "perceptual": "laplacian",
            "l1": 1.0,
            "consistency": 1.0,
            "shift": 3,
            "gan": 0.05,
            "critic": "patch",
            "gan_from": 0.5,
        },
        "steps": 4,
        "batch": 1,
        "lr": 1e-3,
        "weight_decay": 0.01,
        "ema": 0.9,
        "clip": 1.0,
        "validate_every": 4,
        "checkpoint_every": 1,
        "keep_checkpoints": 9,
        "log_every": 1,
    },
}
CHAIN["sarm"] = CHAIN["backbone"] | {"steps": 2}
STAGES = ("superpixel", "backbone", "sarm")


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, what it printed, what it complained of."""

    code: int
    out: str
    err: str


def _bench(*words: object) -> Done:
    """Type a command within this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["bench", *map(str, words), "--device", "cpu"])
        patch.setattr("methods.casr.training.stage1._CHECKED", 1)
        patch.setattr("methods.casr.training.superpixels._CHECKED", 2)
        try:
            command_line.main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    assert "Traceback" not in err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("casr")
    (root / "photos").mkdir()
    for name, image in zip(POOL.names, POOL.images, strict=True):
        Image.fromarray(image).save(root / "photos" / Path(name).name)
    (root / "tiny.yaml").write_text(yaml.safe_dump(CHAIN))
    return root


def _train(folder: Path, out: Path, *words: object) -> Done:
    return _bench("train", "casr", "--out", out, "--data", folder / "photos", *words)


@pytest.fixture(scope="module")
def whole(folder) -> Path:
    done = _train(folder, folder / "whole", "--config", folder / "tiny.yaml")
    assert done.code == 0, done.err
    return folder / "whole"


def test_one_command_trains_three_stages_and_each_begins_where_the_one_before_ended(whole):
    found = {stage: load_file(whole / stage / "weights.safetensors") for stage in STAGES}
    assert (whole / "weights.safetensors").read_bytes() == (whole / "sarm" / "weights.safetensors").read_bytes()
    for name, tensor in found["superpixel"].items():  # running statistics too
        for stage in STAGES[1:]:
            assert torch.equal(found[stage][f"ssam.ssn.{name}"], tensor), (stage, name)
    for name, tensor in found["backbone"].items():
        assert torch.equal(found["sarm"][name], tensor), name
    new = {name.split(".")[0] for name in found["sarm"].keys() - found["backbone"].keys()}
    assert new == {"sarm", "semantics"}
    assert not [name for each in found.values() for name in each if "critic" in name]
    cards = [json.loads((whole / stage / "weights.json").read_text()) for stage in STAGES]
    assert [card["stage"] for card in cards] == list(STAGES)
    # a card says of every stage before what that stage's own card says
    assert [[each["stage"] for each in card.get("before", [])] for card in cards] == [[], ["superpixel"], [*STAGES[:2]]]
    for told, card in zip(cards[2]["before"], cards, strict=False):
        assert {name: card[name] for name in told} == told
        assert {"data", "steps", "train_seconds", "config", "sha256"} <= told.keys()
    assert [card["architecture"]["sarm"] is None for card in cards if "architecture" in card] == []
    for card in cards[1:]:
        assert set(card["validation"]) == {
            f"{which}laplacian_x{scale}" for which in ("", "bicubic_") for scale in (4, 8)
        }


def test_trained_weights_run_as_the_method(whole, folder):
    target = folder / "large.png"
    words = (
        "casr",
        folder / "photos" / "0.png",
        target,
        "--size",
        "100x120",
        "--weights",
        whole / "weights.safetensors",
    )
    done = _bench("upscale", *words)
    assert done.code == 0, done.err
    with Image.open(target) as image:
        assert image.size == (100, 120)


def _back_to(folder: Path, step: int) -> None:
    for checkpoint in folder.glob("iter_*.pth"):
        if int(checkpoint.stem.removeprefix("iter_")) > step:
            checkpoint.unlink()
    (folder / "last_checkpoint").write_text(str(folder / f"iter_{step}.pth"))
    for name in ("weights.safetensors", "weights.json"):
        (folder / name).unlink(missing_ok=True)
    (folder.parent / "weights.safetensors").unlink(missing_ok=True)


@pytest.mark.parametrize(("stage", "step"), [("backbone", 1), ("backbone", 3), ("sarm", 1)])
def test_resume_is_the_uninterrupted_training_bit_for_bit(whole, folder, tmp_path, stage, step):
    """Also with a critic that has not joined, and one that has and is augmented or normalised by its past."""
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    _back_to(out / stage, step)
    if stage == "backbone":
        shutil.rmtree(out / "sarm")
    done = _train(folder, out, "--resume")
    assert done.code == 0, done.err
    assert (out / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    last = CHAIN[stage]["steps"]
    resumed, straight = (torch.load(root / stage / f"iter_{last}.pth", weights_only=True) for root in (out, whole))
    for part in ("state_dict", "ema_state_dict"):
        assert any(name.startswith("module.critic" if part[0] == "e" else "critic") for name in straight[part])
        assert all(torch.equal(resumed[part][name], tensor) for name, tensor in straight[part].items())
    for side in ("network", "critic"):
        moments = [state["optimizer"][side]["state"] for state in (resumed, straight)]
        assert moments[0].keys() == moments[1].keys()
        assert all(torch.equal(moments[0][key]["exp_avg_sq"], each["exp_avg_sq"]) for key, each in moments[1].items())


# wrong requests


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--stage", "backbone"], ["stage 'superpixel'", "backbone.superpixels=FILE"]),
        (["--stage", "sarm"], ["stage 'backbone'", "sarm.backbone=FILE"]),
        (["--stage", "sarm", "--set", "sarm.superpixels=a.safetensors"], ["come with the weights of stage backbone"]),
        (["--stage", "sarm", "--set", "sarm.architecture.sarm=null"], ["nothing to train"]),
        (["--stage", "backbone", "--set", "backbone.loss.lpps=1"], ["loss.lpps"]),
        (["--stage", "backbone", "--set", "backbone.data.crop=20"], ["crop"]),
        (
            ["--stage", "backbone", "--set", "backbone.architecture.depth=none"],
            ["loss.depth=0"],
        ),
        (
            [
                "--stage",
                "backbone",
                "--set",
                "backbone.architecture.codec=vae",
                "--set",
                "backbone.architecture.factor=4",
            ],
            ["backbone.sources.sd_path"],
        ),
    ],
    ids=lambda value: value[-1] if value[0].startswith("--") else "",
)
def test_wrong_requests_say_what_is_wrong(whole, folder, tmp_path, words, named):
    needs = ["--set", f"backbone.superpixels={whole / 'superpixel' / 'weights.safetensors'}"] if len(words) > 2 else []
    done = _train(folder, tmp_path / "run", "--config", folder / "tiny.yaml", *words, *needs)
    assert done.code == 2
    assert all(each in done.err.replace("\n", " ") for each in named), done.err


def test_second_stage_refuses_weights_of_another_stage_or_shape(whole):
    config = _config(SarmConfig, architecture=TINY)
    task = SarmTask(config, POOL)
    task.follow(whole / "superpixel" / "weights.safetensors")
    with pytest.raises(RequestError, match="stage 'superpixel', expected those of 'backbone'"):
        task.network()
    other = TINY.model_copy(update={"conditioning_scale": 0.5})
    task = SarmTask(_config(SarmConfig, architecture=other), POOL)
    task.follow(whole / "backbone" / "weights.safetensors")
    with pytest.raises(RequestError, match="was trained with"):
        task.network()


@pytest.mark.parametrize("name", ["lite", "nano", "full"])
def test_shipped_configurations_agree_between_their_stages(name):
    shapes = []
    task: type | None = SarmTask
    while task is not None:
        config = read_config(task.Config, task.configs / f"{name}.yaml", section=task.stage, sections=STAGES)
        assert isinstance(config, TrainConfig)
        shapes.append(config.architecture)
        task = task.after
    assert shapes[0] == shapes[1] == shapes[2]
    wanted = {"lite": CasrArchitecture.lite(), "nano": CasrArchitecture.nano(), "full": CasrArchitecture.full()}[name]
    if name != "full":  # measured, see the configuration
        assert wanted.ssam is not None
        wanted = wanted.model_copy(update={"ssam": wanted.ssam.model_copy(update={"space": "hr"})})
    assert shapes[0] == wanted


def test_full_configuration_is_the_papers():
    first, second = (
        read_config(task.Config, task.configs / "full.yaml", section=task.stage, sections=STAGES)
        for task in (BackboneTask, SarmTask)
    )
    assert isinstance(first, BackboneConfig)
    assert isinstance(second, SarmConfig)
    loss = first.loss
    assert (loss.l2, loss.lpips, loss.gan, loss.depth, second.loss.corr) == (2, 5, 0.5, 1, 1)
    assert (first.data.crop, first.steps, first.batch, first.lr) == (512, 10_000, 32, 2e-5)
    assert (second.data.crop, second.steps, second.batch) == (1024, 5_000, 8)
    assert first.loss.critic == "vision-aided"
    assert first.architecture.unet == UNetArchitecture.model_validate(first.architecture.unet.model_dump())
