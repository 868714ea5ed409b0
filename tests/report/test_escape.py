"""Escaping: nothing that a name can hold is markup in the result."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.report.escape import clean, keep_ends, latex, latex_code, markdown, markdown_code

_COMMAND = re.compile(
    r"\\benchchar\{[0-9A-F]{4,6}\}\{[^\\{}$&#_%^~\s]\}"
    r"|\\text[a-z]+\{\}|\\(?:dots|dag|ddag|S|ss|ae|AE|oe|OE|o|O|aa|AA|l|L|i)\{\}"
    r"|\\[`'^~=u.\"Hvc]\{(?:[A-Za-z]|\\[ij])\}"
    r"|\$(?:\\[A-Za-z]+|\^\\circ|-)\$"
    r"|\{(?:''|[\[\]()*`',!?-])\}"
    r"|\\[{}$&#_%]"
)
_ANY = st.text(st.characters(exclude_categories=()), max_size=40)
_HOSTILE = st.text(st.sampled_from(list("\\{}$&#_%^~<>|\"`'[]()*-,!?\n\t\0 aZ9éßα方\u202e\u0301\ud800")), max_size=30)


@settings(max_examples=300)
@given(_ANY | _HOSTILE)
@example("0-[-")
def test_latex_leaves_no_raw_special(text):
    rest = _COMMAND.sub(" ", latex(text))  # a command keeps its neighbours apart, as it does in TeX
    assert not set(rest) & set('\\{}$&#_%^~<>|"`[]*\n\t\0')
    assert rest.isascii()
    assert "--" not in rest
    latex(text).encode("utf-8")


@given(_HOSTILE)
def test_latex_never_begins_with_what_a_line_break_would_eat(text):
    assert not latex(text).startswith(("[", "*", "("))


@given(_ANY | _HOSTILE)
def test_markdown_leaves_no_raw_special(text):
    out = markdown(text)
    rest = re.sub(r"\\[\\`*_{}\[\]|~$#]|&(?:amp|lt|gt);", "", out)
    assert not set(rest) & set("\\`*_[]|~$#<>&\n\r\0")
    out.encode("utf-8")


@given(_ANY | _HOSTILE)
def test_code_span_cannot_be_closed_from_inside(text):
    out = markdown_code(text)
    fence = re.match("`+", out)
    assert fence
    inside = out[len(fence[0]) : len(out) - len(fence[0])]
    assert fence[0] not in re.findall("`+", inside)
    assert "\n" not in out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("own_net & 50%", r"own\_net \& 50\%"),
        ("a\\b", r"a\textbackslash{}b"),
        ("CASR (lite)", "CASR (lite)"),
        ("[x]", "{[}x{]}"),
        ("x--y", "x-{-}y"),
        ("Zoë", r"Zo\"{e}"),
        ("naïve", r"na\"{\i}ve"),
        ("λ-net", r"$\lambda$-net"),
        ("方", r"\benchchar{65B9}{方}"),
        ("a\nb", "a b"),
        ("\x07", "U+0007"),
        ("e\u0301", r"\'{e}"),
    ],
)
def test_latex_of_known_names(text, expected):
    assert latex(text) == expected


def test_bidi_override_is_named_and_not_obeyed():
    assert clean("a\u202eb") == "aU+202Eb"


def test_signature_may_break_after_its_tokens():
    assert latex_code("psnr|lr:x") == r"\texttt{psnr\textbar{}\allowbreak{}lr:\allowbreak{}x}"


def test_sentences_keep_their_inner_spaces():
    assert keep_ends(" a_b ", latex) == r" a\_b "
    assert keep_ends("", latex) == ""
