"""Points of a plane of two metrics, and which of them no other one beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.api import Direction, Scale
from bench.report.model import MethodRow


@dataclass(frozen=True, kw_only=True)
class PlanePoint:
    """One method at one scale on one dataset; on the front no other method is at least as good in both and better in
    one."""

    dataset: str
    scale: Scale
    row: MethodRow
    x: float
    y: float
    front: bool = False


def on_front(values: Sequence[tuple[float, float]], x: Direction, y: Direction) -> list[bool]:
    """Which pairs of values are on the Pareto front.

    Args:
        values: (x, y) of each method.
        x, y: Which way is better.
    """
    signs = (1 if x is Direction.HIGHER else -1, 1 if y is Direction.HIGHER else -1)
    better = [(a * signs[0], b * signs[1]) for a, b in values]
    return [not any(_beats(other, own) for other in better) for own in better]


def _beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a != b
