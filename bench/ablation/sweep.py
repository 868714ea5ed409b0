"""`--sweep METHOD.OPTION=VALUE,VALUE,…`: lists of values, and their product."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.api import RequestError

_SEED = "seed"
_FORM = "expected METHOD.OPTION=VALUE,VALUE such as casarbi.rho=0,0.5,1, or seed=0,1,2"


@dataclass(frozen=True)
class Sweep:
    """One option and the values that it takes, as typed."""

    method: str
    option: str
    values: tuple[str, ...]

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers; None where one is no number or there is only one."""
        try:
            numbers = tuple(float(value) for value in self.values)
        except ValueError:
            return None
        return numbers if len(set(numbers)) > 1 else None


def parse_sweeps(items: Sequence[str]) -> tuple[tuple[Sweep, ...], str | None]:
    """The sweeps over options, and the seeds where one is over them.

    Values are separated by commas; by semicolons where one of them holds commas ("casr.fixed=4,3,1.5;2,2,3,1.5").

    Raises:
        RequestError: another form, a value or an option that comes twice.
    """
    sweeps: list[Sweep] = []
    seeds = None
    for item in items:
        target, equals, text = item.partition("=")
        method, dot, option = target.strip().rpartition(".")
        values = tuple(value.strip() for value in text.split(";" if ";" in text else ",") if value.strip())
        if not equals or not values or (target.strip() != _SEED and not (dot and method and option)):
            raise RequestError(f"--sweep {item}: {_FORM}")
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise RequestError(f"--sweep {item}: '{twice}' is given twice; leave one out")
        if any((sweep.method, sweep.option) == (method, option) for sweep in sweeps):
            raise RequestError(f"--sweep {target.strip()} is given twice; put all values into one list")
        if target.strip() == _SEED:
            if seeds is not None:
                raise RequestError(f"--sweep {_SEED} is given twice; put all seeds into one list")
            seeds = ",".join(values)
            continue
        sweeps.append(Sweep(method, option, values))
    return tuple(sweeps), seeds


def grid(sweeps: Sequence[Sweep]) -> Iterator[Mapping[str, str]]:
    """Every combination of the values, option -> value; the last sweep turns fastest.

    >>> list(grid([Sweep("m", "a", ("0", "1")), Sweep("m", "b", ("x",))]))
    [{'a': '0', 'b': 'x'}, {'a': '1', 'b': 'x'}]
    """
    for values in itertools.product(*(sweep.values for sweep in sweeps)):
        yield {sweep.option: value for sweep, value in zip(sweeps, values, strict=True)}


def numeric_sweep(sweeps: Sequence[Sweep]) -> Sweep | None:
    """The sweep that a curve can be drawn over: the only one over numbers."""
    numeric = [sweep for sweep in sweeps if sweep.numbers is not None]
    return numeric[0] if len(numeric) == 1 else None
