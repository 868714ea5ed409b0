"""A plug-in file from a few lines, loaded and forgotten again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import plugins
from bench.engine.choice import MethodChoice, choose_methods
from bench.registry import METHODS

Load = Callable[..., MethodChoice]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write a plug-in, load it, choose its only method."""
    known, loaded = set(METHODS.names()), dict(plugins._LOADED)

    def build(text: str, name: str = "up.py", **weights: str) -> MethodChoice:
        path = tmp_path / name
        path.write_text(text)
        (method,) = plugins.load_plugin(path)
        return choose_methods([method], weights=weights.get("weights"), overrides=())[0]

    yield build
    for name in set(METHODS.names()) - known:
        METHODS.forget(name)
    plugins._LOADED.clear()
    plugins._LOADED.update(loaded)
