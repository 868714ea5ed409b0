"""The model of many GPUs at its limits, where its answer can be worked out by hand."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_SOURCE = Path(__file__).resolve().parents[2] / "benchmarks" / "scale_model.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale_model", _SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


model = _load()
FREE = model.Machines(gpus=1, cores=10**4, link=float("inf"), store=float("inf"), load=0.0, record=0.0)
SOME = [model.Unit("a", 3.0, 1.0, 2.0), model.Unit("a", 1.0, 4.0, 1.0), model.Unit("b", 2.0, 0.5, 8.0)]

units = st.lists(
    st.builds(model.Unit, st.sampled_from("abc"), st.floats(0.01, 9), st.floats(0.01, 9), st.floats(0.1, 40)),
    min_size=8,
    max_size=40,
)


def test_one_gpu_takes_the_sum_of_images_and_loadings() -> None:
    """Catches a worker that loads a method for every image, or that does two images at once."""
    units = [replace(unit, cpu=0.0) for unit in SOME]
    assert model.simulate(units, replace(FREE, load=10.0)) == pytest.approx(3 + 1 + 2 + 2 * 10)


def test_any_number_of_workers_takes_the_longest_chain() -> None:
    """Catches a station that serves one image at a time although there is room, and a chain that leaves one out."""
    machines = replace(FREE, gpus=10**3, load=1.0)
    assert model.simulate(SOME, machines) == pytest.approx(1 + max(3 + 1, 1 + 4, 2 + 0.5))


def test_the_one_writer_bounds_any_number_of_gpus() -> None:
    """Catches a writer that appends two records at once; and several writers that wait for each other."""
    units = [model.Unit("a", 0.5, 0.0, 1.0) for _ in range(40)]
    machines = replace(FREE, gpus=40, record=2.0)
    assert model.simulate(units, machines) == pytest.approx(0.5 + 40 * 2)
    assert model.simulate(units, replace(machines, writers=40)) == pytest.approx(0.5 + 2)


def test_the_link_bounds_one_writer_and_no_shard() -> None:
    """Catches images that cross the network to a writer that lies where they are made."""
    units = [model.Unit("a", 0.001, 0.0, 1.0) for _ in range(10)]
    machines = replace(FREE, gpus=10, link=3e6)
    assert model.simulate(units, machines) == pytest.approx(0.001 + 10)
    assert model.simulate(units, replace(machines, writers=10)) == pytest.approx(0.001)


@settings(max_examples=60, deadline=None)
@given(units, st.sampled_from([1, 2, 4, 8]), st.integers(1, 3), st.booleans())
def test_nothing_is_faster_than_what_its_scarcest_resource_allows(
    units: list, gpus: int, cores: int, sharded: bool
) -> None:
    """Catches a bound that is none, so that the wrong resource would be said to saturate first."""
    machines = model.Machines(gpus, gpus * cores, gpus if sharded else 1, load=2.0, store=1e8, link=1e8, record=0.1)
    took = model.simulate(units, machines)
    for name, seconds in model.bounds(units, machines).items():
        assert took >= seconds - 1e-9, name
    serial = sum(unit.gpu + unit.cpu + 2.0 + 0.1 + 1e6 * unit.megapixels * (3 + 1.5) / (1e8 / gpus) for unit in units)
    assert took <= serial + 1e-9


def test_the_comparison_has_the_images_that_the_page_counts() -> None:
    """Catches seeds of methods that draw nothing, which would make the work half as much again."""
    made = model.make_units(model.SECONDS, scales=5, seeds=3, factor=200)
    assert len(made) == (5 + 3 * 3) * 200 * 5
    assert sum(unit.gpu for unit in made if unit.method == "casarbi") == pytest.approx(3 * 5 * 3600 * 60 / 200)
