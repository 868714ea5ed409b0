"""`bench train blind_assr`: two stages in one command, each on its own, resumed, and what wrong requests are told.

Training side of groups 13 and 15 of the blind model's test list (what stays frozen, what is reported)."""

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
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from bench.cli import app as command_line
from bench.training.degraded import DegradedConfig
from methods.blind_assr.method import load_network
from methods.blind_assr.training import stage1
from methods.blind_assr.training.stage1 import RepresentationConfig
from methods.blind_assr.training.stage2 import load_representation

SHAPE = {
    "sr": "{blocks: 1, width: 4, hidden: 6, layers: 1}",
    "encoder": "[4, 4, 6]",
    "head": "8",
    "estimator": "[4, 3]",
    "modulation": "4",
}
LOOP = {"batch": "3", "log_every": "1", "checkpoint_every": "2", "keep_checkpoints": "9", "data.lr_patch": "12"}
FIRST = {"steps": "4", "validate_every": "2", "data.scale_max": "2.0", "schedule.warmup": "1"}
SECOND = {"steps": "6", "validate_every": "3", "data.scale_max": "2.0", "data.queries": "20", "schedule.warmup": "1"}
STAGES = ("representation", "sr")


def _sets(**changes: str) -> list[str]:
    """Everything that makes lite.yaml tiny, as words of a command."""
    values = {}
    for stage, own in zip(STAGES, (FIRST, SECOND), strict=True):
        values |= {f"{stage}.architecture.{key}": value for key, value in SHAPE.items()}
        values |= {f"{stage}.{key}": value for key, value in (LOOP | own).items()}
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


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
        patch.setattr(sys, "argv", ["bench", "train", *map(str, words), "--device", "cpu"])
        patch.setattr(stage1, "_CHECKED", 6)
        try:
            command_line.main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    assert "Traceback" not in err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        noise = sum(gaussian_filter(rng.normal(0, s * s, (34, 40, 3)), (s, s, 0)) for s in (1, 2, 4))
        Image.fromarray(np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, photos) -> tuple[Path, Done]:
    """Both stages in one command."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return out, _bench("blind_assr", "--out", out, "--data", photos, *_sets())


def _copy(whole: tuple[Path, Done], target: Path) -> Path:
    shutil.copytree(whole[0], target)
    return target


def _back_to(folder: Path, step: int) -> None:
    """The folder as it is when the training was stopped right after a step."""
    for checkpoint in folder.glob("iter_*.pth"):
        if int(checkpoint.stem.removeprefix("iter_")) > step:
            checkpoint.unlink()
    (folder / "last_checkpoint").write_text(str(folder / f"iter_{step}.pth"))
    for name in ("weights.safetensors", "weights.json"):
        (folder / name).unlink()
    (folder.parent / "weights.safetensors").unlink(missing_ok=True)


def _same(first: Path, second: Path) -> bool:
    return (first / "weights.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes()


def _state(folder: Path, step: int) -> dict:
    return torch.load(folder / f"iter_{step}.pth", weights_only=True)


def test_one_command_trains_both_stages_and_leaves_the_model_on_top(whole):
    out, done = whole
    assert done.code == 0, done.err
    assert all((out / stage / "weights.safetensors").is_file() for stage in STAGES)
    assert (out / "weights.safetensors").read_bytes() == (out / "sr" / "weights.safetensors").read_bytes()
    assert load_network(out / "weights.safetensors").architecture.encoder == (4, 4, 6)
    assert load_representation(out / "representation" / "weights.safetensors").architecture.head == 8
    steps = [json.loads((out / stage / "weights.json").read_text())["steps"] for stage in STAGES]
    stages = [json.loads((out / stage / "weights.json").read_text())["stage"] for stage in STAGES]
    assert (steps, stages) == ([4, 6], list(STAGES))


def test_e_and_m_of_the_model_are_those_of_stage_one(whole):
    """Also the running statistics, and also where the exported weights are averaged ones (lite averages)."""
    out, _ = whole
    first, model = (load_file(path / "weights.safetensors") for path in (out / "representation", out))
    shared = {name for name in first if name.startswith(("encoder.", "estimator."))}
    assert shared == {name for name in model if name.startswith(("encoder.", "estimator."))}
    assert any(name.endswith("running_var") for name in shared)
    assert [name for name in sorted(shared) if not torch.equal(first[name], model[name])] == []
    assert int(first["encoder.layers.1.num_batches_tracked"]) == 4


def test_log_of_stage_one_holds_the_collapse_watch_and_the_kernel_figures(whole):
    folder = whole[0] / "representation"
    lines = [
        json.loads(line) for path in folder.glob("*/vis_data/scalars.json") for line in path.read_text().splitlines()
    ]
    trained = [line for line in lines if "q_spread" in line]
    assert len(trained) == 4
    assert all(0 < line["q_spread"] < 1 and {"loss_contrastive", "loss_kernel"} <= line.keys() for line in trained)
    # the watch is told, not minimised
    parts = ("loss_contrastive", "loss_kernel", "loss_moments")
    assert all(line["loss"] == pytest.approx(sum(line[part] for part in parts), rel=1e-4) for line in trained)
    checked = [line for line in lines if "kernel_psnr" in line]
    assert len(checked) == 2
    assert all(line["reblur_error"] >= 0 for line in checked)
    figures = json.loads((folder / "validation.json").read_text())
    assert sorted(figures) == ["2", "4"]
    assert {"kernel_psnr", "kernel_l1", "kernel_direction", "reblur_error", "reblur_psnr"} <= figures["4"].keys()
    card = json.loads((folder / "weights.json").read_text())
    network = load_representation(folder / "weights.safetensors")
    assert card["parameters"] == sum(parameter.numel() for parameter in network.parameters())  # no running statistics
    assert card["validation"]["kernel_psnr"] == pytest.approx(figures["4"]["kernel_psnr"], abs=1e-3)


def test_log_of_stage_two_holds_both_losses(whole):
    folder = whole[0] / "sr"
    lines = [
        json.loads(line) for path in folder.glob("*/vis_data/scalars.json") for line in path.read_text().splitlines()
    ]
    assert sum({"loss_sr", "loss_cycle"} <= line.keys() for line in lines) == 6


def test_finished_first_stage_is_not_trained_again(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    shutil.rmtree(out / "sr")
    (out / "weights.safetensors").unlink()
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "representation").iterdir()}
    done = _bench("blind_assr", "--out", out, "--data", photos, *_sets(representation__steps="9"))
    assert done.code == 0, done.err
    assert "stage 'representation' is finished" in done.out
    assert kept == {path.name: path.stat().st_mtime_ns for path in (out / "representation").iterdir()}
    assert _same(out, whole[0])  # and stage 2 does not know whether stage 1 ran in the same command


def test_stage_on_its_own_is_the_stage_of_the_whole(whole, photos, tmp_path):
    out = tmp_path / "run"
    first = _bench("blind_assr", "--out", out, "--data", photos, "--stage", "representation", *_sets())
    assert first.code == 0, first.err
    assert sorted(path.name for path in out.iterdir()) == ["config.yaml", "representation"]
    assert _same(out / "representation", whole[0] / "representation")
    second = _bench("blind_assr", "--out", out, "--data", photos, "--stage", "sr", *_sets())
    assert second.code == 0, second.err
    assert _same(out, whole[0])


def test_resume_in_the_middle_of_stage_two_is_the_uninterrupted_run_bit_for_bit(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    _back_to(out / "sr", 2)
    done = _bench("blind_assr", "--out", out, "--data", photos, "--resume")
    assert done.code == 0, done.err
    assert "stage 'representation' is finished" in done.out
    assert _same(out, whole[0])
    resumed, straight = _state(out / "sr", 6), _state(whole[0] / "sr", 6)
    for part in ("state_dict", "ema_state_dict"):
        assert all(torch.equal(resumed[part][name], tensor) for name, tensor in straight[part].items())
    moments = [state["optimizer"]["state"] for state in (resumed, straight)]
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(moments[0][key]["exp_avg_sq"], each["exp_avg_sq"]) for key, each in moments[1].items())


def test_resume_in_the_middle_of_stage_one_goes_through_to_the_same_end(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    shutil.rmtree(out / "sr")
    _back_to(out / "representation", 2)
    done = _bench("blind_assr", "--out", out, "--data", photos, "--resume", *_sets())
    assert done.code == 0, done.err
    assert _same(out / "representation", whole[0] / "representation")
    assert _same(out, whole[0])


def test_resume_alone_goes_on_with_what_the_training_began_with_in_every_stage(photos, tmp_path):
    """Stopped in stage 1: the second must not fall back to lite.yaml, of another size and a thousand times longer."""
    few = {"sr__steps": "2", "representation__steps": "2", "representation__kl_target": "analytic"}
    words = [word for word in _sets(**few) if word != "--set"]
    tiny = tmp_path / "tiny.yaml"
    tiny.write_text(_as_yaml(words))
    out = tmp_path / "run"
    done = _bench("blind_assr", "--out", out, "--data", photos, "--config", tiny, "--stage", "representation")
    assert done.code == 0, done.err
    for name in ("weights.safetensors", "weights.json"):
        (out / "representation" / name).unlink()
    with pytest.MonkeyPatch.context() as patch:
        # lite must not be begun here: its 8000 steps are not for a test
        patch.setattr("methods.blind_assr.training.stage2.SrTask.configs", tmp_path)
        done = _bench("blind_assr", "--out", out, "--data", photos, "--resume")
    assert done.code == 0, done.err
    assert json.loads((out / "sr" / "weights.json").read_text())["steps"] == 2


def _as_yaml(words: list[str]) -> str:
    import yaml

    tree: dict = {}
    for word in words:
        key, _, value = word.partition("=")
        *parents, last = key.split(".")
        part = tree
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = yaml.safe_load(value)
    return yaml.safe_dump(tree)


def test_second_stage_takes_the_weights_that_it_is_told(whole, photos, tmp_path):
    other = whole[0] / "representation" / "weights.safetensors"
    out = tmp_path / "elsewhere"
    words = _sets(sr__representation=str(other), sr__steps="1", sr__checkpoint_every="1")
    done = _bench("blind_assr", "--out", out, "--data", photos, "--stage", "sr", *words)
    assert done.code == 0, done.err
    first, model = load_file(other), load_file(out / "weights.safetensors")
    assert all(torch.equal(first[name], model[name]) for name in first if name.startswith("encoder."))
    # a card travels, the folders of this machine do not
    assert json.loads((out / "weights.json").read_text())["config"]["representation"] == other.name


def test_export_is_of_the_last_stage_unless_one_is_named(whole, tmp_path):
    for words, stage in (([], "sr"), (["--stage", "representation"], "representation")):
        target = tmp_path / f"{stage}.safetensors"
        done = _bench("blind_assr", "--out", whole[0], "--export", target, *words)
        assert done.code == 0, done.err
        assert target.read_bytes() == (whole[0] / stage / "weights.safetensors").read_bytes()


def test_steps_belong_to_the_named_stage(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    words = ("--stage", "representation", "--steps", 5, "--resume")
    done = _bench("blind_assr", "--out", out, "--data", photos, *words)
    assert done.code == 0, done.err
    assert json.loads((out / "representation" / "weights.json").read_text())["steps"] == 5
    assert _same(out / "sr", whole[0] / "sr")


# wrong requests: exit code 2, and a sentence that helps


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--stage", "srr"], ["unknown stage 'srr'", "representation, sr"]),
        (["--steps", "3"], ["--steps", "representation, sr"]),
        (["--set", "steps=3"], ["unknown key 'steps'", "representation or sr"]),
        (["--set", "data.lr_patch=32"], ["unknown key 'data'", "representation or sr"]),
        (["--set", "representation.stepz=3"], ["section 'representation'", "stepz", "Keys: steps"]),
        (["--stage", "sr", "--set", "sr.kl_target=kh"], ["section 'sr'", "kl_target"]),
        (
            ["--stage", "representation", "--set", "representation.kl_target=khh"],
            ["section 'representation'", "kl_target"],
        ),
        (["--stage", "sr", "--set", "sr=3"], ["'sr'", "mapping of options"]),
        (["--config", "flat.yaml"], ["flat.yaml", "unknown key 'batch'", "representation or sr"]),
        (["--config", "list.yaml"], ["list.yaml", "mapping"]),
        (["--stage", "sr", "--config", "listed.yaml"], ["listed.yaml", "under 'sr'"]),
        (["--stage", "sr"], ["weights of stage 'representation'", "sr.representation=FILE"]),
        (["--stage", "sr", "--set", "sr.representation=nowhere.safetensors"], ["nowhere.safetensors"]),
        (["--resume", "--stage", "sr"], ["no checkpoint"]),
        (["--export", "w.safetensors"], ["no checkpoint"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_wrong_requests_end_with_two_and_say_what_is_wrong(photos, tmp_path, monkeypatch, words, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat.yaml").write_text("steps: 3\nbatch: 2\n")
    (tmp_path / "list.yaml").write_text("- steps\n")
    (tmp_path / "listed.yaml").write_text("representation: {}\nsr: [1, 2]\n")
    done = _bench("blind_assr", "--out", "run", "--data", photos, *words)
    assert done.code == 2
    said = " ".join(done.err.split())
    for part in named:
        assert part in said
    assert not list(Path().rglob("*.pth"))


def test_stages_of_a_method_that_has_none(photos, tmp_path):
    done = _bench("lte", "--out", tmp_path / "run", "--data", photos, "--stage", "sr")
    assert (done.code, "one go" in done.err) == (2, True)


def test_mistake_in_the_second_section_is_told_before_the_first_stage_is_trained(photos, tmp_path):
    """Told afterwards, it costs the hour that stage 1 takes."""
    words = _sets(representation__steps="1", representation__checkpoint_every="1", sr__stepz="3")
    done = _bench("blind_assr", "--out", tmp_path / "run", "--data", photos, *words)
    assert done.code == 2
    assert "stepz" in done.err
    assert not (tmp_path / "run" / "representation").exists()


def test_first_stage_of_another_shape_is_refused_by_the_second(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    shutil.rmtree(out / "sr")
    words = _sets(sr__architecture__encoder="[4, 4, 8]", representation__architecture__encoder="[4, 4, 8]")
    done = _bench("blind_assr", "--out", out, "--data", photos, *words)
    assert done.code == 2
    assert "was trained with encoder (4, 4, 6), this configuration has (4, 4, 8)" in " ".join(done.err.split())


def test_finished_training_is_not_overwritten(whole, photos, tmp_path):
    out = _copy(whole, tmp_path / "run")
    done = _bench("blind_assr", "--out", out, "--data", photos, *_sets())
    assert (done.code, "--resume" in done.err) == (2, True)
    assert _same(out, whole[0])


def test_patch_too_small_to_check_kernels_on_is_refused_with_the_configuration():
    """The figures of a validation reflect ten pixels; found there it is a traceback after the first thousand steps."""
    with pytest.raises(ValueError, match="lr_patch"):
        RepresentationConfig(kl_target="analytic", data=DegradedConfig(lr_patch=10))
