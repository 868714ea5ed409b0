"""The ablation files of all methods: every row says how its weights were trained and run, and their cards agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.api import MethodSpec, RequestError
from bench.api.presets import get_protocol
from bench.registry import METHODS
from bench.training.config import read_config
from bench.training.find import find_task
from bench.training.task import stages
from methods.blind_assr.method import load_network
from methods.blind_assr.recovery import load_networks
from methods.blind_assr.training.stage2 import load_representation
from methods.casarbi.method import load_network as load_casarbi
from methods.casr.method import load_network as load_casr

METHODS_FOLDER = Path(__file__).parents[2] / "methods"
FILES = sorted(METHODS_FOLDER.glob("*/ablations/*.yaml"))
OF_THE_MACHINE = ("representation",)
"""Configuration keys that hold the path where a stage before was trained."""
ROW_KEYS = {"label", "method", "weights", "stage", "set", "options", "paper"}


def _id(file: Path) -> str:
    return f"{file.parent.parent.name}-{file.stem}"


def _rows(*, kind: str | None = None) -> list[Any]:
    found = []
    for file in FILES:
        table = yaml.safe_load(file.read_text())
        for row in table["rows"]:
            label = row["label"].replace(" ", "-").replace("/", "")
            if kind in (None, table["kind"]):
                found.append(pytest.param(file, table, row, id=f"{_id(file)}-{label}"))
    return found


def _weights(file: Path, row: dict[str, Any]) -> Path:
    spec = METHODS.get(row["method"])
    assert isinstance(spec, MethodSpec)
    return spec.weights[row["weights"]] if row["weights"] in spec.weights else file.parent.parent / row["weights"]


def _card(file: Path, row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(_weights(file, row).with_suffix(".json").read_text())


def _table(method: str, name: str) -> tuple[Path, dict[str, dict[str, Any]]]:
    file = METHODS_FOLDER / method / "ablations" / f"{name}.yaml"
    return file, {row["label"]: row for row in yaml.safe_load(file.read_text())["rows"]}


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_a_file_says_what_it_is_a_copy_of_and_how_it_is_run(file: Path):
    """Catches a protocol or a kind that does not exist, a table without its source, two rows of one name."""
    table = yaml.safe_load(file.read_text())
    assert table["kind"] in ("training", "inference")
    assert table["title"]
    assert table["source"]
    if "run" in table:
        get_protocol(table["run"]["protocol"])
    labels = [row["label"] for row in table["rows"]]
    assert len(labels) == len(set(labels))
    assert all(set(row) <= ROW_KEYS for row in table["rows"])


@pytest.mark.parametrize(("file", "table", "row"), _rows())
def test_the_options_of_a_row_are_options_of_its_method(file: Path, table: dict[str, Any], row: dict[str, Any]):
    spec = METHODS.get(row["method"])
    assert isinstance(spec, MethodSpec)
    spec.options.model_validate(dict(each.split("=", 1) for each in row.get("options", [])))  # text, as typed
    if table["kind"] == "inference":
        assert not row.get("set"), "what is trained alike has nothing to set for the training"
        first = table["rows"][0]
        assert (row["method"], row["weights"]) == (first["method"], first["weights"])


@pytest.mark.parametrize(("file", "table", "row"), _rows(kind="training"))
def test_a_row_was_trained_by_the_configuration_it_names(file: Path, table: dict[str, Any], row: dict[str, Any]):
    """Catches a row with weights of another row, steps of another number, or a switch that was not set."""
    last = find_task(row["method"])
    chain = {task.stage: task for task in stages(last)}
    task = chain[row.get("stage", last.stage)]
    changes = [*table.get("set", []), *row["set"]]
    base = task.configs / f"{table['base']}.yaml"
    config = read_config(task.Config, base, changes, section=task.stage, sections=tuple(chain) if task.stage else ())
    trained = _card(file, row)["config"]
    wanted = config.model_dump(mode="json")
    for where in OF_THE_MACHINE:
        trained.pop(where, None), wanted.pop(where, None)
    # an option that is younger than the card had its default when that was trained
    assert task.Config.model_validate(trained).model_dump(mode="json", exclude=set(OF_THE_MACHINE)) == wanted
    assert _card(file, row)["steps"] == wanted["steps"]
    assert _card(file, row)["sha256"] == hashlib.sha256(_weights(file, row).read_bytes()).hexdigest()


@pytest.mark.parametrize("file", [file for file in FILES if "kind: training" in file.read_text()], ids=_id)
def test_the_variants_of_a_table_were_trained_alike_for_the_same_steps(file: Path):
    """Catches a gain that is only more steps, another seed or other images."""
    rows = yaml.safe_load(file.read_text())["rows"]
    cards = [_card(file, row) for row in rows]
    for key in ("steps", "batch", "seed", "lr", "schedule", "ema"):
        assert [card["config"][key] for card in cards] == [cards[0]["config"][key]] * len(rows), key
    assert [card["data"] for card in cards] == [cards[0]["data"]] * len(rows)


def test_the_blind_variants_saw_the_same_patches():
    file, rows = _table("blind_assr", "table2")
    data = [_card(file, row)["config"]["data"] for row in rows.values()]
    assert data == [data[0]] * len(rows)


def test_the_blind_weights_have_the_parts_that_their_rows_speak_of():
    file, rows = _table("blind_assr", "table2")
    assert load_network(_weights(file, rows["both"])).modulation is not None
    assert load_network(_weights(file, rows["w/o cycle"])).modulation is not None
    assert load_network(_weights(file, rows["w/o implicit"])).modulation is None
    file, rows = _table("blind_assr", "kernel-space")
    for row in rows.values():
        assert load_networks(_weights(file, row)).architecture.moments


def test_weights_of_the_wrong_stage_are_named_as_such():
    """Catches a message about a missing tensor where a stage was mistaken for the model, or the model for a stage."""
    folder = METHODS_FOLDER / "blind_assr"
    with pytest.raises(RequestError, match=r"stage 'representation', expected those of 'sr'"):
        load_network(folder / "ablations" / "stage1-kl.safetensors")
    with pytest.raises(RequestError, match=r"stage 'sr', expected those of 'representation'"):
        load_representation(folder / "weights" / "lite.safetensors")


def test_casarbi_without_the_adapter_has_none():
    file, rows = _table("casarbi", "table8")
    assert load_casarbi(_weights(file, rows["w/o adapter"])).denoiser.adapter is None
    assert load_casarbi(_weights(file, rows["both"])).denoiser.adapter is not None


def test_casr_weights_have_the_parts_that_their_rows_speak_of():
    """Catches rows whose files were exchanged: all of them load and run as casr."""
    file, rows = _table("casr", "table4")
    networks = {label: load_casr(_weights(file, row))[0] for label, row in rows.items()}
    assert [label for label, each in networks.items() if each.ssam is None] == ["base"]
    assert [label for label, each in networks.items() if each.controlnet is not None] == ["+ depth"]
    assert all(each.sarm is None for each in networks.values())
    file, rows = _table("casr", "table7")
    for label, row in rows.items():
        ssam = load_casr(_weights(file, row))[0].ssam
        assert ssam is not None
        assert str(ssam.architecture.cell) == label
    file, rows = _table("casr", "losses")
    assert all(load_casr(_weights(file, row))[0].sarm is not None for row in rows.values())
