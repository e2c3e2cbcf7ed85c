"""The first looks at a trail's file, taken at its bytes where trailwatch was built with a C compiler.

See `trailwatch.detect._glance`, which is written in Cython. Without it everything is found just the same, and takes
twice as long: files are decoded, and `trailwatch.detect.plans` looks at the decoded events.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from trailwatch.decode.unfold import LIMIT_RECORD_BYTES
from trailwatch.detect.callers import PATHS
from trailwatch.detect.compiled_rule import NOTHING, CompiledRule, Plan
from trailwatch.detect.schema import FREE_FIELDS, Flag, Text, layout

_MOST_PARTS = 62
_MOST_FURTHER = 16

_Further = tuple[int, bytes | None, Mapping[Any, Any] | None]

try:
    from trailwatch.detect import _glance
except ImportError:
    COMPILED = False
else:
    COMPILED = True
    _SPECIAL = {"eventID": _glance.IDENT, "eventName": _glance.NAME} | dict.fromkeys(FREE_FIELDS, _glance.ANY)
    _KINDS: dict[Any, int] = {None: _glance.SKIP, Text: _glance.TEXT, Flag: _glance.FLAG, datetime: _glance.TIME}


COMPILED_MASKS: Callable[..., Callable[[Any], int]] | None = _glance.Masks if COMPILED else None
"""The same as `trailwatch.detect.classes.Masks`."""


class Taking(NamedTuple):
    """What rows of events hold besides what is in all of them."""

    further: tuple[tuple[str, str | None, Mapping[Any, Any] | None], ...]
    """Of each value a path, and a member of the free-form object there, or what has it by the value at that path."""
    placed: bool
    """Whether the origin of the event and its number there are added."""


class Rows(NamedTuple):
    """How events that are only noted are taken out of a file, as rows of `trailwatch.detect.notes.Noter`."""

    plain: tuple[str, ...]
    """The paths of the values that are in all of them."""
    caller: Callable[[tuple[Any, ...]], Any]
    """Who called, by the values at `trailwatch.detect.callers.PATHS`."""
    taking: Callable[[tuple[CompiledRule, ...]], Taking | None]
    """What follows where these rules hold and no other can; None where the event has to be decoded."""


def glance_of(
    paths: Collection[str],
    tested: Sequence[str],
    members: Sequence[str],
    first: int,
    classify: Sequence[Callable[[Any], int]],
    begin: Callable[[tuple[int, ...], str], Any],
    rows: Rows | None = None,
) -> _glance.Glance | None:
    """What takes the first looks at a file; None where it was not compiled.

    Args:
        paths: the fields that events are decoded to.
        tested: those of them that rules test; their order gives the numbers of their slots.
        members: the members of free-form fields that rules test, see `is_member`; numbered after these.
        first: so many of these are looked at first.
        classify: for each tested field, and each member, what gives the class of a value.
        begin: the node after the first look, by its classes and the name of the event.
        rows: how events that are only noted are taken; None where none are.
    """
    if not COMPILED:
        return None
    plain, callers = ((), ()) if rows is None else (rows.plain, PATHS)
    slots = {path: slot for slot, path in enumerate(dict.fromkeys((*tested, *callers, *plain, *FREE_FIELDS)))}

    def taking(plan: Plan) -> tuple[list[_Further], bool] | None:
        asked = None if rows is None or plan.insight or plan.issues or plan.open else rows.taking(plan.certain)
        if asked is None or len(asked.further) > _MOST_FURTHER:
            return None
        further = [(slots[path], name.encode() if name else None, known) for path, name, known in asked.further]
        return further, asked.placed

    return _glance.Glance(
        [(path, _kind(path, type_), slots.get(path, -1)) for path, type_ in layout(paths)],
        [(slots[root], name.encode()) for root, _, name in (path.partition(".") for path in members)],
        *(first, classify, begin, slots["eventName"], NOTHING, LIMIT_RECORD_BYTES),
        *(taking, [slots[path] for path in plain], [slots[path] for path in callers]),
        (lambda _values: None) if rows is None else rows.caller,
    )


def parts_of(parts: Sequence[str]) -> Callable[[str], int] | None:
    """What says which of these parts stand in a text: a bit for each, or -1 where it cannot be said of this text.

    None where it was not compiled, or the parts are too many, too short, or not all ASCII.
    """
    fit = len(parts) <= _MOST_PARTS and all(len(part) > 1 and part.isascii() for part in parts)
    return _glance.Parts(parts) if COMPILED and fit else None


def _kind(path: str, type_: Any) -> int:
    special = _SPECIAL.get(path)
    return _KINDS[type_] if special is None else special
