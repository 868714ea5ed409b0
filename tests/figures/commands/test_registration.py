"""A figure is one folder and one line: those that ship, and one of another package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, ClassVar

import pytest
import typer
from matplotlib.figure import Figure

from bench.api import RequestError
from bench.figures import BUILT_IN, FIGURES, Drawn, FigureRequest, Numbers
from bench.registry import LazyRegistry


@dataclass(frozen=True, kw_only=True)
class Bars(FigureRequest):
    """A bar per value."""

    summary: ClassVar[str] = "Bars of values."

    values: Annotated[str, typer.Argument(help="Numbers, separated by commas.")]
    out: Annotated[Path, typer.Option(help="The figure.")]
    tall: Annotated[int, typer.Option(min=1, help="Inches.")] = 2
    incomplete: bool = False

    def draw(self, warn: Callable[[str], None]) -> Drawn:
        """As the fields say."""
        numbers = [float(part) for part in self.values.split(",")]
        if max(numbers) > 9:
            raise RequestError("a bar is at most 9 high")
        warn(f"{len(numbers)} bars")
        figure = Figure(figsize=(2, self.tall))
        figure.subplots().bar(range(len(numbers)), numbers)
        rows = [{"place": place, "value": value} for place, value in enumerate(numbers)]
        return Drawn(
            figure=figure,
            texts={self.out.with_suffix(".txt"): self.values},
            shown=Numbers(rows=rows, columns=(("place", "bar", "{}"), ("value", "height", "{:.1f}"))),
            closing="drawn",
            complete=not self.incomplete,
        )


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package with two entry points in `bench.figures`: bars, and one whose code cannot be imported."""
    module = ModuleType("someones_bars")
    module.Bars = Bars  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "someones_bars", module)
    points = [
        EntryPoint("bars", "someones_bars:Bars", "bench.figures"),
        EntryPoint("broken", "no_such_package:Figure", "bench.figures"),
    ]
    monkeypatch.setattr("bench.registry.entry_points", lambda *, group: points if group == "bench.figures" else [])
    fresh: LazyRegistry[type[FigureRequest]] = LazyRegistry("figure", "bench figure --help")
    for name, target in BUILT_IN.items():
        fresh.add(name, target, origin="assr-bench")
    monkeypatch.setattr("bench.cli.figure.FIGURES", fresh)


@pytest.mark.usefixtures("installed")
def test_a_figure_of_another_package_is_a_command_with_its_fields_as_options(bench: Callable, newcomer: Path) -> None:
    """Catches commands that are written down one by one on the command line's floor."""
    assert "Bars of values." in bench("figure", "--help").out
    assert "--tall" in bench("figure", "bars", "--help").out
    done = bench("figure", "bars", "1,2", "--out", "b.png", "--tall", 3)
    assert (done.code, done.err) == (0, "2 bars\n")
    assert [line.split() for line in done.out.splitlines()] == [
        ["bar", "height"],
        ["0", "1.0"],
        ["1", "2.0"],
        ["drawn"],
    ]
    assert (newcomer / "b.txt").read_text() == "1,2"
    assert (newcomer / "b.png").stat().st_size > 1000


@pytest.mark.usefixtures("installed")
def test_what_it_refuses_and_what_it_lacks_are_exit_codes_and_its_target_is_checked_first(
    bench: Callable, newcomer: Path
) -> None:
    """Catches a figure that is drawn before anyone looks whether it can be written, and failures that exit with 0."""
    assert bench("figure", "bars", "10", "--out", "b.png").code == 2
    done = bench("figure", "bars", "1", "--out", "b.jpg")
    assert (done.code, ".png, .pdf, .svg" in done.err, "bars" in done.err) == (2, True, False)
    assert not list(newcomer.glob("b.*"))
    assert bench("figure", "bars", "1", "--out", "b.png", "--incomplete").code == 1
    assert bench("figure", "bars", "1", "--out", "b.png", "--tall", 0).code == 2


@pytest.mark.usefixtures("installed")
def test_a_figure_that_cannot_be_loaded_fails_alone(bench: Callable) -> None:
    """Catches a list that is lost because one package of many is broken."""
    done = bench("figure", "--help")
    assert done.code == 0
    assert "drift" in done.out
    done = bench("figure", "broken")
    assert (done.code, "no_such_package" in done.err) == (2, True)
    done = bench("figure", "drfit")
    assert (done.code, "Did you mean 'drift'" in done.err) == (2, True)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_shipped_figure_keeps_the_contract(name: str) -> None:
    """Catches a request that lacks its place, or whose summary the list cannot show."""
    request = FIGURES.get(name)
    assert issubclass(request, FigureRequest)
    assert "out" in {field.name for field in fields(request)}  # type: ignore[arg-type]
    assert 0 < len(request.summary) <= 80


def test_the_table_of_figures_and_their_requests_import_nothing_heavy() -> None:
    """Catches a drawing that is imported for the sake of a help page."""
    code = (
        "import sys; from bench.figures import BUILT_IN, FIGURES; loaded = [FIGURES.get(name) for name in BUILT_IN]; "
        "print({'torch', 'matplotlib', 'pandas', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
