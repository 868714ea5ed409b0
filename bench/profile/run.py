"""Profiling several methods: one process each, one after the other, so that time and memory are a method's own.

A process that is killed (for memory, most often) costs its own row only, and what it measured before stands. In several
turns each method is measured again after all others.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

from bench.api import RequestError, format_scale
from bench.engine.choice import MethodChoice
from bench.profile.child import Message, measure
from bench.profile.measured import Loading, Machine, Measured, MethodProfile, Profile
from bench.profile.request import ProfileRequest

Listener = Callable[[str], None]
"""Is told a sentence per result, as it comes."""


def profile(request: ProfileRequest, listener: Listener | None = None) -> Profile:
    """Measure every method of a request.

    Args:
        request: What to measure.
        listener: Is told of progress.
    Raises:
        RequestError: the request is wrong, or not one method could be loaded.
    """
    choices = request.choices()
    tell = listener or _silent
    rows: list[MethodProfile | None] = [None] * len(choices)
    machines: list[Machine] = []
    for _ in range(request.turns):
        for index, choice in enumerate(choices):
            before = rows[index]
            if before is not None and before.failure:
                continue
            row, machine = _row(request, index, choice, tell)
            rows[index] = row if before is None else before.and_again(row)
            machines += [machine] if machine is not None else []
    found = tuple(row for row in rows if row is not None)
    if not machines:
        raise RequestError(f"nothing could be measured: {found[0].failure}")
    return Profile(
        machine=machines[0], repeats=request.repeats, turns=request.turns, warmup=request.warmup, methods=found
    )


def _row(
    request: ProfileRequest, index: int, choice: MethodChoice, tell: Listener
) -> tuple[MethodProfile, Machine | None]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(request, index, theirs), daemon=True)
    row = MethodProfile(method=choice.name, variant=choice.variant, display=choice.display)
    machine = None
    process.start()
    theirs.close()
    try:
        while True:
            message = _next(mine)
            if message is None:
                process.join()
                if process.exitcode:
                    row = replace(row, failure=_death(process.exitcode))
                break
            if isinstance(message.content, Machine):
                machine = message.content
                continue
            row = _with(row, message)
            tell(f"{choice.display}: {_words(message)}")
    finally:
        process.terminate()
        process.join()
        mine.close()
    if row.failure:
        tell(f"{choice.display} failed: {row.failure}")
    return row, machine


def _child(request: ProfileRequest, index: int, connection: Connection) -> None:
    """The process itself."""
    measure(request, index, connection.send)
    connection.close()


def _next(connection: Connection) -> Message | None:
    """What comes next; None at the end."""
    try:
        return connection.recv()
    except EOFError:
        return None


def _with(row: MethodProfile, message: Message) -> MethodProfile:
    content = message.content
    if message.failed:
        return replace(row, failure=str(content))
    if isinstance(content, Loading):
        return replace(row, loading=content)
    if isinstance(content, Measured):
        return replace(row, measured=(*row.measured, content))
    return replace(row, notes=(*row.notes, str(content)))


def _words(message: Message) -> str:
    content = message.content
    if isinstance(content, Loading):
        return f"imported in {content.torch + content.code:.1f} s, loaded in {content.reading:.2f} s"
    if isinstance(content, Measured):
        height, width = content.size
        return f"x{format_scale(content.scale)}, {width}x{height}: {content.spread.median:.3g} s"
    return str(content)


def _death(code: int) -> str:
    """Why a process ended that said nothing."""
    if code < 0:
        return f"its process was ended by signal {-code}, most often for want of memory; try a smaller --lr or --tile"
    return f"its process ended with exit code {code}"


def _silent(_: str) -> None:
    """Nobody listens."""
