"""Field tests as closures: the meaning of every operator, in the order of `rules.predicate`'s page.

A test is compiled once from its `Field` and then asked about values, so everything that depends on the rule alone
(lower-casing, networks, regular expressions) happens here and never per event.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from trailwatch.rules.predicate import Field, Op, Value
from trailwatch.rules.regex import compile_regex

ValueTest = Callable[[Any], bool]
"""Asked about one value that is not null."""
TextTest = Callable[[str], bool]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER_LENGTH = 400


def text_of(value: object) -> str:
    """The text of a value: a string itself, `true` or `false`, a number's JSON, an object's compact JSON."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)  # as JSON writes it, in a tenth of the time
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number_of(value: object) -> int | float | None:
    """The number that a value is or spells as JSON in at most 400 characters; booleans are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > _NUMBER_LENGTH:
        return None
    found = _NUMBER.fullmatch(value)
    if found is None:
        return None
    if found.group(1) is None and found.group(2) is None:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def value_test(field: Field) -> ValueTest:
    """Whether one value, not null, satisfies the field's operator with any of its values.

    `EXISTS` holds for every value; the operators about absence and about other fields have no test of one value.

    Raises:
        ValueError: a value of the rule does not fit its operator, such as a regular expression that RE2 refuses.
    """
    build = _VALUE_TESTS.get(field.op)
    if build is None:
        raise ValueError(f"operator {field.op.value} has no test of one value")
    return build(field)


def check(field: Field) -> None:
    """Raises ValueError where a value of the rule does not fit the field's operator; see `value_test`."""
    if field.op in _REFUSING:
        value_test(field)


def _eq(field: Field) -> ValueTest:
    cased = field.cased or field.strict
    texts = frozenset(v if cased else v.lower() for v in field.values if isinstance(v, str))
    bools = frozenset(v for v in field.values if isinstance(v, bool))
    bool_texts = frozenset(text_of(v) for v in bools)
    numbers = frozenset(v for v in field.values if isinstance(v, int | float) and not isinstance(v, bool))

    def test_text(value: str) -> bool:
        if (value if cased else value.lower()) in texts:
            return True
        if bools and value.lower() in bool_texts:
            return True
        return bool(numbers) and number_of(value) in numbers

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return test_text(value)
        if isinstance(value, bool):
            return value in bools or text_of(value) in texts
        if isinstance(value, int | float):
            return value in numbers or (text_of(value) if cased else text_of(value).lower()) in texts
        text = text_of(value)
        return (text if cased else text.lower()) in texts

    return test


def _text_test(field: Field, make: Callable[[list[str]], TextTest]) -> ValueTest:
    if field.cased or field.strict:
        cased = make([text_of(v) for v in field.values])
        return lambda value: cased(value if isinstance(value, str) else text_of(value))
    lower = make([text_of(v).lower() for v in field.values])
    return lambda value: lower((value if isinstance(value, str) else text_of(value)).lower())


def _contains(field: Field) -> ValueTest:
    return _text_test(field, _contains_any)


def _contains_any(parts: list[str]) -> TextTest:
    if len(parts) == 1:
        part = parts[0]
        return lambda text: part in text
    return lambda text: any(part in text for part in parts)


def _startswith(field: Field) -> ValueTest:
    return _text_test(field, _startswith_any)


def _startswith_any(parts: list[str]) -> TextTest:
    starts = tuple(parts)
    return lambda text: text.startswith(starts)


def _endswith(field: Field) -> ValueTest:
    return _text_test(field, _endswith_any)


def _endswith_any(parts: list[str]) -> TextTest:
    ends = tuple(parts)
    return lambda text: text.endswith(ends)


def _like(field: Field) -> ValueTest:
    return _text_test(field, _like_any)


def _like_any(patterns: list[str]) -> TextTest:
    return compile_regex("(?s)^(?:" + "|".join(like_regex(pattern) for pattern in patterns) + ")$")


def like_regex(pattern: str) -> str:
    """The RE2 text of a LIKE pattern, without anchors: `*` any run, `?` any one, a backslash quotes the next."""
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            parts.append(".*")
        elif character == "?":
            parts.append(".")
        else:
            parts.append(_quote(next(characters, "\\") if character == "\\" else character))
    return "".join(parts)


def _quote(character: str) -> str:
    return f"\\x{{{ord(character):x}}}" if ord(character) < 128 and not character.isalnum() else character  # noqa: PLR2004 ASCII


def _regex(field: Field) -> ValueTest:
    patterns = [compile_regex(text_of(value)) for value in field.values]

    def test(value: Any) -> bool:
        text = value if isinstance(value, str) else text_of(value)
        for found in patterns:  # noqa: SIM110 a plain loop: any() with a generator takes twice as long
            if found(text):
                return True
        return False

    return test


def _cidr(field: Field) -> ValueTest:
    networks = [ipaddress.ip_network(text_of(value), strict=False) for value in field.values]

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return test


def _exists(_field: Field) -> ValueTest:
    return lambda _value: True


_COMPARE: dict[Op, Callable[[float, float], bool]] = {
    Op.LT: lambda a, b: a < b,
    Op.LTE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GTE: lambda a, b: a >= b,
}


def _compare(field: Field) -> ValueTest:
    holds = _COMPARE[field.op]
    limits = _numbers(field.values)

    def test(value: Any) -> bool:
        number = value if type(value) is int else number_of(value)
        if number is not None:
            for limit in limits:  # a plain loop: any() with a generator takes twice as long
                if holds(number, limit):
                    return True
        return False

    return test


def _numbers(values: Iterable[Value]) -> list[int | float]:
    numbers = [number_of(value) for value in values]
    if any(number is None for number in numbers):
        raise ValueError(f"expected numbers, got {list(values)!r}")
    return [number for number in numbers if number is not None]


_PARTS: dict[Op, Callable[[datetime], int]] = {
    Op.MINUTE: lambda time: time.minute,
    Op.HOUR: lambda time: time.hour,
    Op.DAY: lambda time: time.day,
    Op.WEEK: lambda time: time.isocalendar().week,
    Op.MONTH: lambda time: time.month,
    Op.YEAR: lambda time: time.year,
}


def _time_part(field: Field) -> ValueTest:
    part_of = _PARTS[field.op]
    wanted = frozenset(_numbers(field.values))

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            time = datetime.fromisoformat(value)
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            return False
        return part_of(time) in wanted

    return test


_VALUE_TESTS: dict[Op, Callable[[Field], ValueTest]] = {
    Op.EQ: _eq,
    Op.CONTAINS: _contains,
    Op.STARTSWITH: _startswith,
    Op.ENDSWITH: _endswith,
    Op.LIKE: _like,
    Op.RE: _regex,
    Op.CIDR: _cidr,
    Op.EXISTS: _exists,
    **dict.fromkeys(_COMPARE, _compare),
    **dict.fromkeys(_PARTS, _time_part),
}

_REFUSING = frozenset({Op.LIKE, Op.RE, Op.CIDR, *_COMPARE, *_PARTS})

_PAIRS: dict[Op, Callable[[str, str], bool]] = {
    Op.FIELDREF: lambda here, there: here == there,
    Op.FIELDREF_CONTAINS: lambda here, there: there in here,
    Op.FIELDREF_STARTSWITH: lambda here, there: here.startswith(there),
    Op.FIELDREF_ENDSWITH: lambda here, there: here.endswith(there),
}
REFERENCES = frozenset(_PAIRS)
"""The operators whose values are paths."""


def reference_test(field: Field) -> Callable[[list[Any], list[Any]], bool]:
    """Whether any value here and any value there satisfy a reference operator."""
    pair = _PAIRS[field.op]
    cased = field.cased or field.strict

    def test(here: list[Any], there: list[Any]) -> bool:
        left, right = (
            [text_of(value) if cased else text_of(value).lower() for value in side] for side in (here, there)
        )
        return any(pair(a, b) for a in left for b in right)

    return test
