"""One Python file as keys see it: its code without what no computation depends on, and what it imports.

Ranges are cut out of the text instead of hashing a syntax tree, so that the hash is the same under every Python.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from bench.imaging.hashing import Stamp, file_sha256, file_stamp, is_settled

_BY_VALUE = ("import_module", "__import__", "spec_from_file_location", "exec_module", "run_path", "run_module", "exec")
"""Calls that may import what no reader of the text can name."""


@dataclass(frozen=True)
class Import:
    """One imported name: `from module import name`, or `import module` with an empty name.

    Attributes:
        module: Absolute, dotted.
        name: As it is called there; "*" for all of them.
        here: As it is called in the importing file.
    """

    module: str
    name: str = ""
    here: str = ""


@dataclass(frozen=True)
class SourceText:
    """What a Python file says.

    Attributes:
        digest: Hash of the code without comments, docstrings, blank lines and trailing white space; of the bytes where
            the file is no Python that this version reads.
        imports: At every level of the file, except under `if TYPE_CHECKING`.
        passes_on: An `__init__` that does nothing but take names from other modules.
        unreadable: It imports modules whose names only a run would tell.
    """

    digest: str
    imports: tuple[Import, ...] = ()
    passes_on: bool = False
    unreadable: bool = False
    exported: dict[str, Import] = field(default_factory=dict, compare=False)
    """Where the names of such an `__init__` come from."""


def read_source(path: Path, module: str) -> SourceText:
    """Read a file once per stamp; nothing in it is executed.

    Args:
        path: The file; anything but Python source is known by its bytes alone.
        module: Its dotted name, from which relative imports count.
    Raises:
        OSError: it cannot be read.
    """
    stamp = file_stamp(path)
    return _remembered(path, module, stamp) if is_settled(stamp) else _read(path, module)


def code_of(text: str) -> str:
    """The lines of a program without comments, strings that stand alone, blank lines and trailing white space.

    >>> code_of('def double(x):  # twice\\n    \"\"\"Words.\"\"\"\\n\\n    return 2 * x\\n')
    'def double(x):\\n    return 2 * x'

    Raises:
        SyntaxError: this version of Python cannot read it.
    """
    return _code(text, _statements(_parsed(text).body))


def _read(path: Path, module: str) -> SourceText:
    if path.suffix != ".py":
        return SourceText(file_sha256(path))
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        tree = _parsed(text)
        code = _code(text, _statements(tree.body))
    except (SyntaxError, ValueError, RecursionError):
        return SourceText(hashlib.sha256(data).hexdigest(), unreadable=True)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports, unreadable = _called_imports(tree, package) if any(word in text for word in _BY_VALUE) else ([], False)
    for statement in _statements(tree.body, types=False):
        imports += _imports(statement, package)
    passes_on = path.name == "__init__.py" and all(_passes_on(statement) for statement in tree.body)
    exported = {found.here: found for s in tree.body if passes_on for found in _imports(s, package)}
    digest = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    return SourceText(digest, tuple(dict.fromkeys(imports)), passes_on, unreadable, exported)


@lru_cache(maxsize=4096)
def _remembered(path: Path, module: str, stamp: Stamp) -> SourceText:
    return _read(path, module)


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of doubtful escapes; they are told when the file runs
        return ast.parse(text)


def _code(text: str, statements: Iterable[ast.stmt]) -> str:
    # as Python counts lines: other line separators of Unicode separate nothing
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for statement in statements:
        if _is_bare_string(statement):
            _cut(lines, statement)
    whole: set[int] = set()
    if any('"""' in line or "'''" in line for line in lines) or not _cut_plain_comments(lines):
        whole = _cut_comments(lines)
    kept = (line if number in whole else line.rstrip() for number, line in enumerate(lines))
    return "\n".join(line for number, line in enumerate(kept) if line or number in whole)


def _is_bare_string(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _cut(lines: list[str], node: ast.stmt) -> None:
    """Take a statement out of the lines; columns of a tree count bytes of UTF-8."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    head = lines[first].encode()[: node.col_offset].decode()
    tail = lines[last].encode()[node.end_col_offset :].decode()
    lines[first : last + 1] = [""] * (last - first) + [head + tail]


def _cut_plain_comments(lines: list[str]) -> bool:
    """Cut the comments where no string could hide a '#'; False where only Python's tokenizer can tell."""
    found = {}
    for number, line in enumerate(lines):
        code, mark, _ = line.partition("#")
        if mark and ('"' in code or "'" in code):
            return False
        if line.endswith("\\") and ('"' in line or "'" in line):
            return False
        if mark:
            found[number] = code
    for number, code in found.items():
        lines[number] = code
    return True


def _cut_comments(lines: list[str]) -> set[int]:
    """Cut the comments; returns the lines that end inside a string, which are part of its value as they are."""
    whole: set[int] = set()
    opened: list[int] = []
    cuts = []
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
        kind, (row, column), (end_row, _) = tokenize.tok_name[token.type], token.start, token.end
        if kind == "COMMENT":
            cuts.append((row - 1, column))
        elif kind == "STRING":
            whole.update(range(row - 1, end_row - 1))
        elif kind == "FSTRING_START":
            opened.append(row - 1)
        elif kind == "FSTRING_END":
            whole.update(range(opened.pop(), end_row - 1))
    for row, column in cuts:
        lines[row] = lines[row][:column].rstrip()
        whole.discard(row)
    return whole


def _statements(body: list[ast.stmt], *, types: bool = True) -> Iterator[ast.stmt]:
    """All statements, inside functions and classes too; types=False: without those under `if TYPE_CHECKING`."""
    waiting = list(body)
    while waiting:
        statement = waiting.pop()
        yield statement
        if types or not _is_for_types(statement):
            waiting += getattr(statement, "body", ())
        waiting += getattr(statement, "orelse", ())
        waiting += getattr(statement, "finalbody", ())
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            waiting += part.body


def _is_for_types(statement: ast.stmt) -> bool:
    test = statement.test if isinstance(statement, ast.If) else None
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING"


def _imports(statement: ast.stmt, package: str) -> list[Import]:
    if isinstance(statement, ast.Import):
        return [Import(alias.name, "", alias.asname or alias.name.partition(".")[0]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        module = _absolute(statement.module or "", statement.level, package)
        return [Import(module, alias.name, alias.asname or alias.name) for alias in statement.names]
    return []


def _absolute(module: str, level: int, package: str) -> str:
    if not level:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


def _passes_on(statement: ast.stmt) -> bool:
    """Whether a statement of an `__init__` only takes a name, says what it is, or sets a constant such as __all__."""
    if isinstance(statement, ast.ImportFrom):
        return all(alias.name != "*" for alias in statement.names)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        names = [target.id if isinstance(target, ast.Name) else "" for target in statement.targets]
        parts = ast.walk(statement.value)
        plain = all(isinstance(part, (ast.Constant, ast.List, ast.Tuple, ast.expr_context)) for part in parts)
        return plain and all(name.startswith("__") for name in names)
    if isinstance(statement, ast.FunctionDef):  # runs only where one of its names is asked for
        return statement.name in ("__getattr__", "__dir__")
    return isinstance(statement, ast.If) and _is_for_types(statement) and not statement.orelse


def _called_imports(tree: ast.Module, package: str) -> tuple[list[Import], bool]:
    """The imports by a call whose argument is written out, and whether there are others."""
    found, unreadable = [], False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called not in _BY_VALUE:
            continue
        first = node.args[0] if node.args else None
        name = first.value if isinstance(first, ast.Constant) else None
        if called in ("import_module", "__import__") and isinstance(name, str):
            bare = name.lstrip(".")
            found.append(Import(_absolute(bare, len(name) - len(bare), package)))
        else:
            unreadable = True
    return found, unreadable
