"""What is to be profiled, as plain values that a process of its own can be given, checked before one is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.api import RequestError, Scale, Size, UnitError, format_scale, parse_factors, sr_size
from bench.engine.choice import MethodChoice, choose_methods
from bench.engine.request import check_device
from bench.engine.returned import require_possible
from bench.plugins import load_plugin


@dataclass(frozen=True)
class Task:
    """One measurement: an LR size (height, width) and the size of the result."""

    lr: Size
    size: Size
    scale: Scale


@dataclass(frozen=True, kw_only=True)
class ProfileRequest:
    """Rows and what is measured of each.

    Attributes:
        methods: METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS, as `bench run` takes them.
        tasks: In the order in which they are measured: rising, so that memory that an allocator keeps is not held
            against a smaller image.
        weights, set, name, plugin: As for `bench run`.
        device: auto, cpu, cuda or cuda:N.
        tile: LR tile side, for methods that may be tiled.
        threads: That torch computes with; None: as torch has it.
        repeats: Times that count, per turn.
        turns: Rounds through all methods, each method in a new process every time: a machine whose speed drifts then
            slows all of them alike, and the quartiles show by how much.
        warmup: Times before them; the first of these also counts operations.
        stages: Time the stages of a cascade too.
        seed: Of stochastic methods.
    """

    methods: tuple[str, ...]
    tasks: tuple[Task, ...]
    weights: str | None = None
    set: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    plugin: tuple[Path, ...] = ()
    device: str = "auto"
    tile: int | None = None
    threads: int | None = None
    repeats: int = 5
    turns: int = 1
    warmup: int = 1
    stages: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            RequestError: no method, no task, a number that is too small, or an image that is too large.
        """
        if not self.methods:
            raise RequestError("--methods: none given; give one or more, such as --methods bicubic,liif")
        if not self.tasks:
            raise RequestError("no size to measure at; give one or more, such as --scales 2,4")
        for option, value, least in (
            ("repeats", self.repeats, 1),
            ("turns", self.turns, 1),
            ("warmup", self.warmup, 0),
        ):
            if value < least:
                raise RequestError(f"--{option} {value}: expected a whole number of at least {least}")
        if self.threads is not None and self.threads < 1:
            raise RequestError(f"--threads {self.threads}: expected a whole number of at least 1")
        for task in self.tasks:
            try:
                require_possible(task.lr)
                require_possible(task.size)
            except UnitError as fault:
                raise RequestError(f"x{format_scale(task.scale)} of {task.lr[1]}x{task.lr[0]}: {fault}") from None
        check_device(self.device)

    def choices(self) -> tuple[MethodChoice, ...]:
        """The rows, looked up.

        Raises:
            RequestError: an unknown name or option, weights that are not there, or a method that computes nothing.
        """
        for path in self.plugin:
            load_plugin(path)
        found = choose_methods(self.methods, weights=self.weights, overrides=self.set, labels=self.name)
        for choice in found:
            if choice.spec.looks_up:
                raise RequestError(f"'{choice.name}' computes nothing, it looks images up; leave it out of --methods")
        return found


def tasks_of_scales(lr: Size, scales: Sequence[Scale]) -> tuple[Task, ...]:
    """One LR size at several scales, the smallest first."""
    return tuple(Task(lr, sr_size(lr, scale), scale) for scale in sorted(scales))


def parse_sides(text: str, option: str) -> tuple[int, ...]:
    """Sides of squares, rising.

    Raises:
        RequestError: none, or one that is no whole number above 0.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or any(not part.isdecimal() or int(part) < 1 for part in parts):
        raise RequestError(f"{option} {text}: expected sides in pixels and commas, such as {option} 128,256,512")
    return tuple(sorted({int(part) for part in parts}))


def parse_growth(sides: str, scale: str) -> tuple[Task, ...]:
    """Squares of several sides, all at one scale.

    Args:
        sides: Of the results.
        scale: One scale; the LR side is the nearest whole one.
    Raises:
        RequestError: a bad list, several scales, or a side that leaves no LR pixel.
    """
    scales = parse_factors(scale, "--scale")
    if len(scales) != 1:
        raise RequestError(f"--scale {scale}: expected one scale, for growth is measured along the size")
    tasks = []
    for side in parse_sides(sides, "--sizes"):
        lr = round(side / scales[0])
        if lr < 1:
            raise RequestError(f"--sizes {side}: nothing is left of {side} px at x{format_scale(scales[0])}")
        tasks.append(Task((lr, lr), (side, side), scales[0]))
    return tuple(tasks)
