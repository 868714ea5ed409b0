"""METHODS, DATASETS and METRICS: names that are listed without importing anything heavy.

An entry is a target "package.module:attribute" until somebody asks for it. Names come from this package, from installed
packages (entry-point groups `bench.methods`, `bench.datasets`, `bench.metrics`) and from `--plugin` files. A name is
never overwritten silently. Other kinds (`bench.figures`) make a registry of their own. mmengine's Registry, which
imports torch, is left to the training loop inside: docs/decisions/0005-what-of-mmengine.md.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from bench.api import RequestError, unknown_name

T = TypeVar("T")


class LazyRegistry(Generic[T]):
    """Names mapped to targets that are imported on first use."""

    def __init__(self, kind: str, list_command: str, *, more: str = "") -> None:
        """Describe the registry.

        Args:
            kind: "method", "dataset" or "metric".
            list_command: What lists the names.
            more: How a name that is in no package is had, for the message about one that nobody registered.
        """
        self.kind = kind
        self.list_command = list_command
        self.more = more
        self.hint: Callable[[str], str] | None = None
        """Unknown name -> a sentence on what it could mean, "" for none; set by the package whose names these are."""
        self._targets: dict[str, tuple[str, str]] = {}
        self._resolved: dict[str, T] = {}
        self._scanned = False

    def add(self, name: str, target: str | T, *, origin: str) -> None:
        """Register a name.

        Args:
            name: The name.
            target: "package.module:attribute", or the object itself.
            origin: Where it comes from, for messages ("assr-bench", "package foo", a file).
        Raises:
            RequestError: the name is taken; the registry is left unchanged.
        """
        if name in self._targets:
            raise RequestError(
                f"the {self.kind} name '{name}' of {origin} is already registered by {self._targets[name][1]}; "
                "rename one of them"
            )
        self._targets[name] = (target if isinstance(target, str) else "", origin)
        if not isinstance(target, str):
            self._resolved[name] = target

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of `add` for code that is imported anyway (a plugin file)."""

        def keep(obj: T) -> T:
            module = sys.modules.get(getattr(obj, "__module__", ""))
            self.add(name, obj, origin=getattr(module, "__file__", None) or "a plugin")
            return obj

        return keep

    def forget(self, name: str) -> Callable[[], None]:
        """Take a name out again, so that a plugin that fails halfway leaves nothing behind.

        Returns:
            What puts it back as it was.
        """
        target, resolved = self._targets.pop(name, None), self._resolved.pop(name, None)

        def put_back() -> None:
            if target is not None:
                self._targets[name] = target
            if resolved is not None:
                self._resolved[name] = resolved

        return put_back

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._scan()
        return sorted(self._targets)

    def origin(self, name: str) -> str:
        """Where a name comes from."""
        self._require(name)
        return self._targets[name][1]

    def get(self, name: str) -> T:
        """The registered object, imported if need be.

        Raises:
            RequestError: no such name, or its code cannot be imported (names the package and the fault).
        """
        self._require(name)
        if name not in self._resolved:
            target, origin = self._targets[name]
            try:
                module, _, attribute = target.partition(":")
                self._resolved[name] = getattr(importlib.import_module(module), attribute)
            except Exception as fault:
                raise RequestError(
                    f"{self.kind} '{name}' ({origin}) cannot be loaded from {target}: {type(fault).__name__}: {fault}"
                ) from fault
        return self._resolved[name]

    def find(self, name: str) -> T | None:
        """The registered object; None where nobody registered it or its code cannot be imported."""
        with suppress(RequestError):
            return self.get(name)
        return None

    def _require(self, name: str) -> None:
        self._scan()
        if name not in self._targets:
            meant = self.hint(name) if self.hint is not None else ""
            fault = unknown_name(self.kind, name, self._targets, self.list_command, hint=meant)
            raise RequestError(f"{fault}{self.more}") if self.more else fault

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        for point in entry_points(group=f"bench.{self.kind}s"):
            origin = f"package {point.dist.name}" if point.dist is not None else "an entry point"
            self.add(point.name, point.value, origin=origin)


METHODS: LazyRegistry[Any] = LazyRegistry(
    "method", "bench methods", more="; one in a file of its own: 'bench run --plugin FILE.py'"
)
"""name -> `MethodSpec`, or a `Method` class (out-of-tree)."""
DATASETS: LazyRegistry[Any] = LazyRegistry("dataset", "bench datasets")
"""name -> callable (data_root) -> `Dataset`, from packages; cards are listed by `bench.data`."""
METRICS: LazyRegistry[Any] = LazyRegistry("metric", "bench metrics")
"""name -> metric class of `bench.metrics`."""
