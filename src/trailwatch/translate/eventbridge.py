"""A predicate as an EventBridge event pattern for the events that CloudTrail puts on the default bus.

EventBridge ignores case in whole texts, prefixes and suffixes, not in wildcards; it has no regular expressions.
Fields that may be or pass through lists are refused: EventBridge joins the tests on the members of one list.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from typing import Any

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.predicate import Field, Op, Predicate, Value
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import FieldRow, Kind, spelled
from trailwatch.translate.normal import Literal, alternatives, may_be_null, one_value

MAX_LENGTH = 2048
"""Characters of a pattern; the quota that every account starts with."""
MAX_ALTERNATIVES = 64
DETAIL_TYPES = (
    "AWS API Call via CloudTrail",
    "AWS Console Action via CloudTrail",
    "AWS Console Sign In via CloudTrail",
    "AWS Service Event via CloudTrail",
)
_TARGET = "an event pattern"
_ABSENT = {"exists": False}
_IGNORE_CASE = "equals-ignore-case"
_PARTS = {Op.STARTSWITH: "prefix", Op.ENDSWITH: "suffix"}

Filters = list[Any]
"""What may stand in the list at a field of a pattern: any of them must hold."""


def to_event_pattern(predicate: Predicate) -> str:
    """The event pattern as compact JSON.

    Raises:
        Inexpressible: no event pattern says the same, or only one over EventBridge's limits.
    """
    found = [_conjunction(literals) for literals in alternatives(predicate, MAX_ALTERNATIVES)]
    if not found:
        raise Inexpressible("the condition", "it never holds", "")
    detail = found[0] if len(found) == 1 else {"$or": found}
    pattern: dict[str, Any] = {"detail-type": list(DETAIL_TYPES)}
    if detail:
        pattern["detail"] = detail
    text = json.dumps(pattern, separators=(",", ":"), ensure_ascii=False)
    if len(text) > MAX_LENGTH:
        what = f"the pattern would have {len(text)} characters, EventBridge takes {MAX_LENGTH}"
        raise Inexpressible("the condition", what, "split the rule")
    return text


def _conjunction(literals: Sequence[Literal]) -> dict[str, Any]:
    by_path: dict[str, list[Literal]] = {}
    for literal in dict.fromkeys(literals):
        by_path.setdefault(literal[0].path, []).append(literal)
    detail: dict[str, Any] = {}
    for path, tests in by_path.items():
        row = one_value(path, _TARGET)
        node = detail
        *way, last = (str(segment) for segment in parse_path(path))
        for name in way:
            node = node.setdefault(name, {})
        node[last] = _merged(row, tests)
    return detail


def _merged(row: FieldRow, literals: Sequence[Literal]) -> Filters:
    """One list of filters for all tests on a field."""
    plain = [(_positively(field), negated) for field, negated in literals]
    present = any(_says_present(field) is not negated for field, negated in plain if _about_presence(field))
    tests = [(field, negated) for field, negated in plain if not _about_presence(field)]
    absent = [field for field, negated in plain if _about_presence(field) and _says_present(field) is negated]
    positive = [field for field, negated in tests if not negated]
    negative = [field for field, negated in tests if negated]
    if absent:
        if present or positive:
            raise Inexpressible(row.path, "a field that is both there and missing", "the condition never holds")
        return _missing(row, absent)
    if positive and len(tests) > 1:
        positive, negative = [_only_values(row, positive, negative)], []
    if positive:
        return _filters(positive[0], row)
    if negative:
        without = [] if present or row.always else _missing(row, [])
        return [*without, *_differs(negative, row)]
    return _present(row)


def _present(row: FieldRow) -> Filters:
    """Holds when there is a value: what is there as null exists for EventBridge."""
    if not may_be_null(row) or row.kind is Kind.JSON:
        return [{"exists": True}]
    anything: Filters = [{"prefix": ""}]
    return [True, False, *anything] if row.kind is Kind.BOOLEAN else anything


def _only_values(row: FieldRow, positive: Sequence[Field], negative: Sequence[Field]) -> Field:
    """One test for several on a field: the listed values that pass all of the others.

    The others are asked about each value in the case that the events have it in, or all in lower case where case
    does not count anywhere.
    """
    listed = next(
        (field for field in positive if field.op is Op.EQ and all(isinstance(v, str) for v in field.values)), None
    )
    if listed is None:
        raise Inexpressible(row.path, "several tests that one value must pass at once", "")
    others = [(field, True) for field in positive if field is not listed] + [(field, False) for field in negative]
    filters = _filters(listed, row)
    exact = all(isinstance(one, str) for one in filters)
    if not exact and any(field.cased or field.strict for field, _ in others):
        raise Inexpressible(row.path, "tests with and without case that one value must pass at once", "")
    values = [one if isinstance(one, str) else one[_IGNORE_CASE] for one in filters]
    kept = tuple(value for value in values if all(_passes(field, value) is wanted for field, wanted in others))
    if not kept:
        raise Inexpressible(row.path, "tests that no value passes at once", "the condition never holds")
    return Field(row.path, Op.EQ, kept, cased=exact)


def _passes(field: Field, value: str) -> bool:
    cased = field.cased or field.strict
    text = value if cased else value.lower()
    tests = {
        Op.EQ: str.__eq__,
        Op.CONTAINS: str.__contains__,
        Op.STARTSWITH: str.startswith,
        Op.ENDSWITH: str.endswith,
    }
    if field.op not in tests or not all(isinstance(one, str) for one in field.values):
        raise Inexpressible(field.path, f'"{field.op.value}" beside another test of the same value', "")
    return any(tests[field.op](text, str(one) if cased else str(one).lower()) for one in field.values)


def _positively(field: Field) -> Field:
    """What a filter pattern writes as `= "*"`, said as EXISTS; for a field of one value they are the same."""
    if field.op is Op.LIKE and field.values == ("*",):
        return Field(field.path, Op.EXISTS)
    return field


def _about_presence(field: Field) -> bool:
    return field.op in {Op.EXISTS, Op.NULL, Op.ABSENT, Op.IS_NULL}


def _says_present(field: Field) -> bool:
    return field.op is Op.EXISTS


def _missing(row: FieldRow, tests: Sequence[Field]) -> Filters:
    operators = {field.op for field in tests}
    if operators == {Op.ABSENT}:
        return [_ABSENT]
    if operators == {Op.IS_NULL}:
        return [None]
    if operators & {Op.ABSENT, Op.IS_NULL}:
        raise Inexpressible(row.path, "two tests that one field must pass at once", "")
    return [_ABSENT, None] if may_be_null(row) else [_ABSENT]


def _filters(field: Field, row: FieldRow) -> Filters:
    """Filters of which one holds exactly when the field's test does."""
    if field.op is Op.EQ:
        return [one for value in field.values for one in _equality(field, row, value)]
    if row.kind is Kind.BOOLEAN:
        raise Inexpressible(field.path, f'"{field.op.value}" asks for the text of a boolean', "write true or false")
    if field.op in _PARTS:
        return [_part(field, row, _plain(value)) for value in field.values]
    if field.op is Op.CONTAINS:
        return [_like(f"*{_escaped(_exact(field, row, _plain(value)))}*") for value in field.values]
    if field.op is Op.LIKE:
        return [_like(_wildcard(field, row, _plain(value))) for value in field.values]
    if field.op is Op.CIDR:
        return [{"cidr": str(ipaddress.ip_network(str(value), strict=False))} for value in field.values]
    if field.op in {Op.LT, Op.LTE, Op.GT, Op.GTE}:
        raise Inexpressible(field.path, "EventBridge compares numbers only, not texts that spell one", "")
    raise Inexpressible(field.path, f'an event pattern has nothing like "{field.op.value}"', "")


def _equality(field: Field, row: FieldRow, value: Value) -> Filters:
    if isinstance(value, bool):
        text = {_IGNORE_CASE: "true" if value else "false"}
        return [value] if row.kind is Kind.BOOLEAN and not may_be_null(row) else [value, text]
    if isinstance(value, int | float):
        raise Inexpressible(field.path, "EventBridge tells the number from the text that spells it", "")
    if row.kind is Kind.BOOLEAN:
        raise Inexpressible(field.path, f"the field is a boolean, {value!r} is a text", "write true or false")
    texts = (value,) if field.cased or field.strict else spelled(row, Op.EQ, value)
    return [{_IGNORE_CASE: value}] if texts is None else list(texts)


def _part(field: Field, row: FieldRow, value: str) -> dict[str, Any]:
    texts = (value,) if field.cased or field.strict else spelled(row, field.op, value)
    return {_PARTS[field.op]: {_IGNORE_CASE: value} if texts is None else texts[0]}


def _exact(field: Field, row: FieldRow, value: str) -> str:
    """The value's one spelling, for operators that cannot ignore case."""
    texts = (value,) if field.cased or field.strict else spelled(row, field.op, value)
    if texts is None:
        what = f'EventBridge cannot ignore case in wildcards, the rule does at "{value}"'
        raise Inexpressible(field.path, what, "use |cased where the case is known")
    return texts[0]


def _like(wildcard: str) -> dict[str, str]:
    """Any text at all is said as a prefix: EventBridge refuses two signs for that side by side."""
    return {"prefix": ""} if set(wildcard) == {"*"} else {"wildcard": wildcard}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")


def _wildcard(field: Field, row: FieldRow, pattern: str) -> str:
    parts: list[str] = []
    signs = iter(_exact(field, row, pattern))
    for sign in signs:
        if sign == "?":
            raise Inexpressible(field.path, f'EventBridge has no wildcard for one character, as in "{pattern}"', "")
        if sign == "*":
            if parts[-1:] != ["*"]:
                parts.append("*")
        else:
            parts.append(_escaped(next(signs, "\\") if sign == "\\" else sign))
    return "".join(parts)


def _differs(fields: Sequence[Field], row: FieldRow) -> Filters:
    """What a value that is there must be, to satisfy none of the fields."""
    filters = [one for field in fields for one in _filters(field, row)]
    if all(isinstance(one, bool) for one in filters):
        return [value for value in (True, False) if value not in filters]
    if all(isinstance(one, str) for one in filters):
        return [{"anything-but": filters}]
    operators = {next(iter(one)) if isinstance(one, dict) else "equals" for one in filters}
    if len(operators) == 1 and operators <= {_IGNORE_CASE, "prefix", "suffix", "wildcard"}:
        operator = operators.pop()
        values = [one[operator] for one in filters]
        if all(isinstance(value, str) for value in values):
            return [{"anything-but": {operator: values}}]
        raise Inexpressible(row.path, f"EventBridge cannot ignore case in a negated {operator}", "")
    what = f"EventBridge negates tests of one kind only, here are {', '.join(sorted(operators))}"
    raise Inexpressible(row.path, what, "")


def _plain(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
