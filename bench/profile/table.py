"""The whole of a profile as one table: a block per method, a line per size, and below it those of its stages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bench.api import NO_VARIANT, format_scale, format_times
from bench.profile.measured import FLOPS_PER_MAC, Measured, MethodProfile, Profile
from bench.profile.timing import Spread
from bench.report.plain import PlainBlock, PlainTable

MEGABYTE = 1e6
_HEAD = ("", "result", "GMAC", "s", "quartiles", "s/MP", "peak MB", "+MB")


def profile_table(profile: Profile, before: Profile | None = None) -> PlainTable:
    """The table, in the order of the request.

    Args:
        profile: What was measured.
        before: An earlier profile that it is held against.
    """
    blocks = [PlainBlock(_title(row), list(_lines(row))) for row in profile.methods]
    return PlainTable(
        caption=f"Cost per image on {profile.machine.words}.",
        head=_HEAD,
        blocks=blocks,
        left=2,
        notes=[*_notes(profile), *([] if before is None else agreement(profile, before))],
        records=[record for row in profile.methods for record in _records(row, profile)],
        label="tab:profile",
    )


def significant(value: float, digits: int = 3) -> str:
    """A number above 0 with so many digits that say something, never with an exponent.

    >>> [significant(value) for value in (0.00025623, 0.0999, 2.5, 1234.5, 0)]
    ['0.000256', '0.0999', '2.50', '1234', '0']
    """
    if not value:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def agreement(profile: Profile, before: Profile) -> list[str]:
    """How two profiles of the same methods and sizes compare, as sentences."""
    theirs = {(row.display, task.lr, task.size): task.spread for row in before.methods for task in row.measured}
    pairs = [
        (f"{row.display} {format_times(task.scale)}", task.spread, theirs[row.display, task.lr, task.size])
        for row in profile.methods
        for task in row.measured
        if (row.display, task.lr, task.size) in theirs
    ]
    if not pairs:
        return ["The earlier profile has no method and size in common with this one."]
    agreeing = sum(new.agrees(old) for _, new, old in pairs)
    listed = ", ".join(f"{name} {new.median / old.median:.2f}" for name, new, old in pairs)
    machine = "" if before.machine == profile.machine else f" It was measured on {before.machine.words}."
    return [
        f"Against the earlier profile: {agreeing} of {len(pairs)} medians differ by no more than the wider "
        f"interquartile range. Time now / then: {listed}.{machine}"
    ]


def _title(row: MethodProfile) -> str:
    loading = row.loading
    if loading is None:
        return f"{row.display}: not measured"
    counted = "no parameters" if not loading.parameters else f"{loading.parameters / 1e6:.2f} M parameters"
    if loading.parameters is None:
        counted = "parameters unknown"
    frozen = f", {loading.frozen / 1e6:.2f} M frozen" if loading.frozen else ""
    imports = loading.torch + loading.code
    return f"{row.display}: {counted}{frozen}; import {imports:.1f} s, load {significant(loading.reading)} s"


def _lines(row: MethodProfile) -> Iterator[tuple[str, ...]]:
    for task in row.measured:
        macs = task.operations.macs
        yield (
            f"{format_times(task.scale)}",
            _size(task.size),
            "--" if macs is None else significant(macs / 1e9),
            *_times(task.spread, task.megapixels),
            f"{task.peak / MEGABYTE:.0f}",
            f"{_grown(row, task) / MEGABYTE:.0f}",
        )
        for number, stage in enumerate(task.stages, start=1):
            megapixels = stage.size[0] * stage.size[1] / 1e6
            times = _times(Spread.of(stage.seconds), megapixels)
            yield ("", f"{number}. {_size(stage.size)}", "", *times, "", "")


def _times(spread: Spread, megapixels: float) -> tuple[str, str, str]:
    quartiles = f"{significant(spread.low)}–{significant(spread.high)}"
    return significant(spread.median), quartiles, significant(spread.median / megapixels)


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"


def _grown(row: MethodProfile, task: Measured) -> int:
    """Memory above the loaded state."""
    return max(0, task.peak - row.loading.memory) if row.loading is not None else task.peak


def _notes(profile: Profile) -> Iterator[str]:
    rows = profile.methods
    tasks = [task for row in rows for task in row.measured]
    lr = ", ".join(dict.fromkeys(_size(task.lr) for task in tasks))
    yield (
        f"LR {lr}. s: median of {profile.calls} after {profile.warmup} of warm-up, beside it the quartiles; "
        "s/MP: per million pixels of the result."
    )
    if any(task.stages for task in tasks):
        yield "Numbered lines: a stage by itself, on the image of the stage before."
    for why, names in _grouped((task.stages_why, row.display) for row in rows for task in row.measured):
        yield f"Stages of {names}: not timed, because {why}."
    yield (
        f"GMAC: billions of multiplications with an addition; 1 MAC = {FLOPS_PER_MAC} FLOPs. Convolutions, products of "
        "matrices and attention are counted."
    )
    unknown = dict.fromkeys(name.rpartition(".")[2].strip("_") for task in tasks for name in task.operations.unknown)
    if unknown:
        yield f"Operators without a formula, not counted: {', '.join(unknown)}."
    for why, names in _grouped((task.operations.reason, row.display) for row in rows for task in row.measured):
        yield f"{names}: not counted, because {why}."
    kinds = dict.fromkeys(row.loading.memory_kind for row in rows if row.loading is not None)
    yield f"Memory: {', '.join(kinds)}, in millions of bytes; +MB: above what is held once the method is loaded."
    if any(task.peak_since_start for task in tasks):
        yield "This system tells only the peak since a process began, so that a peak holds for all lines above it too."
    for row in rows:
        yield from (f"{row.display}: {note}." for note in row.notes)
        if row.failure:
            yield f"{row.display} failed: {row.failure}."


def _grouped(pairs: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """(reason, names) of the pairs that have a reason."""
    found: dict[str, dict[str, None]] = {}
    for reason, name in pairs:
        if reason:
            found.setdefault(reason, {})[name] = None
    return [(reason, ", ".join(names)) for reason, names in found.items()]


def _records(row: MethodProfile, profile: Profile) -> Iterator[dict[str, Any]]:
    """Lines of the CSV file: one per size, with an empty `stage`, and one per stage."""
    for task in row.measured:
        operations, loading = task.operations, row.loading
        whole = {
            "parameters": loading and loading.parameters,
            "frozen": loading and loading.frozen,
            "macs": operations.macs,
            "flops": operations.flops,
            "memory_loaded": loading and loading.memory,
            "memory_peak": task.peak,
            "memory_grown": _grown(row, task),
            "tile": task.tile,
            "seconds_import": loading and loading.torch + loading.code,
            "seconds_load": loading and loading.reading,
        }
        yield _record(row, task, profile, "", task.size, task.seconds, whole)
        for number, stage in enumerate(task.stages, start=1):
            yield _record(row, task, profile, number, stage.size, stage.seconds, dict.fromkeys(whole))


def _record(
    row: MethodProfile,
    task: Measured,
    profile: Profile,
    stage: int | str,
    size: tuple[int, int],
    seconds: tuple[float, ...],
    whole: dict[str, Any],
) -> dict[str, Any]:
    spread, machine = Spread.of(seconds), profile.machine
    values = {
        "method": row.method,
        "variant": row.variant or NO_VARIANT,
        "display": row.display,
        "scale": format_scale(task.scale),
        "lr_height": task.lr[0],
        "lr_width": task.lr[1],
        "stage": stage,
        "height": size[0],
        "width": size[1],
        "seconds": spread.median,
        "seconds_q1": spread.low,
        "seconds_q3": spread.high,
        "repeats": len(seconds),
        "seconds_per_megapixel": spread.median / (size[0] * size[1] / 1e6),
        **whole,
        "device": machine.processor if machine.device == "cpu" else machine.device,
        "threads": machine.threads,
        "torch": machine.torch,
    }
    # an empty text and not None, or pandas would write counts as floats
    return {key: "" if value is None else value for key, value in values.items()}
