"""Why a rule matched, in one line: the clauses that held with the values seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trailwatch.detect.compile import Node
from trailwatch.detect.leaf import text_of
from trailwatch.detect.record import Record, getter
from trailwatch.rules.predicate import And, Const, Field, Not, Or

LONGEST = 600
_VALUE_LONGEST = 100
_VALUES_SHOWN = 3

Teller = Callable[[Record, dict[str, str]], None]
"""Puts clauses into a dict by path, so that a field that several clauses test is told once."""


def reason(tell: Teller, record: Record) -> str:
    """The clauses of a condition that hold for the record, at most `LONGEST` characters."""
    told: dict[str, str] = {}
    tell(record, told)
    text = "; ".join(told.values())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def seen(field: Field, record: Record) -> str:
    """The values at a field's path, cut to a bounded length; not escaped for any channel."""
    if not field.path:
        return "the whole record"
    return _shown(getter(field.path)(record)) or "absent"


def teller(node: Node) -> Teller:
    """What tells the clauses that hold, for a condition that holds."""
    predicate = node.predicate
    if isinstance(predicate, Field):
        return _field(predicate)
    if isinstance(predicate, And):
        return _every([teller(item) for item in node.items])
    if isinstance(predicate, Or):
        return _first([(item.test, teller(item)) for item in node.items])
    if isinstance(predicate, Not):
        return _denier(node.items[0])
    return _silent


def _denier(node: Node) -> Teller:
    """What tells the values by which a condition does not hold; one clause of a conjunction is enough."""
    predicate = node.predicate
    if isinstance(predicate, Field):
        return _field(predicate) if predicate.path else _silent
    if isinstance(predicate, Not):
        return teller(node.items[0])
    if isinstance(predicate, Const):
        return _silent
    tells = [_denier(item) for item in node.items]
    if isinstance(predicate, Or):
        return _every(tells)
    return _first([(_fails(item), tell) for item, tell in zip(node.items, tells, strict=True)])


def _fails(node: Node) -> Callable[[Record], bool]:
    return lambda record: not node.test(record)


def _silent(_record: Record, _told: dict[str, str]) -> None:
    pass


def _every(tells: list[Teller]) -> Teller:
    def tell(record: Record, told: dict[str, str]) -> None:
        for one in tells:
            one(record, told)

    return tell


def _first(choices: list[tuple[Callable[[Record], bool], Teller]]) -> Teller:
    def tell(record: Record, told: dict[str, str]) -> None:
        for holds, one in choices:
            if holds(record):
                one(record, told)
                return

    return tell


def _field(field: Field) -> Teller:
    path = field.path
    if not path:
        text = "the record holds " + " | ".join(_short(value) for value in field.values[:_VALUES_SHOWN])
        return lambda _record, told: told.update({"": text})
    values_at = getter(path)

    def tell(record: Record, told: dict[str, str]) -> None:
        if path not in told:
            shown = _shown(values_at(record))
            told[path] = f"{path} = {shown}" if shown else f"{path} is absent"

    return tell


def _shown(values: list[Any]) -> str:
    """The values as one text; empty for none."""
    if len(values) == 1:
        return _short(values[0]) or '""'
    more = len(values) - _VALUES_SHOWN
    shown = " | ".join(_short(value) for value in values[:_VALUES_SHOWN])
    return f"{shown} | and {more} more" if more > 0 else shown


def _short(value: Any) -> str:
    text = value if type(value) is str else text_of(value)
    return text if len(text) <= _VALUE_LONGEST else text[: _VALUE_LONGEST - 3] + "..."
