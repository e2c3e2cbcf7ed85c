"""Forms of a predicate that other languages can take: negations at the leaves only, and alternatives outermost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.derived_names import PREFIX
from trailwatch.rules.predicate import And, Const, Field, Not, Or, Predicate, all_of, any_of
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import BY_PATH, FieldRow, Kind, scalar_row

Literal = tuple[Field, bool]
"""A field test, and whether it is negated."""


def negations_inward(predicate: Predicate, *, negated: bool = False) -> Predicate:
    """The same predicate with `Not` directly above fields only."""
    if isinstance(predicate, Const):
        return Const(value=predicate.value is not negated)
    if isinstance(predicate, Not):
        return negations_inward(predicate.item, negated=not negated)
    if isinstance(predicate, Field):
        return Not(predicate) if negated else predicate
    items = [negations_inward(item, negated=negated) for item in predicate.items]
    return all_of(*items) if isinstance(predicate, And) is not negated else any_of(*items)


def alternatives(predicate: Predicate, limit: int) -> list[list[Literal]]:
    """The predicate as alternatives of conjunctions.

    Raises:
        Inexpressible: there would be more than `limit`.
    """
    found = list(itertools.islice(_conjunctions(negations_inward(predicate)), limit + 1))
    if len(found) > limit:
        raise Inexpressible("the condition", f"it has more than {limit} alternatives when multiplied out", "")
    return found


def _conjunctions(predicate: Predicate) -> Iterator[list[Literal]]:
    if isinstance(predicate, Const):
        if predicate.value:
            yield []
    elif isinstance(predicate, Field):
        yield [(predicate, False)]
    elif isinstance(predicate, Not):
        if isinstance(predicate.item, Field):
            yield [(predicate.item, True)]
    elif isinstance(predicate, Or):
        for item in predicate.items:
            yield from _conjunctions(item)
    else:
        yield from _product(list(predicate.items))


def _product(items: list[Predicate]) -> Iterator[list[Literal]]:
    if not items:
        yield []
        return
    for first in _conjunctions(items[0]):
        for rest in _product(items[1:]):
            yield first + rest


def one_value(path: str, target: str) -> FieldRow:
    """The row of a field that holds one value at most, which is what filter and event patterns can test exactly.

    Raises:
        Inexpressible: it is computed, or may be or pass through a list or an object.
    """
    if not path:
        raise Inexpressible("keywords", f"{target} tests fields, not the whole record", "name the field")
    if path.startswith(PREFIX):
        raise Inexpressible(path, "it is computed while matching, the record does not hold it", "")
    row = scalar_row(path)
    if row is None:
        reason = "it may hold or pass through a list or an object"
        raise Inexpressible(path, f"{reason}, which {target} reads in another way", "")
    return row


def may_be_null(row: FieldRow) -> bool:
    """Whether the value itself may be written as null: below the JSON fields it may, elsewhere it is left out."""
    top = BY_PATH.get(str(parse_path(row.path)[0]))
    return top is not None and top.kind is Kind.JSON
