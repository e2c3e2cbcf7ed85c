"""Predicates as closures over a `Record`, and partial evaluation of predicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trailwatch.detect.leaf import REFERENCES, reference_test, value_test
from trailwatch.detect.record import Record, getter, is_absent, strict_getter
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, all_of, any_of, none_of

Test = Callable[[Record], bool]


def compile_predicate(predicate: Predicate) -> Test:
    """A function that says whether a record satisfies the predicate.

    Raises:
        ValueError: a field's value does not fit its operator.
    """
    if isinstance(predicate, Field):
        return _strict_field(predicate) if predicate.strict else _field(predicate)
    if isinstance(predicate, Const):
        value = predicate.value
        return lambda _record: value
    if isinstance(predicate, Not):
        inner = compile_predicate(predicate.item)
        return lambda record: not inner(record)
    tests = [compile_predicate(item) for item in predicate.items]
    return _all(tests) if isinstance(predicate, And) else _any(tests)


def _all(tests: list[Test]) -> Test:
    def test(record: Record) -> bool:
        for one in tests:  # a plain loop: all() with a generator takes twice as long  # noqa: SIM110
            if not one(record):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(record: Record) -> bool:
        for one in tests:  # a plain loop: any() with a generator takes twice as long  # noqa: SIM110
            if one(record):
                return True
        return False

    return test


def _field(field: Field) -> Test:
    values = getter(field.path)
    if field.op in {Op.NULL, Op.ABSENT, Op.IS_NULL}:
        if field.op is not Op.NULL:
            return _strict_field(field)
        return lambda record: not values(record)
    if field.op is Op.EXISTS:
        return lambda record: bool(values(record))
    if field.op in REFERENCES:
        pair = reference_test(field)
        others = [getter(str(path)) for path in field.values]
        return lambda record: pair(values(record), [value for other in others for value in other(record)])
    one = value_test(field)

    def test(record: Record) -> bool:
        for value in values(record):  # noqa: SIM110 a plain loop: any() with a generator takes twice as long
            if one(value):
                return True
        return False

    return test


def _strict_field(field: Field) -> Test:
    value_at = strict_getter(field.path)
    if field.op is Op.ABSENT:
        return lambda record: is_absent(value_at(record))
    if field.op is Op.IS_NULL:
        return lambda record: value_at(record) is None
    if field.op is Op.NULL:
        return lambda record: (value := value_at(record)) is None or is_absent(value)
    if field.op is Op.EXISTS:
        return lambda record: not ((value := value_at(record)) is None or is_absent(value))
    if field.op in REFERENCES:
        pair = reference_test(field)
        others = [strict_getter(str(path)) for path in field.values]
        return lambda record: pair(_scalars(value_at(record)), [v for o in others for v in _scalars(o(record))])
    one = value_test(field)
    return lambda record: any(one(value) for value in _scalars(value_at(record)))


def _scalars(value: Any) -> list[Any]:
    return [] if value is None or is_absent(value) or isinstance(value, dict | list) else [value]


def simplify(predicate: Predicate, known: Callable[[Field], bool | None]) -> Predicate:
    """The predicate with every field test replaced whose outcome is known."""
    if isinstance(predicate, Field):
        outcome = known(predicate)
        return predicate if outcome is None else Const(value=outcome)
    if isinstance(predicate, Not):
        return none_of(simplify(predicate.item, known))
    if isinstance(predicate, Const):
        return predicate
    deciding = isinstance(predicate, Or)
    kept: list[Predicate] = []
    for item in predicate.items:
        part = simplify(item, known)
        if isinstance(part, Const) and part.value is deciding:
            return part
        kept.append(part)
    return any_of(*kept) if deciding else all_of(*kept)
