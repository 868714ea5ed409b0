"""The ablation files of the blind model: every row says how its weights were trained, and the weights' cards agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.api import MethodSpec, RequestError
from bench.registry import METHODS
from bench.training.config import read_config
from bench.training.find import find_task
from bench.training.task import stages
from methods.blind_assr.method import load_network
from methods.blind_assr.recovery import load_networks
from methods.blind_assr.stage2 import load_representation

FOLDER = Path(__file__).parents[2] / "methods" / "blind_assr"
FILES = sorted((FOLDER / "ablations").glob("*.yaml"))


def _rows() -> list[Any]:
    return [
        pytest.param(row, id=f"{file.stem}-{row['label'].replace(' ', '-').replace('/', '')}")
        for file in FILES
        for row in yaml.safe_load(file.read_text())["rows"]
    ]


def _weights(row: dict[str, Any]) -> Path:
    spec = METHODS.get(row["method"])
    assert isinstance(spec, MethodSpec)
    return spec.weights[row["weights"]] if row["weights"] in spec.weights else FOLDER / row["weights"]


def _card(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(_weights(row).with_suffix(".json").read_text())


@pytest.mark.parametrize("row", _rows())
def test_a_row_was_trained_by_the_configuration_it_names(row: dict[str, Any]):
    """Catches a row with weights of another row, steps of another number, or a switch that was not set."""
    chain = {task.stage: task for task in stages(find_task(row["method"]))}
    task = chain[row.get("stage", "sr" if row["method"] == "blind_assr" else "")]
    config = read_config(task.Config, task.configs / "lite.yaml", row["set"], section=task.stage, sections=tuple(chain))
    trained = _card(row)["config"]
    wanted = config.model_dump(mode="json")
    for where in ("representation",):  # the path of the machine that trained it
        trained.pop(where, None), wanted.pop(where, None)
    assert trained == wanted
    assert _card(row)["steps"] == wanted["steps"]


def test_the_variants_of_the_table_saw_the_same_patches_for_the_same_steps():
    rows = yaml.safe_load((FOLDER / "ablations" / "table2.yaml").read_text())["rows"]
    configs = [_card(row)["config"] for row in rows]
    for key in ("steps", "batch", "seed", "data", "lr", "schedule", "ema"):
        assert [config[key] for config in configs] == [configs[0][key]] * len(rows), key


def test_the_weights_have_the_parts_that_their_rows_speak_of():
    rows = {row["label"]: row for row in yaml.safe_load((FOLDER / "ablations" / "table2.yaml").read_text())["rows"]}
    assert load_network(_weights(rows["both"])).modulation is not None
    assert load_network(_weights(rows["w/o cycle"])).modulation is not None
    assert load_network(_weights(rows["w/o implicit"])).modulation is None
    for row in yaml.safe_load((FOLDER / "ablations" / "kernel-space.yaml").read_text())["rows"]:
        assert load_networks(_weights(row)).architecture.moments


def test_weights_of_the_wrong_stage_are_named_as_such():
    """Catches a message about a missing tensor where a stage was mistaken for the model, or the model for a stage."""
    with pytest.raises(RequestError, match=r"stage 'representation', expected those of 'sr'"):
        load_network(FOLDER / "ablations" / "stage1-kl.safetensors")
    with pytest.raises(RequestError, match=r"stage 'sr', expected those of 'representation'"):
        load_representation(FOLDER / "weights" / "lite.safetensors")
