"""Text from a log, which its writer may have been an attacker, made harmless for where it goes."""

from __future__ import annotations

import functools
import unicodedata

# a spreadsheet takes a cell that begins with one of these for a formula
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def for_terminal(text: str) -> str:
    r"""The text on one line, with every character that could act written as its escape: `\x1b`, `\u202e`.

    Escaped are control characters, direction and zero-width marks, line separators, lone surrogates, and what
    has no meaning in Unicode; everything that can be seen stays.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def for_csv(text: str) -> str:
    """The text as a cell that no spreadsheet runs: a quote goes before what could begin a formula."""
    shown = for_terminal(text)
    return "'" + shown if shown.lstrip().startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else shown


@functools.lru_cache(maxsize=4096)
def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" and category not in {"Zl", "Zp"}:
        return character
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 Python's own forms of escapes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 Python's own forms of escapes
