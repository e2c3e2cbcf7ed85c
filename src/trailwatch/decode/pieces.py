"""Where one JSON value ends and the next begins, in text that a strict reader refuses as a whole.

It walks over the brackets and strings without recursion and without building values, so one record that is
nested 10,000 deep, or cut off, costs that record and not its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],"]', re.DOTALL)
_LIST = re.compile(rb"\s*\[")
_OBJECT = re.compile(rb"\s*\{")
_LIST_IN_OBJECT = re.compile(rb'"(?:Records|Events|events)"\s*:\s*\[')
_NEAR_BYTES = 1 << 12
"""How far into an object its list is looked for; what comes before it is short."""
_OPENING = frozenset(b"{[")
_CLOSING = frozenset(b"}]")
_COMMA = b","[0]
_QUOTE = b'"'[0]


class Piece(NamedTuple):
    text: bytes
    whole: bool
    """False for what the input's end cut off."""


def pieces(text: bytes) -> Iterator[Piece]:
    """The elements of each list that the text is or holds as a container, and every other value that stands alone."""
    at = 0
    while at < len(text):
        opening, depth = _container(text, at)
        if opening is None:
            at = yield from _document(text, at)
        else:
            end = yield from _elements(text, opening.end())
            if not end:
                return
            at = _closed(text, end, depth) if depth else end
            if not at:
                yield Piece(text[end - 1 :].strip(), whole=False)
                return


def _container(text: bytes, at: int) -> tuple[re.Match[bytes] | None, int]:
    """Where the list of a container begins, and how many objects it stands in; None for any other value."""
    if found := _LIST.match(text, at):
        return found, 0
    if not _OBJECT.match(text, at):
        return None, 0
    found = _LIST_IN_OBJECT.search(text, at, at + _NEAR_BYTES)
    if found is None:
        return None, 0
    depth = 0
    for token in _TOKEN.finditer(text, at, found.start()):
        code = text[token.start()]
        depth += (code in _OPENING) - (code in _CLOSING)
    return (found if depth == 1 else None), 1


def _elements(text: bytes, start: int) -> Generator[Piece, None, int]:
    """The elements of the list that begins here; comes back with the place behind its end, or 0 where it has none."""
    depth, begin = 0, start
    for token in _TOKEN.finditer(text, start):
        at = token.start()
        code = text[at]
        if code in _OPENING:
            depth += 1
        elif code in _CLOSING:
            depth -= 1
            if depth < 0:
                yield from _piece(text, begin, at)
                return at + 1
        elif code == _COMMA and depth == 0:
            yield from _piece(text, begin, at)
            begin = at + 1
        elif code == _QUOTE and token.end() == at + 1:
            break
    yield Piece(text[begin:].strip(), whole=False)
    return 0


def _document(text: bytes, begin: int) -> Generator[Piece, None, int]:
    """The value that begins here; comes back with the place behind it."""
    end = _closed(text, begin, 0)
    if end:
        yield from _piece(text, begin, end)
        return end
    rest = text[begin:].strip()
    if rest:
        yield Piece(rest, whole=False)
    return len(text)


def _closed(text: bytes, start: int, depth: int) -> int:
    """Behind the bracket that closes everything that is open; 0 where the text ends before."""
    for token in _TOKEN.finditer(text, start):
        code = text[token.start()]
        if code in _OPENING:
            depth += 1
        elif code in _CLOSING and depth > 0:
            depth -= 1
            if depth == 0:
                return token.end()
        elif code == _QUOTE and token.end() == token.start() + 1:
            break
    return 0


def _piece(text: bytes, begin: int, end: int) -> Iterator[Piece]:
    piece = text[begin:end].strip()
    if piece:
        yield Piece(piece, whole=True)
