"""What holds for the shipped weights of every method: they are their card's, and small."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bench.api import MethodSpec
from bench.registry import METHODS

METHODS_FOLDER = Path(__file__).parents[2] / "methods"


def _shipped() -> list[tuple[str, str, Path]]:
    specs = [(name, METHODS.get(name)) for name in METHODS.names()]
    return [
        (name, label, path)
        for name, spec in specs
        if isinstance(spec, MethodSpec)
        for label, path in spec.weights.items()
        if path.is_relative_to(METHODS_FOLDER)
    ]


def test_the_methods_that_ship_weights_are_looked_at():
    assert {"liif", "lte", "blind_assr", "casarbi", "casr"} <= {name for name, _, _ in _shipped()}


@pytest.mark.parametrize(("method", "path"), [pytest.param(m, p, id=f"{m}-{label}") for m, label, p in _shipped()])
def test_shipped_weights_are_those_of_the_card(method: str, path: Path):
    """Catches a file that was trained again beside the card of the one before."""
    card = json.loads(path.with_suffix(".json").read_text())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"]
    assert path.stat().st_size < 10_000_000
    assert card["method"] == method
