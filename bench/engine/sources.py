"""Which source files can change an SR image: what a method imports, and what the harness itself does to an image.

Imports are read from the text, module by module; nothing is executed and torch is not needed. So an edit in a training,
or a new file beside those that run, makes no stored image stale, and an edit of a line that runs does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from bench.engine.source_text import Import, SourceText, read_source
from bench.imaging.hashing import content_files

Sources = Mapping[str, Path]
"""Dotted name -> file; the name does not depend on where the file lies."""
Roots = Mapping[str, tuple[Path, ...]]
"""Top-level name -> its folders, or its one file. What is not named (torch, numpy) is not followed."""

HARNESS = ("bench", "methods")
"""Packages whose `__init__` at most takes names from other modules: it is seen through, and a name leads to the module
that defines it. Of other packages all counts that importing them runs."""
PIPELINE = ("bench.data.pair", "bench.engine.rounding", "bench.engine.tiled")
"""What the harness does to an image: HR and LR are made, SR is rounded and, where the memory is short, tiled."""
DECIDES_NO_PIXEL = (
    "bench.api.csv_cells",
    "bench.api.dataset",
    "bench.api.errors",
    "bench.api.knobs",
    "bench.api.lists",
    "bench.api.method",
    "bench.api.metric",
    "bench.api.paths",
    "bench.api.presets",
    "bench.api.protocol",
    "bench.api.record",
    "bench.api.run",
    "bench.api.signature",
    "bench.api.yaml_model",
    "bench.api.yaml_text",
    "bench.imaging.atomic",
    "bench.imaging.errors",
    "bench.imaging.hashing",
    "bench.imaging.limit",
    "bench.imaging.png_rows",
    "bench.imaging.regular",
    "bench.plugins",
    "bench.registry",
    "bench.training",
    "bench.weights.first_bytes",
)
"""Contracts, registries, the keeping and refusing of files, training. All else of the harness that a method imports
counts. What a protocol says of pixels is in the key by value (`Protocol.pair_id`)."""


def method_sources(factory: str, *, root: Path, shared: Iterable[Path] = ()) -> Sources:
    """The files that decide what a method computes.

    Args:
        factory: "package.module:Class"; imports are followed from that module.
        root: Where they are followed from if the module cannot be found by its name, as in a plug-in file: that file,
            or all Python files below that folder.
        shared: Files and folders that count besides.
    Returns:
        The closure within the method's package and the harness, and what `shared` names.
    Raises:
        OSError: a file cannot be read.
    """
    module = factory.partition(":")[0]
    top = module.partition(".")[0]
    found = closure([module], {top: _installed(top)})
    if not found:
        found = closure(_modules_below("plugin", (root,)), {"plugin": (root,)})
    named = (_files_below(f"shared {number}", item) for number, item in enumerate(shared))
    return {**found, **{name: path for files in named for name, path in files}}


def pipeline_sources() -> Sources:
    """The files that decide what the harness does to an image, whatever the method."""
    return closure(PIPELINE, {})


def closure(modules: Iterable[str], roots: Roots, *, harness: Roots | None = None) -> Sources:
    """The modules that some modules import, directly or through others.

    Args:
        modules: Dotted names; they are part of it.
        roots: Packages outside the harness that are followed too. Where one of their modules imports by a computed
            name, all Python files of the package count.
        harness: Where the harness lies; None: what is installed.
    """
    known = {name: _installed(name) for name in HARNESS} if harness is None else dict(harness)
    walk = _Walk({**roots, **known})
    for module in modules:
        walk.visit(module)
    for top in walk.unreadable.difference(HARNESS):
        for module in _modules_below(top, roots[top]):
            walk.visit(module)
    return walk.found


class _Walk:
    """A walk along imports."""

    def __init__(self, roots: Roots) -> None:
        self.found: dict[str, Path] = {}
        self.unreadable: set[str] = set()
        """Top-level names of packages that import by computed names."""
        self._roots = roots
        self._paths: dict[str, Path | None] = {}
        self._visited: set[str] = set()

    def visit(self, module: str) -> None:
        """Add a module and what importing it runs."""
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name in self._visited or _decides_no_pixel(name):
                continue
            self._visited.add(name)
            path = self._path(name)
            if path is None:
                continue
            if not self._seen_through(name):
                self.found[name] = path
            text = read_source(path, name)
            if text.unreadable:
                self.unreadable.add(name.partition(".")[0])
            waiting += self._packages(name)
            waiting += [self._target(found) for found in text.imports]

    def _packages(self, module: str) -> Iterator[str]:
        """The packages that a module lies in, whose `__init__` runs first, except those that are seen through."""
        parts = module.split(".")
        packages = (".".join(parts[:depth]) for depth in range(1, len(parts)))
        return (name for name in packages if not self._seen_through(name))

    def _target(self, found: Import) -> str:
        """The module that an import leads to."""
        module, name = found.module, found.name
        passed: set[tuple[str, str]] = set()
        while (through := self._seen_through(module)) and (module, name) not in passed:
            passed.add((module, name))
            origin = through.exported.get(name)
            if origin is not None:
                module, name = origin.module, origin.name
        path = self._path(module)
        if not name or (path is not None and path.name != "__init__.py"):
            return module
        inner = f"{module}.{name}"
        return inner if self._path(inner) is not None else module

    def _seen_through(self, module: str) -> SourceText | None:
        """What the `__init__` of a package of the harness says, if names can be followed through it."""
        path = self._path(module) if module.partition(".")[0] in HARNESS else None
        if path is None or path.name != "__init__.py":
            return None
        text = read_source(path, module)
        return text if text.passes_on else None

    def _path(self, module: str) -> Path | None:
        """The file of a module; None for what is not followed, and for a folder without `__init__`."""
        if module not in self._paths:
            self._paths[module] = next((path for path in self._places(module) if path.is_file()), None)
        return self._paths[module]

    def _places(self, module: str) -> Iterator[Path]:
        top, *inner = module.split(".")
        for root in self._roots.get(top, ()):
            if not inner:
                yield from (root, root / "__init__.py")
                continue
            place = root.joinpath(*inner)
            yield place / "__init__.py"
            yield from (place.with_name(place.name + ending) for ending in (".py", *EXTENSION_SUFFIXES))


def _decides_no_pixel(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in DECIDES_NO_PIXEL)


def _installed(top: str) -> tuple[Path, ...]:
    """Where a package lies, without importing it; empty where there is none."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module that was made by hand has no spec
        return ()
    if spec is None:
        return ()
    if spec.submodule_search_locations:
        return tuple(Path(place) for place in spec.submodule_search_locations)
    return (Path(spec.origin),) if spec.origin and Path(spec.origin).is_file() else ()


def _modules_below(top: str, places: Iterable[Path]) -> Iterator[str]:
    """The dotted names of all Python files of a package, or of its one file."""
    for place in places:
        if place.is_file():
            yield top
        for path in sorted(place.rglob("*.py")):
            inside = path.relative_to(place).with_suffix("").parts
            yield ".".join((top, *inside)).removesuffix(".__init__")


def _files_below(name: str, item: Path) -> Iterator[tuple[str, Path]]:
    """A file, or the files of a folder, under names that do not tell where they lie."""
    for path in content_files(item) if item.is_dir() else (item,):
        yield "/".join((name, *path.relative_to(item).parts)), path
