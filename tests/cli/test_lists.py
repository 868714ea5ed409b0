"""The lists: complete, honest about what is missing, readable by people and programs, and quick (no torch)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench.api import PRESETS, MethodInfo, MethodOptions, MethodSpec, RequestError
from bench.cli import lists
from bench.registry import METHODS

LISTS = ("methods", "datasets", "metrics", "protocols")
PLUGIN = Path(__file__).parents[1] / "methods" / "plugins" / "vdsr.py"


class _Options(MethodOptions):
    folder: Path
    strength: float = 0.5


@pytest.fixture
def listed():
    """Run a list command; returns its output."""
    app = typer.Typer()
    lists.register(app)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def spec(tmp_path):
    """Register `trial` with the given weights; it is taken out again."""

    def register(**fields) -> MethodSpec:
        info = MethodInfo(
            name="trial", display="Trial", summary="s", licence="MIT", paper="P 2020", train_scales=(1, 4)
        )
        made = MethodSpec(info=info, factory="x:X", root=tmp_path, **fields)
        METHODS.add("trial", made, origin="a test")
        return made

    yield register
    METHODS.forget("trial")


def _row(text: str, name: str) -> dict:
    return next(row for row in json.loads(text) if row["name"] == name)


@pytest.mark.parametrize("command", LISTS)
def test_no_list_imports_torch(command, tmp_path):
    code = (
        "import sys; sys.argv = ['bench', sys.argv[1]]\n"
        "from bench.cli.app import app\n"
        "try: app()\n"
        "except SystemExit as end: code = end.code\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", LISTS)
def test_json_holds_what_the_table_shows(listed, command):
    rows = json.loads(listed(command, "--json"))
    table = listed(command)
    assert rows
    for row in rows:
        assert any(line.startswith(f"{row['name']} ") for line in table.splitlines()), row["name"]


def test_plain_output_has_no_escapes_and_aligned_columns(listed):
    lines = listed("methods").splitlines()
    assert "\x1b" not in "".join(lines)
    place = lines[0].index("status")
    assert all(line[place - 2 : place] == "  " for line in lines[:-1])


def test_options_say_what_they_take_and_what_they_mean(listed) -> None:
    """Catches options without a word of help, and defaults that cannot be typed."""
    text = " ".join(listed("methods", "casarbi").split())
    assert "--set casarbi.scg default prev (off | lr | prev. Self-consistency guidance" in text
    assert "--set casarbi.cascade default true (" in text
    options = json.loads(listed("methods", "casarbi", "--json"))["options"]
    assert all(option["help"] for option in options.values())


def test_a_narrow_width_cuts_no_value_where_there_is_no_terminal(tmp_path):
    """rich folds at 80 columns when nothing is known of the width; a script that greps would miss names."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "protocols"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "40"},
    )
    for protocol in PRESETS.values():
        assert protocol.summary in done.stdout


def test_every_method_is_listed_with_its_status(listed):
    text = listed("methods", "--json")
    assert {row["name"] for row in json.loads(text)} == set(METHODS.names())
    assert _row(text, "bicubic")["status"] == "ready"
    assert _row(text, "bicubic")["missing"] == ""
    words = {name: _row(text, name)["status"] for name in ("spandrel", "precomputed", "command")}
    assert words == {"spandrel": "needs-weights", "precomputed": "needs-options", "command": "needs-options"}
    assert "--weights spandrel=FILE" in _row(text, "spandrel")["missing"]
    assert _row(text, "precomputed")["missing"] == "--set precomputed.folder=..."
    assert _row(text, "command")["missing"] == "--set command.run=..."


def test_missing_default_weights_are_named_with_the_way_to_get_them(listed, spec, tmp_path):
    weights = {"lite": tmp_path / "lite.safetensors", "full": tmp_path / "full.safetensors"}
    spec(weights=weights, default_weights="lite", weights_how="run 'bench train trial'")
    row = _row(listed("methods", "--json"), "trial")
    assert row["status"] == "needs-weights"
    assert str(weights["lite"]) in row["missing"]
    assert "bench train trial" in row["missing"]
    weights["lite"].write_bytes(b"x")
    row = _row(listed("methods", "--json"), "trial")
    assert row["status"] == "ready"
    assert row["weights"] == ["lite", "full (not here)"]
    assert (row["scales"], row["licence"], row["paper"]) == ("any; trained on x1 to x4", "MIT", "P 2020")


def test_one_method_shows_its_options(listed, spec):
    spec(options=_Options)
    text = listed("methods", "trial")
    assert "--set trial.folder" in text
    assert "required" in text
    assert "default 0.5" in text
    options = json.loads(listed("methods", "trial", "--json"))["options"]
    assert options["folder"]["required"]
    assert options["strength"] == {"required": False, "default": 0.5, "help": None}


def test_one_broken_package_does_not_hide_the_others(listed):
    METHODS.add("broken", "no_such_package.module:X", origin="package broken")
    try:
        text = listed("methods", "--json")
    finally:
        METHODS.forget("broken")
    assert _row(text, "broken")["status"] == "broken"
    assert "ModuleNotFoundError" in _row(text, "broken")["missing"]
    assert _row(text, "bicubic")["status"] == "ready"


def test_a_plugin_is_listed(listed):
    import bench.plugins as plugins

    try:
        text = listed("methods", "--plugin", str(PLUGIN), "--json")
        assert "--weights vdsr=PATH" in _row(text, "vdsr")["missing"]
        assert str(PLUGIN) in _row(text, "vdsr")["origin"]
    finally:
        METHODS.forget("vdsr")
        plugins._LOADED.clear()


def test_metrics_say_which_file_is_missing(listed, tmp_path):
    text = listed("metrics", "--json", "--weights-root", str(tmp_path))
    niqe = _row(text, "niqe")
    assert (niqe["kind"], niqe["better"]) == ("no-reference", "lower")
    assert niqe["status"] == "missing"
    assert "niqe_modelparameters.mat" in niqe["missing"]
    assert _row(text, "psnr")["status"] == "ready"


def test_one_metric_says_the_side_and_the_effect_that_its_numbers_are_judged_by(listed):
    """Catches a list that keeps to itself from which size on a value is doubtful, and which difference counts."""
    facts = {line.split()[0]: line.split()[1:] for line in listed("metrics", "niqe").splitlines()}
    assert facts["side"][:2] == ["96", "px"]
    facts = {line.split()[0]: line.split()[1:] for line in listed("metrics", "psnr").splitlines()}
    assert facts["effect"][:1] == ["0.05"]
    assert "side" not in facts
    assert json.loads(listed("metrics", "pi", "--json"))["smallest_side"] == 104


def test_the_embedded_set_is_ready_and_absent_ones_say_what_to_type(listed, tmp_path):
    text = listed("datasets", "--json", "--data-root", str(tmp_path))
    assert _row(text, "sample")["status"] == "ready"
    rows = json.loads(text)
    assert all(row["status"] and bool(row["missing"]) == (row["status"] != "ready") for row in rows)
    assert "bench data fetch Set5" in _row(text, "Set5")["missing"]


def test_one_protocol_shows_every_knob_and_marks_the_unusual(listed):
    text = listed("protocols", "classic-y")
    knobs = json.loads(listed("protocols", "classic-y", "--json"))
    for knob, value in knobs.items():
        if knob not in ("name", "summary", "source", "metrics"):
            (line,) = [line for line in text.splitlines() if line.split()[:1] == [knob]]
            assert str(value) in line
            assert ("(default" in line) == (value != getattr(PRESETS["sample"], knob))
    assert knobs["plane"] == "y"
    assert not any(line.split()[:1] == ["metrics"] for line in text.splitlines()), "it brings none"
    (line,) = [line for line in listed("protocols", "cassr").splitlines() if line.split()[:1] == ["metrics"]]
    assert ",".join(PRESETS["cassr"].metrics) in line


@pytest.mark.parametrize(
    ("command", "name", "near"), [("protocols", "clasic-y", "classic-y"), ("methods", "bicubik", "bicubic")]
)
def test_an_unknown_name_gets_a_suggestion(listed, command, name, near):
    with pytest.raises(RequestError, match=f"Did you mean '{near}'"):
        listed(command, name)
