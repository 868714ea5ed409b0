"""The ablation files of all methods: `ablations/*.yaml` in the folder of a method, whoever brings the method.

A method in a package has them beside its code; one in a single plug-in file in `ablations/NAME/` beside that file. A
path to any other file works too, if the file says of which method it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.ablation.schema import Ablation, Variant, first_fault
from bench.ablation.yaml_text import Place, TextTree, read_texts
from bench.analysis.reported import reported_table
from bench.api import UNTRAINED, MethodSpec, RequestError, unknown_name, user_path
from bench.api.presets import get_protocol
from bench.engine.choice import read_options
from bench.imaging.regular import read_regular
from bench.plugins import method_spec
from bench.registry import METHODS
from bench.weights.published import labelled_card

SUFFIXES = (".yaml", ".yml")
_LIST = "bench ablate"


@dataclass(frozen=True)
class AblationFile:
    """A file that was read and checked.

    Attributes:
        name: "METHOD/NAME", or the path as it was given.
        path: Where it lies.
        spec: The method.
        content: What it says.
    """

    name: str
    path: Path
    spec: MethodSpec
    content: Ablation

    def method_of(self, variant: Variant) -> MethodSpec:
        """The method of a variant."""
        return method_spec(variant.method) if variant.method else self.spec

    def shipped_weights(self, variant: Variant) -> Path | None:
        """The file in the method's folder that a variant names; None where it names a label or nothing."""
        spec, weights = self.method_of(variant), variant.weights
        if weights is None or weights in (*spec.weights, UNTRAINED) or labelled_card(spec, weights) is not None:
            return None
        inside = self.spec.root.is_dir() and self.path.parent == ablations_folder(self.spec)
        return (self.spec.root if inside else self.path.parent) / weights


def ablations_folder(spec: MethodSpec) -> Path:
    """Where the ablation files of a method lie, if it has any."""
    root = spec.root
    return root / "ablations" if root.is_dir() else root.parent / "ablations" / spec.info.name


def ablation_names(spec: MethodSpec) -> list[str]:
    """The names of a method's files, sorted."""
    folder = ablations_folder(spec)
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.stem for path in files if path.suffix in SUFFIXES and not path.name.startswith("."))


def all_ablations() -> list[str]:
    """METHOD/NAME of every file of every registered method that can be loaded."""
    found = []
    for method in METHODS.names():
        try:
            spec = method_spec(method)
        except RequestError:  # a package that is broken; 'bench methods' says so
            continue
        found += [f"{method}/{name}" for name in ablation_names(spec)]
    return found


def find_ablation(name: str) -> AblationFile:
    """A file by METHOD/NAME or by its path.

    Raises:
        RequestError: no such method or file (names the nearest), or the file is not valid.
    """
    path = user_path(name)
    if path.suffix in SUFFIXES:
        return read_ablation(path, name=name)
    method, _, word = name.partition("/")
    spec = method_spec(method)
    names = ablation_names(spec)
    if not names:
        raise RequestError(f"'{method}' has no ablations: there is no file in {ablations_folder(spec)}")
    if word not in names:
        raise unknown_name(f"ablation of {method}", word, names, f"{_LIST} {method}")
    folder = ablations_folder(spec)
    path = next(p for suffix in SUFFIXES if (p := folder / f"{word}{suffix}").is_file())
    return read_ablation(path, name=f"{method}/{word}", spec=spec)


def read_ablation(path: Path, *, name: str = "", spec: MethodSpec | None = None) -> AblationFile:
    """Read a file and check all that can be checked without running anything.

    Args:
        path: The YAML file.
        name: What it is called; "": its path.
        spec: The method whose folder it lies in; None: the file says.
    Raises:
        RequestError: unreadable, not YAML, an unknown key or value, an option that the method does not have, a reported
            table or row that does not exist (names file, line and field).
    """
    try:
        text = read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise RequestError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
    tree = read_texts(text, str(path))
    if not isinstance(tree.value, dict):
        raise RequestError(f"{path}: expected keys such as title, run and variants; see docs/ablations.md")
    try:
        content = Ablation.model_validate(tree.value)
    except ValidationError as fault:
        raise _fault(fault, tree, path) from None
    if spec is None and not content.method:
        raise RequestError(f"{path}: add 'method: NAME'; only a file in the folder of a method can do without")
    if spec is not None and content.method not in ("", spec.info.name):
        raise _at(path, tree, ("method",), f"the file lies in the folder of '{spec.info.name}'; leave method out")
    file = AblationFile(name or str(path), path, spec or method_spec(content.method), content)
    _check(file, tree)
    return file


def _check(file: AblationFile, tree: TextTree) -> None:
    content = file.content
    if content.run is not None and content.run.protocol is not None:
        _checked(file.path, tree, ("run", "protocol"), get_protocol, content.run.protocol)
    labels = []
    if content.reported:
        rows = _checked(file.path, tree, ("reported",), reported_table, content.reported)
        labels = list(dict.fromkeys(row.label for row in rows))
    for name, variant in content.variants.items():
        place = ("variants", name)
        if variant.reported and variant.reported not in labels:
            listed = ", ".join(f"'{label}'" for label in labels)
            raise _at(file.path, tree, (*place, "reported"), f"{content.reported} has the rows {listed}")
        spec = _checked(file.path, tree, (*place, "method"), file.method_of, variant)
        _checked(file.path, tree, (*place, "options"), read_options, spec, spec.info.name, variant.options)


def _checked(path: Path, tree: TextTree, place: Place, check: Any, *given: Any) -> Any:
    """What a check gives; its error says where the value stands."""
    try:
        return check(*given)
    except RequestError as fault:
        raise _at(path, tree, place, str(fault)) from None


def _at(path: Path, tree: TextTree, place: Place, text: str) -> RequestError:
    where = ".".join(map(str, place))
    return RequestError(f"{path}, line {tree.line(place)}: {where}: {text}" if where else f"{path}: {text}")


def _fault(fault: ValidationError, tree: TextTree, path: Path) -> RequestError:
    found = first_fault(fault.errors(include_url=False))
    place = tuple(part for part in found["loc"] if part != "[key]")
    text = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        known = _fields_at(place[:-1])
        text = f"there is no such key{'; there are ' + ', '.join(known) if known else ''}"
    elif found["type"] == "missing":
        text = "this key is missing"
    elif isinstance(found.get("input"), str):
        text = f"{text}, got '{found['input']}'"
    return _at(path, tree, place, text)


def _fields_at(place: Place) -> list[str]:
    """The keys that may stand at a place."""
    model: Any = Ablation
    for part in place:
        fields = getattr(model, "model_fields", None)
        if fields is None:  # a name of a variant
            continue
        inner = fields[part].annotation if part in fields else None
        model = next((a for a in _inside(inner) if hasattr(a, "model_fields")), None)
    return list(model.model_fields) if model is not None else []


def _inside(annotation: Any) -> list[Any]:
    """A type and all that its arguments name."""
    return [annotation, *(a for arg in getattr(annotation, "__args__", ()) for a in _inside(arg))]
