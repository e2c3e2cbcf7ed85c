"""What in a condition can never hold, or names what no record has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from trailwatch.rules.api_names import ApiNames
from trailwatch.rules.derived_names import PREFIX
from trailwatch.rules.names import meant
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, Value, fields_of
from trailwatch.rules.record_fields import OPEN, VALUES, unknown_field
from trailwatch.rules.sigma_detection import PART_RANGES

_NEVER_CODES = frozenset({"success", "none", "null", "ok", "200", "-", "n/a"})
_NAMED = 3


class Doubt(NamedTuple):
    """Something odd about one test of a condition."""

    text: str
    path: str = ""
    value: Value | None = None


def doubts(condition: Predicate, names: ApiNames) -> Iterator[Doubt]:
    """Everything odd, in the order of the condition; each once."""
    seen: set[Doubt] = set()
    for doubt in _all(condition, names):
        if doubt not in seen:
            seen.add(doubt)
            yield doubt


def _all(condition: Predicate, names: ApiNames) -> Iterator[Doubt]:
    if isinstance(condition, Const):
        yield Doubt("the condition never holds" if not condition.value else "the condition holds for every event")
        return
    for field in fields_of(condition):
        yield from _field(field, names)
    yield from _contradictions(condition)
    yield from _mismatched(condition, names, ())


def _field(field: Field, names: ApiNames) -> Iterator[Doubt]:
    if not field.path or field.path.startswith(PREFIX):
        return
    hint = unknown_field(field.path)
    if hint is not None:
        yield Doubt(f'records have no field "{field.path}"' + (f"; {hint}" if hint else ""), field.path)
        return
    if "{}" in field.path:
        yield Doubt(f'"{field.path}": lists are walked unasked; write it without {{}}', field.path)
    for value in field.values:
        if field.op in PART_RANGES and value not in PART_RANGES[field.op]:
            yield Doubt(f"no time has the {field.op.value} {value}", field.path, value)
        if field.path == "eventName":
            yield from _event_name(field, str(value), names)
        elif field.op is Op.EQ and field.path == "eventSource":
            yield from _event_source(str(value), names)
        elif field.op is Op.EQ and field.path == "errorCode" and str(value).lower() in _NEVER_CODES:
            text = f'errorCode is never "{value}": success has no errorCode; write errorCode|exists: false'
            yield Doubt(text, field.path, value)
    if field.path in VALUES and field.op is Op.EQ:
        yield from _listed(field)


def _listed(field: Field) -> Iterator[Doubt]:
    known = VALUES[field.path]
    cased = field.cased or field.strict
    spelled = known if cased else tuple(one.lower() for one in known)
    for value in field.values:
        text = str(value).lower() if isinstance(value, bool) or not cased else str(value)
        if text not in spelled:
            hint = meant(str(value), known) or f"it is one of {', '.join(known)}"
            yield Doubt(f'{field.path} is never "{value}"; {hint}', field.path, value)


def _event_name(field: Field, value: str, names: ApiNames) -> Iterator[Doubt]:
    if field.op is Op.EQ:
        spellings = names.spellings(value)
        if not spellings:
            near = names.near(value)
            hint = f'; did you mean "{near}"?' if near else ""
            yield Doubt(f'no AWS service logs the event name "{value}"{hint}', field.path, value)
        elif (field.cased or field.strict) and value not in spellings:
            yield Doubt(f'the event name is spelled "{spellings[0]}", and case counts here', field.path, value)
        return
    pattern = _as_regex(field.op, value)
    if pattern is not None:
        test = re.compile(pattern, 0 if field.cased or field.strict else re.IGNORECASE)
        if not any(test.fullmatch(name) for known in names.names.values() for name in known):
            yield Doubt(f'no event name of an AWS service fits "{value}"', field.path, value)


def _as_regex(op: Op, value: str) -> str | None:
    """A pattern for whole event names; the rule's texts are quoted, so nothing in it can be slow."""
    if op is Op.LIKE:
        return "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in value)
    quoted = re.escape(value)
    return {Op.STARTSWITH: f"{quoted}.*", Op.ENDSWITH: f".*{quoted}", Op.CONTAINS: f".*{quoted}.*"}.get(op)


def _event_source(value: str, names: ApiNames) -> Iterator[Doubt]:
    if value.lower() not in names.names:
        hint = meant(value.lower(), names.names)
        yield Doubt(f'no AWS service logs as "{value}"' + (f"; {hint}" if hint else ""), "eventSource", value)


def _mismatched(predicate: Predicate, names: ApiNames, sources: tuple[str, ...]) -> Iterator[Doubt]:
    """Event names beside event sources that do not log them."""
    if isinstance(predicate, And):
        here = [item for item in predicate.items if _is_equality(item, "eventSource")]
        for item in here:
            if isinstance(item, Field):
                sources = tuple(str(value).lower() for value in item.values)
        for item in predicate.items:
            yield from _mismatched(item, names, sources)
    elif isinstance(predicate, Or):
        for item in predicate.items:
            yield from _mismatched(item, names, sources)
    elif isinstance(predicate, Field) and _is_equality(predicate, "eventName"):
        known = [source for source in sources if source in names.names]
        for value in predicate.values if known and len(known) == len(sources) else ():
            elsewhere = names.sources_of(str(value))
            if elsewhere and not set(known) & set(elsewhere):
                near = names.near(str(value), sources)
                hint = f'; did you mean "{near}"?' if near else f"; it comes from {', '.join(elsewhere[:_NAMED])}"
                yield Doubt(f'{" or ".join(known)} never logs "{value}"{hint}', "eventName", value)


def _is_equality(item: Predicate, path: str) -> bool:
    return isinstance(item, Field) and item.path == path and item.op is Op.EQ


def _contradictions(predicate: Predicate) -> Iterator[Doubt]:
    if isinstance(predicate, And):
        yield from _contradiction(predicate.items)
    if isinstance(predicate, And | Or):
        for item in predicate.items:
            yield from _contradictions(item)
    elif isinstance(predicate, Not):
        yield from _contradictions(predicate.item)


def _contradiction(items: Sequence[Predicate]) -> Iterator[Doubt]:
    """Tests of one field, all of which must hold, that leave no value for it."""
    demanded: dict[str, set[str]] = {}
    present: set[str] = set()
    missing: set[str] = set()
    refused: dict[str, set[str]] = {}
    for field, negated in _tests(items):
        if field.op in {Op.NULL, Op.ABSENT} or (field.op is Op.EXISTS and negated):
            (present if negated and field.op is not Op.EXISTS else missing).add(field.path)
        elif not negated:
            present.add(field.path)
            if field.op is Op.EQ:
                values = set(_folded(field.values))
                demanded[field.path] = demanded[field.path] & values if field.path in demanded else values
        elif field.op is Op.EQ:
            refused.setdefault(field.path, set()).update(_folded(field.values))
    for path, values in demanded.items():
        if _one_value(path) and not values - refused.get(path, set()):
            yield Doubt(f"the tests of {path} leave no value that it could have, so this never holds", path)
    for path in sorted(present & missing):
        yield Doubt(f"{path} must be there and missing at once, so this never holds", path)


def _tests(items: Iterable[Predicate]) -> Iterator[tuple[Field, bool]]:
    for item in items:
        if isinstance(item, Field):
            yield item, False
        elif isinstance(item, Not) and isinstance(item.item, Field):
            yield item.item, True
        elif isinstance(item, Not) and isinstance(item.item, Or):
            yield from ((one, True) for one in item.item.items if isinstance(one, Field))


def _folded(values: Iterable[Value]) -> Iterator[str]:
    return (str(value).lower() for value in values)


def _one_value(path: str) -> bool:
    """Whether a record has one value at most there; below the open fields a list may satisfy several tests."""
    first = path.partition(".")[0].partition("[")[0]
    return first not in OPEN and first != "resources" and not path.startswith(PREFIX)
