"""Figures of blur kernels: true beside estimated per degradation, and the study of kernel spaces, scale by scale.

Plain arrays come in, so nothing here knows a method. The width is that of a page (7 inches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.api import RequestError, format_times
from bench.figures.page import COLOUR_MAP, PAGE_WIDTH, Page, page_style

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

PER_BAND = 8
"""Degradations side by side; more of them go below."""
_MARGIN, _GAP = 0.45, 0.06
_LINE = 0.118
"""Inches from one line of words to the next."""
_NUMBERS = "L1 distance of the kernels, PSNR of the re-blurred sharp LR image; ± standard deviation over the scales"
_COLOURS = "colour: square root of the taps, one scale for each pair of a true and an estimated kernel"


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelColumn:
    """One degradation.

    Attributes:
        image: uint8 (h, w, 3), a part of the LR image.
        true, estimated: (k, k) kernels, k odd.
        scale: Nominal.
        shrinker: Name of the downsampler.
        sigmas: Standard deviations of the HR-space Gaussian along its axes, in HR pixels.
        theta: Angle of the first axis, in radians.
        reblur_error, true_reblur_error: Of the two kernels, relative to no blur.
    """

    image: U8
    true: F64
    estimated: F64
    scale: float
    shrinker: str
    sigmas: tuple[float, float]
    theta: float
    reblur_error: float
    true_reblur_error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelPair:
    """What one model says at one scale: (k, k) kernels of the shown image, and figures over all images.

    Attributes:
        kernel_l1: Sum of absolute differences.
        reblur_psnr: In dB.
    """

    true: F64
    estimated: F64
    kernel_l1: float
    reblur_psnr: float


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyRow:
    """One scale: a part of the LR image, and a pair for each model."""

    scale: float
    image: U8
    pairs: tuple[KernelPair, ...]


@dataclass(frozen=True, kw_only=True)
class StudyModel:
    """One model of the study.

    Attributes:
        title: Above its columns.
        space: Index of its kernel k: "l" or "h".
        l1, psnr: (mean, standard deviation) over the scales.
        estimate_spread, true_spread: How far the kernels of different scales lie from their mean (L1).
    """

    title: str
    space: str
    l1: tuple[float, float]
    psnr: tuple[float, float]
    estimate_spread: float
    true_spread: float


def draw_recovery(columns: Sequence[KernelColumn]) -> Figure:
    """LR, true and estimated kernel of each degradation, eight degradations side by side.

    The two kernels of a column have one colour scale. All kernels are cut to the same middle part, which holds what
    there is of every one of them; its side in LR pixels stands at the left.

    Raises:
        RequestError: no column.
    """
    if not columns:
        raise RequestError("a kernel figure needs at least one degradation")
    window = _window([(column.true, column.estimated) for column in columns])
    step = (PAGE_WIDTH - _MARGIN) / PER_BAND
    side, top, words = step - _GAP, 0.03, 4.6 * _LINE
    band = 3 * step + words
    bands = -(-len(columns) // PER_BAND)
    with page_style():
        page = _Page(top + bands * band + _LINE)
        for index, column in enumerate(columns):
            left, up = _MARGIN + index % PER_BAND * step, top + index // PER_BAND * band
            page.picture(left, up, side, column.image)
            page.kernels([(left, up + step), (left, up + 2 * step)], side, (column.true, column.estimated), window)
            page.text(left + side / 2, up + 3 * step - 0.01, _column_words(column))
        for up in (top + number * band + side / 2 for number in range(bands)):
            page.text(0.12, up, "LR", va="center", rotation=90, size=7.5)
            for row, label in ((1, "true $k_l$"), (2, "estimated $\\hat{k}_l$")):
                page.text(0.12, up + row * step, label, va="center", rotation=90, size=7.5)
                page.text(0.31, up + row * step, f"{window} LR pixels", va="center", rotation=90, color="0.35")
        page.text(PAGE_WIDTH - _GAP, top + bands * band - 0.02, _COLOURS, ha="right", color="0.35")
        return page.figure


def draw_study(rows: Sequence[StudyRow], models: Sequence[StudyModel], *, note: str = "") -> Figure:
    """LR, and true and estimated kernel of each model, one row per scale.

    Args:
        rows: Scales from top to bottom.
        models: As many as each row has pairs.
        note: A sentence below, such as which image is shown.
    Raises:
        RequestError: no row, or pairs that do not fit the models.
    """
    if not rows or not models or any(len(row.pairs) != len(models) for row in rows):
        raise RequestError("a study figure needs rows that each hold one pair of kernels per model")
    window = _window([(pair.true, pair.estimated) for row in rows for pair in row.pairs])
    top, between, words = 0.36, 0.2, 0.56
    step = (PAGE_WIDTH - _MARGIN - len(models) * (between + words)) / (1 + 2 * len(models))
    side = step - _GAP
    lefts = [_MARGIN + step + between + number * (2 * step + words + between) for number in range(len(models))]
    below = top + len(rows) * step
    with page_style():
        page = _Page(below + 6.2 * _LINE)
        page.text(_MARGIN + side / 2, 0.2, "LR", size=7.5)
        for left, model in zip(lefts, models, strict=True):
            page.text(left + step - _GAP / 2, 0.03, model.title, size=7.5, weight="bold")
            page.text(left + side / 2, 0.2, f"true $k_{model.space}$", size=7.5)
            page.text(left + step + side / 2, 0.2, f"estimated $\\hat{{k}}_{model.space}$", size=7.5)
            page.text(left, below + 0.01, _model_words(model), ha="left")
        for index, row in enumerate(rows):
            up = top + index * step
            page.text(_MARGIN - 0.08, up + side / 2, f"{format_times(row.scale)}", ha="right", va="center", size=7.5)
            page.picture(_MARGIN, up, side, row.image)
            for left, pair in zip(lefts, row.pairs, strict=True):
                page.kernels([(left, up), (left + step, up)], side, (pair.true, pair.estimated), window)
                page.text(left + 2 * step, up + side / 2, _pair_words(pair), ha="left", va="center")
        notes = [note, f"Numbers: {_NUMBERS}.", f"Kernels: the middle {window} pixels; {_COLOURS}."]
        page.text(
            _MARGIN, below + 2.9 * _LINE, "\n".join(filter(None, notes)), ha="left", color="0.35", parse_math=False
        )
        return page.figure


class _Page(Page):
    """A page that shows images and pairs of kernels."""

    def picture(self, left: float, up: float, side: float, pixels: U8) -> None:
        """The middle square of an image."""
        self.axes(left, up, side, side).imshow(_middle(pixels, min(pixels.shape[:2])), interpolation="nearest")

    def kernels(self, places: Sequence[tuple[float, float]], side: float, pair: tuple[F64, F64], window: int) -> None:
        """True and estimated at (left, up), on one colour scale; M's taps may be negative, and keep their sign."""
        shown = [np.sign(kernel) * np.sqrt(np.abs(kernel)) for kernel in (_middle(each, window) for each in pair)]
        low, high = min(0.0, *(float(k.min()) for k in shown)), max(float(k.max()) for k in shown)
        for (left, up), kernel in zip(places, shown, strict=True):
            axes = self.axes(left, up, side, side)
            axes.imshow(kernel, cmap=COLOUR_MAP, vmin=low, vmax=high, interpolation="nearest")


def _column_words(column: KernelColumn) -> str:
    first, second = column.sigmas
    return (
        f"{format_times(column.scale)} {column.shrinker}\n"
        f"σ {first:.1f}, {second:.1f}, {round(np.degrees(column.theta)) % 180}°\n"
        f"re-blur {_ratio(column.reblur_error)}\n"
        f"(true $k_l$ {_ratio(column.true_reblur_error)})"
    )


def _pair_words(pair: KernelPair) -> str:
    return f"L1 {pair.kernel_l1:.2f}\n{pair.reblur_psnr:.1f} dB"


def _model_words(model: StudyModel) -> str:
    return (
        f"L1 {model.l1[0]:.2f} ± {model.l1[1]:.2f}, {model.psnr[0]:.1f} ± {model.psnr[1]:.1f} dB\n"
        f"from scale to scale (L1): true {model.true_spread:.2f}, estimated {model.estimate_spread:.2f}"
    )


def _ratio(value: float) -> str:
    """Where the blur hardly changes the image, the ratio is large and means nothing."""
    return f"{value:.2f}" if value < 10 else "> 10"


def _window(pairs: Sequence[tuple[F64, F64]]) -> int:
    """The smallest side, at least 9, whose middle part holds nearly all of each kernel's absolute taps.

    An estimate is a little noise everywhere, so that 99 % of it must do.
    """
    largest = min(kernel.shape[0] for pair in pairs for kernel in pair)
    for side in range(min(9, largest), largest, 2):
        held = ((_held(true, side), _held(estimated, side)) for true, estimated in pairs)
        if all(of_true >= 0.999 and of_estimated >= 0.99 for of_true, of_estimated in held):
            return side
    return largest


def _held(kernel: F64, side: int) -> float:
    return float(np.abs(_middle(kernel, side)).sum() / np.abs(kernel).sum())


def _middle(values: NDArray[Any], side: int) -> NDArray[Any]:
    top, left = (values.shape[0] - side) // 2, (values.shape[1] - side) // 2
    return values[top : top + side, left : left + side]
