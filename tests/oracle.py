"""The rule language evaluated the slow and obvious way, straight from the page in `rules/predicate.py`.

It shares nothing with the engine but the predicate classes, so that a mistake has to be made twice to stay hidden.
"""

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction

import re2

from trailwatch.detect.derived import COMPUTED, LOOKED_UP
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or

MISSING = object()
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def holds(predicate, record) -> bool:
    if isinstance(predicate, Const):
        return predicate.value
    if isinstance(predicate, Not):
        return not holds(predicate.item, record)
    if isinstance(predicate, And):
        return all(holds(item, record) for item in predicate.items)
    if isinstance(predicate, Or):
        return any(holds(item, record) for item in predicate.items)
    return field_holds(predicate, record)


def field_holds(field: Field, record) -> bool:
    op = field.op
    if op in (Op.ABSENT, Op.IS_NULL) or field.strict:
        found = wild_values(record, field.path) if "*" in field.path else [strict_value(record, field.path)]
        there = [value for value in found if value is not MISSING]
        if op is Op.ABSENT:
            return not there
        if op is Op.IS_NULL:
            return None in there
        values = [value for value in there if value is not None]
        if op not in (Op.NULL, Op.EXISTS):
            values = [value for value in values if not isinstance(value, (dict, list))]
    else:
        values = loose_values(record, field.path)
    if op is Op.NULL:
        return not values
    if op is Op.EXISTS:
        return bool(values)
    if op.value.startswith("fieldref"):
        return any(refers(field, value, other) for value in values for other in others(field, record))
    return any(one_holds(field, value, wanted) for value in values for wanted in field.values)


def others(field, record):
    for path in field.values:
        if field.strict:
            value = strict_value(record, path)
            if value is not MISSING and value is not None and not isinstance(value, (dict, list)):
                yield value
        else:
            yield from loose_values(record, path)


class Located(dict):
    """A record with what is known of addresses."""

    def __init__(self, record, book):
        super().__init__(record)
        self.book = book


def steps(path):
    found = re.findall(r"\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]|([^.\[\]]+)", path)
    return [re.sub(r"\\(.)", r"\1", quoted) if not plain and not index else int(index) if index else plain
            for quoted, index, plain in found]  # fmt: skip


def loose_values(record, path):
    if path.startswith("derived."):
        book = record.book if isinstance(record, Located) else None
        value = LOOKED_UP[path](record, book) if path in LOOKED_UP else COMPUTED[path](record)
        return [] if value is None else list(value) if isinstance(value, list) else [value]

    def walk(value, way):
        if isinstance(value, list):
            if way and isinstance(way[0], int):
                return walk(value[way[0]], way[1:]) if way[0] < len(value) else []
            return [found for element in value for found in walk(element, way)]
        if not way:
            return [] if value is None else [value]
        if isinstance(value, Mapping) and isinstance(way[0], str) and way[0] in value:
            return walk(value[way[0]], way[1:])
        return []

    return walk(record, steps(path))


def strict_value(record, path):
    if path.startswith("derived."):
        return next(iter(loose_values(record, path)), MISSING)
    value = record
    for step in steps(path):
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
        elif not isinstance(value, Mapping) or step not in value:
            return MISSING
        value = value[step]
    return value


def wild_values(record, path):
    """What a path with `[*]` or `.*` leads to; such paths of the tests have plain names only."""
    found = [record]
    for step in re.findall(r"\[\d+\]|\[\*\]|[^.\[\]]+", path):
        after = []
        for value in found:
            if step == "[*]" and isinstance(value, list):
                after += value
            elif step == "*" and isinstance(value, Mapping):
                after += value.values()
            elif step[0] == "[" and step != "[*]" and isinstance(value, list) and int(step[1:-1]) < len(value):
                after.append(value[int(step[1:-1])])
            elif step[0] != "[" and isinstance(value, Mapping) and step in value:
                after.append(value[step])
        found = after
    return found


def text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number(value):
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        return Fraction(value) if math.isfinite(value) else None
    if isinstance(value, str) and len(value) <= 400 and NUMBER.fullmatch(value):
        if re.fullmatch(r"-?\d+", value, re.ASCII):
            return Fraction(int(value))
        as_float = float(value)
        return None if abs(as_float) == float("inf") else Fraction(as_float)
    return None


def one_holds(field, value, wanted):
    op = field.op
    if op is Op.EQ and isinstance(wanted, bool):
        return value is wanted or (isinstance(value, str) and value.lower() == ("true" if wanted else "false"))
    if op is Op.EQ and isinstance(wanted, (int, float)):
        return number(value) is not None and number(value) == number(wanted)
    if op in COMPARED:
        return number(value) is not None and COMPARED[op](number(value), number(wanted))
    if op is Op.CIDR:
        return in_network(value, wanted)
    if op in (Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR):
        return time_part(op, value) == number(wanted)
    left, right = text(value), text(wanted)
    if not (field.cased or field.strict or op is Op.RE):
        left, right = left.lower(), right.lower()
    return TEXTUAL[op](left, right)


def in_network(value, wanted):
    try:
        return isinstance(value, str) and ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def time_part(op, value):
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.isocalendar().week if op is Op.WEEK else getattr(time, op.value)


def like(pattern, whole):
    """By trying every split: exponential, and so short that it cannot be wrong."""
    if not pattern:
        return not whole
    if pattern[0] == "*":
        return any(like(pattern[1:], whole[at:]) for at in range(len(whole) + 1))
    if pattern[0] == "?":
        return bool(whole) and like(pattern[1:], whole[1:])
    skip = 2 if pattern[0] == "\\" and len(pattern) > 1 else 1
    return bool(whole) and whole[0] == pattern[skip - 1] and like(pattern[skip:], whole[1:])


def refers(field, value, other):
    left, right = text(value), text(other)
    if not (field.cased or field.strict):
        left, right = left.lower(), right.lower()
    return {
        Op.FIELDREF: left == right,
        Op.FIELDREF_CONTAINS: right in left,
        Op.FIELDREF_STARTSWITH: left.startswith(right),
        Op.FIELDREF_ENDSWITH: left.endswith(right),
    }[field.op]


COMPARED = {
    Op.LT: lambda left, right: left < right,
    Op.LTE: lambda left, right: left <= right,
    Op.GT: lambda left, right: left > right,
    Op.GTE: lambda left, right: left >= right,
}
TEXTUAL = {
    Op.EQ: lambda left, right: left == right,
    Op.CONTAINS: lambda left, right: right in left,
    Op.STARTSWITH: lambda left, right: left.startswith(right),
    Op.ENDSWITH: lambda left, right: left.endswith(right),
    Op.LIKE: lambda left, right: like(right, left),
    Op.RE: lambda left, right: re2.search(right, left) is not None,
}
