"""The first looks at a trail's file, taken at its bytes where trailwatch was built with a C compiler.

See `trailwatch.detect._glance`, which is written in Cython. Without it everything is found just the same, and takes
half as long again: files are decoded, and `trailwatch.detect.plans` looks at the decoded events.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from trailwatch.decode.unfold import LIMIT_RECORD_BYTES
from trailwatch.detect.compiled_rule import NOTHING
from trailwatch.detect.schema import Flag, Text, layout

_MOST_PARTS = 62

try:
    from trailwatch.detect import _glance
except ImportError:
    COMPILED = False
else:
    COMPILED = True
    _KINDS: dict[Any, int] = {None: _glance.SKIP, Text: _glance.TEXT, Flag: _glance.FLAG, datetime: _glance.TIME}


def glance_of(
    paths: Collection[str],
    tested: Sequence[str],
    first: int,
    classify: Sequence[Callable[[Any], int]],
    begin: Callable[[tuple[int, ...], str], Any],
) -> _glance.Glance | None:
    """What takes the first looks at a file; None where it was not compiled.

    Args:
        paths: the fields that events are decoded to.
        tested: those of them that rules test; their order gives the numbers of their slots.
        first: so many of these are looked at first.
        classify: for each tested field what gives the class of a value.
        begin: the node after the first look, by its classes and the name of the event.
    """
    if not COMPILED:
        return None
    slots = {path: slot for slot, path in enumerate(tested)}
    members = [(path, _kind(path, type_), slots.get(path, -1)) for path, type_ in layout(paths)]
    return _glance.Glance(members, first, classify, begin, slots["eventName"], NOTHING, LIMIT_RECORD_BYTES)


def parts_of(parts: Sequence[str]) -> Callable[[str], int] | None:
    """What says which of these parts stand in a text: a bit for each, or -1 where it cannot be said of this text.

    None where it was not compiled, or the parts are too many, too short, or not all ASCII.
    """
    fit = len(parts) <= _MOST_PARTS and all(len(part) > 1 and part.isascii() for part in parts)
    return _glance.Parts(parts) if COMPILED and fit else None


def _kind(path: str, type_: Any) -> int:
    special = {"eventID": _glance.IDENT, "eventName": _glance.NAME}.get(path)
    return _KINDS[type_] if special is None else special
