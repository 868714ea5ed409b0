"""Rows as they are typed, and what `--weights`, `--set`, `--versus` and `--name` say of them.

What is named twice, or speaks of no row, is an error: which of two was meant nobody knows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.api import MethodSpec, RequestError
from bench.plugins import method_spec
from bench.weights.published import PUBLISHED, labelled_card

_ROW = re.compile(r"(?:(?P<name>[^=:]+)=)?(?P<method>[^=:]+)(?::(?P<weights>.+))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, eq=False)
class TypedRow:
    """One row as it was typed; two of them are never equal.

    Attributes:
        handle: What the other options call it: its name, or its method's.
        spec: The method.
        weights: What stands behind ":"; None: nothing.
        named: Whether it was given a name of its own.
    """

    handle: str
    spec: MethodSpec
    weights: str | None
    named: bool


def takes_weights(spec: MethodSpec) -> bool:
    """True where a method has something to load."""
    return bool(spec.weights or spec.weights_how)


def parse_rows(names: Sequence[str]) -> list[TypedRow]:
    """METHOD, METHOD:WEIGHTS or NAME=METHOD[:WEIGHTS], each once.

    Raises:
        RequestError: an unknown method, a name that cannot be used, or one that comes twice.
    """
    if not names:
        raise RequestError("no method given; choose some with --methods bicubic,liif ('bench methods' lists them all)")
    rows: list[TypedRow] = []
    for text in names:
        match = _ROW.fullmatch(text.strip())
        if match is None:
            raise RequestError(f"--methods {text}: expected METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS")
        spec = method_spec(match["method"].strip())
        name = match["name"].strip() if match["name"] else ""
        if name and not _NAME.fullmatch(name):
            raise RequestError(f"--methods {text}: the name '{name}' may have letters, digits, '_', '-' and '.' only")
        row = TypedRow(name or spec.info.name, spec, match["weights"], bool(name))
        twins = [other for other in rows if other.handle == row.handle]
        if any(other.named or row.named or other.weights == row.weights for other in twins):
            raise RequestError(
                f"--methods names '{row.handle}' twice; leave one out, or give rows names of their own: "
                f"--methods a={spec.info.name},b={spec.info.name}"
            )
        rows.append(row)
    return rows


def typed_weights(weights: str | Mapping[str, str] | None, rows: Sequence[TypedRow]) -> dict[TypedRow, str]:
    """Row -> label or path, from one text for all, "row=label-or-path,…", or a mapping.

    Raises:
        RequestError: a row that is not there or named twice, or no telling which one is meant.
    """
    if weights is None:
        return {}
    handles = {row.handle for row in rows} | {row.spec.info.name for row in rows}
    if isinstance(weights, str):
        words = [part.partition("=") for part in weights.split(",")]
        named = [(name.strip(), value) for name, equals, value in words if equals and name.strip() in handles]
        if named and len(named) < len(words):
            odd = next("".join(word) for word in words if word[0].strip() not in handles or not word[1])
            raise RequestError(f"--weights {weights}: '{odd}' names none of {', '.join(sorted(handles))}")
        if named:
            return _named_weights(named, rows)
    else:
        return _named_weights(weights.items(), rows)
    takers = [row for row in rows if takes_weights(row.spec) and row.weights is None]
    if not takers:
        raise RequestError(f"--weights {weights}: none of {', '.join(row.handle for row in rows)} takes weights")
    is_label = weights in ("lite", "full", PUBLISHED) or any(_is_label(weights, row.spec) for row in takers)
    if len(takers) > 1 and not is_label:
        names = [row.handle for row in takers]
        raise RequestError(
            f"--weights {weights} could mean {' or '.join(names)}; say which: --weights {names[0]}={weights}"
        )
    return dict.fromkeys(takers, weights)


def _is_label(text: str, spec: MethodSpec) -> bool:
    return text in spec.weights or labelled_card(spec, text) is not None


def _named_weights(named: Iterable[tuple[str, str]], rows: Sequence[TypedRow]) -> dict[TypedRow, str]:
    """Row -> label or path, from one text for all, "row=label-or-path,…", or a mapping.

    Raises:
        RequestError: a row that is not there or named twice, or no telling which one is meant.
    """
    found: dict[TypedRow, str] = {}
    for name, value in named:
        meant = _meant(name, rows)
        if not meant:
            raise RequestError(
                f"--weights {name}={value}: '{name}' is not among the methods of this run "
                f"({', '.join(row.handle for row in rows)})"
            )
        for row in meant:
            if row in found:
                raise RequestError(f"--weights names '{name}' twice; leave one out")
            if row.weights is not None:
                raise RequestError(f"--weights {name}={value}: --methods says {row.handle}:{row.weights} already")
            found[row] = value
    return found


def _meant(name: str, rows: Sequence[TypedRow]) -> list[TypedRow]:
    """The rows that a name speaks of: the row of this name, else all rows of the method."""
    exact = [row for row in rows if row.handle == name]
    return exact or [row for row in rows if row.spec.info.name == name]


def typed_options(items: Iterable[str], rows: Sequence[TypedRow], option: str) -> dict[TypedRow, dict[str, str]]:
    """Row -> option -> value, from "row.option=value" items.

    Args:
        items: As typed.
        rows: All rows; a method's name speaks of all rows of the method.
        option: What the items were typed behind, for messages.
    Raises:
        RequestError: another form, a row that is not there, or an option that is given twice.
    """
    found: dict[TypedRow, dict[str, str]] = {}
    for item in items:
        target, equals, value = item.partition("=")
        name, dot, key = target.rpartition(".")
        if not equals or not dot or not key:
            raise RequestError(f"{option} {item}: expected METHOD.OPTION=VALUE, such as --set liif.ensemble=false")
        meant = _meant(name, rows)
        if not meant:
            handles = ", ".join(row.handle for row in rows)
            raise RequestError(f"{option} {item}: '{name}' is not among the methods of this run ({handles})")
        for row in meant:
            if key in found.setdefault(row, {}):
                raise RequestError(f"{option} gives {name}.{key} twice ({found[row][key]} and {value}); leave one out")
            found[row][key] = value
    return found


def typed_variant(text: str, rows: Sequence[TypedRow]) -> dict[TypedRow, dict[str, str]]:
    """What one `--versus` changes: row -> option -> value.

    Raises:
        RequestError: as `typed_options`, or nothing is changed.
    """
    try:
        items = shlex.split(text)
    except ValueError as fault:
        raise RequestError(f"--versus {text}: {fault}; quote a value with spaces") from None
    if not items:
        raise RequestError("--versus needs METHOD.OPTION=VALUE, such as --versus casr.ssam=false")
    return typed_options(items, rows, "--versus")


def typed_labels(labels: Iterable[str], rows: Sequence[TypedRow]) -> dict[TypedRow, str]:
    """Row -> label for tables, from "row=label" items.

    Raises:
        RequestError: another form, a row that is not there, several rows, or one that is named twice.
    """
    found: dict[TypedRow, str] = {}
    for item in labels:
        name, equals, label = (part.strip() for part in item.partition("="))
        meant = _meant(name, rows)
        if not equals or not label:
            raise RequestError(f'--name {item}: expected METHOD=LABEL, such as --name imdn="IMDN [12]"')
        if not meant:
            handles = ", ".join(row.handle for row in rows)
            raise RequestError(f"--name {item}: '{name}' is not among the methods of this run ({handles})")
        if len(meant) > 1:
            raise RequestError(f"--name {item}: {len(meant)} rows are of {name}; name them in --methods: a={name}:…")
        if meant[0] in found:
            raise RequestError(f"--name names '{name}' twice; leave one out")
        found[meant[0]] = label
    return found
