"""Rows of the table: which method, with which weights and options, under which name.

A row is typed as `METHOD`, `METHOD:WEIGHTS` or `NAME=METHOD[:WEIGHTS]`; `--set`, `--weights`, `--versus` and `--name`
speak of it by NAME, or by the method where it has none. No name of a row comes from a file or a command line: weights
and free texts are told apart by a few digits of their hash.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from bench.api import UNTRAINED, MethodOptions, MethodSpec, RequestError, as_typed, unknown_name
from bench.engine.keys import digest, weights_hash
from bench.plugins import method_spec

_ROW = re.compile(r"(?:(?P<name>[^=:]+)=)?(?P<method>[^=:]+)(?::(?P<weights>.+))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class MethodChoice:
    """A method with the weights and options it is to run with: one row of the table.

    Attributes:
        spec: The registered method.
        weights: The file or folder to load; None for a method without weights.
        options: Validated options.
        variant: How the row differs from the bare method ("lite", "lite,ensemble=false", or the name it was given);
            "" where it does not.
        default: True for the shipped variant without overrides, whose folder is the bare method name.
        label: A name for tables that stands for all of this; "" where the paper's name and the variant do.
        trained: What its weights are called ("lite", "untrained"); "" for a user's own and for none.
        handle: What `--set` and others call this row.
    """

    spec: MethodSpec
    weights: Path | None
    options: MethodOptions
    variant: str
    default: bool
    label: str = ""
    trained: str = ""
    handle: str = ""

    @property
    def name(self) -> str:
        """The registered name."""
        return self.spec.info.name

    @property
    def display(self) -> str:
        """The name in tables: the paper's name with the variant in brackets."""
        if self.label:
            return self.label
        named = self.handle == self.variant and self.trained and self.trained != self.variant
        variant = f"{self.variant}, {self.trained}" if named else self.variant
        return f"{self.spec.info.display} ({variant})" if variant else self.spec.info.display

    @property
    def minimised(self) -> tuple[str, ...]:
        """Metrics that these weights were trained to minimise."""
        return self.spec.minimised.get(self.trained, ())

    @property
    def weights_file(self) -> str:
        """The name of the file that the user gave; "" for shipped weights."""
        return self.weights.name if self.weights is not None and not self.trained else ""

    @property
    def folder(self) -> str:
        """The folder name in the run: the method, with the variant where it is not the default one.

        The readable part may be cut and cleaned, so a few digits of the whole variant keep two of them apart.
        """
        if self.default:
            return self.name
        readable = re.sub(r"[^A-Za-z0-9_.=-]+", "-", self.variant)[:40]
        return f"{self.name}+{readable}~{digest(self.variant)[:8]}"


def choose_methods(
    names: Sequence[str],
    *,
    weights: str | Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    versus: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> tuple[MethodChoice, ...]:
    """Resolve rows, `--weights`, `--set`, `--versus` and `--name`.

    Args:
        names: Each METHOD, METHOD:WEIGHTS or NAME=METHOD[:WEIGHTS]; WEIGHTS is a label or a path.
        weights: One of: None; a label or a path for every method that takes weights; "row=label-or-path,..." or the
            same as a mapping.
        overrides: "row.option=value" items.
        versus: Each "row.option=value", several of them separated by spaces: one more variant of that row, after it.
        labels: "row=label for tables" items.
    Raises:
        RequestError: an unknown or repeated name or option, weights that are not there, an override nobody takes, or
            two rows that would be the same or called the same.
    """
    rows = _parse_rows(names)
    values = _split_overrides(overrides, rows, "--set")
    wanted = _split_weights(weights, rows)
    called = _split_labels(labels, rows)
    choices = []
    for row in rows:
        base = _choose(row, wanted.get(row), values.get(row, {}), called.get(row, ""))
        choices.append(base)
        for text in versus:
            changed = _variant_overrides(text, rows).get(row)
            if changed:
                other = _choose(row, wanted.get(row), {**values.get(row, {}), **changed}, "")
                choices.append(_told_apart(other, row, changed))
    _refuse_twins(choices)
    return tuple(choices)


@dataclass(frozen=True, eq=False)
class _Row:
    """One row as it was typed; two of them are never equal."""

    handle: str
    spec: MethodSpec
    weights: str | None
    named: bool


def _parse_rows(names: Sequence[str]) -> list[_Row]:
    if not names:
        raise RequestError("no method given; choose some with --methods bicubic,liif ('bench methods' lists them all)")
    rows: list[_Row] = []
    for text in names:
        match = _ROW.fullmatch(text.strip())
        if match is None:
            raise RequestError(f"--methods {text}: expected METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS")
        spec = method_spec(match["method"].strip())
        name = match["name"].strip() if match["name"] else ""
        if name and not _NAME.fullmatch(name):
            raise RequestError(f"--methods {text}: the name '{name}' may have letters, digits, '_', '-' and '.' only")
        row = _Row(name or spec.info.name, spec, match["weights"], bool(name))
        twins = [other for other in rows if other.handle == row.handle]
        if any(other.named or row.named or other.weights == row.weights for other in twins):
            raise RequestError(
                f"--methods names '{row.handle}' twice; leave one out, or give rows names of their own: "
                f"--methods a={spec.info.name},b={spec.info.name}"
            )
        rows.append(row)
    return rows


def _choose(row: _Row, weights: str | None, values: Mapping[str, str], label: str) -> MethodChoice:
    spec = row.spec
    options = _options(row, values)
    trained, shown, path = _find_weights(row, weights)
    changed = [f"{key}={_short(spec, key, getattr(options, key))}" for key in sorted(values)]
    variant = row.handle if row.named else ",".join(([shown] if shown else []) + changed)
    default = not changed and not row.named and (shown or None) == spec.default_weights
    if path is not None and not path.exists():
        raise RequestError(
            f"weights of {spec.info.name}: no file {path}; {spec.weights_how or 'give another --weights PATH'}"
        )
    return MethodChoice(spec, path, options, variant, default, label, trained, row.handle)


def _told_apart(choice: MethodChoice, row: _Row, changed: Mapping[str, str]) -> MethodChoice:
    """A `--versus` variant of a named row, which is called by its name and what is different."""
    if not row.named:
        return choice
    parts = [f"{key}={_short(row.spec, key, getattr(choice.options, key))}" for key in sorted(changed)]
    return replace(choice, variant=",".join([row.handle, *parts]))


def _options(row: _Row, values: Mapping[str, str]) -> MethodOptions:
    spec, name = row.spec, row.handle
    if values and not spec.options.model_fields:
        raise RequestError(f"--set {name}.{next(iter(values))}: '{name}' takes no options; leave it out")
    for key in values:
        if key not in spec.options.model_fields:
            raise unknown_name(f"option of {name}", key, spec.options.model_fields, f"bench methods {spec.info.name}")
    absent = {key for key, value in values.items() if value == "null" and _may_be_absent(spec, key)}
    try:
        options = spec.options.model_validate_strings({k: v for k, v in values.items() if k not in absent})
        given = options.model_dump(exclude_unset=True) | dict.fromkeys(absent)
        return spec.options.model_validate(given) if absent else options
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "options"
        if first["type"] == "missing":
            raise RequestError(f"'{name}' needs to know its {where}: give it with --set {name}.{where}=VALUE") from None
        raise RequestError(
            f"{name}.{where}: {first['msg'].lower()}, got {first.get('input')!r}; use --set {name}.{where}=VALUE"
        ) from None


def _may_be_absent(spec: MethodSpec, key: str) -> bool:
    return type(None) in get_args(spec.options.model_fields[key].annotation)


def _find_weights(row: _Row, weights: str | None) -> tuple[str, str, Path | None]:
    """(what the weights are called, what the variant says of them, their path)."""
    spec = row.spec
    given = weights if weights is not None else row.weights
    if given is None:
        label = spec.default_weights
        return (label, label, spec.weights[label]) if label is not None else ("", "", None)
    if given in spec.weights:
        return given, given, spec.weights[given]
    if given == UNTRAINED and spec.untrained:
        return UNTRAINED, UNTRAINED, None
    path = Path(given).expanduser()
    if path.exists():
        content = weights_hash(spec, path)
        for label, shipped in spec.weights.items():
            if shipped.exists() and weights_hash(spec, shipped) == content:
                return label, label, path
        return "", f"weights={content[:8]}", path
    labels = ", ".join(spec.weights) or "none"
    raise RequestError(
        f"weights '{given}' of {spec.info.name}: neither a shipped label ({labels}) nor a file; "
        f"{spec.weights_how or 'give a path to a file'}"
    )


def _short(spec: MethodSpec, key: str, value: object) -> str:
    """An option's value as a variant shows it; a path or a free text by digits that keep two of them apart."""
    if isinstance(value, Path) or (isinstance(value, str) and not _is_word(spec.options.model_fields[key].annotation)):
        return digest(str(value))[:8]
    return as_typed(value)


def _is_word(annotation: Any) -> bool:
    """Whether an option's type lists the words that it takes."""
    return get_origin(annotation) is Literal or any(_is_word(part) for part in get_args(annotation))


def takes_weights(spec: MethodSpec) -> bool:
    """True where a method has something to load."""
    return bool(spec.weights or spec.weights_how)


def _split_weights(weights: str | Mapping[str, str] | None, rows: Sequence[_Row]) -> dict[_Row, str]:
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
    is_label = any(weights in row.spec.weights for row in takers) or weights in ("lite", "full")
    if len(takers) > 1 and not is_label:
        names = [row.handle for row in takers]
        raise RequestError(
            f"--weights {weights} could mean {' or '.join(names)}; say which: --weights {names[0]}={weights}"
        )
    return dict.fromkeys(takers, weights)


def _named_weights(named: Iterable[tuple[str, str]], rows: Sequence[_Row]) -> dict[_Row, str]:
    found: dict[_Row, str] = {}
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


def _meant(name: str, rows: Sequence[_Row]) -> list[_Row]:
    """The rows that a name speaks of: the row of this name, else all rows of the method."""
    exact = [row for row in rows if row.handle == name]
    return exact or [row for row in rows if row.spec.info.name == name]


def _split_overrides(items: Iterable[str], rows: Sequence[_Row], option: str) -> dict[_Row, dict[str, str]]:
    found: dict[_Row, dict[str, str]] = {}
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


def _variant_overrides(text: str, rows: Sequence[_Row]) -> dict[_Row, dict[str, str]]:
    try:
        items = shlex.split(text)
    except ValueError as fault:
        raise RequestError(f"--versus {text}: {fault}; quote a value with spaces") from None
    if not items:
        raise RequestError("--versus needs METHOD.OPTION=VALUE, such as --versus casr.ssam=false")
    return _split_overrides(items, rows, "--versus")


def _split_labels(labels: Iterable[str], rows: Sequence[_Row]) -> dict[_Row, str]:
    found: dict[_Row, str] = {}
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


def _refuse_twins(choices: Sequence[MethodChoice]) -> None:
    for number, choice in enumerate(choices):
        for other in choices[:number]:
            if (choice.spec, choice.weights, choice.trained, choice.options) == (
                other.spec,
                other.weights,
                other.trained,
                other.options,
            ):
                raise RequestError(
                    f"{choice.display} and {other.display} are the same method with the same weights and options; "
                    "a --versus variant must differ from the others: leave one out"
                )
            if (choice.name, choice.variant) == (other.name, other.variant):
                raise RequestError(
                    f"{choice.display} would be in the table twice; give rows names of their own: "
                    f"--methods a={choice.name}:…,b={choice.name}:…"
                )
            if choice.display == other.display:
                raise RequestError(
                    f"two rows would be called '{choice.display}'; give one another label with "
                    f"--name {choice.handle}=LABEL"
                )
