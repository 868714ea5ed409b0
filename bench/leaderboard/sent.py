"""Results that others send: a folder with `result.json`, read strictly, so that what is wrong is named at once.

`Sent` is the one definition of the format; results/result.schema.json is made from it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bench.analysis.contamination import exposure
from bench.api import MetricRef, RequestError, Scale, ScalePair, Signature, as_scale, format_scale, largest_factor
from bench.imaging.regular import read_regular
from bench.leaderboard.entry import Board, Card, Entry, Kind
from bench.leaderboard.matrices import split_references
from bench.leaderboard.measured import shown_metrics
from bench.leaderboard.protocols import in_common, protocol_names
from bench.metrics.catalog import known_infos
from bench.report.model import printed

FILE = "result.json"
GUIDE = "see 'Sending results' in results/README.md"
Text = Annotated[str, Field(min_length=1, max_length=400)]
LARGEST_SCALE = 1000


def _scale(value: object) -> Scale:
    try:
        scale = as_scale(value)
    except RequestError:
        scale = None
    number_as_text = isinstance(value, str) and isinstance(scale, float)
    if scale is None or number_as_text or largest_factor(scale) > LARGEST_SCALE:
        wanted = f'a scale greater than or equal to 1, at most {LARGEST_SCALE}, such as 4 or "1.5x2" (height x width)'
        raise ValueError(f"{wanted}||{str(value)[:80]}")
    return scale


SentScale = Annotated[
    Annotated[float, Field(ge=1, le=LARGEST_SCALE, allow_inf_nan=False)] | ScalePair, BeforeValidator(_scale)
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    """Strict: an unknown field is a typing error, and "24.1" is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class SentWeights(_Part):
    """The weights that the numbers are of."""

    file: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    url: Annotated[str, Field(pattern=r"^https?://", max_length=400)] | None = None
    note: str = ""


class SentMethod(_Part):
    """Who was measured."""

    name: Text
    """As tables print it; says the variant too, such as "LIIF (EDSR-baseline)"."""
    summary: str = ""
    paper: str = ""
    licence: str = ""
    url: Annotated[str, Field(pattern=r"^https?://", max_length=400)] | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    train_scales: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = None
    """The smallest and the largest scale of the training."""
    train_sets: list[Text]
    """Names of all training sets; empty for a method without training."""
    minimised: list[Text] = []
    """Metrics that were part of the training's loss."""
    weights: SentWeights | None = None


class SentValue(_Part):
    """One mean."""

    dataset: Text
    scale: SentScale
    metric: Text
    """As `bench metrics` lists it."""
    value: Annotated[float, Field(allow_inf_nan=False)]
    n: Annotated[int, Field(ge=1)]
    """Images behind the mean."""
    expected: Annotated[int, Field(ge=1)]
    """Images of the set; a value of fewer is shown as n/expected, and not ranked."""
    signature: Text
    """How the number was made; `bench score` and `bench run` print it."""
    seeds: Annotated[int, Field(ge=1)] = 1
    seed_sd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Of the method, per image."""

    @model_validator(mode="after")
    def _consistent(self) -> SentValue:
        tokens = Signature.parse(self.signature).tokens
        if tokens[0] != MetricRef.parse(self.metric).name:
            raise ValueError(f"a signature of {self.metric}, which begins with its name||{self.signature}")
        if not any(token.startswith("lr:") for token in tokens):
            raise ValueError(f"a signature that says how LR was made (lr:…)||{self.signature}")
        if self.n > self.expected:
            raise ValueError(f"n of at most expected ({self.expected})||{self.n}")
        return self


class Sent(_Part):
    """result.json."""

    format: Literal[1]
    method: SentMethod
    sender: Text
    """Who vouches for the numbers."""
    hardware: str = ""
    values: Annotated[list[SentValue], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> Sent:
        counts = Counter((v.dataset, v.scale, v.metric, v.signature) for v in self.values)
        twice = next((key for key, count in counts.items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"every number once||{twice[2]} of {twice[0]} at x{format_scale(twice[1])} twice")
        return self


def schema() -> str:
    """The JSON schema of result.json, as text."""
    return json.dumps(Sent.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def read_sent(folder: Path) -> Sent:
    """Read what somebody sent.

    Args:
        folder: Holds `result.json`.
    Raises:
        RequestError: it does not validate; names file, field, what was expected and what was seen.
    """
    path = folder / FILE
    try:
        return Sent.model_validate_json(read_regular(path))
    except OSError as fault:
        raise RequestError(f"{path} cannot be read: {fault.strerror or fault}") from None
    except ValidationError as fault:
        raise RequestError(f"{path}: {_first(fault)}; {GUIDE}") from None


def sent_board(folder: Path) -> Board:
    """The board of a folder that was sent.

    Raises:
        RequestError: as `read_sent`.
    """
    sent = read_sent(folder)
    method = sent.method
    infos = known_infos(value.metric for value in sent.values)
    scales = None if method.train_scales is None else (min(method.train_scales), max(method.train_scales))
    card = Card(
        display=method.name,
        method=method.name,
        kind=Kind.SENT,
        source=sent.sender,
        summary=method.summary,
        paper=method.paper,
        licence=method.licence,
        url=method.url or "",
        parameters=method.parameters,
        train_scales=scales,
        train_sets=tuple(method.train_sets),
        minimised=tuple(method.minimised),
        weights=_weights(method.weights),
        hardware=sent.hardware,
    )
    common = in_common(protocol_names(value.metric, value.signature, value.scale) for value in sent.values)
    decimals = {name: info.decimals for name, info in infos.items()}
    entries, matrices = split_references(
        _entry(value, card, decimals.get(MetricRef.parse(value.metric).name, 4), common) for value in sent.values
    )
    return Board((card,), entries, shown_metrics([value.metric for value in sent.values], infos), matrices)


def _entry(value: SentValue, card: Card, decimals: int, common: tuple[str, ...]) -> Entry:
    complete = value.n == value.expected
    own = protocol_names(value.metric, value.signature, value.scale)
    protocols = tuple(name for name in own if name in common) or own
    return Entry(
        card=0,
        dataset=value.dataset,
        scale=value.scale,
        metric=value.metric,
        value=value.value if complete else None,
        text=printed(value.value, decimals) if complete else f"{value.n}/{value.expected}",
        sd=value.seed_sd,
        n=value.n,
        expected=value.expected,
        seeds=value.seeds,
        signature=value.signature,
        protocol=", ".join(protocols),
        seconds=value.seconds,
        exposure=exposure(card.train_sets, value.dataset),
        note="" if complete else f"{value.n}/{value.expected}",
    )


def _weights(weights: SentWeights | None) -> dict[str, str]:
    if weights is None:
        return {}
    facts = {"Weights": weights.file, "SHA-256": weights.sha256, "Download": weights.url, "Note": weights.note}
    return {heading: text for heading, text in facts.items() if text}


def _first(fault: ValidationError) -> str:
    """The first fault as "field F: expected E, seen S"."""
    error: Any = fault.errors(include_url=False)[0]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    place = f"field {field}" if field else "the whole file"
    if error["type"] == "missing":
        return f"{place}: expected a value, seen none"
    if error["type"] == "extra_forbidden":
        return f"{place}: expected no field of this name, seen {_seen(error['input'])}"
    message = str(error["msg"]).removeprefix("Value error, ")
    expected, _, seen = message.partition("||")
    if seen:
        return f"{place}: expected {expected}, seen {seen}"
    return f"{place}: expected {_expectation(expected)}, seen {_seen(error['input'])}"


def _expectation(message: str) -> str:
    """pydantic's words behind "expected"."""
    if message.startswith("Invalid JSON: "):
        return f"JSON ({message.removeprefix('Invalid JSON: ')})"
    words = message.removeprefix("Input should be ")
    return words[:1].lower() + words[1:]


def _seen(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, bytes) else "another text"
    return text if len(text) <= 80 else text[:77] + "…"
