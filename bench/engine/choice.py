"""Rows of the table: which method, with which weights and options, under which name.

A row is typed as `METHOD`, `METHOD:WEIGHTS` or `NAME=METHOD[:WEIGHTS]`; `--set`, `--weights`, `--versus` and `--name`
speak of it by NAME, or by the method where it has none. No name of a row comes from a file or a command line: weights
and free texts are told apart by a few digits of their hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from bench.api import UNTRAINED, MethodOptions, MethodSpec, RequestError, as_typed, unknown_name, user_path
from bench.engine.keys import digest, weights_hash
from bench.engine.typed import TypedRow, parse_rows, typed_labels, typed_options, typed_variant, typed_weights
from bench.weights.beside import card_beside
from bench.weights.given import check_given, check_shipped, is_as_shipped
from bench.weights.place import card_of_file, published_file, weights_roots
from bench.weights.published import PUBLISHED, PublishedCard, cards_of, labelled_card


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
        card: Of its weights, where they are published ones.
    """

    spec: MethodSpec
    weights: Path | None
    options: MethodOptions
    variant: str
    default: bool
    label: str = ""
    trained: str = ""
    handle: str = ""
    card: PublishedCard | None = None

    @property
    def name(self) -> str:
        """The registered name."""
        return self.spec.info.name

    @property
    def method(self) -> str:
        """The registered name, as `RowInfo` calls it."""
        return self.name

    @property
    def resize_rule(self) -> str:
        """How a network of fixed scales reaches other sizes."""
        return self.spec.info.resize_rule

    @property
    def train_scales(self) -> tuple[float, float] | None:
        """Smallest and largest scale of the method's training; None where nobody says."""
        return self.spec.info.train_scales

    @property
    def parameters(self) -> int | None:
        """Of its networks, as the card beside its weights says, or the method of its shipped ones; else None."""
        card = card_beside(self.weights) if self.weights is not None else None
        if card is not None:
            return card.parameters or None
        return self.spec.info.parameters if self.trained == (self.spec.default_weights or "") else None

    @property
    def display(self) -> str:
        """The name in tables: the paper's name with the variant in brackets; published weights need no word."""
        if self.label:
            return self.label
        if self.card is not None and self.handle != self.variant:
            changed = self.variant.removeprefix(self.trained).lstrip(",")
            return f"{self.card.display} ({changed})" if changed else self.card.display
        named = self.handle == self.variant and self.trained and self.trained != self.variant
        variant = f"{self.variant}, {self.trained}" if named else self.variant
        return f"{self.spec.info.display} ({variant})" if variant else self.spec.info.display

    @property
    def minimised(self) -> tuple[str, ...]:
        """Metrics that these weights were trained to minimise."""
        return self.spec.minimised.get(self.trained, ())

    @property
    def cites(self) -> str:
        """The published file and its publication; "" for other weights."""
        return self.card.citation if self.card is not None else ""

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
    rows = parse_rows(names)
    values = typed_options(overrides, rows, "--set")
    wanted = typed_weights(weights, rows)
    called = typed_labels(labels, rows)
    choices = []
    for row in rows:
        base = _choose(row, wanted.get(row), values.get(row, {}), called.get(row, ""))
        choices.append(base)
        for text in versus:
            changed = typed_variant(text, rows).get(row)
            if changed:
                other = _choose(row, wanted.get(row), {**values.get(row, {}), **changed}, "")
                choices.append(_told_apart(other, row, changed))
    _refuse_twins(choices)
    return tuple(choices)


def read_options(spec: MethodSpec, name: str, values: Mapping[str, str]) -> MethodOptions:
    """The options of a method from the texts that stand behind `--set NAME.OPTION=`.

    Args:
        spec: The method.
        name: What `--set` calls its row.
        values: option -> text.
    Raises:
        RequestError: an option that the method does not have, a value that it does not take, or one that it lacks.
    """
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
        raise RequestError(_option_fault(fault.errors(include_url=False)[0], name, values)) from None
    except UnicodeEncodeError as fault:
        raise RequestError(f"--set {name}: {fault.object!a} is no UTF-8 text; rename it") from None


def _option_fault(fault: Any, name: str, values: Mapping[str, str]) -> str:
    """What is wrong with the options of a row: the option as it is typed, or those typed where it is all of them."""
    # behind the option's name, the place goes on inside its value
    key = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "missing":
        return f"'{name}' needs to know its {key}: give it with --set {name}.{key}=VALUE"
    text = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] != "value_error":  # pydantic's own words; what follows them holds values, whose case counts
        text = text[:1].lower() + text[1:]
    if key:
        return f"{name}.{key}: {text}, got {values.get(key, fault.get('input'))!r}; use --set {name}.{key}=VALUE"
    given = " ".join(f"--set {name}.{option}={value}" for option, value in values.items())
    return f"{given or name}: {text}"


def _choose(row: TypedRow, weights: str | None, values: Mapping[str, str], label: str) -> MethodChoice:
    spec = row.spec
    options = read_options(spec, row.handle, values)
    trained, shown, path, card = _find_weights(row, weights)
    changed = [f"{key}={_short(spec, key, getattr(options, key))}" for key in sorted(values)]
    variant = row.handle if row.named else ",".join(([shown] if shown else []) + changed)
    default = not changed and not row.named and (shown or None) == spec.default_weights
    if path is None and spec.needs_weights:
        raise RequestError(f"{spec.info.name} has no weights of its own: {spec.weights_how}")
    if path is not None and not path.exists():
        raise RequestError(
            f"weights of {spec.info.name}: no file {path}; {spec.weights_how or 'give another --weights PATH'}"
        )
    if path is not None:
        check_given(spec, path)
    if shown in spec.weights:
        check_shipped(spec, shown, spec.weights[shown])
    return MethodChoice(spec, path, options, variant, default, label, trained, row.handle, card)


def _told_apart(choice: MethodChoice, row: TypedRow, changed: Mapping[str, str]) -> MethodChoice:
    """A `--versus` variant of a named row, which is called by its name and what is different."""
    if not row.named:
        return choice
    parts = [f"{key}={_short(row.spec, key, getattr(choice.options, key))}" for key in sorted(changed)]
    return replace(choice, variant=",".join([row.handle, *parts]))


def _may_be_absent(spec: MethodSpec, key: str) -> bool:
    return type(None) in get_args(spec.options.model_fields[key].annotation)


def _find_weights(row: TypedRow, weights: str | None) -> tuple[str, str, Path | None, PublishedCard | None]:
    """(what the weights are called, what the variant says of them, their path, their card if they are published)."""
    spec = row.spec
    given = weights if weights is not None else row.weights
    if given is None:
        label = spec.default_weights
        return (label, label, spec.weights[label], None) if label is not None else ("", "", None, None)
    if given in spec.weights:
        return given, given, spec.weights[given], None
    if given == UNTRAINED and spec.untrained:
        return UNTRAINED, UNTRAINED, None, None
    card = labelled_card(spec, given)
    if card is not None:
        return card.label, card.label, published_file(card, weights_roots()), card
    path = user_path(given)
    if path.exists():
        check_given(spec, path)
        content = weights_hash(spec, path)
        for label, shipped in spec.weights.items():
            if shipped.exists() and weights_hash(spec, shipped) == content and is_as_shipped(shipped):
                return label, label, path, None
        card = card_of_file(spec, path, content)
        return (card.label, card.label, path, card) if card is not None else ("", f"weights={content[:8]}", path, None)
    published = ", ".join(card.label for card in cards_of(spec) if card.label)
    if given == PUBLISHED:
        others = f"its checkpoints are called {published}" if published else "no card tells of a checkpoint"
        raise RequestError(
            f"weights 'published' of {spec.info.name}: {others} ('bench weights list'); say which rows have published "
            f"weights, such as --weights liif=published, or give a path: --weights {row.handle}=PATH"
        )
    labels = (", ".join(spec.weights) or "none") + (f"; published: {published}" if published else "")
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
