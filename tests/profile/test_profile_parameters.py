"""Counted parameters against the cards of the shipped weights."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from bench.api import Method, MethodInfo, Size, Upscaled
from bench.engine.choice import choose_methods
from bench.engine.inference import Runner
from bench.plugins import method_spec
from bench.profile.parameters import ParameterCount, count_parameters
from bench.registry import METHODS

WITH_WEIGHTS = [name for name in METHODS.names() if method_spec(name).default_weights is not None]
CLASSIC = ("nearest", "bilinear", "bicubic", "lanczos")


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_parameters_of_a_method_are_those_of_its_card(name):
    """Catches buffers that are counted, a part that is counted twice or not found, and a card that is out of date."""
    spec = method_spec(name)
    (choice,) = choose_methods([name])
    counted = count_parameters(Runner(choice, device="cpu").method)
    assert choice.weights is not None
    card = json.loads(choice.weights.with_suffix(".json").read_text("utf-8"))
    assert counted is not None
    assert counted.total == spec.info.parameters == card["parameters"]


def test_there_are_methods_to_look_at():
    """Catches a list that is empty, so that the test above says nothing."""
    assert {"liif", "lte", "blind_assr", "casarbi", "casr"} <= set(WITH_WEIGHTS)


@pytest.mark.parametrize("name", CLASSIC)
def test_an_interpolation_has_no_network(name):
    (choice,) = choose_methods([name])
    assert count_parameters(Runner(choice, device="cpu").method) is None
    assert choice.spec.info.parameters == 0


def test_the_prior_that_casarbi_leaves_alone_is_frozen():
    """Catches one number for both, where a paper counts what is trained."""
    counts = {}
    for name in ("casarbi", "liif"):
        (choice,) = choose_methods([name])
        counts[name] = count_parameters(Runner(choice, device="cpu").method)
    assert counts["casarbi"].frozen == counts["liif"].total > 0
    assert counts["casarbi"].trainable == counts["casarbi"].total - counts["liif"].total


class _Holder:
    """As libraries hold a network."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model


class _Odd(Method):
    info = MethodInfo(name="odd", display="Odd", summary="")

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        vars(self).update(parts)

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        raise NotImplementedError


@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [n], lambda n: {"x4": n}, _Holder, lambda n: [_Holder(n)]])
def test_networks_are_found_where_authors_keep_them(wrap):
    """Catches a plug-in that seems to have no parameters."""
    network = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    network[1].requires_grad_(False)
    assert count_parameters(_Odd(kept=wrap(network))) == ParameterCount(total=30, frozen=10)


def test_a_network_with_two_names_counts_once():
    network = nn.Linear(3, 5)
    assert count_parameters(_Odd(one=network, two=nn.Sequential(network))) == ParameterCount(total=20, frozen=0)
