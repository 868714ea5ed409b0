"""A small run whose every number is chosen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import RunFrames, planned_cells, records_frame
from bench.api import Direction, MetricInfo, MetricKind, RowInfo


def _info(name: str, display: str, direction: Direction, decimals: int) -> MetricInfo:
    return MetricInfo(
        name=name,
        display=display,
        kind=MetricKind.FULL_REFERENCE,
        direction=direction,
        decimals=decimals,
        summary="",
    )


INFOS = {
    info.name: info
    for info in (
        _info("psnr", "PSNR", Direction.HIGHER, 2),
        _info("ssim", "SSIM", Direction.HIGHER, 4),
        _info("lpips", "LPIPS", Direction.LOWER, 4),
        _info("niqe", "NIQE", Direction.LOWER, 2),
        _info("pi", "PI", Direction.LOWER, 2),
        _info("musiq", "MUSIQ", Direction.HIGHER, 2),
    )
}


def make_frames(
    values: Mapping[tuple[str, str, str, float, str], float | Sequence[float | None] | None],
    *,
    images: Mapping[str, int] | None = None,
    protocol: str = "basicsr-y",
    unavailable: Mapping[str, str] | None = None,
    displays: Mapping[tuple[str, str], str] | None = None,
    minimised: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
) -> RunFrames:
    """(method, variant, dataset, scale, metric) -> value, or one value per seed; None: nothing was scored."""
    rows, expected, signatures = [], {}, {}
    for (method, variant, dataset, scale, metric), given in values.items():
        for seed, value in enumerate(given if isinstance(given, list | tuple) else [given]):
            count = (images or {}).get(dataset, 2)
            expected[method, variant, dataset, scale, seed] = count
            signature = f"{metric}|y601s|shave:s|q:u8|agg:img|v1"
            signatures[signature] = (protocol,)
            status = "unavailable" if metric in (unavailable or {}) else "ok"
            if value is not None or status != "ok":
                rows += [
                    (method, variant, dataset, f"im{i}", scale, seed, metric, value, status, signature)
                    for i in range(count)
                ]
    return RunFrames(
        records=records_frame(rows),
        planned=planned_cells(expected),
        unavailable=unavailable or {},
        rows=_rows(values, displays or {}, minimised or {}),
        protocols=signatures,
        metrics=list(dict.fromkeys(key[4] for key in values)),
    )


def _rows(
    values: Iterable[tuple[str, str, str, float, str]],
    displays: Mapping[tuple[str, str], str],
    minimised: Mapping[tuple[str, str], tuple[str, ...]],
) -> list[RowInfo]:
    """What tables say of each method variant, whether or not it has values."""
    keys = dict.fromkeys([*(key[:2] for key in values), *displays, *minimised])
    bare = [RowInfo.bare(method, variant) for method, variant in keys]
    return [
        replace(row, display=displays.get(row.key, row.display), minimised=minimised.get(row.key, ())) for row in bare
    ]


@pytest.fixture(scope="session")
def infos() -> dict[str, MetricInfo]:
    """Directions and decimals."""
    return INFOS


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., RunFrames]:
    """The maker of runs."""
    return make_frames


@pytest.fixture(scope="session")
def compile_latex() -> Callable[..., str]:
    """compile_latex(folder, table, preamble=...) -> the log; skips where there is no LaTeX, fails where it does."""
    program = shutil.which("pdflatex") or shutil.which("tectonic")
    if program is None:
        pytest.skip("no LaTeX here")

    def run(folder: Path, table: str, *, columns: str = "") -> str:
        text = (
            rf"\documentclass{columns}{{article}}"
            + r"\usepackage[textwidth=496pt,textheight=650pt]{geometry}\usepackage{booktabs,graphicx}"
            + "\n\\begin{document}\nText.\n\n"
            + table
            + "\n\\end{document}\n"
        )
        (folder / "doc.tex").write_text(text, encoding="utf-8")
        options = [] if "tectonic" in program else ["-interaction=nonstopmode", "-halt-on-error"]
        done = subprocess.run([program, *options, "doc.tex"], cwd=folder, capture_output=True, check=False, timeout=120)
        log = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, log[-3000:]
        return log

    return run
