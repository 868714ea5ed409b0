"""Variants that need weights of their own: listed, trained on the file's budget, and used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILE = """
method: liif
title: Width of the network
source: ours
run: {datasets: [Photos], scales: [2], protocol: sample, metrics: [psnr]}
training:
  config: tiny.yaml
  set: [steps=2]
default: wide
variants:
  wide: {train: {}}
  narrow: {train: {set: [architecture.width=2]}}
  shipped: {weights: lite}
"""
TINY = """
architecture: {blocks: 1, width: 4, hidden: [8]}
data: {lr_patch: 8, queries: 16, scale_max: 2.0}
batch: 1
lr: 1.0e-3
checkpoint_every: 2
log_every: 2
"""
WORDS = ("ablate", "width.yaml", "--out", "run", "--workers", "0", "--limit", "1")


@pytest.fixture
def here(newcomer: Path, photos: Path) -> Path:
    """The file, its configuration and images to train on."""
    (newcomer / "width.yaml").write_text(FILE)
    (newcomer / "tiny.yaml").write_text(TINY)
    return newcomer


def _card(here: Path, variant: str) -> dict:
    return json.loads((here / "run" / "weights" / f"{variant}.json").read_text())


def test_what_is_not_trained_is_named_with_the_command_that_trains_it(bench, here: Path):
    """Catches a variant that is left out silently, or run with the method's other weights."""
    text = FILE.replace("default: wide", "default: shipped").replace("  wide: {train: {}}\n", "")
    (here / "width.yaml").write_text(text)
    done = bench(*WORDS)
    assert done.code == 0, done.err
    assert "narrow (absent)  " in done.out
    assert "narrow: not trained." in done.out
    said = " ".join(done.out.split())
    assert "bench ablate width.yaml --out run --workers 0 --limit 1 --train --data FOLDER,FOLDER" in said
    (here / "width.yaml").write_text(FILE)
    lacking = bench(*WORDS)
    assert lacking.code == 2
    assert "the default of width.yaml, 'wide', is not trained: add --train" in lacking.err
    no_images = bench(*WORDS, "--train")
    assert no_images.code == 2
    assert "--data FOLDER" in no_images.err


def test_training_gives_weights_that_are_used_and_kept(bench, here: Path):
    """Catches variants trained on different budgets or images, weights that nothing runs, and a second training of what
    is there."""
    done = bench(*WORDS, "--train", "--data", "Photos", "--device", "cpu")
    assert done.code == 0, done.err
    cards = {name: _card(here, name) for name in ("wide", "narrow")}
    assert [card["steps"] for card in cards.values()] == [2, 2]
    assert cards["wide"]["data"] == cards["narrow"]["data"]
    assert {name: card["config"]["architecture"]["width"] for name, card in cards.items()} == {"wide": 4, "narrow": 2}
    said = " ".join(done.out.split())
    assert "Trained for this table: wide, narrow: 2 steps on 3 images of Photos." in said
    values = {row["variant"]: row["mean"] for row in json.loads(bench(*WORDS, "--format", "json").out)["rows"]}
    assert len(set(values.values())) == 3, "three rows of one file's weights would be equal"
    before = (here / "run" / "weights" / "wide.safetensors").stat().st_mtime_ns
    again = bench(*WORDS, "--train", "--data", "Photos")
    assert "nothing to train" in again.out
    assert (here / "run" / "weights" / "wide.safetensors").stat().st_mtime_ns == before


def test_weights_of_another_configuration_are_not_taken(bench, here: Path):
    """Catches weights that keep standing for a variant after the file says something else of it."""
    assert bench(*WORDS, "--train", "--data", "Photos", "--device", "cpu").code == 0
    (here / "width.yaml").write_text(FILE.replace("architecture.width=2", "architecture.width=3"))
    done = bench(*WORDS)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "narrow: not trained as the file says (run/weights/narrow.safetensors is of another configuration)" in said
    retrained = bench(*WORDS, "--train", "--data", "Photos", "--device", "cpu")
    assert retrained.code == 0, retrained.err
    assert "training 'narrow'" in retrained.out
    assert "training 'wide'" not in retrained.out
    assert _card(here, "narrow")["config"]["architecture"]["width"] == 3


def test_a_mistake_in_a_training_shows_before_anything_is_trained(bench, here: Path):
    """Catches an hour of training before the last variant's option turns out not to exist."""
    (here / "width.yaml").write_text(FILE.replace("architecture.width=2", "architecture.widht=2"))
    done = bench(*WORDS, "--train", "--data", "Photos")
    assert done.code == 2
    assert "training of variant 'narrow'" in done.err
    assert "widht" in done.err
    assert not (here / "run" / "weights").exists()


def test_an_ablation_that_is_a_figure_is_drawn(bench, here: Path):
    """Catches the weights of the two variants in each other's place, and options that a figure cannot have."""
    words = ("ablate", "blind_assr/kernel-space", "--dataset", "Photos", "--limit", "1", "--scale", "2", "--out", "run")
    done = bench(*words)
    assert done.code == 0, done.err
    assert (here / "run" / "kernel-space.pdf").is_file()
    assert (here / "run" / "kernel-space.csv").is_file()
    assert "was trained for" not in done.err
    assert "takes no --seeds" in bench(*words, "--seeds", "1").err


STAGED = """
method: blind_assr
title: Cycle
source: ours
run: {datasets: [Photos], scales: [2], protocol: sample, metrics: [psnr]}
training: {config: staged.yaml}
default: both
variants:
  both: {train: {}}
  no-cycle: {train: {set: [sr.cycle=false]}}
"""
STAGES = """
representation:
  architecture: &network
    sr: {blocks: 1, width: 4, hidden: 6, layers: 1}
    encoder: [4, 4, 6]
    head: 8
    estimator: [4, 3]
    modulation: 4
  data: {lr_patch: 24, scale_max: 1.5}
  steps: 2
  batch: 3
  log_every: 1
  validate_every: 2
  checkpoint_every: 2
sr:
  architecture: *network
  data: {lr_patch: 24, scale_max: 1.5, queries: 20}
  steps: 2
  batch: 3
  log_every: 1
  validate_every: 2
  checkpoint_every: 2
"""


def test_a_stage_in_which_variants_do_not_differ_is_trained_once(bench, here: Path, monkeypatch: pytest.MonkeyPatch):
    """Catches variants that each have a first stage of their own, and a second stage that begins with no first."""
    from methods.blind_assr.training import stage1

    monkeypatch.setattr(stage1, "_CHECKED", 6)
    (here / "cycle.yaml").write_text(STAGED)
    (here / "staged.yaml").write_text(STAGES)
    words = ("ablate", "cycle.yaml", "--out", "run", "--workers", "0", "--limit", "1", "--device", "cpu")
    done = bench(*words, "--train", "--data", "Photos")
    assert done.code == 0, done.err
    assert done.out.count("stage 'representation', 2 steps") == 1
    assert done.out.count("stage 'sr', 2 steps") == 2
    cards = {name: _card(here, name) for name in ("both", "no-cycle")}
    assert {name: card["config"]["cycle"] for name, card in cards.items()} == {"both": True, "no-cycle": False}
    assert cards["both"]["before"] == cards["no-cycle"]["before"]
    assert [stage["stage"] for stage in cards["both"]["before"]] == ["representation"]
