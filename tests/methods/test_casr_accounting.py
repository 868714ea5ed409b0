"""The numbers of parameters (group 11 of CASR's list); nothing here needs memory for the networks."""

from __future__ import annotations

import pytest
import yaml

from methods.casr.accounting import PAPER, account, counted
from methods.casr.architecture import CasrArchitecture, SarmArchitecture
from methods.casr.info import CASR
from methods.casr.network import Casr


def _parts(architecture: CasrArchitecture) -> dict[str, float]:
    return {part.name: part.parameters / 1e6 for part in account(architecture)}


def test_the_full_size_is_that_of_the_paper_part_by_part():
    """The specification's table, measured once by hand on diffusers', transformers' and peft's own classes."""
    parts = account(CasrArchitecture.full())
    assert abs(counted(parts) / PAPER - 1) < 0.015
    table = {
        "ControlNet": 364.228,
        "UNet LoRA": 32.434,
        "VAE encoder LoRA": 1.477,
        "superpixel network": 0.958,
        "depth": 24.785,
        "semantics": 89.671,
        "SARM": 10.494,
        "UNet": 865.911,
        "VAE": 83.654,
    }
    assert {part.name: round(part.parameters / 1e6, 3) for part in parts} == table
    assert [part.name for part in parts if not part.counted] == ["UNet", "VAE"]


@pytest.mark.parametrize(
    ("architecture", "table"),
    [
        (CasrArchitecture(), {"UNet": 2.678, "ControlNet": 1.272, "superpixel network": 0.204, "SARM": 0.068}),
        (CasrArchitecture.nano(), {"UNet": 1.257, "ControlNet": 0.616, "SARM": 0.033}),
    ],
)
def test_lite_and_nano_are_small(architecture, table):
    parts = _parts(architecture)
    assert sum(parts.values()) <= 5
    assert {name: round(parts[name], 3) for name in table} == table


def test_the_account_of_lite_is_the_network_itself():
    """Of the shipped one, which configs/lite.yaml describes. Catches an account of another network."""
    said = yaml.safe_load((CASR.root / "configs" / "lite.yaml").read_text())["backbone"]["architecture"]
    architecture = CasrArchitecture.model_validate(said)
    total = sum(parameter.numel() for parameter in Casr(architecture).parameters())
    assert counted(account(architecture)) == total == CASR.info.parameters


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"control_input": "none"}, {"ControlNet"}),
        ({"depth": "none"}, {"ControlNet"}),
        ({"ssam": None}, {"ControlNet", "superpixel network"}),
        ({"sarm": None}, {"SARM"}),
    ],
)
def test_an_ablation_has_no_parameters_of_what_it_leaves_out(change, gone):
    before, after = _parts(CasrArchitecture()), _parts(CasrArchitecture(**change))
    assert set(before) - set(after) == gone


def test_sarm_without_semantics_is_smaller():
    whole = _parts(CasrArchitecture())["SARM"]
    assert _parts(CasrArchitecture(sarm=SarmArchitecture(lr_semantics=False)))["SARM"] < whole
