"""Predicates of filter patterns, written back as text: `parse(to_text(predicate)) == predicate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trailwatch.model.fieldpath import Segment, Wild, parse_path
from trailwatch.rules.pattern_tests import presence
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, Value

_SIGNS = {Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def to_text(predicate: Predicate) -> str:
    """The filter pattern, with its braces.

    Raises:
        ValueError: the tree has something that no filter pattern says; the text tells what.
    """
    return "{ " + _expression(predicate, top=True) + " }"


def selector(path: str) -> str:
    """How a filter pattern names the field at a path."""
    return "$" + "".join(_segment(segment) for segment in parse_path(path))


def _segment(segment: Segment) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    if isinstance(segment, Wild):
        return segment.value
    if segment and set(segment) <= _NAME_SIGNS:
        return f".{segment}"
    quoted = segment.replace("\\", "\\\\").replace("'", "\\'")
    return f".['{quoted}']"


def _expression(predicate: Predicate, *, top: bool = False) -> str:
    if isinstance(predicate, Const):
        raise ValueError(f"a condition that is always {str(predicate.value).lower()}")  # noqa: TRY004 not about types
    if isinstance(predicate, Not):
        raise ValueError("a negation that is no != on one field")  # noqa: TRY004 not about types
    if isinstance(predicate, And):
        conjuncts = list(_conjuncts(predicate.items))
        text = " && ".join(conjuncts)
        return text if top or len(conjuncts) == 1 else f"({text})"
    alternatives = list(_alternatives(predicate))
    text = " || ".join(alternatives)
    return text if top or len(alternatives) == 1 else f"({text})"


def _alternatives(predicate: Predicate) -> Iterator[str]:
    for item in predicate.items if isinstance(predicate, Or) else (predicate,):
        if isinstance(item, Field):
            yield from _field(item)
        else:
            yield _expression(item)


def _conjuncts(items: Sequence[Predicate]) -> Iterator[str]:
    at = 0
    while at < len(items):
        item, after = items[at], items[at + 1] if at + 1 < len(items) else None
        negated = after.item if isinstance(after, Not) else None
        if isinstance(negated, Field) and item == presence(negated.path):
            yield from _field(negated, sign="!=")
            at += 2
        else:
            yield _expression(item)
            at += 1


def _field(field: Field, sign: str = "=") -> Iterator[str]:
    """The conditions of a field, one for each value."""
    if not field.strict:
        raise ValueError(f"the field {field.path!r} read through lists or without case")
    name = selector(field.path)
    if field.op is Op.ABSENT and sign == "=":
        yield f"{name} NOT EXISTS"
    elif field.op is Op.IS_NULL and sign == "=":
        yield f"{name} IS NULL"
    elif field.op in _SIGNS and sign == "=":
        for value in field.values:
            yield f"{name} {_SIGNS[field.op]} {_number(value)}"
    elif field.op in {Op.EQ, Op.LIKE, Op.RE}:
        for value in field.values:
            yield _comparison(name, sign, field.op, value)
    else:
        raise ValueError(f'the operator "{field.op.value}" on {field.path!r}')


def _comparison(name: str, sign: str, op: Op, value: Value) -> str:
    if isinstance(value, bool):
        if sign == "=":
            return f"{name} IS {'TRUE' if value else 'FALSE'}"
        raise ValueError(f"a negated boolean on {name}")
    if op is Op.RE:
        return f"{name} {sign} %{value}%"
    if isinstance(value, int | float):
        return f"{name} {sign} {_number(value)}"
    if op is Op.LIKE:
        return f"{name} {sign} {_quoted(_unlike(value))}"
    if "*" in value:
        raise ValueError(f"a literal * in {value!r}, where it would be a wildcard")
    return f"{name} {sign} {_quoted(value)}"


def _number(value: Value) -> str:
    if isinstance(value, str):
        return value
    return repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unlike(pattern: str) -> str:
    """The text of a LIKE pattern in which only `*` is special, and always."""
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "?":
            raise ValueError(f"a wildcard for one character in {pattern!r}")
        if character == "\\":
            quoted = next(characters, "\\")
            if quoted == "*":
                raise ValueError(f"a literal * in {pattern!r}, where it would be a wildcard")
            parts.append(quoted)
        else:
            parts.append(character)
    return "".join(parts)
