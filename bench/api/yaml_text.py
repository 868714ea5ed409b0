"""YAML as plain values, from whoever wrote it: bounded in size and in what its aliases expand to.

A text of a few hundred bytes may stand for 10^9 values through aliases of aliases (the "billion laughs"). PyYAML builds
it in no time, since it shares the parts; whoever walks the result never ends.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

LARGEST = 4 * 2**20
"""Characters of a text."""
MOST = 100_000
"""Values in a text, aliases counted as often as they stand there."""
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(?:0|[1-9][0-9]*)"),
    "tag:yaml.org,2002:float": re.compile(r"[^:_]*"),
}
"""How numbers are written; YAML 1.1 would read 010 as 8, 1:30 as 90 and 1_0 as 10."""


class YamlError(ValueError):
    """The reason that a text is not taken, on one line.

    Attributes:
        problem: What is wrong.
        line: Where, where that is known; the message begins with it.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.problem, self.line = problem, line


def load_yaml(text: str | bytes) -> Any:
    """The value of a text.

    Args:
        text: YAML 1.1; bytes are UTF-8.
    Raises:
        YamlError: no UTF-8, no YAML, a key that is given twice, a number that is no plain decimal or has thousands of
            digits, nested too deeply, or too much of it.

    >>> load_yaml("a: [1, x]")
    {'a': [1, 'x']}
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        if len(decoded) > LARGEST:
            raise YamlError(f"it has {len(decoded)} characters; at most {LARGEST} are read")
        loader = yaml.SafeLoader(decoded)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            require_bounded(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except YamlError:
        raise
    except UnicodeDecodeError as fault:
        raise YamlError(f"it is no UTF-8 (byte {fault.start}); save it as UTF-8") from None
    except RecursionError:
        raise YamlError("it is nested too deeply") from None
    # PyYAML's constructors raise what a bad number, date or key provokes, beside its own errors
    except (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as fault:
        raise YamlError(" ".join(str(fault).split())[:300] or type(fault).__name__) from None


def require_bounded(node: yaml.Node) -> None:
    """Refuse what has no end, or nearly none, and what can be read in two ways.

    Raises:
        YamlError: an alias inside of what it names, or more than `MOST` values; a key that is given twice, or a number
            that two people would read as two.
        RecursionError: nested too deeply.
    """
    _count(node, {}, frozenset())


def _count(node: yaml.Node, known: dict[int, int], above: frozenset[int]) -> int:
    """How many values a node stands for, each part of it counted once and remembered."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise YamlError("an alias in it stands inside of what it names")
    above |= {id(node)}
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
        _require_keys_once(node)
    elif node.tag in _NUMBERS and not _NUMBERS[node.tag].fullmatch(node.value):
        raise YamlError(f"expected a number in plain decimals, got {node.value[:80]}; write it so, or a text in quotes")
    total = 1 + sum(_count(part, known, above) for part in parts)
    if total > MOST:
        raise YamlError(f"it stands for more than {MOST} values; write it without aliases of aliases")
    known[id(node)] = total
    return total


def _require_keys_once(node: yaml.MappingNode) -> None:
    """Refuse a mapping that gives a key twice: which of two was meant nobody knows."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if (key.tag, key.value) in seen:
                raise YamlError(f"'{key.value[:80]}' is given twice; leave one out", key.start_mark.line + 1)
            seen.add((key.tag, key.value))
