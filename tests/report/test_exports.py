"""The files at the end of a run, and `bench table` on a run folder."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from bench.analysis import Planned, RunFrames, load_run, records_frame
from bench.api import CellId, CellPlan, ImageSet, Origin, RequestError, RowInfo, RunManifest
from bench.cli.table import register
from bench.report import write_exports

SCALES = (2.0, 3.6)
IMAGES = ImageSet("Set5", {"im 0": "h1", "im 1": "h1"})
Y, RGB = "psnr|y601s|shave:s|v1", "psnr|rgb|shave:0|v1"


@pytest.fixture
def frames() -> RunFrames:
    """Two protocols in one run folder."""
    cells = {(m, "", "Set5", s, 0): 2 for m in ("bicubic", "liif") for s in SCALES}
    rows = [
        (m, v, d, f"im {i}", s, seed, "psnr", 30.0 + i + (m == "liif"), "ok", sign)
        for m, v, d, s, seed in cells
        for i in range(2)
        for sign in (Y, RGB)
    ]
    measures = {Y: "psnr", RGB: "psnr"}
    return RunFrames(
        records=records_frame([(*row, "o1", "h1", 0.5) for row in rows]),
        planned=tuple(
            Planned(cell=cell, images=2, origin="o1", source="set1", measures=measures, metrics=("psnr",))
            for cell in cells
        ),
        protocols={Y: ("basicsr-y",), RGB: ("sample",)},
        rows=(RowInfo(method="bicubic", variant="", display="Bicubic"),),
        sets={"set1": IMAGES},
    )


@pytest.fixture
def folder(tmp_path, frames, infos):
    """A run folder as the engine leaves it."""
    cells = [CellId(*plan.cell) for plan in frames.planned]
    manifest = RunManifest(
        rows=tuple(frames.rows),
        origins={"o1": Origin(id="o1", code="c", code_name="m")},
        sets={"set1": IMAGES},
        cells=tuple(
            CellPlan(
                cell=cell,
                folder=cell.method,
                pair="p",
                origin="o1",
                images="set1",
                metrics=("psnr",),
                signatures={Y: "psnr", RGB: "psnr"},
            )
            for cell in cells
        ),
        protocols=frames.protocols,
    )
    (tmp_path / "run.json").write_text(manifest.to_json())
    write_exports(tmp_path, frames, infos)
    return tmp_path


def test_four_files_and_nothing_else(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "records.csv",
        "run.json",
        "summary.csv",
        "table.md",
        "table.tex",
    ]


def test_two_protocols_become_two_tables_and_never_one(folder):
    text = (folder / "table.md").read_text()
    assert text.count("Protocol: `basicsr-y`") == text.count("Protocol: `sample`") == 1
    tex = (folder / "table.tex").read_text()
    assert r"\label{tab:basicsr-y}" in tex
    assert r"\label{tab:sample}" in tex


def test_exports_can_be_read_back(folder, frames):
    again = load_run(folder)
    assert again.records.equals(frames.records.astype(again.records.dtypes.to_dict()))
    assert list(again.summary["mean"]) == list(frames.summary["mean"])
    assert "bicubic,-,Set5,im 0,3.6,0,psnr,30.0,ok," in (folder / "records.csv").read_text()


def test_equal_runs_give_equal_bytes(folder, frames, infos):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    write_exports(folder, frames, infos)
    assert before == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_run_without_table_still_writes_its_records(tmp_path, infos):
    empty = RunFrames(records=records_frame([]), planned=())
    text = write_exports(tmp_path, empty, infos)
    assert text.startswith("No table:")
    assert (tmp_path / "table.tex").read_text().startswith("% no table:")
    assert (tmp_path / "records.csv").read_text().startswith("method,variant,")


@pytest.fixture
def bench():
    """Run `bench table` with arguments."""
    app = typer.Typer()

    @app.callback()
    def _root() -> None:
        """Makes `table` a subcommand."""

    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["table", *map(str, arguments)])


def test_cli_refuses_a_mixture_and_says_what_differs(bench, folder):
    fault = bench(folder).exception
    assert isinstance(fault, RequestError)
    assert "psnr: y601s vs rgb, shave:s vs shave:0" in str(fault)
    assert "--protocol basicsr-y or --protocol sample" in str(fault)


@pytest.mark.parametrize("choice", [["--protocol", "sample"], ["--signature", "rgb,shave:0"]])
def test_cli_prints_one_of_them(bench, folder, choice):
    done = bench(folder, *choice, "--metrics", "psnr", "--datasets", "Set5", "--scales", "3.6")
    assert done.exit_code == 0, done.output
    assert "Bicubic" in done.output
    assert "PSNR: psnr|rgb|shave:0|v1" in done.output
    assert "y601s" not in done.output


def test_cli_writes_latex_to_a_file(bench, folder):
    out = folder / "my table.tex"
    options = ["--protocol", "sample", "--format", "tex", "--caption", "50% & more", "--label", "tab:a", "--out", out]
    assert bench(folder, *options).exit_code == 0
    assert r"\caption{50\% \& more}" in out.read_text()
    assert r"\label{tab:a}" in out.read_text()


def test_cli_says_when_it_cannot_write(bench, folder):
    fault = bench(folder, "--protocol", "sample", "--out", folder / "none" / "t.md").exception
    assert isinstance(fault, RequestError)
    assert "--out" in str(fault)


def test_tables_import_neither_torch_nor_matplotlib():
    code = (
        "import sys, bench.report, bench.analysis, bench.cli.table;"
        "print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
