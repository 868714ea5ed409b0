"""Rules of boxes and fronts, bands, and sheets on which nothing overlaps."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.stats import bootstrap

from bench.api import Direction
from bench.figures.boxes import disagreement, spread_images, widest_disagreement
from bench.figures.curve.drawing import draw_curves
from bench.figures.curve.numbers import Line, Point, interval
from bench.figures.page import page_style
from bench.figures.pictures import Box, enlarged_lr, fitted, repeated
from bench.figures.plane.drawing import draw_plane
from bench.figures.plane.points import PlanePoint, on_front
from bench.figures.sheet import Group, Panel, Sheet, Strip, cell_dots, draw_sheet
from bench.report.model import MethodRow, MetricColumn

PSNR = MetricColumn("psnr", "PSNR", Direction.HIGHER, 2)
LPIPS = MetricColumn("lpips", "LPIPS", Direction.LOWER, 4)
LONG = "AVeryLongNameOfAMethodWithoutAnySpace (weights=3fa2c1d0, ensemble=false, a second option=17)"


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_the_box_is_the_one_that_trying_all_of_them_finds(seed: int, height: int, width: int) -> None:
    """Catches an integral image that is off by one, and a box that leaves the image."""
    apart = np.random.default_rng(seed).integers(0, 4, (7, 8)).astype(float)
    box, mean = widest_disagreement(apart, (height, width))
    tall, across = min(height, 7), min(width, 8)
    sums = {(y, x): apart[y : y + tall, x : x + across].mean() for y in range(8 - tall) for x in range(9 - across)}
    best = max(sums.values())
    first = next(place for place, value in sums.items() if value == pytest.approx(best))
    assert (box.y, box.x, box.height, box.width) == (*first, tall, across)
    assert mean == pytest.approx(best)


def test_a_single_method_disagrees_with_the_reference() -> None:
    one, other = np.zeros((3, 3, 3), np.uint8), np.full((3, 3, 3), 20, np.uint8)
    assert np.allclose(disagreement([one], other), 10)
    assert np.allclose(disagreement([one, one], other), 0)


@pytest.mark.parametrize(("count", "names"), [(1, "c"), (2, "bd"), (5, "abcde"), (9, "abcde")])
def test_images_at_even_ranks(count: int, names: str) -> None:
    values = {"d": 4.0, "a": 1.0, "e": 5.0, "c": 3.0, "b": 2.0}
    assert "".join(spread_images(values, count)) == names


def test_the_same_part_of_a_view_in_other_pixels() -> None:
    assert Box(10, 4, 8, 6).scaled((20, 40), (40, 80)) == Box(20, 8, 16, 12)
    assert Box(1, 1, 1, 1).scaled((40, 40), (4, 4)).within((4, 4))


def test_lr_is_repeated_and_never_interpolated() -> None:
    lr = np.array([[[0.0] * 3, [1.0] * 3], [[0.5] * 3, [1.2] * 3]], np.float32)
    shown = enlarged_lr(lr, (5, 4))
    assert set(np.unique(shown)) == {0, 128, 255}
    assert np.array_equal(shown[:, :, 0][:3, :2], np.zeros((3, 2)))
    tall = repeated(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), (6, 4))
    assert np.array_equal(tall, np.arange(12, dtype=np.uint8).reshape(2, 2, 3).repeat(3, 0).repeat(2, 1))


def test_an_image_is_enlarged_by_whole_numbers_and_reduced_by_areas() -> None:
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    assert np.array_equal(fitted(image, 20), image.repeat(2, 0).repeat(2, 1))
    assert fitted(image, 100, 11).shape == (10, 14, 3)
    checks = np.indices((40, 40)).sum(axis=0) % 2 * 200
    small = fitted(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8), 20)
    assert small.shape == (20, 20, 3)
    assert np.all(small == 100)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_front_is_what_nothing_beats(values: list[tuple[int, int]]) -> None:
    """Catches a direction that is turned around, and equal points that beat each other."""
    found = on_front(values, Direction.HIGHER, Direction.LOWER)
    for (x, y), kept in zip(values, found, strict=True):
        beaten = any((a >= x and b <= y) and (a > x or b < y) for a, b in values)
        assert kept is not beaten
    turned = on_front([(-x, y) for x, y in values], Direction.LOWER, Direction.LOWER)
    assert turned == found


def test_bands_are_those_of_scipy_and_the_same_again() -> None:
    """Catches a spread of the images instead of their mean's, and draws that change from call to call."""
    values = np.random.default_rng(1).normal(30, 4, 25).tolist()
    low, high = interval(values, 0) or (0, 0)
    outside = bootstrap((values,), np.mean, method="percentile", n_resamples=9999)
    assert low == pytest.approx(outside.confidence_interval.low, abs=0.15)
    assert high == pytest.approx(outside.confidence_interval.high, abs=0.15)
    assert interval(values, 0) == (low, high) != interval(values, 1)
    assert interval([1.0], 0) is None
    assert interval([1.0, float("inf")], 0) is None


def words_apart(figure: Figure) -> None:
    """No two texts share ink, and none leaves the page."""
    figure.dpi = 300
    with page_style():
        figure.canvas.draw()
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high and axes.axison]
            texts += [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    for words, box in boxes:
        inside = min(box.x0, box.y0) >= -2 and box.x1 <= figure.bbox.x1 + 2 and box.y1 <= figure.bbox.y1 + 2
        assert inside, f"{words!r} leaves the page"
    for (a, first), (b, second) in combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        up = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert across <= 2 or up <= 2, f"{a!r} lies on {b!r}"


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("side", [(2, 2), (3, 70), (90, 40)])
def test_names_numbers_and_pictures_of_a_sheet_do_not_overlap(count: int, side: tuple[int, int]) -> None:
    pixels = np.full((*side, 3), 120, np.uint8)
    panels = [Panel(pixels, ("100.00", "0.12345"), (0,)) for _ in range(count)]
    strips = (
        Strip("×12.34567", (Panel(pixels), *panels)),
        Strip("×4", (Panel(None, missing="not in this run"), *panels)),
    )
    groups = tuple(Group(name, strips, pixels, Box(0, 0, 1, 1)) for name in ("a", "an_image_of_a_long_name_" * 6))
    names = ("LR", *(f"{number} {LONG}" for number in range(count)))
    across = cell_dots(count + 1, whole=True, smallest=side[1])
    words_apart(draw_sheet(Sheet(names, groups, ("A note. " * 40,)), across))
    plain = tuple(Group(LONG, strips) for _ in range(2))
    colours = cell_dots(count + 1, whole=False, colours=True)
    words_apart(draw_sheet(Sheet(names, plain, ("A note.",), (255.0, "levels")), colours))


@pytest.mark.parametrize("count", [1, 12])
def test_names_and_panels_of_curves_and_planes_do_not_overlap(count: int) -> None:
    rows = [MethodRow(f"m{number}", "", f"{number} {LONG}") for number in range(count)]
    places = [("A data set of a rather long name", scale) for scale in (2.0, 3.14159, 4.0, 30.0)]
    lines = [
        Line(
            dataset=dataset,
            metric=metric,
            row=row,
            points=tuple(
                Point(scale=scale, mean=20 + number + scale, low=18 + number, high=60 + number, n=3)
                for scale in (1.5, 2, 3, 4, 6, 8, 12, 18, 24, 30)
            ),
        )
        for dataset in ("Set5", "A data set of a rather long name")
        for metric in (PSNR, LPIPS)
        for number, row in enumerate(rows)
    ]
    words_apart(draw_curves(lines, rows, dict.fromkeys(rows, (1.0, 4.0)), ["A note."]))
    points = [
        PlanePoint(dataset=dataset, scale=scale, row=row, x=20.0 + number, y=0.1 * number, front=number == 0)
        for dataset, scale in places
        for number, row in enumerate(rows)
    ]
    words_apart(draw_plane(points, places, rows, (PSNR, LPIPS), ["A note."]))


def test_points_outside_the_training_are_hollow_and_its_range_is_shaded() -> None:
    """Catches a range that is drawn but not the method's own."""
    row = MethodRow("m", "", "M")
    points = tuple(Point(scale=scale, mean=30 - scale) for scale in (2.0, 4.0, 8.0))
    figure = draw_curves([Line(dataset="S", metric=PSNR, row=row, points=points)], [row], {row: (1.0, 4.0)}, [])
    panel = next(axes for axes in figure.axes if axes.get_title() == "" and axes.get_xscale() == "log" and axes.patches)
    single = {line.get_xdata()[0]: line.get_markerfacecolor() for line in panel.lines if len(line.get_xdata()) == 1}  # type: ignore[index]
    assert single[2.0] == single[4.0] != "white"
    assert single[8.0] == "white"
    assert panel.patches[0].get_extents().transformed(panel.transData.inverted()).x1 == pytest.approx(4.0)
