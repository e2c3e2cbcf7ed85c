"""Where one JSON value ends and the next begins, in text that a strict reader refuses as a whole.

It walks over the brackets and strings without recursion and without building values, so one record that is
nested 10,000 deep, or cut off, costs that record and not its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],"]', re.DOTALL)
_LIST_IN_OBJECT = re.compile(rb'\s*\{\s*"(Records|Events|events)"\s*:\s*\[')
_ANY_LIST_IN_OBJECT = re.compile(rb'"(Records|Events|events)"\s*:\s*\[')
_LIST = re.compile(rb"\s*\[")
_OPENING = frozenset(b"{[")
_CLOSING = frozenset(b"}]")
_COMMA = b","[0]
_QUOTE = b'"'[0]


class Piece(NamedTuple):
    text: bytes
    whole: bool
    """False for what the input's end cut off."""


def pieces(text: bytes) -> Iterator[Piece]:
    """The elements of the list that the text is or opens with, or else the objects that stand one after another."""
    inside = _LIST_IN_OBJECT.match(text) or _LIST.match(text)
    if inside is None and text.lstrip()[:1] == b"{":
        inside = _list_at_depth_one(text)
    if inside is not None:
        yield from _elements(text, inside.end())
    else:
        yield from _documents(text)


def _list_at_depth_one(text: bytes) -> re.Match[bytes] | None:
    """The container's list where other names come before it; only looked for near the start."""
    near = text[:65536]
    found = _ANY_LIST_IN_OBJECT.search(near)
    if found is None:
        return None
    depth = 0
    for token in _TOKEN.finditer(near, 0, found.start()):
        code = near[token.start()]
        depth += (code in _OPENING) - (code in _CLOSING)
    return found if depth == 1 else None


def _elements(text: bytes, start: int) -> Iterator[Piece]:
    depth, begin = 0, start
    for token in _TOKEN.finditer(text, start):
        at = token.start()
        code = text[at]
        if code in _OPENING:
            depth += 1
        elif code in _CLOSING:
            depth -= 1
            if depth < 0:
                yield from _piece(text, begin, at, whole=True)
                return
        elif code == _COMMA and depth == 0:
            yield from _piece(text, begin, at, whole=True)
            begin = at + 1
        elif code == _QUOTE and token.end() == at + 1:
            break
    yield from _piece(text, begin, len(text), whole=False)


def _documents(text: bytes) -> Iterator[Piece]:
    depth, begin = 0, 0
    for token in _TOKEN.finditer(text):
        at = token.start()
        code = text[at]
        if code in _OPENING:
            depth += 1
        elif code in _CLOSING and depth > 0:
            depth -= 1
            if depth == 0:
                yield from _piece(text, begin, at + 1, whole=True)
                begin = at + 1
        elif code == _QUOTE and token.end() == at + 1:
            break
    yield from _piece(text, begin, len(text), whole=False)


def _piece(text: bytes, begin: int, end: int, *, whole: bool) -> Iterator[Piece]:
    piece = text[begin:end].strip()
    if piece:
        yield Piece(piece, whole)
