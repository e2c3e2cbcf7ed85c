"""A predicate as SQL for DuckDB, over `cloudtrail_logs` with the columns of Athena's table for CloudTrail.

Values below a JSON column are found as `find_values` finds them, with two lists nested directly in one another at
most at each step; records of AWS have no deeper ones. Text is compared without case by `lower()` on both sides, but
for fields that AWS writes in one case only (`translate.fields`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from trailwatch.model.fieldpath import Segment, Wild, parse_path
from trailwatch.rules.derived_names import PREFIX
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Predicate, Value
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import FieldRow, Kind, column_row, scalar_row, spelled

TABLE = "cloudtrail_logs"
_DIALECT = "duckdb"
_FIRST, _SECOND = "x", "y"
_EXACT_INTEGERS = 2**53
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_NUMBER_LENGTH = 400
_OPPOSITES = {Op.EXISTS: Op.NULL, Op.NULL: Op.EXISTS}
_PARTS = {Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR}
_COMPARISONS = {Op.LT: exp.LT, Op.LTE: exp.LTE, Op.GT: exp.GT, Op.GTE: exp.GTE}
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

Texts = Sequence[str]


def to_sql(predicate: Predicate) -> str:
    """`SELECT * FROM cloudtrail_logs WHERE ...`, one statement over several lines.

    Raises:
        Inexpressible: the table does not hold what the predicate asks for, or DuckDB cannot ask it exactly.
    """
    statement = exp.select("*").from_(TABLE).where(where(predicate))
    return str(statement.sql(dialect=_DIALECT, pretty=True, normalize_functions=False))


def where(predicate: Predicate) -> Any:
    """The condition as a sqlglot expression.

    Raises:
        Inexpressible: as `to_sql`.
    """
    return _condition(predicate, negated=False)


def _condition(predicate: Predicate, *, negated: bool) -> Any:
    """The condition; below a negation it is never NULL, because NOT NULL would drop the row."""
    if isinstance(predicate, Const):
        return exp.true() if predicate.value else exp.false()
    if isinstance(predicate, Not):
        item = predicate.item
        if isinstance(item, Field) and item.op in _OPPOSITES:
            return _field(Field(item.path, _OPPOSITES[item.op], item.values, item.cased, item.strict))
        return exp.not_(_condition(item, negated=True))
    if isinstance(predicate, Field):
        test = _field(predicate)
        return _call("coalesce", test, exp.false()) if negated and predicate.op not in _OPPOSITES else test
    parts = [_condition(item, negated=negated) for item in predicate.items]
    return exp.and_(*parts) if isinstance(predicate, And) else exp.or_(*parts)


def _field(field: Field) -> Any:
    if field.op in {Op.FIELDREF, Op.FIELDREF_CONTAINS, Op.FIELDREF_STARTSWITH, Op.FIELDREF_ENDSWITH}:
        return _reference(field)
    column = _column(field.path)
    row = scalar_row(field.path)
    if row is not None:
        return _scalar(field, row, _scalar_text(field.path))
    if field.strict:
        return _strict(field, column)
    values = _values(field.path)
    if field.op in {Op.EXISTS, Op.NULL}:
        count = _call("len", values)
        return exp.GT(this=count, expression=_number(0)) if field.op is Op.EXISTS else _equal(count, _number(0))
    return _any(values, lambda one: _test(field, _unquoted(one), column))


def _column(path: str) -> FieldRow:
    if not path:
        raise Inexpressible("the whole record", f"the table {TABLE} has no column with it", "name fields")
    if path.startswith(PREFIX):
        raise Inexpressible(path, "it is computed while matching, no column holds it", "")
    row = column_row(path)
    if row is None:
        raise Inexpressible(path, f"the table {TABLE} has no such column", "")
    return row


def _scalar(field: Field, row: FieldRow, text: Any) -> Any:
    """A test on a path that has one value at most, and never null unless `nullable`."""
    if field.op in {Op.NULL, Op.ABSENT}:
        return exp.Is(this=text, expression=exp.null())
    if field.op is Op.EXISTS:
        return exp.not_(exp.Is(this=text, expression=exp.null()))
    if field.op is Op.IS_NULL:
        return exp.false()
    return _test(field, text, row)


def _scalar_text(path: str) -> Any:
    row = column_row(path)
    if row is None:
        raise Inexpressible(path, f"the table {TABLE} has no such column", "")
    if row.path == path:
        return _dotted(row.column)
    return _call("json_extract_string", _dotted(row.column), _json_path(parse_path(path)[1:]))


def _strict(field: Field, row: FieldRow) -> Any:
    """A test as CloudWatch makes it: no list is walked, lists and objects fail."""
    segments = parse_path(field.path)[1:]
    if row.kind is not Kind.JSON or not segments:
        if field.op is Op.EXISTS or row.kind is not Kind.JSON:
            raise Inexpressible(field.path, "the column does not keep what is null, a list or an object apart", "")
        if field.op in {Op.ABSENT, Op.IS_NULL}:
            raise Inexpressible(field.path, "the column does not keep null and absent apart", "")
        return exp.false()
    values = _stepped(_list(_dotted(row.column)), segments, flatten=False)
    if field.op is Op.ABSENT:
        return _equal(
            _call("len", _kept(values, lambda x: exp.not_(exp.Is(this=x, expression=exp.null())))), _number(0)
        )
    if field.op is Op.IS_NULL:
        return _any(values, lambda x: _equal(_call("json_type", x), _text("NULL")))
    if field.op in {Op.EXISTS, Op.NULL}:
        found = _any(values, lambda x: exp.NEQ(this=_call("json_type", x), expression=_text("NULL")))
        return found if field.op is Op.EXISTS else exp.not_(found)
    scalars = _kept(
        values, lambda x: exp.not_(exp.In(this=_call("json_type", x), expressions=_literals(("OBJECT", "ARRAY"))))
    )
    return _any(scalars, lambda x: _test(field, _unquoted(x), row))


def _test(field: Field, text: Any, row: FieldRow) -> Any:
    """A test on one value's text, which is NULL where there is no value."""
    if field.op is Op.EQ:
        return _equality(field, text, row)
    if field.op is Op.RE:
        return exp.or_(*(_call("regexp_matches", text, _text(str(value))) for value in field.values))
    if field.op is Op.CIDR:
        return exp.or_(
            *(_call("regexp_full_match", text, _text(_network(field.path, value))) for value in field.values)
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
        tests.append(_one_of(text, exact))
    for value in field.values:
        if isinstance(value, bool):
            folded.append("true" if value else "false")
        elif isinstance(value, int | float):
            tests.append(_equal(_as_number(text), _limit(field.path, value)))
    if folded:
        tests.append(_one_of(_call("lower", text), folded))
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
                part, subject = part.lower(), _call("lower", text)
            else:
                part = spellings[0]
        tests.append(_partial_one(field.op, subject, part))
    return exp.or_(*tests)


def _partial_one(op: Op, subject: Any, part: str) -> Any:
    if op is Op.LIKE:
        return exp.Escape(this=exp.Like(this=subject, expression=_text(_like(part))), expression=_text("\\"))
    function = {Op.CONTAINS: "contains", Op.STARTSWITH: "starts_with", Op.ENDSWITH: "suffix"}[op]
    return _call(function, subject, _text(part))


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
        _call("regexp_full_match", text, _text(_NUMBER)),
        exp.LTE(this=_call("length", text), expression=_number(_NUMBER_LENGTH)),
        _call("isfinite", exp.TryCast(this=text, to=exp.DataType.build("DOUBLE"))),
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
    part = _call("date_part", _text(field.op.value), exp.TryCast(this=text, to=exp.DataType.build("TIMESTAMP")))
    return exp.In(this=part, expressions=[_limit(field.path, value) for value in field.values])


def _reference(field: Field) -> Any:
    cased = field.cased or field.strict

    def folded(text: Any) -> Any:
        return text if cased else _call("lower", text)

    def pair(here: Any, there: Any) -> Any:
        if field.op is Op.FIELDREF:
            return _equal(folded(here), folded(there))
        names = {Op.FIELDREF_CONTAINS: "contains", Op.FIELDREF_STARTSWITH: "starts_with"}
        return _call(names.get(field.op, "suffix"), folded(here), folded(there))

    tests = []
    for other in map(str, field.values):
        _column(field.path)
        _column(other)
        if scalar_row(field.path) is not None and scalar_row(other) is not None:
            tests.append(pair(_scalar_text(field.path), _scalar_text(other)))
        elif field.strict:
            raise Inexpressible(field.path, "a reference between fields that may be lists", "")
        else:
            there = _values(other)
            tests.append(_any(_values(field.path), _some_pair(there, pair)))
    return exp.or_(*tests)


def _some_pair(there: Any, pair: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda x: _any(there, lambda y: pair(_unquoted(x), _unquoted(y)), _SECOND)


def _extracted(step: Any) -> Callable[[Any], Any]:
    return lambda x: _call("json_extract", x, step)


def _values(path: str) -> Any:
    """The list of all values at a path that are not null, as JSON."""
    if scalar_row(path) is not None:
        return _kept(_list(_call("to_json", _scalar_text(path))), _is_value)
    row = _column(path)
    if row.kind is not Kind.JSON:
        *above, last = row.column
        members = _lambda(exp.Dot.build([exp.to_identifier(_FIRST), exp.to_identifier(last)]))
        return _kept(
            _transformed(_call("list_transform", _dotted(above), members), lambda x: _call("to_json", x)), _is_value
        )
    return _kept(_stepped(_list(_dotted(row.column)), parse_path(path)[1:], flatten=True), _is_value)


def _stepped(values: Any, segments: Sequence[Segment], *, flatten: bool) -> Any:
    for at, segment in enumerate(segments):
        if flatten and at and (isinstance(segment, str) or segment is Wild.MEMBER):
            values = _flattened(values)
        values = _transformed(values, _extracted(_json_path((segment,))))
        if isinstance(segment, Wild):
            values = _call("flatten", values)
    return _flattened(values) if flatten else values


def _flattened(values: Any) -> Any:
    """Lists in the list replaced by their elements, two deep."""
    for _ in range(2):
        values = _call("flatten", _transformed(values, _elements))
    return values


def _elements(one: Any) -> Any:
    is_list = _equal(_call("json_type", one), _text("ARRAY"))
    every = _call("json_extract", one, _text("$[*]"))
    return exp.Case(ifs=[exp.If(this=is_list, true=every)], default=_list(one))


def _json_path(segments: Sequence[Segment]) -> Any:
    """The path in DuckDB's `$.a.b` form, or as a JSON pointer where a name has other signs."""
    if all(not isinstance(segment, str) or segment.isidentifier() for segment in segments):
        steps = (f".{s}" if isinstance(s, str) else s.value if isinstance(s, Wild) else f"[{s}]" for s in segments)
        return _text("$" + "".join(steps))
    if any(isinstance(segment, Wild) for segment in segments):
        raise Inexpressible("a path", "a wildcard beside a name with other signs", "")
    return _text("".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments))


def _any(values: Any, test: Callable[[Any], Any], name: str = _FIRST) -> Any:
    return exp.GT(this=_call("len", _kept(values, test, name)), expression=_number(0))


def _kept(values: Any, test: Callable[[Any], Any], name: str = _FIRST) -> Any:
    return _call("list_filter", values, _lambda(test(exp.column(name)), name))


def _transformed(values: Any, change: Callable[[Any], Any]) -> Any:
    return _call("list_transform", values, _lambda(change(exp.column(_FIRST))))


def _lambda(body: Any, name: str = _FIRST) -> Any:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def _is_value(one: Any) -> Any:
    return exp.NEQ(this=_call("json_type", one), expression=_text("NULL"))


def _unquoted(one: Any) -> Any:
    return _call("json_extract_string", one, _text("$"))


def _dotted(parts: Sequence[str]) -> Any:
    identifiers = [exp.to_identifier(part) for part in parts]
    return exp.column(parts[0]) if len(parts) == 1 else exp.Dot.build(identifiers)


def _one_of(text: Any, values: Sequence[str]) -> Any:
    distinct = tuple(dict.fromkeys(values))
    return (
        _equal(text, _text(distinct[0])) if len(distinct) == 1 else exp.In(this=text, expressions=_literals(distinct))
    )


def _literals(values: Sequence[str]) -> list[Any]:
    return [_text(value) for value in values]


def _equal(left: Any, right: Any) -> Any:
    return exp.EQ(this=left, expression=right)


def _list(item: Any) -> Any:
    return _call("list_value", item)


def _call(name: str, *arguments: Any) -> Any:
    return exp.Anonymous(this=name, expressions=[one.copy() for one in arguments])


def _text(value: str) -> Any:
    return exp.Literal.string(value)


def _number(value: int) -> Any:
    return exp.Literal.number(value)


def _plain(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
