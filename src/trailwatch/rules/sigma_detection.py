"""pySigma's condition tree becomes the predicate tree."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.derived_names import DERIVED_NAMES, PREFIX
from trailwatch.rules.predicate import Const, Field, Op, Predicate, all_of, any_of, none_of

Placeholders = Mapping[str, Sequence[str]]


class PlaceholderMissingError(Exception):
    """A rule uses `%name%` and nobody gave values for it; the rule is left out and counted."""


class UnsupportedError(Exception):
    """What stands in the rule has no meaning here; the text says what, and what to do."""


def to_predicate(item: Any, placeholders: Placeholders) -> Predicate:
    """The predicate of a postprocessed pySigma condition.

    Raises:
        PlaceholderMissingError: a placeholder has no values.
        UnsupportedError: a value type or a field that cannot be evaluated over records.
    """
    if item is None:
        return Const(value=True)
    if isinstance(item, ConditionNOT):
        return none_of(to_predicate(item.args[0], placeholders))
    if isinstance(item, ConditionAND):
        return all_of(*(to_predicate(arg, placeholders) for arg in item.args))
    if isinstance(item, ConditionOR):
        return any_of(*_merged([to_predicate(arg, placeholders) for arg in item.args]))
    if isinstance(item, ConditionFieldEqualsValueExpression):
        check_field(item.field)
        return _field(item.field, item.value, placeholders)
    if isinstance(item, ConditionValueExpression):
        return _keyword(item.value, placeholders)
    raise UnsupportedError(f"condition of type {type(item).__name__}")


def check_field(path: str) -> None:
    """Nothing, for a path that records or derived fields can have.

    Raises:
        UnsupportedError: it is no path, or names what a match cannot know.
    """
    try:
        parse_path(path)
    except ValueError as error:
        raise UnsupportedError(f'field "{path}" is no path: {error}') from None
    if path == "actor" or path.startswith("actor."):
        raise UnsupportedError(
            f'field "{path}" is known only after matching; use derived.principal here, actor in group-by and dedup'
        )
    if path.startswith(PREFIX) and path not in {row.path for row in DERIVED_NAMES}:
        names = ", ".join(row.path for row in DERIVED_NAMES)
        raise UnsupportedError(f'there is no derived field "{path}"; there are {names}')


def _merged(items: list[Predicate]) -> Iterator[Predicate]:
    """Alternatives with tests of one path and operator joined into one test with several values."""
    at: dict[tuple[Any, ...], int] = {}
    out: list[Predicate] = []
    for item in items:
        if isinstance(item, Field) and item.values:
            key = (item.path, item.op, item.cased)
            if key in at:
                earlier = out[at[key]]
                if isinstance(earlier, Field):
                    out[at[key]] = Field(item.path, item.op, earlier.values + item.values, item.cased)
                continue
            at[key] = len(out)
        out.append(item)
    yield from out


_COMPARISONS = {"LT": Op.LT, "LTE": Op.LTE, "GT": Op.GT, "GTE": Op.GTE}
_HOLDS: dict[Op, Callable[[float, float], bool]] = {
    Op.LT: operator.lt,
    Op.LTE: operator.le,
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
}
PART_RANGES = {
    Op.MINUTE: range(60),
    Op.HOUR: range(24),
    Op.DAY: range(1, 32),
    Op.WEEK: range(1, 54),
    Op.MONTH: range(1, 13),
    Op.YEAR: range(1970, 2200),
}
"""What a part of a time can be, so that `eventTime|hour|gte: 22` is one of some numbers.

No log is of another year."""
_REFERENCES = {
    (False, False): Op.FIELDREF,
    (True, False): Op.FIELDREF_STARTSWITH,
    (False, True): Op.FIELDREF_ENDSWITH,
    (True, True): Op.FIELDREF_CONTAINS,
}


def _spread(value: Any, placeholders: Placeholders) -> list[Any] | None:
    """The alternatives that a value stands for; None for one that stands for itself."""
    if isinstance(value, SigmaExpansion):
        return list(value.values)
    text = value.regexp if isinstance(value, SigmaRegularExpression) else value
    if isinstance(text, SigmaString) and text.contains_placeholder():
        return _filled(value, placeholders)
    return None


def _field(path: str, value: Any, placeholders: Placeholders) -> Predicate:
    spread = _spread(value, placeholders)
    if spread is not None:
        return any_of(*_merged([_field(path, one, placeholders) for one in spread]))
    for kind, build in _FIELDS:
        if isinstance(value, kind):
            return build(path, value)
    raise UnsupportedError(f'value of type {type(value).__name__} at field "{path}"')


def _comparison(path: str, value: SigmaCompareExpression) -> Predicate:
    op = _COMPARISONS.get(value.op.name)
    if op is None:
        raise UnsupportedError(f'comparison {value.op.name.lower()} at field "{path}"; use neq')
    if isinstance(value.number, SigmaTimestampPart):
        part = Op(value.number.timestamp_part.name.lower())
        wanted = tuple(number for number in PART_RANGES[part] if _HOLDS[op](number, value.number.number))
        return Field(path, part, wanted) if wanted else Const(value=False)
    return Field(path, op, (value.number.number,))


def _filled(value: Any, placeholders: Placeholders) -> list[Any]:
    def replacements(placeholder: Placeholder) -> Iterator[str]:
        if not placeholders.get(placeholder.name):
            raise PlaceholderMissingError(placeholder.name)
        yield from placeholders[placeholder.name]

    filled: list[Any] = value.replace_placeholders(replacements)
    if not isinstance(value, SigmaCasedString):
        return filled
    return [SigmaCasedString.from_sigma_string(one) for one in filled]


def _text(path: str, value: SigmaString) -> Predicate:
    cased = isinstance(value, SigmaCasedString)
    parts = list(value.s)
    if parts and all(part is SpecialChars.WILDCARD_MULTI for part in parts):
        return Field(path, Op.EXISTS)
    if all(isinstance(part, str) for part in parts):
        return Field(path, Op.EQ, ("".join(parts),), cased)
    before = parts[0] is SpecialChars.WILDCARD_MULTI
    after = parts[-1] is SpecialChars.WILDCARD_MULTI
    middle = parts[before : len(parts) - after]
    if all(isinstance(part, str) for part in middle) and (before or after):
        op = Op.CONTAINS if before and after else Op.ENDSWITH if before else Op.STARTSWITH
        return Field(path, op, ("".join(middle),), cased)
    return Field(path, Op.LIKE, (_like(parts),), cased)


def _like(parts: Sequence[Any]) -> str:
    return "".join(_like_part(part) for part in parts)


def _like_part(part: Any) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return "*"
    if part is SpecialChars.WILDCARD_SINGLE:
        return "?"
    return "".join("\\" + c if c in "*?\\" else c for c in part)


def _regex(value: SigmaRegularExpression) -> str:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def _reference(path: str, value: SigmaFieldReference) -> Predicate:
    check_field(value.field)
    return Field(path, _REFERENCES[value.starts_with, value.ends_with], (value.field,))


_FIELDS: tuple[tuple[type, Callable[[str, Any], Predicate]], ...] = (
    (SigmaString, _text),
    (SigmaRegularExpression, lambda path, value: Field(path, Op.RE, (_regex(value),))),
    (SigmaTimestampPart, lambda path, value: Field(path, Op(value.timestamp_part.name.lower()), (value.number,))),
    (SigmaNumber, lambda path, value: Field(path, Op.EQ, (value.number,))),
    (SigmaBool, lambda path, value: Field(path, Op.EQ, (value.boolean,))),
    (SigmaNull, lambda path, _value: Field(path, Op.NULL)),
    (SigmaExists, lambda path, value: Field(path, Op.EXISTS if value.exists else Op.NULL)),
    (SigmaCIDRExpression, lambda path, value: Field(path, Op.CIDR, (str(value.network),))),
    (SigmaCompareExpression, _comparison),
    (SigmaFieldReference, _reference),
)
"""How a value of each type becomes a test; a timestamp part is a number too, so it stands first."""


def _keyword(value: Any, placeholders: Placeholders) -> Predicate:
    """A value without a field is looked for anywhere in the record's text, as it is and as JSON escapes it."""
    spread = _spread(value, placeholders)
    if spread is not None:
        return any_of(*_merged([_keyword(one, placeholders) for one in spread]))
    if isinstance(value, SigmaRegularExpression):
        return Field("", Op.RE, (_regex(value),))
    if isinstance(value, SigmaNumber | SigmaBool) and not isinstance(value, SigmaTimestampPart):
        return Field("", Op.CONTAINS, (str(value).lower(),))
    if not isinstance(value, SigmaString):
        raise UnsupportedError(f"keyword of type {type(value).__name__}; give it a field")
    cased = isinstance(value, SigmaCasedString)
    parts = list(value.s)
    while parts and parts[0] is SpecialChars.WILDCARD_MULTI:
        parts.pop(0)
    while parts and parts[-1] is SpecialChars.WILDCARD_MULTI:
        parts.pop()
    if all(isinstance(part, str) for part in parts):
        text = "".join(parts)
        return Field("", Op.CONTAINS, tuple(dict.fromkeys((text, _in_json(text)))), cased)
    escaped = [_in_json(part) if isinstance(part, str) else part for part in parts]
    return Field("", Op.LIKE, tuple(dict.fromkeys(f"*{_like(one)}*" for one in (parts, escaped))), cased)


def _in_json(text: str) -> str:
    """How the text stands inside a JSON text, without the quotes around it."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
