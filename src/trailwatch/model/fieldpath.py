"""Dotted paths into a record, and how lists on the way are read.

A path is names joined by dots: `requestParameters.ipPermissions.items.cidrIp`. A name that holds a dot or
a blank is written `['cluster.name']`, an element of a list `[0]`. A list that is met on the way is
walked: every element is tried, so a test on the path holds when it holds for any element.
`[*]` is every element of a list and `.*` every member of an object.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Wild(enum.Enum):
    """A segment that stands for more than one place."""

    ELEMENT = "[*]"
    """Every element of a list."""
    MEMBER = ".*"
    """Every member of an object."""


Segment = str | int | Wild
_TOKEN = re.compile(r"\.?(?:([^.\[\]]+)|\[(\d+|\*)\]|\['((?:[^'\\]|\\.)*)'\])")
_PLAIN = re.compile(r"(?!\*$)[^.\[\]'\\\s]+")


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
            segments.append(Wild.ELEMENT if index == "*" else int(index))
        elif name is not None:
            segments.append(Wild.MEMBER if name == "*" else name)
        else:
            segments.append(re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    return tuple(segments)


def print_path(segments: Sequence[Segment]) -> str:
    """The text that `parse_path` reads back as these segments."""
    parts: list[str] = []
    for segment in segments:
        if isinstance(segment, int):
            parts.append(f"[{segment}]")
        elif isinstance(segment, Wild):
            parts.append(segment.value)
        elif _PLAIN.fullmatch(segment):
            parts.append(f".{segment}")
        else:
            quoted = segment.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "".join(parts).removeprefix(".")


def find_strict(record: object, path: str) -> list[Any]:
    """What stands at `path` when no list is walked unasked: nulls, lists and objects come as they are.

    A missing path gives ``[]``; a path without wildcards gives at most one value.
    """
    found: list[Any] = [record]
    for segment in parse_path(path):
        found = [inner for value in found for inner in _step(value, segment)]
    return found


def _step(value: object, segment: Segment) -> list[Any]:
    if isinstance(value, list):
        if segment is Wild.ELEMENT:
            return value
        return [value[segment]] if isinstance(segment, int) and segment < len(value) else []
    if isinstance(value, Mapping):
        if segment is Wild.MEMBER:
            return list(value.values())
        return [value[segment]] if isinstance(segment, str) and segment in value else []
    return []


def find_values(record: object, path: str) -> list[Any]:
    """Every value that is not null at `path`, lists flattened, in order; the record itself for ``""``.

    An object at the end of the path is one value. A missing path, a null and an empty list give ``[]``.
    """
    return list(_walk(record, parse_path(path), 0))


def _walk(value: object, segments: Sequence[Segment], depth: int) -> Iterator[Any]:
    if isinstance(value, list):
        if depth < len(segments) and (isinstance(segments[depth], int) or segments[depth] is Wild.ELEMENT):
            for inner in _step(value, segments[depth]):
                yield from _walk(inner, segments, depth + 1)
            return
        for element in value:
            yield from _walk(element, segments, depth)
        return
    if depth == len(segments):
        if value is not None:
            yield value
        return
    if isinstance(value, Mapping):
        for inner in _step(value, segments[depth]):
            yield from _walk(inner, segments, depth + 1)
