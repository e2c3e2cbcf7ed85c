"""Why a rule matched, in one line: the clauses that held with the values seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trailwatch.detect.compile import compile_predicate
from trailwatch.detect.leaf import text_of
from trailwatch.detect.record import Record, getter
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate

LONGEST = 600
_VALUE_LONGEST = 100
_VALUES_SHOWN = 3
_ABSENCE = frozenset({Op.NULL, Op.ABSENT, Op.IS_NULL})


def reason(condition: Predicate, record: Record) -> str:
    """The clauses of `condition` that hold for the record, at most `LONGEST` characters."""
    clauses = list(dict.fromkeys(_held(condition, record)))
    text = "; ".join(clauses)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def seen(field: Field, record: Record) -> str:
    """The values at a field's path as a reader sees them: quoted by nothing, cut to a bounded length."""
    if not field.path:
        return "the whole record"
    values = getter(field.path)(record)
    if not values:
        return "absent"
    shown = " | ".join(_short(value) for value in values[:_VALUES_SHOWN])
    more = len(values) - _VALUES_SHOWN
    return f"{shown} | and {more} more" if more > 0 else shown


def _held(predicate: Predicate, record: Record) -> Iterator[str]:
    if isinstance(predicate, Field):
        yield _clause(predicate, record)
    elif isinstance(predicate, And):
        for item in predicate.items:
            yield from _held(item, record)
    elif isinstance(predicate, Or):
        for item in predicate.items:
            if compile_predicate(item)(record):
                yield from _held(item, record)
                return
    elif isinstance(predicate, Not):
        yield from _denied(predicate.item, record)


def _denied(predicate: Predicate, record: Record) -> Iterator[str]:
    """What was seen where an exception of the rule did not apply: one clause is enough to tell."""
    if isinstance(predicate, Const):
        return
    if isinstance(predicate, Not):
        yield from _held(predicate.item, record)
    elif isinstance(predicate, Field):
        if predicate.path:
            yield f"{predicate.path} = {seen(predicate, record)}"
    elif isinstance(predicate, And):
        for item in predicate.items:
            if not compile_predicate(item)(record):
                yield from _denied(item, record)
                return
    else:
        for item in predicate.items:
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
