"""YAML as it is typed: every scalar stays the text that it is, every place knows its line, no key stands twice.

What `off`, `1e-4` or `08` mean is then decided by the field that takes them, as on a command line, and not by YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from bench.api import RequestError
from bench.api.yaml_text import YamlError, require_bounded

Place = tuple[str | int, ...]
"""Keys and positions from the top of a file to a value."""


@dataclass(frozen=True)
class TextTree:
    """The content of a file.

    Attributes:
        value: Mappings, lists and texts.
        lines: Place -> its line, from 1.
    """

    value: Any
    lines: dict[Place, int]

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest one around it."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]


def read_texts(text: str, where: str) -> TextTree:
    """Read YAML.

    Args:
        text: The content of the file.
        where: Its name, for messages.
    Raises:
        RequestError: not YAML, a key that is no text, or one that stands twice (names file and line).
    """
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node is not None:
            require_bounded(node)
    except yaml.MarkedYAMLError as fault:
        line = f", line {fault.problem_mark.line + 1}" if fault.problem_mark is not None else ""
        raise RequestError(f"{where}{line}: not YAML: {fault.problem or fault.context}") from None
    except YamlError as fault:
        line = f", line {fault.line}" if fault.line is not None else ""
        raise RequestError(f"{where}{line}: not YAML: {fault.problem}") from None
    except (yaml.YAMLError, RecursionError) as fault:
        raise RequestError(f"{where}: not YAML: {' '.join(str(fault).split())}") from None
    lines: dict[Place, int] = {(): 1}
    try:
        value = "" if node is None else _value(node, (), lines, where)
    except RecursionError:
        raise RequestError(f"{where}: an alias holds itself; write the values out") from None
    return TextTree(value, lines)


def _value(node: yaml.Node, place: Place, lines: dict[Place, int], where: str) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(inner, (*place, index), lines, where) for index, inner in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key, inner in node.value:
        at = f"{where}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise RequestError(f"{at}: a key must be a word")
        lines[*place, key.value] = key.start_mark.line + 1
        found[key.value] = _value(inner, (*place, key.value), lines, where)
    return found
