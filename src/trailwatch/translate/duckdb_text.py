"""Tests on the text of one value, as SQL expressions for DuckDB."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlglot import exp

from trailwatch.rules.predicate import Field, Op, Value
from trailwatch.translate.duckdb_values import call, equal, number_literal, one_of, text_literal
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import FieldRow, spelled

_EXACT_INTEGERS = 2**53
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_NUMBER_LENGTH = 400
_PARTS = {Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR}
_COMPARISONS = {Op.LT: exp.LT, Op.LTE: exp.LTE, Op.GT: exp.GT, Op.GTE: exp.GTE}
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


def text_test(field: Field, text: Any, row: FieldRow) -> Any:
    """A test on one value's text, which is NULL where there is no value."""
    if field.op is Op.EQ:
        return _equality(field, text, row)
    if field.op is Op.RE:
        return exp.or_(*(call("regexp_matches", text, text_literal(str(value))) for value in field.values))
    if field.op is Op.CIDR:
        return exp.or_(
            *(call("regexp_full_match", text, text_literal(_network(field.path, value))) for value in field.values)
        )
    if field.op in _COMPARISONS:
        number, compare = _as_number(text), _COMPARISONS[field.op]
        return exp.or_(*(compare(this=number, expression=_limit(field.path, value)) for value in field.values))
    if field.op in _PARTS:
        return _time_part(field, text)
    return _partial(field, text, row)


def _equality(field: Field, text: Any, row: FieldRow) -> Any:
    strings = [value for value in field.values if isinstance(value, str)]
    tests: list[Any] = []
    exact: list[str] = []
    folded: list[str] = []
    for string in strings:
        spellings = (string,) if field.cased or field.strict else _spellings(field, row, string)
        exact.extend(spellings or ())
        if spellings is None:
            folded.append(string.lower())
    if exact:
        tests.append(one_of(text, exact))
    for value in field.values:
        if isinstance(value, bool):
            folded.append("true" if value else "false")
        elif isinstance(value, int | float):
            tests.append(equal(_as_number(text), _limit(field.path, value)))
    if folded:
        tests.append(one_of(call("lower", text), folded))
    return exp.or_(*tests) if tests else exp.false()


def _spellings(field: Field, row: FieldRow, value: str) -> tuple[str, ...] | None:
    return spelled(row, field.op, value) if row.path == field.path else None


def _partial(field: Field, text: Any, row: FieldRow) -> Any:
    """CONTAINS, STARTSWITH, ENDSWITH and LIKE."""
    tests = []
    for value in field.values:
        part, subject = _plain(value), text
        if not (field.cased or field.strict):
            spellings = _spellings(field, row, part) if field.op is not Op.LIKE else None
            if spellings is None:
                part, subject = part.lower(), call("lower", text)
            else:
                part = spellings[0]
        tests.append(_partial_one(field.op, subject, part))
    return exp.or_(*tests)


def _partial_one(op: Op, subject: Any, part: str) -> Any:
    if op is Op.LIKE:
        return exp.Escape(
            this=exp.Like(this=subject, expression=text_literal(_like(part))), expression=text_literal("\\")
        )
    function = {Op.CONTAINS: "contains", Op.STARTSWITH: "starts_with", Op.ENDSWITH: "suffix"}[op]
    return call(function, subject, text_literal(part))


def _like(pattern: str) -> str:
    """SQL's LIKE pattern for ours: `*` and `?` become `%` and `_`, everything else stands for itself."""
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character in "*?":
            parts.append("%" if character == "*" else "_")
            continue
        literal = next(characters, "\\") if character == "\\" else character
        parts.append(f"\\{literal}" if literal in "%_\\" else literal)
    return "".join(parts)


def _network(path: str, value: Value) -> str:
    """A regular expression for exactly the addresses of an IPv4 network."""
    network = ipaddress.ip_network(str(value), strict=False)
    if network.version != 4:  # noqa: PLR2004 IPv4
        raise Inexpressible(path, f"DuckDB's core has no type for the IPv6 network {network}", "")
    whole, bits = divmod(network.prefixlen, 8)
    octets = list(network.network_address.packed)
    parts = [str(octet) for octet in octets[:whole]]
    if bits:
        first = octets[whole]
        parts.append("(?:" + "|".join(str(octet) for octet in range(first, first + 2 ** (8 - bits))) + ")")
    parts.extend([_OCTET] * (4 - len(parts)))
    return r"\.".join(parts)


def _as_number(text: Any) -> Any:
    """The number that a text spells as JSON, or NULL."""
    spells = exp.and_(
        call("regexp_full_match", text, text_literal(_NUMBER)),
        exp.LTE(this=call("length", text), expression=number_literal(_NUMBER_LENGTH)),
        call("isfinite", exp.TryCast(this=text, to=exp.DataType.build("DOUBLE"))),
    )
    return exp.Case(ifs=[exp.If(this=spells, true=exp.TryCast(this=text, to=exp.DataType.build("DOUBLE")))])


def _limit(path: str, value: Value) -> Any:
    number = value if isinstance(value, int | float) else float(value)
    if abs(number) > _EXACT_INTEGERS:
        raise Inexpressible(path, f"DuckDB compares numbers as doubles, {value} is too large for an exact answer", "")
    return exp.Literal.number(repr(number)) if number >= 0 else exp.Neg(this=exp.Literal.number(repr(-number)))


def _time_part(field: Field, text: Any) -> Any:
    if field.path != "eventTime":
        raise Inexpressible(field.path, "only eventTime is known to be a time in UTC", "")
    part = call("date_part", text_literal(field.op.value), exp.TryCast(this=text, to=exp.DataType.build("TIMESTAMP")))
    return exp.In(this=part, expressions=[_limit(field.path, value) for value in field.values])


def _plain(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
