"""The ablation files of all methods: every variant says how its weights were trained and run, and their cards agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bench.ablation import AblationFile, find_ablation, read_ablation
from bench.ablation.files import ablation_names
from bench.ablation.schema import Variant
from bench.api import RequestError
from bench.plugins import method_spec
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


def _read(path: Path) -> AblationFile:
    return read_ablation(path, spec=method_spec(path.parent.parent.name))


def _id(path: Path) -> str:
    return f"{path.parent.parent.name}-{path.stem}"


def _trained() -> list[Any]:
    found = []
    for path in FILES:
        file = _read(path)
        found += [
            pytest.param(file, variant, id=f"{_id(path)}-{name}")
            for name, variant in file.content.variants.items()
            if variant.train is not None
        ]
    return found


def _weights(file: AblationFile, variant: Variant) -> Path:
    return file.shipped_weights(variant) or file.method_of(variant).weights[variant.weights or "lite"]


def _card(file: AblationFile, variant: Variant) -> dict[str, Any]:
    return json.loads(_weights(file, variant).with_suffix(".json").read_text())


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_a_file_is_valid_and_found_by_its_name(path: Path):
    """Catches a file that only looks right: an option, a protocol, a reported row that does not exist."""
    method = path.parent.parent.name
    assert path.stem in ablation_names(method_spec(method))
    file = find_ablation(f"{method}/{path.stem}")
    assert file.path == path
    assert all(variant.train is None or file.content.training for variant in file.content.variants.values())


@pytest.mark.parametrize(
    "name",
    ["casr/decomposition", "casr/modules", "casarbi/scg", "casarbi/cascade", "casarbi/adapter", "casarbi/strategy"],
)
def test_a_table_of_a_paper_has_its_numbers_beside_every_row(name: str):
    """Catches a variant that lost its reported row; rows that no paper has are ours and named here."""
    content = find_ablation(name).content
    bare = [name for name, variant in content.variants.items() if not (variant.reported or variant.cited)]
    assert bare == (["no-ssam"] if name == "casr/modules" else [])


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_variants_without_a_training_share_their_weights(path: Path):
    """Catches an inference-only table whose rows run other weights than one another."""
    file = _read(path)
    alike = {(v.method, v.weights) for v in file.content.variants.values() if v.train is None}
    assert len(alike) <= 1


@pytest.mark.parametrize(("file", "variant"), _trained())
def test_a_variant_was_trained_by_the_configuration_it_names(file: AblationFile, variant: Variant):
    """Catches a variant with weights of another one, steps of another number, or a switch that was not set."""
    budget, own = file.content.training, variant.train
    assert budget is not None
    assert own is not None
    last = find_task(file.method_of(variant).info.name)
    chain = {task.stage: task for task in stages(last)}
    task = chain[own.stage or last.stage]
    base = task.configs / f"{budget.config}.yaml"
    changes = [*budget.set, *own.set]
    config = read_config(task.Config, base, changes, section=task.stage, sections=tuple(chain) if task.stage else ())
    trained = _card(file, variant)["config"]
    wanted = config.model_dump(mode="json")
    for where in OF_THE_MACHINE:
        trained.pop(where, None), wanted.pop(where, None)
    # an option that is younger than the card had its default when that was trained
    assert task.Config.model_validate(trained).model_dump(mode="json", exclude=set(OF_THE_MACHINE)) == wanted
    assert _card(file, variant)["steps"] == wanted["steps"]
    assert _card(file, variant)["sha256"] == hashlib.sha256(_weights(file, variant).read_bytes()).hexdigest()


@pytest.mark.parametrize("path", [path for path in FILES if _read(path).content.training], ids=_id)
def test_the_variants_of_a_table_were_trained_alike_for_the_same_steps(path: Path):
    """Catches a gain that is only more steps, another seed or other images."""
    file = _read(path)
    cards = [_card(file, variant) for variant in file.content.variants.values()]
    for key in ("steps", "batch", "seed", "lr", "schedule", "ema"):
        assert [card["config"][key] for card in cards] == [cards[0]["config"][key]] * len(cards), key
    assert [card["data"] for card in cards] == [cards[0]["data"]] * len(cards)


def _variants(name: str) -> tuple[AblationFile, dict[str, Variant]]:
    file = find_ablation(name)
    return file, dict(file.content.variants)


def test_the_blind_variants_saw_the_same_patches():
    file, rows = _variants("blind_assr/components")
    data = [_card(file, row)["config"]["data"] for row in rows.values()]
    assert data == [data[0]] * len(rows)


def test_the_blind_weights_have_the_parts_that_their_rows_speak_of():
    file, rows = _variants("blind_assr/components")
    assert load_network(_weights(file, rows["both"])).modulation is not None
    assert load_network(_weights(file, rows["no-cycle"])).modulation is not None
    assert load_network(_weights(file, rows["no-implicit"])).modulation is None
    file, rows = _variants("blind_assr/kernel-space")
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
    file, rows = _variants("casarbi/adapter")
    assert load_casarbi(_weights(file, rows["no-adapter"])).denoiser.adapter is None
    assert load_casarbi(_weights(file, rows["both"])).denoiser.adapter is not None


def test_casr_weights_have_the_parts_that_their_rows_speak_of():
    """Catches rows whose files were exchanged: all of them load and run as casr."""
    file, rows = _variants("casr/components")
    networks = {label: load_casr(_weights(file, row))[0] for label, row in rows.items()}
    assert [label for label, each in networks.items() if each.ssam is None] == ["base"]
    assert [label for label, each in networks.items() if each.controlnet is not None] == ["depth"]
    assert all(each.sarm is None for each in networks.values())
    file, rows = _variants("casr/cell")
    for label, row in rows.items():
        ssam = load_casr(_weights(file, row))[0].ssam
        assert ssam is not None
        assert str(ssam.architecture.cell) == label
    file, rows = _variants("casr/losses")
    assert all(load_casr(_weights(file, row))[0].sarm is not None for row in rows.values())
