"""Methods and what each is compared with: `--versus`, one more variant on top of `--set`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.api import RequestError

if TYPE_CHECKING:
    from bench.engine.request import MethodChoice


def variants(
    names: Sequence[str], *, weights: str | None, overrides: Sequence[str], versus: Sequence[str]
) -> list[MethodChoice]:
    """The methods as `--set` says, each followed by its variants.

    Args:
        names: Registered names.
        weights, overrides: As `choose_methods` takes them.
        versus: Each "name.option=value", several of them separated by spaces: one more variant of these methods.
    Raises:
        RequestError: as `choose_methods`, an empty variant, or two variants that are the same.
    """
    from bench.engine.request import choose_methods

    base = choose_methods(names, weights=weights, overrides=overrides)
    found = {choice.name: [choice] for choice in base}
    for text in versus:
        items = shlex.split(text)
        if not items:
            raise RequestError("--versus needs METHOD.OPTION=VALUE, such as --versus casr.ssam=false")
        meant = {item.partition(".")[0] for item in items}
        for choice in choose_methods(names, weights=weights, overrides=[*overrides, *items]):
            if choice.name in meant:
                found[choice.name].append(choice)
    for own in found.values():
        seen = [choice.options for choice in own]
        twice = next((choice for number, choice in enumerate(own) if choice.options in seen[:number]), None)
        if twice is not None:
            raise RequestError(f"{twice.display} would be drawn twice: a --versus variant must differ from the others")
    return [choice for own in found.values() for choice in own]
