"""Methods from outside: `--plugin FILE`, and the one view (`MethodSpec`) of whatever a name is registered as.

A plugin file holds `Method` subclasses, each with its own `info`, or registers by itself (`METHODS.register`, `.add`).
The file's bytes name its module, so a worker process that loads the same file finds the same classes.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bench.api import Method, MethodInfo, MethodOptions, MethodSpec, RequestError, user_path
from bench.imaging.regular import read_regular
from bench.registry import DATASETS, METHODS, METRICS

if TYPE_CHECKING:
    from bench.registry import LazyRegistry

_PREFIX = "bench_plugin_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LOADED: dict[str, tuple[str, ...]] = {}
"""Module name of a plugin -> the method names in it."""
_WITH_METRICS: dict[Path, None] = {}
_OF_FILE: dict[Path, tuple[str, tuple[tuple[LazyRegistry, str], ...]]] = {}
"""Plugin file -> the module of the version that is registered, and what it registered where."""
_HOW = "'Add a method in 20 lines' (docs/add-a-method.md) shows a whole plugin"


def load_plugin(path: Path | str, *, module: str | None = None) -> tuple[str, ...]:
    """Run a plugin file and register the methods in it.

    Args:
        path: The Python file. Loading the same file twice registers nothing twice; a version of it that was edited
            takes the place of the one before, as in a notebook.
        module: What its module is called, for a copy of a file that another machine has loaded; None: by its path and
            bytes.
    Returns:
        The method names that it registered.
    Raises:
        RequestError: no such file, a syntax error, an exception while it runs, nothing to register, a name that is
            taken; names the file, the line and the fault. The registries are then left unchanged.
    """
    file = user_path(path).resolve()
    source = _read(file)
    name = module or _module_name(file, source)
    if name in _LOADED:
        return _LOADED[name]
    registries: tuple[LazyRegistry, ...] = (METHODS, DATASETS, METRICS)
    put_back = _forget_version(file)
    before = [set(registry.names()) for registry in registries]
    try:
        code = _execute(file, source, name)
        _register_classes(code, file, before[0])
        added = [set(registry.names()) - known for registry, known in zip(registries, before, strict=True)]
        if not any(added):
            raise RequestError(f"plugin {file}: {_why_empty(code)}; {_HOW}")
        for method in added[0]:
            method_spec(method)
    except RequestError as fault:
        sys.modules.pop(name, None)
        for registry, known in zip(registries, before, strict=True):
            for new in set(registry.names()) - known:
                registry.forget(new)
        for restore in put_back:
            restore()
        if str(fault).startswith(f"plugin {file}"):
            raise
        raise RequestError(f"plugin {file}: {fault}") from None
    if file in _OF_FILE:
        _LOADED.pop(_OF_FILE[file][0], None)
    entries = tuple((registry, new) for registry, own in zip(registries, added, strict=True) for new in sorted(own))
    _OF_FILE[file] = (name, entries)
    _LOADED[name] = tuple(sorted(added[0]))
    if added[registries.index(METRICS)]:
        _WITH_METRICS[file] = None
    return _LOADED[name]


def plugin_module(file: Path, *, known_as: Path) -> str:
    """What the module of a plugin file is called, as its bytes are now.

    Args:
        file: The file, or a copy of it.
        known_as: The path by which the run knows it.
    Raises:
        RequestError: it cannot be read.
    """
    return _module_name(known_as, _read(file))


def _module_name(file: Path, source: bytes) -> str:
    return _PREFIX + hashlib.sha256(str(file).encode() + b"\0" + source).hexdigest()[:16]


def _forget_version(file: Path) -> list[Callable[[], None]]:
    """Take out what an earlier version of a file registered; what is returned puts it back."""
    module, entries = _OF_FILE.get(file, ("", ()))
    return [registry.forget(name) for registry, name in entries] if module in _LOADED else []


def plugin_of(spec: MethodSpec) -> Path | None:
    """The plugin file that a method is from, which a process must load before it reads what is of it; else None."""
    return spec.root if spec.factory.startswith(_PREFIX) else None


def metric_plugins() -> tuple[Path, ...]:
    """The loaded files that registered metrics; a process that is to compute them must load these first."""
    return tuple(_WITH_METRICS)


def method_spec(name: str) -> MethodSpec:
    """The description of a registered method, whether a `MethodSpec` or a bare `Method` class stands behind the name.

    Raises:
        RequestError: an unknown name, or something is registered that is no method; says what is wrong with it.
    """
    entry = METHODS.get(name)
    spec = entry if isinstance(entry, MethodSpec) else _spec_of_class(name, entry)
    if spec.info.name != name:
        raise RequestError(
            f"method '{name}' ({METHODS.origin(name)}) calls itself '{spec.info.name}' in its info; make the two equal"
        )
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"method name '{name}' ({METHODS.origin(name)}) cannot be a folder name or stand in --set NAME.KEY=VALUE; "
            "use letters, digits, '_' and '-'"
        )
    return spec


def method_class(spec: MethodSpec) -> type[Method]:
    """Import the class that runs a method (this is where torch comes in).

    Raises:
        RequestError: the code cannot be imported or is no `Method`; names the target and the fault.
    """
    target, _, attribute = spec.factory.partition(":")
    try:
        if target.startswith(_PREFIX) and target not in sys.modules:
            load_plugin(spec.root)
        found = importlib.import_module(target)
        for part in attribute.split("."):
            found = getattr(found, part)
    except RequestError:
        raise
    except Exception as fault:
        raise RequestError(
            f"method '{spec.info.name}' cannot be loaded from {spec.factory}: {type(fault).__name__}: {fault}"
        ) from fault
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise RequestError(f"method '{spec.info.name}': {spec.factory} is not a Method class")
    return found


def companion(spec: MethodSpec, name: str) -> ModuleType | None:
    """What is called `name` beside the module that runs a method (`training`, `recovery`), imported; else None."""
    package = spec.factory.partition(":")[0].rpartition(".")[0]
    module = f"{package}.{name}"
    return importlib.import_module(module) if package and find_spec(module) is not None else None


def _spec_of_class(name: str, entry: object) -> MethodSpec:
    origin = METHODS.origin(name)
    if not (isinstance(entry, type) and issubclass(entry, Method)):
        kind = entry.__name__ if isinstance(entry, type) else type(entry).__name__
        raise RequestError(f"method '{name}' ({origin}) is a {kind}; expected a MethodSpec or a subclass of Method")
    missing = sorted(entry.__abstractmethods__)
    if missing:
        raise RequestError(f"method '{name}' ({origin}): class {entry.__name__} does not define {', '.join(missing)}")
    if not isinstance(getattr(entry, "info", None), MethodInfo):
        raise RequestError(f"method '{name}' ({origin}): class {entry.__name__} has no `info = MethodInfo(...)`")
    if not (isinstance(entry.Options, type) and issubclass(entry.Options, MethodOptions)):
        raise RequestError(f"method '{name}' ({origin}): {entry.__name__}.Options is not a subclass of MethodOptions")
    module = sys.modules[entry.__module__]
    file = Path(inspect.getfile(entry)).resolve()
    return MethodSpec(
        info=entry.info,
        factory=f"{entry.__module__}:{entry.__qualname__}",
        root=file.parent if module.__package__ else file,
        options=entry.Options,
        prepares=entry.prepare is not Method.prepare,
        weights_how=f"give its file with --weights {name}=PATH" if entry.load is not Method.load else "",
    )


def _read(file: Path) -> bytes:
    try:
        return read_regular(file)
    except FileNotFoundError:
        raise RequestError(f"plugin {file} does not exist; give --plugin the path of a Python file") from None
    except OSError as fault:
        raise RequestError(f"plugin {file} cannot be read: {fault.strerror or fault}; expected a Python file") from None


def _execute(file: Path, source: bytes, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(file)
    try:
        code = compile(source, str(file), "exec", dont_inherit=True)
    except SyntaxError as fault:
        raise RequestError(f"plugin {file}, line {fault.lineno}: syntax error: {fault.msg}") from None
    except ValueError as fault:
        raise RequestError(f"plugin {file} is not Python source: {fault}") from None
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as fault:
        lines = [f.lineno for f in traceback.extract_tb(fault.__traceback__) if f.filename == str(file)]
        where = f", line {lines[-1]}" if lines else ""
        text = str(fault) if isinstance(fault, RequestError) else f"{type(fault).__name__}: {fault}"
        raise RequestError(f"plugin {file}{where}: {text}") from fault
    return module


def _own_classes(module: ModuleType) -> list[type[Method]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]


def _register_classes(module: ModuleType, file: Path, before: set[str]) -> None:
    """Register each class with an `info` of its own that the file has not registered itself."""
    by_file = {id(METHODS.get(name)) for name in set(METHODS.names()) - before}
    for cls in dict.fromkeys(_own_classes(module)):
        info = vars(cls).get("info")
        if id(cls) in by_file or info is None:
            continue
        where = f"plugin {file}{_line(cls)}"
        if not isinstance(info, MethodInfo):
            raise RequestError(f"{where}: {cls.__name__}.info is not a MethodInfo; {_HOW}")
        if any(isinstance(e := METHODS.get(n), MethodSpec) and e.info is info for n in set(METHODS.names()) - before):
            continue
        try:
            METHODS.add(info.name, cls, origin=f"plugin {file}")
        except RequestError as fault:
            raise RequestError(f"{where}: {fault}") from None


def _line(cls: type) -> str:
    try:
        return f", line {inspect.getsourcelines(cls)[1]}"
    except OSError:  # made by type(...), not written down
        return ""


def _why_empty(module: ModuleType) -> str:
    classes = _own_classes(module)
    if not classes:
        return "there is no Method in it (expected a subclass of bench.api.Method with an `info`)"
    return f"class {classes[0].__name__} has no `info = MethodInfo(...)`"
