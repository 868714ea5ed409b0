"""What an ablation file may say, and how a mistake in it is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ablation import read_ablation
from bench.api import RequestError

GOOD = """\
title: Guidance
source: CasArbi, Table VI
reported: casarbi/table6
run:
  scales: [5.3, 12]
  protocol: face-idm
default: prev
variants:
  off:
    options: {scg: off, rho: 1e-1}
    reported: Without SCG
  prev: {options: {scg: prev}}
"""
TRAINED = """\
title: Parts
source: ours
run: {scales: [2]}
training: {config: lite}
default: all
variants:
  all: {weights: lite}
  less:
    train: {set: [SET]}
"""


def _read(tmp_path: Path, text: str, method: str = "casarbi"):
    path = tmp_path / "a.yaml"
    path.write_text(f"method: {method}\n{text}", encoding="utf-8")
    return read_ablation(path)


def test_values_are_read_as_they_are_typed(tmp_path: Path):
    """Catches YAML 1.1's `off`, which is false, and its 1e-1, which is no number."""
    options = _read(tmp_path, GOOD).content.variants["off"].options
    assert options == {"scg": "off", "rho": "1e-1"}


def test_an_option_that_is_a_list_is_what_would_be_typed(tmp_path: Path):
    """Catches a list that reaches the method as Python's text of it."""
    text = GOOD.replace("reported: casarbi/table6\n", "").replace("    reported: Without SCG\n", "")
    text = text.replace("{scg: off, rho: 1e-1}", "{fixed: [4, 3, 1.5]}").replace("{scg: prev}", "{ssam: false}")
    assert _read(tmp_path, text, "casr").content.variants["off"].options == {"fixed": "4,3,1.5"}


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("title: Guidance", "titel: Guidance", 2, "titel: there is no such key; there are title, source"),
        ("scales: [5.3, 12]", "scale: [5.3, 12]", 6, "run.scale: there is no such key; there are scales, datasets"),
        ("scales: [5.3, 12]", "scales: [5.3, 0.5]", 6, "run.scales.1: scale 0.5 cannot be used; scales are numbers"),
        ("protocol: face-idm", "protocol: face-idn", 7, "Did you mean 'face-idm'"),
        ("default: prev", "default: previous", 1, "default 'previous' is none of the variants off, prev"),
        ("scg: off", "scq: off", 11, "unknown option of casarbi 'scq'. Did you mean 'scg'"),
        ("scg: off", "scg: nothing", 11, "input should be 'off', 'lr' or 'prev', got 'nothing'"),
        ("reported: casarbi/table6", "reported: casarbi/table66", 4, "Did you mean 'casarbi/table6'"),
        ("Without SCG", "Without it", 12, "has the rows 'Without SCG', 'SCG with', 'SCG with (Ours)'"),
        ("  prev:", "  off:", 13, "'off' is given twice"),
        ("  prev:", "  two words:", 13, "two words"),
        ("  prev: {options: {scg: prev}}", "  prev: {train: {}}", 1, "no 'training' says on which budget"),
        ("{options: {scg: prev}}", "{weights: ../lite.safetensors}", 13, "a file in the folder of the method"),
        ("  off:", "\toff:", 10, "not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_field(tmp_path: Path, old: str, new: str, line: int, said: str):
    """Catches a file that is half understood, and an error that leaves the reader to search."""
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(RequestError) as fault:
        _read(tmp_path, text)
    assert said in str(fault.value)
    if line > 1:
        assert f"a.yaml, line {line}:" in str(fault.value)


@pytest.mark.parametrize("item", ["steps=9000", "schedule.warmup=1", "sr.batch=2", "seed=3"])
def test_no_variant_has_a_budget_of_its_own(tmp_path: Path, item: str):
    """Catches a variant that is trained longer, or on larger batches, and so wins by that."""
    with pytest.raises(RequestError, match="all variants are trained on one budget"):
        _read(tmp_path, TRAINED.replace("SET", item))


def test_a_variant_may_change_what_it_is_about(tmp_path: Path):
    """Catches a budget that forbids every option whose name only holds one of its words."""
    text = TRAINED.replace("SET", "aug_steps=3, data.seeds=1")
    variant = _read(tmp_path, text).content.variants["less"]
    assert variant.train is not None
    assert variant.train.set == ("aug_steps=3", "data.seeds=1")


def test_a_file_outside_of_a_method_says_of_which_it_is(tmp_path: Path):
    """Catches a file whose options are checked against nothing."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(RequestError, match="add 'method: NAME'"):
        read_ablation(path)


def test_the_command_ends_with_two_and_names_the_field(bench, newcomer: Path):
    """Catches a traceback, or another exit code, where a file is wrong."""
    (newcomer / "a.yaml").write_text(f"method: casarbi\n{GOOD.replace('scg: off', 'scq: off')}")
    done = bench("ablate", "a.yaml")
    assert done.code == 2
    assert "a.yaml, line 11: variants.off.options: unknown option of casarbi 'scq'" in done.err
    assert bench("ablate", "casarbi/scq").code == 2
    assert "Did you mean 'scg'" in bench("ablate", "casarbi/scq").err
