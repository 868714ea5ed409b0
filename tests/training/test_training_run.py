"""The loop: it learns, a resumed run is the uninterrupted one bit for bit, checkpoints average and hold no code."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.api import RequestError
from bench.training.config import ScheduleConfig
from bench.training.export import export_weights, newest_checkpoint
from bench.training.find import find_task
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from bench.training.schedule import ending, lr_factor
from bench.training.story import read_figures
from bench.training.validation import SetValidation
from methods.blocks.sampled import QueryConfig
from methods.liif.architecture import LiifArchitecture
from methods.liif.method import load_network
from methods.liif.training.task import LiifTask, LiifTrainConfig


def _config(**changes) -> LiifTrainConfig:
    values = {
        "architecture": LiifArchitecture(blocks=1, width=6, hidden=(12,)),
        "data": QueryConfig(lr_patch=8, queries=32, scale_max=2.0),
        "steps": 8,
        "batch": 2,
        "lr": 5e-3,
        "schedule": ScheduleConfig(kind="wsd", warmup=2, cooldown=0.25),
        "ema": 0.9,
        "clip": 1.0,
        "checkpoint_every": 4,
        "validate_every": 4,
        "log_every": 4,
    }
    return LiifTrainConfig(**(values | changes))


def _task(**changes) -> LiifTask:
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], ramp[::-1, None]), axis=-1)
    return LiifTask(_config(**changes), ImagePool((image,), ("made/ramp.png",), (), ("made",)))


def _state(out: Path) -> dict:
    return torch.load(newest_checkpoint(out), weights_only=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    make_runner(_task(), out).train()
    return out


def test_a_few_steps_lower_the_loss(tmp_path):
    task = _task(steps=60, ema=None, checkpoint_every=60, log_every=60)
    runner = make_runner(task, tmp_path / "run")
    held_out = task.batch(10_000)
    with torch.no_grad():
        before = float(task.losses(runner.model.network, held_out)["loss"])
        torch.enable_grad()(runner.train)()
        after = float(task.losses(runner.model.network, held_out)["loss"])
    assert after < 0.6 * before


def test_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path, whole):
    make_runner(_task(), tmp_path / "again").train()
    make_runner(_task(seed=1), tmp_path / "other").train()
    name = "network.encoder.head.0.weight"
    assert torch.equal(_state(tmp_path / "again")["state_dict"][name], _state(whole)["state_dict"][name])
    assert not torch.equal(_state(tmp_path / "other")["state_dict"][name], _state(whole)["state_dict"][name])


def test_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, whole):
    """Catches: optimiser or averaged state lost, schedule restarted, batches drawn again from the first."""
    out = tmp_path / "moved"
    shutil.copytree(whole, out)  # the stored path of the newest checkpoint is that of the other folder
    (out / "iter_8.pth").unlink()
    (out / "last_checkpoint").write_text("iter_4.pth")
    make_runner(_task(), out, resume=True).train()
    resumed, straight = _state(out), _state(whole)
    for part in ("state_dict", "ema_state_dict"):
        assert resumed[part].keys() == straight[part].keys()
        assert all(torch.equal(resumed[part][name], tensor) for name, tensor in straight[part].items())
    assert resumed["meta"]["iter"] == straight["meta"]["iter"] == 8
    moments = [state["optimizer"]["state"] for state in (resumed, straight)]
    assert all(torch.equal(moments[0][key]["exp_avg"], value["exp_avg"]) for key, value in moments[1].items())


def test_run_that_stops_by_the_clock_goes_on_bit_for_bit(tmp_path, whole):
    """Catches a stop without a checkpoint, before the average has seen the step, or that ends the schedule."""
    out = tmp_path / "pieces"
    for piece in range(1, 8):
        runner = make_runner(_task(), out, resume=piece > 1, until=0.0)
        runner.train()
        assert runner.iter == piece
        assert newest_checkpoint(out).name == f"iter_{piece}.pth"
    make_runner(_task(), out, resume=True, until=0.0).train()
    pieces, straight = _state(out), _state(whole)
    assert pieces["meta"]["iter"] == 8
    for part in ("state_dict", "ema_state_dict"):
        assert all(torch.equal(pieces[part][name], tensor) for name, tensor in straight[part].items())


def test_training_is_ended_where_the_rate_begins_to_fall():
    """Catches a length at which the rate has fallen already at the step, or stays constant for long after it."""
    schedule = ScheduleConfig(kind="wsd", cooldown=0.25, floor=0.1)
    for step in (1, 7, 300, 749):
        steps = ending(schedule, step, 1000)
        assert lr_factor(schedule, step - 1, steps) == 1
        assert lr_factor(schedule, step + 2, steps) < 1
        assert steps > step
    assert ending(schedule, 800, 1000) == 1000
    assert ending(ScheduleConfig(kind="cosine"), 10, 1000) == 1000


def test_resumed_run_may_be_lengthened_and_follows_the_new_schedule(tmp_path, whole):
    out = tmp_path / "longer"
    shutil.copytree(whole, out)
    make_runner(_task(steps=12), out, resume=True).train()
    state = _state(out)
    assert state["meta"]["iter"] == 12
    assert state["param_schedulers"][0]["last_step"] == 12


def test_averaged_weights_are_the_exponential_average_of_the_trained_ones(tmp_path):
    out = tmp_path / "run"
    make_runner(_task(steps=4, checkpoint_every=1, keep_checkpoints=9), out).train()
    name = "network.decoder.imnet.layers.0.weight"
    states = [torch.load(out / f"iter_{step}.pth", weights_only=True) for step in range(1, 5)]
    trained = [state["ema_state_dict"]["module." + name] for state in states]  # swapped when it is saved
    averaged = states[0]["state_dict"][name]
    for step, weights in enumerate(trained[1:], start=1):
        momentum = max(0.1, 10 / (10 + step))  # averages over the whole of a young run, then with decay 0.9
        averaged = averaged + momentum * (weights - averaged)
        assert torch.allclose(states[step]["state_dict"][name], averaged, atol=1e-6)
    assert not torch.equal(averaged, trained[-1])


def test_checkpoint_holds_tensors_and_plain_values_only(whole):
    torch.load(newest_checkpoint(whole), weights_only=True)  # raises for anything else


def test_export_carries_the_averaged_weights_the_architecture_and_the_card(tmp_path, whole):
    target = tmp_path / "weights" / "tiny.safetensors"
    card = export_weights(whole, target, note="for a test")
    network = load_network(target)
    assert network.architecture == _config().architecture
    assert torch.equal(network.encoder.head[0].weight, _state(whole)["state_dict"]["network.encoder.head.0.weight"])
    assert target.with_suffix(".json").read_text() == card.to_json()
    assert (card.steps, card.seed, card.note) == (8, 0, "for a test")
    assert card.data == {"folders": ["made"], "images": 1, "left_out": []}


def test_validation_scores_the_averaged_weights_and_puts_the_trained_ones_back(tmp_path):
    from PIL import Image

    folder = tmp_path / "Mini"
    folder.mkdir()
    Image.fromarray(_task().pool.images[0]).save(folder / "ramp.png")
    validation = SetValidation(folder, (2.0,))
    plain, checked = tmp_path / "plain", tmp_path / "checked"
    make_runner(_task(), plain).train()
    make_runner(_task(), checked, validation=[validation]).train()
    name = "network.encoder.head.0.weight"
    assert torch.equal(
        _state(plain)["ema_state_dict"]["module." + name], _state(checked)["ema_state_dict"]["module." + name]
    )
    figures = read_figures(checked)
    assert sorted(figures) == [4, 8]
    task, network = _task(), load_network(_exported(checked, tmp_path))
    found = validation.run(lambda lr, size: task.upscale(network, lr, size).detach())
    assert found == pytest.approx(figures[8], abs=1e-6)


def _exported(out: Path, folder: Path) -> Path:
    export_weights(out, folder / "w.safetensors")
    return folder / "w.safetensors"


def test_validation_gives_bicubic_no_gain_over_itself(tmp_path):
    from PIL import Image

    from bench.imaging.resize import imresize_u8

    folder = tmp_path / "Mini"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (41, 50, 3), dtype=np.uint8)).save(folder / "a.png")

    def bicubic(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        pixels = (lr[0].permute(1, 2, 0) * 255).round().byte().numpy()
        return torch.from_numpy(imresize_u8(pixels, size)).permute(2, 0, 1)[None].float() / 255

    found = SetValidation(folder, (2.0, 3.5)).run(bicubic)
    assert found["Mini/gain_x2"] == found["Mini/gain_x3.5"] == 0.0


def test_fresh_run_does_not_overwrite_and_resume_needs_something(tmp_path, whole):
    with pytest.raises(RequestError, match="--resume"):
        make_runner(_task(), whole)
    with pytest.raises(RequestError, match="no checkpoint"):
        make_runner(_task(), tmp_path / "nothing", resume=True)


def test_resume_under_another_architecture_is_refused(tmp_path, whole):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    wider = _task(architecture=LiifArchitecture(blocks=1, width=7, hidden=(12,)))
    with pytest.raises(RequestError, match="another network"):
        make_runner(wider, out, resume=True).train()


def test_queries_must_fit_the_smallest_patch():
    with pytest.raises(ValueError, match="queries"):
        QueryConfig(lr_patch=8, queries=65)


def test_targets_and_coordinates_belong_together():
    """Catches a transposed crop or (x, y) order: on the ramp, red is the row and green the column."""
    batch = _task(batch=4, data=QueryConfig(lr_patch=8, queries=32, scale_max=2.0, augment=False)).batch(0)
    for coord, target in zip(batch["coord"], batch["target"], strict=True):
        for axis in (0, 1):
            order = coord[:, axis].argsort()
            assert (target[order, axis].diff() >= 0).all()


def test_methods_without_training_say_so():
    with pytest.raises(RequestError, match="bicubic"):
        find_task("bicubic")
    assert find_task("liif") is LiifTask


@pytest.mark.parametrize("name", ["lite", "full"])
def test_shipped_configurations_are_valid(name):
    from bench.training.config import read_config

    config = read_config(LiifTask.Config, LiifTask.configs / f"{name}.yaml")
    assert isinstance(config, LiifTrainConfig)
    if name == "full":
        assert config.architecture == LiifArchitecture()
        assert (config.data.lr_patch, config.data.queries, config.batch, config.lr) == (48, 48 * 48, 16, 1e-4)
