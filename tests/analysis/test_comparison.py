"""Two rows image by image: what is paired, what is refused, and what comes of a planted difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import RunFrames, Selection, planned_cells, records_frame
from bench.analysis.comparison import Comparison, Side, compare_rows
from bench.analysis.planned import Planned
from bench.analysis.significance import Verdict
from bench.api import RequestError, RowInfo, parse_scale
from bench.metrics.psnr import PSNR
from bench.report.comparison import comparison_table
from bench.report.plain import render_plain

SIGNED = "psnr|y601s|shave:s|q:u8|agg:img|v1"
INFOS = {"psnr": PSNR.info}

Cells = Mapping[tuple[str, str, float, int], Sequence[float | None]]
"""(method, dataset, scale, seed) -> a value per image."""


def run_of(cells: Cells, *, signature: str = SIGNED, sources: Mapping[str, str] | None = None) -> RunFrames:
    """A run of these values."""
    rows = []
    for (method, dataset, scale, seed), values in cells.items():
        for index, value in enumerate(values):
            image, status = f"img_{index:03d}", "failed" if value is None else "ok"
            source = (sources or {}).get(image, f"h{index}")
            rows.append((method, "", dataset, image, scale, seed, "psnr", value, status, signature, "o", source, None))
    expected = {(m, "", d, s, seed): len(values) for (m, d, s, seed), values in cells.items()}
    methods = dict.fromkeys(key[0] for key in cells)
    return RunFrames(
        records=records_frame(rows),
        planned=planned_cells(expected),
        rows=[RowInfo(method=m, variant="", display=m.upper()) for m in methods],
        metrics=["psnr"],
    )


def compare(first: RunFrames, second: RunFrames, a: str, b: str, **options) -> Comparison:
    return compare_rows(Side(first, first.called(a)), Side(second, second.called(b)), INFOS, **options)


def urban_like(seed: int, gain: float, *, images: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Values of two methods as on Urban100: 17 to 35 dB between images, 0.2 dB of scatter within them."""
    rng = np.random.default_rng(seed)
    base = rng.normal(24.5, 3.6, images)
    return base + gain + rng.normal(0, 0.2, images), base


def test_planted_difference_on_two_runs_is_found_and_printed() -> None:
    """Catches values that are paired in the order of rows (B's images come reversed), and a lost column."""
    a, b = urban_like(1, 0.12)
    first = run_of({("ours", "Urban100", 4.0, 0): a.tolist()})
    second = run_of({("liif", "Urban100", 4.0, 0): b.tolist()})
    second = RunFrames(
        records=second.records.iloc[::-1].reset_index(drop=True), planned=second.planned, rows=second.rows
    )
    found = compare(first, second, "ours", "liif")
    cell = found.cells[0]
    assert cell.verdict is Verdict.BETTER
    assert cell.found.low < 0.12 < cell.found.high
    assert cell.found.mean == pytest.approx(float((a - b).mean()))
    text = render_plain(comparison_table(found, INFOS), "text")
    line = next(line for line in text.splitlines() if line.startswith("×4"))
    for part in ("PSNR", "100", f"+{cell.found.mean:.3f}", f"[+{cell.found.low:.3f},", f"{cell.adjusted:.4f}"):
        assert part in line
    assert f"{cell.found.wins}/{cell.found.losses}/0" in line
    assert line.endswith("better")
    assert max(map(len, text.splitlines())) <= 80
    assert f"A gains most on img_{int(np.argmax(a - b)):03d}" in text


def test_equal_runs_have_no_difference() -> None:
    """Catches a comparison that finds something between a run and itself."""
    a, b = urban_like(2, 0.0)
    equal = compare(run_of({("m", "U", 4.0, 0): b}), run_of({("m", "U", 4.0, 0): b}), "m", "m").cells[0]
    assert (equal.verdict, equal.found.ties, equal.found.p) == (Verdict.INDETERMINATE, 100, 1.0)
    alike = compare(run_of({("m", "U", 4.0, 0): a}), run_of({("m", "U", 4.0, 0): b}), "m", "m").cells[0]
    assert alike.verdict is Verdict.INDETERMINATE


def test_seeds_are_averaged_per_image_before_anything_else() -> None:
    """Catches draws that are counted as images: three seeds of eight images are not 24 images."""
    rng = np.random.default_rng(0)
    base = rng.normal(25, 3, 8)
    drawn = {("ours", "S", 4.0, seed): (base + rng.normal(0.1, 0.05, 8)).tolist() for seed in range(3)}
    run = run_of({**drawn, ("liif", "S", 4.0, 0): base.tolist()})
    cell = compare(run, run, "ours", "liif").cells[0]
    assert cell.found.n == 8
    assert cell.found.mean == pytest.approx(np.mean([np.array(v) - base for v in drawn.values()]))


def test_image_that_failed_in_one_row_is_in_neither_and_is_said() -> None:
    """Catches a mean of A over eight images beside one of B over seven, and an image with one seed of two."""
    values = [30.0, 31, 32, 33, 34, 35, 36, 37]
    run = run_of(
        {
            ("ours", "S", 4.0, 0): [*values[:7], None],
            ("ours", "S", 4.0, 1): [None, *values[1:]],
            ("liif", "S", 4.0, 0): values,
        }
    )
    found = compare(run, run, "ours", "liif")
    assert (found.cells[0].found.n, found.cells[0].mean_b) == (6, 33.5)
    assert any("6 of 8 images" in note for note in found.notes)


def test_two_signatures_are_refused_by_their_tokens() -> None:
    """Catches numbers of two protocols that are subtracted from each other."""
    a, b = urban_like(1, 0.1, images=8)
    other = run_of({("liif", "S", 4.0, 0): b}, signature=SIGNED.replace("y601s", "rgb"))
    with pytest.raises(RequestError, match="y601s vs rgb"):
        compare(run_of({("ours", "S", 4.0, 0): a}), other, "ours", "liif")


def test_images_of_one_name_and_other_files_are_refused_by_name() -> None:
    """Catches pairing by name alone: two sets called S."""
    a, b = urban_like(1, 0.1, images=8)
    other = run_of({("liif", "S", 4.0, 0): b}, sources={"img_003": "other"})
    with pytest.raises(RequestError, match="img_003 was made from other files"):
        compare(run_of({("ours", "S", 4.0, 0): a}), other, "ours", "liif")


def test_set5_is_too_few() -> None:
    """Catches a verdict on five images, and a p that is shown as if it could mean something."""
    run = run_of({("ours", "Set5", 2.0, 0): [31.0] * 5, ("liif", "Set5", 2.0, 0): [30.0, 30.1, 30.2, 30.3, 30.4]})
    found = compare(run, run, "ours", "liif")
    assert found.cells[0].verdict is Verdict.TOO_FEW
    assert found.cells[0].adjusted is None
    text = render_plain(comparison_table(found, INFOS), "text")
    assert "too few images" in text
    assert "below 6" in text


def test_aggregated_numbers_are_left_out_and_said() -> None:
    """Catches PSNR of batches compared by the means of images, which are other numbers."""
    a, b = urban_like(1, 0.1, images=8)
    run = run_of(
        {("ours", "S", 4.0, 0): a, ("liif", "S", 4.0, 0): b}, signature=SIGNED.replace("agg:img", "agg:batch8-mse")
    )
    found = compare(run, run, "ours", "liif")
    assert not found.cells
    assert "batch8-mse" in found.notes[0]


def test_correction_is_over_the_cells_that_are_shown() -> None:
    """Catches Holm's correction per cell, and one over cells that were not asked for."""
    rng = np.random.default_rng(5)
    base = {scale: rng.normal(25, 3, 30) for scale in (2.0, 3.0, 4.0)}
    run = run_of(
        {("ours", "S", s, 0): v + rng.normal(0.05, 0.12, 30) for s, v in base.items()}
        | {("liif", "S", s, 0): v for s, v in base.items()}
    )
    every = compare(run, run, "ours", "liif")
    alone = compare(run, run, "ours", "liif", selection=Selection(scales=(2.0,)))
    assert alone.cells[0].adjusted == alone.cells[0].found.p == every.cells[0].found.p
    assert sum(c.adjusted or 0 for c in every.cells) > sum(c.found.p or 0 for c in every.cells)


def test_effect_of_ones_own_choice() -> None:
    """Catches an --effect that is read and not used."""
    a, b = urban_like(1, 0.12)
    run = run_of({("ours", "U", 4.0, 0): a, ("liif", "U", 4.0, 0): b})
    assert compare(run, run, "ours", "liif", effects={"": 0.3}).cells[0].verdict is Verdict.INDETERMINATE
    assert compare(run, run, "ours", "liif", effects={"psnr": 0.01}).cells[0].verdict is Verdict.BETTER


def test_worst_image_is_named_and_an_exact_one_is_a_win() -> None:
    """Catches images that are sorted by their value instead of their difference."""
    run = run_of(
        {
            ("ours", "S", 4.0, 0): [math.inf, 30.0, 40.0, 20.0, 30, 30, 30, 30],
            ("liif", "S", 4.0, 0): [40.0, 29.9, 43.0, 19.9, 29, 29, 29, 29],
        }
    )
    cell = compare(run, run, "ours", "liif").cells[0]
    assert cell.best[0] == ("img_000", math.inf)
    assert cell.worst == (("img_002", -3.0),)
    assert (cell.found.wins, cell.found.losses, cell.found.n) == (7, 1, 7)


def test_a_row_is_not_compared_with_itself() -> None:
    """Catches a table of ties where a name was mistyped."""
    run = run_of({("ours", "S", 4.0, 0): [30.0] * 8})
    with pytest.raises(RequestError, match="same row"):
        compare(run, run, "ours", "OURS")


def test_rows_that_share_nothing_say_what_they_have() -> None:
    """Catches an empty table."""
    run = run_of({("ours", "S", 4.0, 0): [30.0] * 8, ("liif", "T", 2.0, 0): [30.0] * 8})
    with pytest.raises(RequestError, match="A has S ×4; B has T ×2"):
        compare(run, run, "ours", "liif")


def test_scale_per_axis_in_one_run_alone_does_not_stand_in_the_way() -> None:
    """Catches frames that are merged by their scales, whose columns are numbers in one run and objects in the other."""
    a, b = urban_like(1, 0.1, images=8)
    first = run_of({("ours", "S", 4.0, 0): a})
    second = run_of({("liif", "S", 4.0, 0): b, ("liif", "S", parse_scale("1.5x2"), 0): b})
    for x, y, names in ((first, second, ("ours", "liif")), (second, first, ("liif", "ours"))):
        assert [cell.scale for cell in compare(x, y, *names).cells] == [4.0]


def test_planned_seed_without_any_record_is_missed() -> None:
    """Catches an interrupted run that is compared by its first seed alone, as if no other had been asked for."""
    a, b = urban_like(1, 0.1, images=8)
    begun = run_of({("ours", "S", 4.0, 0): a, ("ours", "T", 4.0, 0): a, ("ours", "T", 4.0, 1): a})
    wanted = {("ours", "", "S", 4.0, seed): 8 for seed in (0, 1)} | {("ours", "", "T", 4.0, seed): 8 for seed in (0, 1)}
    begun = replace(begun, planned=planned_cells(wanted))
    found = compare(begun, run_of({("liif", "S", 4.0, 0): b, ("liif", "T", 4.0, 0): b}), "ours", "liif")
    assert [cell.dataset for cell in found.cells] == ["T"]
    assert found.notes == ("PSNR on S ×4 is left out: no image has a value in both.",)


def test_seeds_of_two_versions_are_left_out_and_said() -> None:
    """Catches a mean over seeds of which the tables say that they are of two versions of the code."""
    a, b = urban_like(1, 0.1, images=8)
    own = run_of({("ours", "S", 4.0, 0): a, ("ours", "S", 4.0, 1): a})
    plans = tuple(
        Planned(cell=("ours", "", "S", 4.0, seed), images=8, origin=origin, measures={SIGNED: "psnr"})
        for seed, origin in ((0, "before"), (1, "after"))
    )
    found = compare(replace(own, planned=plans), run_of({("liif", "S", 4.0, 0): b}), "ours", "liif")
    assert not found.cells
    assert "left out: the seeds are of 2 versions" in found.notes[0]


def test_effect_of_a_metric_that_is_not_compared_is_refused() -> None:
    """Catches a mistyped name that leaves the metric's own smallest difference in force without a word."""
    a, b = urban_like(1, 0.1, images=8)
    run = run_of({("ours", "S", 4.0, 0): a, ("liif", "S", 4.0, 0): b})
    with pytest.raises(RequestError, match=r"--effect pnsr=.*there are psnr"):
        compare(run, run, "ours", "liif", effects={"pnsr": 1.0})


def test_means_are_over_the_images_of_the_difference() -> None:
    """Catches a mean that an exact image makes infinite beside a finite difference."""
    a = [30.0, 31, 32, 33, 34, 35, math.inf]
    b = [29.5, 30.5, 31.5, 32.5, 33.5, 34.5, 40.0]
    cell = compare(run_of({("ours", "S", 4.0, 0): a}), run_of({("liif", "S", 4.0, 0): b}), "ours", "liif").cells[0]
    assert (cell.mean_a, cell.mean_b, cell.found.mean, cell.found.n) == (32.5, 32.0, 0.5, 6)


def test_images_that_differ_by_the_order_of_summation_are_named_nowhere() -> None:
    """Catches "better" over ten ties, and "gains most" by +0.000."""
    values = [30.0 + index for index in range(10)]
    run = run_of({("ours", "S", 4.0, 0): [v + 4e-14 for v in values], ("liif", "S", 4.0, 0): values})
    cell = compare(run, run, "ours", "liif", effects={"": 0.0}).cells[0]
    assert (cell.found.ties, cell.found.mean, cell.found.p) == (10, 0.0, 1.0)
    assert (cell.verdict, cell.best, cell.worst) == (Verdict.INDETERMINATE, (), ())


def test_a_metric_of_the_training_of_one_row_is_said() -> None:
    """Catches a verdict on a metric that one of the two was trained by, without a word; of two that both were, nothing
    is said."""
    a, b = urban_like(1, 0.1, images=8)
    run = run_of({("ours", "S", 4.0, 0): a, ("liif", "S", 4.0, 0): b})
    for trained, count in (({"ours"}, 1), ({"ours", "liif"}, 0), (set(), 0)):
        rows = [replace(row, minimised=("psnr",) if row.method in trained else ()) for row in run.rows]
        notes = compare(replace(run, rows=rows), replace(run, rows=rows), "ours", "liif").notes
        assert sum("PSNR was part of the loss in the training of OURS" in note for note in notes) == count


def test_correction_that_leaves_nothing_to_be_certain_is_said() -> None:
    """Catches a column of "indeterminate" that no images could have decided: here the smallest p is 2 / 2^6, twice."""
    a, b = urban_like(1, 0.5, images=6)
    one = {("ours", "S", 4.0, 0): a, ("liif", "S", 4.0, 0): b}
    two = one | {("ours", "S", 2.0, 0): a, ("liif", "S", 2.0, 0): b}
    for cells, count in ((one, 0), (two, 1)):
        run = run_of(cells)
        text = render_plain(comparison_table(compare(run, run, "ours", "liif"), INFOS), "md")
        assert text.count("No difference can be certain here: 2 cells on 6 images") == count
