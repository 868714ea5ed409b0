"""The floors of the design: a module imports only from floors below its own, and nothing below the CLI prints."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = (
    ("bench.imaging", 0),
    ("bench.api", 1),
    ("bench.transfer", 1),
    ("bench.registry", 2),
    ("bench.plugins", 2),
    ("bench.download", 2),
    ("bench.archive", 2),
    ("bench.metrics", 3),
    ("bench.data", 3),
    ("bench.training", 3),
    ("bench.weights", 3),
    ("methods", 3),
    ("bench.engine", 4),
    ("bench.analysis", 5),
    ("bench.check", 5),
    ("bench.report", 6),
    ("bench.profile", 7),
    ("bench.session", 7),
    ("bench.ablation", 8),
    ("bench.leaderboard", 9),
    ("bench.export", 9),
    ("bench.figures", 9),
    ("bench.cli", 10),
    ("bench.__main__", 11),
)
SOURCES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "methods").rglob("*.py")])


def floor_of(module: str) -> tuple[str, int] | None:
    for name, floor in FLOORS:
        if module == name or module.startswith(name + "."):
            return name, floor
    return None


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_looks_up(path: Path) -> None:
    module = module_of(path)
    own = floor_of(module)
    if own is None:
        return
    for name in imported(path):
        other = floor_of(name)
        if other is None or other[0] == own[0]:
            continue
        assert (
            other[1] < own[1] or {other[0], own[0]} <= {"bench.plugins", "bench.registry"} or _same_floor(own, other)
        ), f"{module} (floor {own[1]}) imports {name} (floor {other[1]})"


def _same_floor(own: tuple[str, int], other: tuple[str, int]) -> bool:
    """Methods may be trained, a training reads images as a set does and may minimise a metric, all read weights; an
    export tells of a run what a leaderboard tells. None is looked back from."""
    return other[0] == "bench.weights" or (own[0], other[0]) in {
        ("methods", "bench.training"),
        ("bench.training", "bench.data"),
        ("bench.training", "bench.metrics"),
        ("bench.export", "bench.leaderboard"),
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_command_line_prints(path: Path) -> None:
    if "cli" in path.parts:
        return
    calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 350


@pytest.mark.parametrize("path", sorted((ROOT / "bench" / "analysis").rglob("*.py")), ids=lambda p: p.name)
def test_analysis_runs_no_method(path: Path) -> None:
    """Catches a figure's measuring, which loads methods, among what only reads frames."""
    names = imported(path)
    assert not [name for name in names if name.partition(".")[0] in ("torch", "methods")]
    assert not [name for name in names if name.startswith(("bench.engine.inference", "bench.plugins"))]


def test_no_modules_import_each_other() -> None:
    """Catches two modules that can only be read together, even where one imports the other for its types alone."""
    modules = {module_of(path): path for path in SOURCES}
    graph = {
        module: {name for name in imported(path) if name in modules and name != module and not _holds(name, module)}
        for module, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # a CycleError names the circle


def _holds(package: str, module: str) -> bool:
    """A module's own package: `from package import module` names it too."""
    return module.startswith(package + ".")
