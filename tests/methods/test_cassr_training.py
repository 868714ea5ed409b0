"""The training of CasSR: every stage runs two steps through its task, and only what it trains gets gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.api import RequestError
from bench.training.config import read_config
from bench.training.export import export_weights
from bench.training.runner import make_runner
from bench.weights.reader import read_weights
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.diffusion import timesteps
from methods.cassr.method import load_network
from methods.cassr.training.diffusion import DiffusionConfig, DiffusionTask
from methods.cassr.training.pairs import PairConfig
from methods.cassr.training.restorer import RestorerConfig, RestorerTask
from methods.cassr.training.tuner import TunerConfig, TunerTask

SHAPE = {
    "unet": {"channels": [8, 16], "attention": [False, True], "heads": [2, 4], "groups": 4, "cross_dim": 8},
    "control_embedding": [4, 4, 8],
    "decoder": [8, 8, 4],
    "mam": {"layers": [0, 1], "head_dim": 8},
    "csc": {"stem": [4, 4, 8]},
    "restorer": {"blocks": 1, "width": 4},
}
TINY = CassrArchitecture.model_validate(SHAPE)
VELOCITY = CassrArchitecture.model_validate(
    SHAPE | {"codec": "unshuffle", "anchor": "none", "padding": "zeros", "prediction": "v"}
)


COMMON = {"data": PairConfig(crop=32), "steps": 2, "batch": 2, "lr": 1e-3, "checkpoint_every": 1}


def _trained(task, out: Path) -> Path:
    make_runner(task, out).train()
    target = out / "weights.safetensors"
    export_weights(out, target)
    return target


@pytest.fixture(scope="module")
def chain(tmp_path_factory, made_pool) -> dict[str, Path]:
    """The weights of every stage, two steps each."""
    out, found = tmp_path_factory.mktemp("cassr"), {}
    for kind, config in ((RestorerTask, RestorerConfig), (DiffusionTask, DiffusionConfig), (TunerTask, TunerConfig)):
        task = kind(config(architecture=TINY, **COMMON), made_pool)
        if found:
            task.follow(list(found.values())[-1])
        found[task.stage] = _trained(task, out / task.stage)
    return found


def test_chain_changes_what_each_stage_trains_and_nothing_else(chain, made_pool) -> None:
    """Catches a stage that trains a frozen part, that forgets the weights before it, or that trains nothing."""
    first, last = load_network(chain["diffusion"])[0], load_network(chain["csc"])[0]
    changed = {
        name.split(".")[0]
        for name, each in first.state_dict().items()
        if not torch.equal(each, last.state_dict()[name])
    }
    assert changed == {"csc"}
    restorer = RestorerTask(RestorerConfig(architecture=TINY, **COMMON), made_pool).network().state_dict()
    kept = read_weights(chain["iam"]).tensors
    assert any(not torch.equal(kept[name], each) for name, each in restorer.items() if "weight" in name)
    assert first.restorer is not None
    assert all(torch.equal(kept[name], each) for name, each in first.restorer.state_dict().items())


@pytest.mark.parametrize("stage", ["diffusion", "csc"])
def test_gradients_only_where_the_stage_trains(chain, stage: str, made_pool) -> None:
    """Catches gradients in the image activation module, or in the UNet while the tuner is trained."""
    if stage == "diffusion":
        task = DiffusionTask(DiffusionConfig(architecture=TINY, **COMMON), made_pool)
        task.follow(chain["iam"])
        wanted = {"controlnet", "unet", "text", "head", "mam"}
    else:
        task = TunerTask(TunerConfig(architecture=TINY, **COMMON), made_pool)
        task.follow(chain["diffusion"])
        wanted = {"csc"}
    network = task.network()
    sum(task.losses(network, task.batch(0)).values()).backward()
    seen = {name.split(".")[0] for name, each in network.named_parameters() if each.grad is not None}
    assert seen == wanted


@pytest.mark.parametrize("prediction", ["v", "epsilon"])
def test_loss_is_one_at_first_for_noise_targets(prediction: str, made_pool) -> None:
    """Catches an output that is not zero at first, or noise that is not normal: at step 0 v is nearly the noise."""
    said = VELOCITY.model_copy(update={"prediction": prediction})
    config = DiffusionConfig(architecture=said, iam="lr", **(COMMON | {"batch": 16}))
    task = DiffusionTask(config, made_pool)
    batch = task.batch(0) | {"t": torch.zeros(16, dtype=torch.int64)}
    loss = float(task.losses(task.network(), batch)["loss_noise"].detach())
    assert loss == pytest.approx(1.0, abs=0.03)


def test_batch_is_a_function_of_the_step(made_pool) -> None:
    """Catches draws from a global generator, which a resumed training would not repeat."""
    task = DiffusionTask(DiffusionConfig(architecture=VELOCITY, iam="lr", **COMMON), made_pool)
    network = task.network()
    first, again, other = (float(task.losses(network, task.batch(step))["loss_noise"].detach()) for step in (3, 3, 4))
    assert first == again != other


def test_stage_without_the_one_before_is_refused(made_pool) -> None:
    """Catches a training on the references of an untrained module."""
    for task in (
        DiffusionTask(DiffusionConfig(architecture=TINY, **COMMON), made_pool),
        TunerTask(TunerConfig(architecture=TINY, **COMMON), made_pool),
    ):
        with pytest.raises(RequestError, match=r"needs the weights of stage"):
            task.network()


def test_full_configuration_is_valid() -> None:
    """Catches a key that no stage knows, and a size that is not the paper's."""
    path, stages = TunerTask.configs / "full.yaml", ("iam", "diffusion", "csc")
    for kind, stage in ((DiffusionConfig, "diffusion"), (TunerConfig, "csc")):
        assert read_config(kind, path, section=stage, sections=stages).architecture == CassrArchitecture.full()


def test_lite_configuration_is_valid() -> None:
    """Catches a key that no stage knows."""
    path = TunerTask.configs / "lite.yaml"
    stages = ("iam", "diffusion", "csc")
    for kind, stage in zip((RestorerConfig, DiffusionConfig, TunerConfig), stages, strict=True):
        assert read_config(kind, path, section=stage, sections=stages).architecture == CassrArchitecture.lite()


def test_references_are_made_once_and_belong_to_their_module(chain, tmp_path, made_pool) -> None:
    """Catches references that are made anew, of another crop, or of weights that are no longer the same."""
    data = PairConfig(crop=32, scale_min=4.0, scale_max=4.0)
    config = DiffusionConfig(architecture=TINY, **(COMMON | {"data": data}), references=tmp_path / "kept", triplets=1)
    task = DiffusionTask(config, made_pool)
    task.follow(chain["iam"])
    network = task.network()
    first = float(task.losses(network, task.batch(0))["loss_noise"].detach())
    network.restorer = None  # whoever makes one again fails now
    again = task.batch(0)
    assert float(task.losses(network, again)["loss_noise"].detach()) == first
    assert torch.equal(task.batch(1)["hr"][0], again["hr"][0])
    assert [each.name for each in (tmp_path / "kept").glob("*.png")] == ["000000.png"]
    other = DiffusionTask(config.model_copy(update={"seed": 1}), made_pool)
    other.follow(chain["iam"])
    with pytest.raises(RequestError, match="made with seed 0"):
        other.network()


def test_rollout_is_what_sampling_reaches(chain, made_pool) -> None:
    """Catches a rollout whose steps, noise or start are not the sampler's, and one that sees HR."""
    config = DiffusionConfig(architecture=TINY, rollout=1.0, rollout_steps=1, **COMMON)
    task = DiffusionTask(config, made_pool)
    task.follow(chain["iam"])
    network, batch = task.network(), task.batch(0)
    network.load_state_dict(load_network(chain["diffusion"])[0].state_dict())
    steps = timesteps(4)
    batch |= {"t": torch.full((2,), steps[2]), "rolled": torch.tensor(2), "dropped": torch.zeros(2, dtype=torch.bool)}
    reached: list[torch.Tensor] = []
    predict = network.predict

    def noting(z, *rest):
        reached.append(z)
        return predict(z, *rest)

    network.predict = noting
    task.losses(network, batch)
    trained = list(reached)
    assert len(trained) == 3
    task.losses(network, batch | {"hr": batch["hr"].flip(-1)})
    for one, other in zip(trained, reached[3:], strict=True):
        torch.testing.assert_close(one, other, msg="the rollout depends on HR")
    reached.clear()
    network.settings = replace(network.settings, steps=4, tile=32, overlap=0, smallest=32)
    network.upscale(batch["lr"], (32, 32), batch["seed"].tolist())
    for one, other in zip(trained, reached[:3], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
