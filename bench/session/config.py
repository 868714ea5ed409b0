"""A request as plain values: what the command line, a YAML file and `bench.run(...)` all say, checked in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bench.api import RequestError, Scale, ScalePair, as_scale, format_scale, user_path
from bench.api.protocol import DegradationName
from bench.api.yaml_text import load_yaml
from bench.engine.shard import Shard
from bench.imaging.regular import read_regular

DEFAULT_OUT = Path("results/runs/default")
LARGEST_SEED = 2**63 - 1
_NOTHING = "give one or more, separated by commas"


def _words(value: object) -> object:
    """Names: a list of them, or one text with commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Path):
        return (str(value),)
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return tuple(str(part) if isinstance(part, Path) else part for part in value)
    return value


def _unlike_words(value: object) -> object:
    """Names of which none comes twice: what is typed twice is a slip, and which of two was meant nobody knows."""
    words = _words(value)
    if isinstance(words, tuple):
        for word in words:
            if words.count(word) > 1:
                raise ValueError(f"'{word}' is given twice; leave one out")
        if not words:
            raise ValueError(_NOTHING)
    return words


def _sets(value: object) -> object:
    """Sets: a list of them as they are, or one text with commas between them, of which paths may hold some too."""
    if not isinstance(value, str):
        return _unlike_words(value)
    from bench.data import split_datasets

    try:
        return _unlike_words(split_datasets(value))
    except RequestError as fault:
        raise ValueError(str(fault)) from None


def _scales(value: object) -> object:
    words = (value,) if isinstance(value, Real | ScalePair) else _words(value)
    if isinstance(words, tuple):
        if not words:
            raise ValueError(_NOTHING)
        try:
            return tuple(dict.fromkeys(map(as_scale, words)))
        except RequestError as fault:
            raise ValueError(str(fault)) from None
    return words


def _seeds(value: object) -> object:
    words = _words(value)
    if isinstance(words, int) and not isinstance(words, bool):
        words = (words,)
    if isinstance(words, tuple):
        try:
            seeds = tuple(dict.fromkeys(_seed(str(word)) for word in words))
        except ValueError:
            raise ValueError("expected whole numbers and commas, such as --seeds 0,1,2") from None
        if not seeds:
            raise ValueError(_NOTHING)
        if min(seeds) < 0 or max(seeds) > LARGEST_SEED:
            raise ValueError(f"a seed is at least 0 and at most {LARGEST_SEED}")
        return seeds
    return words


def _seed(text: str) -> int:
    """A number as it is written in digits: `int` would take 1_0 for 10, too."""
    if not re.fullmatch(r"-?\d+", text):
        raise ValueError
    return int(text)


def _items(value: object) -> object:
    """`a.b=c` items: a list of them, one text, or a mapping (of mappings)."""
    if isinstance(value, Mapping):
        found = []
        for key, inner in value.items():
            pairs = inner.items() if isinstance(inner, Mapping) else ((None, inner),)
            found += [f"{key}{'' if sub is None else f'.{sub}'}={_typed(each)}" for sub, each in pairs]
        return tuple(found)
    return (value,) if isinstance(value, str) else _words(value)


def _typed(value: object) -> str:
    """A value as it is typed behind `--set NAME.KEY=`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return ",".join(_typed(each) for each in value)
    return str(value)


def _shard(value: str | None) -> str | None:
    return None if value is None else str(Shard.parse(value))


def _paths(value: object) -> object:
    return (value,) if isinstance(value, str | Path) else value


def _path(value: object) -> object:
    """A path as it is typed: never empty, since that is the current folder, and text that run.json can hold."""
    if not isinstance(value, str | Path):
        return value
    if not str(value):
        raise ValueError("expected a path, seen nothing; a shell variable without a value gives that")
    if "\0" in str(value):
        raise ValueError("expected a path, seen a text with a NUL in it")
    try:
        str(value).encode()
        return user_path(value)
    except UnicodeEncodeError:
        raise ValueError(f"{str(value)!a} is no UTF-8 text; rename it") from None
    except RequestError as fault:
        raise ValueError(str(fault)) from None


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a whole number")
    return value


Number = Annotated[int, BeforeValidator(_number)]
TypedPath = Annotated[Path, BeforeValidator(_path)]
Words = Annotated[tuple[str, ...], BeforeValidator(_unlike_words)]
Items = Annotated[tuple[str, ...], BeforeValidator(_items)]


class RunConfig(BaseModel):
    """A request of `bench run`, strict: an unknown key is an error.

    Every list may be given as one text with commas. The fields are the options of the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    methods: Words
    """METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS."""
    scales: Annotated[tuple[Scale, ...], BeforeValidator(_scales)]
    datasets: Annotated[tuple[str, ...], BeforeValidator(_sets)] = ("sample",)
    """Names or folders."""
    metrics: Words | None = None
    """None: those of the protocol, or `bench.metrics.catalog.default_metrics` of the rows."""
    protocol: Annotated[str, Field(min_length=1)] | None = None
    """None: the datasets' own."""
    degradation: DegradationName | None = None
    """What LR is made with; None: the protocol's own."""
    seeds: Annotated[tuple[int, ...], BeforeValidator(_seeds)] = (0,)
    weights: str | dict[str, str] | None = None
    set: Items = ()
    """METHOD.OPTION=VALUE."""
    versus: Items = ()
    """One more variant of a row: METHOD.OPTION=VALUE, several separated by spaces."""
    name: Items = ()
    """METHOD=LABEL."""
    out: TypedPath = DEFAULT_OUT
    device: str = "auto"
    executor: str = "local"
    ray_address: str | None = None
    """HOST:PORT or auto; None: a cluster of this machine alone."""
    shared_fs: bool = False
    """The machines of the cluster see the files of this one."""
    procs: Number | None = Field(default=None, ge=1, le=1024)
    """Processes that compute images; None: the main one, or one for each of several GPUs."""
    workers: Number | None = Field(default=None, ge=0, le=1024)
    tile: Number | None = Field(default=None, ge=16, le=2**20)
    plugin: Annotated[tuple[TypedPath, ...], BeforeValidator(_paths)] = ()
    limit: Number | None = Field(default=None, ge=1, le=10**9)
    alpha: Literal["refuse", "white", "black"] | None = None
    sr_size: Literal["exact", "within-1"] | None = None
    """How exact the size of an image made elsewhere must be."""
    data_root: TypedPath | None = None
    weights_root: TypedPath | None = None
    fail_fast: bool = False
    shard: Annotated[str | None, AfterValidator(_shard)] = None
    """PART/PARTS: only this part of the images; `bench merge` puts the run folders together."""

    def plain(self) -> dict[str, Any]:
        """The request as JSON values, for run.json and for giving it back with `--config`; defaults that say nothing
        are left out."""
        values = self.model_dump(mode="json")
        values["scales"] = [format_scale(scale) for scale in self.scales]
        return {key: value for key, value in values.items() if value is not None and value is not False and value != []}


def make_config(values: Mapping[str, Any], *, where: str = "", typed: Collection[str] = ()) -> RunConfig:
    """A request from values by name; what is None counts as not given.

    Args:
        values: Fields of `RunConfig`.
        where: The file that they come from, for messages; empty: the command line.
        typed: Names of those that come from the command line all the same.
    Raises:
        RequestError: an unknown, missing or wrong value (names it as it is typed).
    """
    try:
        return RunConfig.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as fault:
        raise RequestError(_fault(fault, where, typed)) from None
    except UnicodeEncodeError as fault:
        raise RequestError(f"{where + ': ' if where else ''}{fault.object!a} is no UTF-8 text; rename it") from None


def read_config(path: Path) -> dict[str, Any]:
    """The values of a request file: YAML or JSON, or the run.json of a run, whose request it is.

    Raises:
        RequestError: no such file, not YAML, or no mapping (says where).
    """
    try:
        content = read_regular(user_path(path))
    except OSError as fault:
        raise RequestError(f"--config {path} cannot be read: {fault.strerror or fault}") from None
    try:
        values = json.loads(content, object_pairs_hook=_once) if path.suffix == ".json" else load_yaml(content)
    except (ValueError, RecursionError) as fault:
        raise RequestError(
            f"--config {path} is not {path.suffix[1:] or 'YAML'}: {' '.join(str(fault).split())}"
        ) from None
    if isinstance(values, dict) and isinstance(values.get("request"), dict) and "version" in values:
        values = values["request"]
    if not isinstance(values, dict):
        raise RequestError(f"--config {path}: expected keys such as methods and scales, saw {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key that is given twice nobody knows which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{next(name for name in names if names.count(name) > 1)}' is given twice; leave one out")
    return found


def _fault(fault: ValidationError, where: str, typed: Collection[str]) -> str:
    errors: list[Any] = list(fault.errors(include_url=False))
    # a mistyped key is also a missing one: the key is what to mend
    found = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    key = str(found["loc"][0]) if found["loc"] else ""
    said = f"--{key.replace('_', '-')}" if not where or key in typed else f"{where}: {key}"
    if found["type"] == "missing":
        how = " (such as --methods bicubic,liif)" if key == "methods" else " (such as --scales 2,4)"
        return f"{said} is missing; give it{how if not where else ''}"
    if found["type"] == "extra_forbidden":
        return f"{said}: there is no such option; there are {', '.join(RunConfig.model_fields)}"
    text = str(found["msg"]).removeprefix("Value error, ")
    if text == _NOTHING:
        return f"{said}: no {key.removesuffix('s')} given; {text}"
    value = found.get("input")
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{said} {shown}: {text}"
