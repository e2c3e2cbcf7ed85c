"""Why a rule matched, in one line: the clauses that held with the values seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trailwatch.detect.compile import Node
from trailwatch.detect.leaf import text_of
from trailwatch.detect.record import Record, getter
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or

LONGEST = 600
_VALUE_LONGEST = 100
_VALUES_SHOWN = 3
_ABSENCE = frozenset({Op.NULL, Op.ABSENT, Op.IS_NULL})


def reason(tree: Node, record: Record) -> str:
    """The clauses of a condition that hold for the record, at most `LONGEST` characters."""
    text = "; ".join(dict.fromkeys(_held(tree, record)))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def seen(field: Field, record: Record) -> str:
    """The values at a field's path, cut to a bounded length; not escaped for any channel."""
    if not field.path:
        return "the whole record"
    values = getter(field.path)(record)
    if not values:
        return "absent"
    shown = " | ".join(_short(value) for value in values[:_VALUES_SHOWN])
    more = len(values) - _VALUES_SHOWN
    return f"{shown} | and {more} more" if more > 0 else shown


def _held(node: Node, record: Record) -> Iterator[str]:
    predicate = node.predicate
    if isinstance(predicate, Field):
        yield _clause(predicate, record)
    elif isinstance(predicate, And):
        for item in node.items:
            yield from _held(item, record)
    elif isinstance(predicate, Or):
        for item in node.items:
            if item.test(record):
                yield from _held(item, record)
                return
    elif isinstance(predicate, Not):
        yield from _denied(node.items[0], record)


def _denied(node: Node, record: Record) -> Iterator[str]:
    """What was seen where an exception of the rule did not apply; one clause is enough to tell."""
    predicate = node.predicate
    if isinstance(predicate, Field):
        if predicate.path:
            yield f"{predicate.path} = {seen(predicate, record)}"
    elif isinstance(predicate, Not):
        yield from _held(node.items[0], record)
    elif isinstance(predicate, And):
        for item in node.items:
            if not item.test(record):
                yield from _denied(item, record)
                return
    elif not isinstance(predicate, Const):
        for item in node.items:
            yield from _denied(item, record)


def _clause(field: Field, record: Record) -> str:
    if field.op in _ABSENCE:
        return f"{field.path} is absent"
    if not field.path:
        return "the record holds " + " | ".join(_short(value) for value in field.values[:_VALUES_SHOWN])
    return f"{field.path} = {seen(field, record)}"


def _short(value: Any) -> str:
    text = text_of(value)
    return text if len(text) <= _VALUE_LONGEST else text[: _VALUE_LONGEST - 3] + "..."
