"""The one rule language inside: And, Or, Not, Const and Field. Everything else compiles to it or out of it.

It is plain data: it can be compared, hashed, cached on disk as JSON and printed. What it means is fixed here;
every evaluator (the compiled plan, the oracle in the tests, SQL, filter patterns, event patterns) follows this page.

**Values at a path.** `find_values` says which values a path has: lists are flattened, null and absent are the
same, an object at the end is one value. A `Field` holds when any value at its path and any of its `values`
satisfy its operator. So a missing path satisfies nothing but `Op.NULL`.

**Text of a value.** A string is itself, a boolean is `true` or `false`, a number is its JSON text, an object is
its compact JSON text (no blanks, UTF-8, keys in recorded order).
The path `""` is the whole record, so its text is the record's compact JSON.

**Case.** Text operators ignore case (both sides through `str.lower`) unless `cased`.

**Types.** A number in `values` equals a number of the same value, and a text that spells it; a boolean in
`values` equals that boolean and its text in any case; a string in `values` is compared with the value's text.
LT, LTE, GT and GTE compare numbers, and texts that spell a number; any other value fails them.

**strict** is how CloudWatch reads a path: no list is flattened (elements are named by index), an object or a
list at the end fails every operator but NULL and EXISTS, case counts, and `ABSENT`/`IS_NULL` tell null from absent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

Value = str | int | float | bool


class Op(enum.Enum):
    __hash__ = object.__hash__  # each is there once; the library's own is no C, and each start asks for thousands

    EQ = "eq"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    ENDSWITH = "endswith"
    LIKE = "like"
    """Values are patterns over the whole text: `*` any run, `?` any one character, backslash quotes the next."""
    RE = "re"
    """Values are RE2 patterns, searched anywhere in the text; flags stand inside, `(?i)`. Never lower-cased."""
    CIDR = "cidr"
    """Values are IPv4 or IPv6 networks; the text must be an address."""
    EXISTS = "exists"
    """At least one value that is not null; `values` is empty."""
    NULL = "null"
    """No value at all; `values` is empty."""
    IS_NULL = "is_null"
    """strict only: the path is there and null."""
    ABSENT = "absent"
    """strict only: the path is not there."""
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    FIELDREF = "fieldref"
    """`values` are paths; holds when a value here and a value there have the same text."""
    FIELDREF_CONTAINS = "fieldref_contains"
    FIELDREF_STARTSWITH = "fieldref_startswith"
    FIELDREF_ENDSWITH = "fieldref_endswith"
    MINUTE = "minute"
    """The value is a time (ISO 8601); its UTC minute is one of `values`. Likewise the next five."""
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """ISO week of the year."""
    MONTH = "month"
    YEAR = "year"


class Field(msgspec.Struct, frozen=True, tag="field"):
    """A test on the values at one path."""

    path: str
    op: Op
    values: tuple[Value, ...] = ()
    cased: bool = False
    strict: bool = False


class Const(msgspec.Struct, frozen=True, tag="const"):
    value: bool


class Not(msgspec.Struct, frozen=True, tag="not"):
    item: Predicate


class And(msgspec.Struct, frozen=True, tag="and"):
    items: tuple[Predicate, ...]


class Or(msgspec.Struct, frozen=True, tag="or"):
    items: tuple[Predicate, ...]


Predicate = And | Or | Not | Field | Const


def all_of(*items: Predicate) -> Predicate:
    """And, simplified: no constants inside, no And in an And, one item stands alone."""
    kept: list[Predicate] = []
    for item in items:
        if isinstance(item, Const):
            if not item.value:
                return item
        elif isinstance(item, And):
            kept.extend(item.items)
        else:
            kept.append(item)
    if not kept:
        return Const(value=True)
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def any_of(*items: Predicate) -> Predicate:
    """Or, simplified in the same way."""
    kept: list[Predicate] = []
    for item in items:
        if isinstance(item, Const):
            if item.value:
                return item
        elif isinstance(item, Or):
            kept.extend(item.items)
        else:
            kept.append(item)
    if not kept:
        return Const(value=False)
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def none_of(item: Predicate) -> Predicate:
    """Not, simplified."""
    if isinstance(item, Const):
        return Const(value=not item.value)
    if isinstance(item, Not):
        return item.item
    return Not(item)


def fields_of(predicate: Predicate) -> Iterator[Field]:
    """Every field test in the tree, left to right."""
    found: list[Field] = []
    _gather(predicate, found)
    return iter(found)


def _gather(predicate: Predicate, found: list[Field]) -> None:
    """Into a list: generators within generators take three times as long, and each start asks hundreds of rules."""
    if isinstance(predicate, Field):
        found.append(predicate)
    elif isinstance(predicate, Not):
        _gather(predicate.item, found)
    elif not isinstance(predicate, Const):
        for item in predicate.items:
            _gather(item, found)
