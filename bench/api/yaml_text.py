"""YAML as plain values, from whoever wrote it: bounded in size and in what its aliases expand to.

A text of a few hundred bytes may stand for 10^9 values through aliases of aliases (the "billion laughs"). PyYAML builds
it in no time, since it shares the parts; whoever walks the result never ends.
"""

from __future__ import annotations

from typing import Any

import yaml

LARGEST = 4 * 2**20
"""Characters of a text."""
MOST = 100_000
"""Values in a text, aliases counted as often as they stand there."""


class YamlError(ValueError):
    """The reason that a text is not taken, on one line."""


def load_yaml(text: str | bytes) -> Any:
    """The value of a text.

    Args:
        text: YAML 1.1; bytes are UTF-8.
    Raises:
        YamlError: no UTF-8, no YAML, a number of thousands of digits, nested too deeply, or too much of it.

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
    """Refuse what has no end, or nearly none.

    Raises:
        YamlError: an alias inside of what it names, or more than `MOST` values.
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
    total = 1 + sum(_count(part, known, above) for part in parts)
    if total > MOST:
        raise YamlError(f"it stands for more than {MOST} values; write it without aliases of aliases")
    known[id(node)] = total
    return total
