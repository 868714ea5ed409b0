"""Escaping: any text, however hostile, becomes LaTeX or Markdown that prints it and cannot break the document.

LaTeX: the ten specials, the characters that T1 and OT1 set differently, ligatures, and the brackets that commands such
as ``\\\\`` and ``\\midrule`` would read as their argument. Accented Latin letters become accent commands; a letter
outside that becomes ``\\benchchar{6F22}{...}``, which prints U+6F22 until a document with the right font defines it
otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

BENCHCHAR = r"\providecommand{\benchchar}[2]{\texttt{U+#1}}"
"""Fallback for characters without a LaTeX command; a XeLaTeX or LuaLaTeX document may define it as #2."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": "{`}",
    "'": "{'}",
    "[": "{[}",
    "]": "{]}",
    "(": "{(}",
    ")": "{)}",
    "*": "{*}",
    "-": "{-}",
    ",": "{,}",
    "!": "{!}",
    "?": "{?}",
}
_PLAIN_FIRST = "-,()'!?"
"""Escaped only where they would form a ligature or stand at the beginning."""

_SYMBOLS = {
    "×": r"$\times$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "°": r"$^\circ$",
    "·": r"$\cdot$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "−": "$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\dots{}",
    # in text these three are of a font that many installations hold as a bitmap alone
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"$\mathsection$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "µ": r"$\mu$",
    "ς": r"$\varsigma$",
    "✓": r"{\ifdefined\checkmark\checkmark\else$\surd$\fi}",
    "✗": r"$\times$",
}
_GREEK = "αβγδεζηθικλμνξ.πρ.στυφχψω"
_GREEK_NAMES = (
    *(
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
    ),
    *(".", "pi", "rho", ".", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_SYMBOLS |= {letter: rf"$\{name}$" for letter, name in zip(_GREEK, _GREEK_NAMES, strict=True) if name != "."}
_SYMBOLS |= {
    letter.upper(): rf"$\{name.title()}$"
    for letter, name in zip(_GREEK, _GREEK_NAMES, strict=True)
    if letter in "γδθλξπσυφψω"
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$#])")


def latex(text: str) -> str:
    """The text as LaTeX for a table cell, a heading or a caption; needs BENCHCHAR in the document for other scripts."""
    text = clean(text)
    out = []
    for position, char in enumerate(text):
        alone = position > 0 and text[position - 1] != char and text[position - 1] not in "`!?"
        if char in _PLAIN_FIRST and alone:
            out.append(char)
        elif char in _SPECIAL:
            out.append(_SPECIAL[char])
        elif char.isascii():
            out.append(char)
        else:
            out.append(_latex_letter(char))
    return "".join(out)


def latex_code(text: str) -> str:
    """A signature or a name in typewriter type that may break after "|", ":" and ","."""
    return r"\texttt{" + re.sub(r"(\\textbar\{\}|:|,(?!\}))", r"\1\\allowbreak{}", latex(text)) + "}"


def markdown(text: str) -> str:
    """The text for a Markdown table cell, a heading or a paragraph: no markup, no HTML, no formula."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", text)


def markdown_code(text: str) -> str:
    """The text as a code span outside of tables, fenced by more backticks than it holds."""
    text = clean(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def keep_ends(text: str, escape: Callable[[str], str]) -> str:
    """Escape a piece of a sentence and keep one space at either end, where it has one."""
    return (" " if text[:1].isspace() else "") + escape(text) + (" " if text[-1:].isspace() and text.strip() else "")


def clean(text: str) -> str:
    """One line of composed text: white space collapsed, control and unassigned characters named as U+XXXX."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(
        f"U+{ord(char):04X}" if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} else char for char in text
    )


def _latex_letter(char: str) -> str:
    if char in _SYMBOLS:
        return _SYMBOLS[char]
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        letter = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0]) if _ACCENTS[parts[1]] != "c" else parts[0]
        return rf"\{_ACCENTS[parts[1]]}{{{letter}}}"
    return rf"\benchchar{{{ord(char):04X}}}{{{char}}}"
