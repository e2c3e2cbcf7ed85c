"""Text that no strict JSON reader takes, made readable: lone surrogates, invalid UTF-8, NaN and infinities."""

from __future__ import annotations

import re
from typing import NamedTuple

# One match for each escape, so that a quoted backslash never starts another escape.
_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_CONSTANT = re.compile(rb'("(?:[^"\\]++|\\.)*+")|-?\bInfinity\b|\bNaN\b', re.DOTALL)


class Mended(NamedTuple):
    text: bytes
    places: int
    """How many places were changed."""


def mend(text: bytes) -> Mended:
    """The text as valid UTF-8 JSON characters: U+FFFD for what is no character, null for NaN and infinities.

    It repairs nothing else: text that is no JSON stays no JSON. Linear in time and memory.
    """
    places = 0
    if not text.isascii():
        known = text.count("\ufffd".encode())
        text = text.decode("utf-8", "replace").encode()
        places += text.count("\ufffd".encode()) - known
    if _SURROGATE.search(text):
        lone = 0

        def escape(found: re.Match[bytes]) -> bytes:
            nonlocal lone
            if found.group(2) is None:
                return found.group()
            lone += 1
            return b"\\ufffd"

        text = _ESCAPE.sub(escape, text)
        places += lone
    if b"NaN" in text or b"Infinity" in text:
        constants = 0

        def constant(found: re.Match[bytes]) -> bytes:
            nonlocal constants
            if found.group(1) is not None:
                return found.group()
            constants += 1
            return b"null"

        text = _CONSTANT.sub(constant, text)
        places += constants
    return Mended(text, places)


def is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
