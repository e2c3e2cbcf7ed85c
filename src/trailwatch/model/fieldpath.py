"""Dotted paths into a record, and how lists on the way are read.

A path is names joined by dots: `requestParameters.ipPermissions.items.cidrIp`. A name that holds a dot or
a blank is written `['cluster.name']`, an element of a list `[0]`. A list that is met on the way is
walked: every element is tried, so a test on the path holds when it holds for any element.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Segment = str | int
_TOKEN = re.compile(r"\.?(?:([^.\[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\])")


@functools.lru_cache(maxsize=8192)
def parse_path(text: str) -> tuple[Segment, ...]:
    """The path's segments, outermost first; `ValueError` where the text is no path."""
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no field path at character {at + 1}: {text!r}")
        name, index, quoted = found.groups()
        if index is not None:
            segments.append(int(index))
        else:
            segments.append(name if name is not None else re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    return tuple(segments)


def find_values(record: object, path: str) -> list[Any]:
    """Every value that is not null at `path`, lists flattened, in order; the record itself for ``""``.

    An object at the end of the path is one value. A missing path, a null and an empty list give ``[]``.
    """
    return list(_walk(record, parse_path(path), 0))


def _walk(value: object, segments: Sequence[Segment], depth: int) -> Iterator[Any]:
    if isinstance(value, list):
        if depth < len(segments) and isinstance(segments[depth], int):
            index = segments[depth]
            if isinstance(index, int) and index < len(value):
                yield from _walk(value[index], segments, depth + 1)
            return
        for element in value:
            yield from _walk(element, segments, depth)
        return
    if depth == len(segments):
        if value is not None:
            yield value
        return
    if isinstance(value, Mapping):
        name = segments[depth]
        if isinstance(name, str) and name in value:
            yield from _walk(value[name], segments, depth + 1)
