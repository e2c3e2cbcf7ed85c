"""Regular expressions of rules run on RE2, which takes linear time on every text and refuses what could not."""

from __future__ import annotations

import functools
from collections.abc import Callable


@functools.lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found in a text.

    Raises:
        ValueError: RE2 refuses it; the text is RE2's own reason.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        search = re2.compile(pattern, options=options).search
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
    # bytes, because the library turns every place of a text back into characters, at twice the cost of the search
    return lambda text: search(text.encode()) is not None


def regex_refusal(pattern: str) -> str:
    """Why RE2 refuses the pattern; empty when it takes it."""
    try:
        compile_regex(pattern)
    except ValueError as error:
        return str(error)
    return ""


_PLAIN = frozenset(":/_-,=@ ")
_QUOTED = frozenset(".$/-:")
_SHORTEST = 3


def needed_texts(pattern: str) -> tuple[str, ...]:
    """Texts that every ASCII text has, all in lower case, in which the pattern is found.

    Only plain characters outside of groups are looked at, and only where there is no choice between several patterns.
    """
    runs, run, at = [], "", 0
    if pattern[:2] == "(?" and (flags := pattern[2:].partition(")")[0]) and set(flags) <= set("ism"):
        at = len(flags) + 3
    while at < len(pattern):
        character = pattern[at]
        plain = character in _PLAIN or (character.isascii() and character.isalnum())
        if character == "\\":
            at += 1
            character = pattern[at : at + 1]
            plain = character in _QUOTED
        if character == "|" or not (plain or pattern[at - 1] != "\\"):
            return ()
        at += 1
        if plain and pattern[at : at + 1] not in {"?", "*", "{"}:
            run += character.lower()
            continue
        runs.append(run)
        run = ""
        if character in "([":
            at = _behind(pattern, at - 1)
        elif character == "{":
            at = pattern.find("}", at) + 1 or len(pattern)
    return tuple(text for text in (*runs, run) if len(text) >= _SHORTEST)


def _behind(pattern: str, at: int) -> int:
    """The place behind the group or the set of characters that begins here."""
    depth = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[":
            at = _last_of_set(pattern, at)
        else:
            depth += (pattern[at] == "(") - (pattern[at] == ")")
        at += 1
        if depth <= 0:
            break
    return at


def _last_of_set(pattern: str, at: int) -> int:
    """The place of the bracket that ends the set of characters which begins here."""
    at += 2 if pattern[at + 1 : at + 2] == "^" else 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at : at + 2] == "[:" and (end := pattern.find(":]", at)) > 0:
            at = end + 1
        at += 1
    return at
