"""The code of a file as keys see it: what cannot change a computation is left out, and nothing else is."""

from __future__ import annotations

import ast
import os
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engine.source_text import Import, code_of, read_source

PROGRAM = textwrap.dedent(
    '''\
    """What the module is for."""

    # a comment
    import torch  # another


    class Net(torch.nn.Module):
        """Words
        over lines."""

        width: int = 64
        """Help of an attribute."""

        def forward(self, x):
            r"""Words."""
            scale = "#1"  # the string stays
            text = """kept,

              with # and~
            all"""
            return x * (
                2  # twice

                + 1
            ), scale, text
    '''
).replace("~", "  ")
CODE = textwrap.dedent(
    '''\
    import torch
    class Net(torch.nn.Module):
        width: int = 64
        def forward(self, x):
            scale = "#1"
            text = """kept,

              with # and~
            all"""
            return x * (
                2
                + 1
            ), scale, text'''
).replace("~", "  ")


def test_comments_docstrings_blank_lines_and_trailing_space_are_left_out_and_strings_are_not() -> None:
    """Catches a hash of the bytes, a '#' in a string that is taken for a comment, and a string that loses its lines."""
    assert code_of(PROGRAM) == CODE
    assert code_of(PROGRAM.replace("\n", "\r\n")) == CODE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "# why\nx = 1  # so\n\n\n"),
        ("def f():\n    return 1\n", 'def f():\n    """Words # and marks."""\n    return 1\n'),
        ("x = (\n    1\n)\n", "x = (\n    # it's one\n    1\n)\n"),
        ('x = "a"\n', 'x = "a"  # "b\n'),
        ("a = 1\nb = 2\n", 'a = 1\n"""Of a, with é."""\nb = 2\n'),
        ('x = ("a"\n     "b")\n', 'x = ("a"  # between parts\n     "b")\n'),
        ("if x:\n    a()\n", "if x:  # é\n    a()   \n"),
    ],
)
def test_equal_programs_have_equal_code(one: str, other: str) -> None:
    assert code_of(one) == code_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "x = 2\n"),
        ('x = "# 1"\n', 'x = "# 2"\n'),
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a \nb"""\n', 'x = """a\nb"""\n'),
        ("if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n"),
        ('x = """a # 1\n"""  # so\n', 'x = """a # 2\n"""  # so\n'),
        ('f = f"""{x}\n\n"""\n', 'f = f"""{x}\n"""\n'),
        ("x = 'a\\\n# 1'\n", "x = 'a\\\n# 2'\n"),
    ],
)
def test_other_programs_have_other_code(one: str, other: str) -> None:
    """Catches a change of a prompt, of a pattern or of the indentation that would leave stored images in place."""
    assert code_of(one) != code_of(other)


@given(st.lists(st.sampled_from(["a = 1", "if a:\n    b = '#'", "def f():\n    return '''x\n\n# y'''"]), max_size=4))
def test_the_code_of_a_program_computes_what_the_program_does(parts: list[str]) -> None:
    """Catches a cut in the wrong place: the rest must have the same syntax tree but for the docstring."""
    program = "\n\n".join(
        ['"""Doc."""', *(f"# before\n{part}  # after" if "'''" not in part else part for part in parts)]
    )
    bare = ast.parse(program)
    bare.body = bare.body[1:]
    assert ast.dump(ast.parse(code_of(program))) == ast.dump(bare)


def read(tmp_path: Path, text: str, name: str = "pkg/part/module.py") -> tuple[Import, ...]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return read_source(path, module).imports


def test_imports_at_every_level_count_and_those_for_types_do_not(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from types_only import A
        if typing.TYPE_CHECKING:
            import types_only
        else:
            import instead
        try:
            import fast
        except ImportError:
            from slow import way as fast
        finally:
            import last
        def load():
            with open("x"):
                import late.part
            match 1:
                case _:
                    from matched import it
        """,
    )
    names = {(each.module, each.name) for each in found}
    assert {("instead", ""), ("last", ""), ("fast", ""), ("slow", "way"), ("late.part", ""), ("matched", "it")} <= names
    assert not {name for name in names if name[0] == "types_only"}


@pytest.mark.parametrize(
    ("file", "line", "module", "name"),
    [
        ("pkg/part/module.py", "from . import net", "pkg.part", "net"),
        ("pkg/part/module.py", "from .net import Net", "pkg.part.net", "Net"),
        ("pkg/part/module.py", "from ..net import Net", "pkg.net", "Net"),
        ("pkg/part/__init__.py", "from .net import Net", "pkg.part.net", "Net"),
        ("pkg/part/__init__.py", "from ..net import Net", "pkg.net", "Net"),
        ("pkg/part/module.py", "import importlib; importlib.import_module('.net', __package__)", "pkg.part.net", ""),
        ("pkg/part/module.py", "from importlib import import_module as i; x = __import__('pkg.x')", "pkg.x", ""),
    ],
)
def test_relative_and_written_out_imports_are_made_absolute(
    tmp_path: Path, file: str, line: str, module: str, name: str
) -> None:
    """Catches a package that is counted as a module, one level off."""
    assert (module, name) in {(each.module, each.name) for each in read(tmp_path, line, file)}


@pytest.mark.parametrize(
    ("line", "unreadable"),
    [
        ("importlib.import_module(name)", True),
        ("importlib.import_module(f'pkg.{name}')", True),
        ("__import__(name)", True),
        ("exec(text)", True),
        ("importlib.import_module('pkg.net')", False),
        ("executor.submit(name)", False),
    ],
)
def test_imports_by_a_computed_name_are_told(tmp_path: Path, line: str, unreadable: bool) -> None:
    path = tmp_path / "a.py"
    path.write_text(line)
    assert read_source(path, "a").unreadable is unreadable


@pytest.mark.parametrize("data", [b"x = (\n", b"x = '\xff'\n", b"x = 1\0"], ids=["syntax", "encoding", "null"])
def test_what_this_python_cannot_read_is_known_by_its_bytes(tmp_path: Path, data: bytes) -> None:
    """Catches a crash, and a file that loses its changes because nothing of it is understood."""
    path = tmp_path / "a.py"
    path.write_bytes(data)
    first = read_source(path, "a")
    path.write_bytes(data + b"# changed\n")
    assert first.unreadable
    assert read_source(path, "a").digest != first.digest


def test_an_edit_of_the_same_size_and_date_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    os.utime(path, ns=(10**18, 10**18))
    first = read_source(path, "a").digest
    path.write_text("x = 2\n")
    os.utime(path, ns=(10**18, 10**18))
    assert read_source(path, "a").digest != first


def test_doubtful_escapes_in_a_plug_in_print_no_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "a.py"
    path.write_text("import re\nx = '\\d'\n")
    read_source(path, "a")
    assert not recwarn.list
