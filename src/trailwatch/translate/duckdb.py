"""A predicate as SQL for DuckDB, over `cloudtrail_logs` with the columns of Athena's table for CloudTrail.

Values below a JSON column are found as `find_values` finds them, with two lists nested directly in one another at
most at each step; records of AWS have no deeper ones. Text is compared without case by `lower()` on both sides, but
for fields that AWS writes in one case only (`translate.fields`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.derived_names import PREFIX
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Predicate
from trailwatch.translate.duckdb_text import text_test
from trailwatch.translate.duckdb_values import (
    SECOND,
    any_value,
    call,
    dotted,
    equal,
    is_value,
    json_path,
    kept,
    lambda_of,
    listed,
    literals,
    number_literal,
    stepped,
    text_literal,
    transformed,
    unquoted,
)
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import FieldRow, Kind, column_row, scalar_row

TABLE = "cloudtrail_logs"
_DIALECT = "duckdb"
_OPPOSITES = {Op.EXISTS: Op.NULL, Op.NULL: Op.EXISTS}

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
        return call("coalesce", test, exp.false()) if negated and predicate.op not in _OPPOSITES else test
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
        count = call("len", values)
        return (
            exp.GT(this=count, expression=number_literal(0))
            if field.op is Op.EXISTS
            else equal(count, number_literal(0))
        )
    return any_value(values, lambda one: text_test(field, unquoted(one), column))


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
    return text_test(field, text, row)


def _scalar_text(path: str) -> Any:
    row = column_row(path)
    if row is None:
        raise Inexpressible(path, f"the table {TABLE} has no such column", "")
    if row.path == path:
        return dotted(row.column)
    return call("json_extract_string", dotted(row.column), json_path(parse_path(path)[1:]))


def _strict(field: Field, row: FieldRow) -> Any:
    """A test as CloudWatch makes it: no list is walked, lists and objects fail."""
    segments = parse_path(field.path)[1:]
    if row.kind is not Kind.JSON or not segments:
        if field.op is Op.EXISTS or row.kind is not Kind.JSON:
            raise Inexpressible(field.path, "the column does not keep what is null, a list or an object apart", "")
        if field.op in {Op.ABSENT, Op.IS_NULL}:
            raise Inexpressible(field.path, "the column does not keep null and absent apart", "")
        return exp.false()
    values = stepped(listed(dotted(row.column)), segments, flatten=False)
    if field.op is Op.ABSENT:
        return equal(
            call("len", kept(values, lambda x: exp.not_(exp.Is(this=x, expression=exp.null())))), number_literal(0)
        )
    if field.op is Op.IS_NULL:
        return any_value(values, lambda x: equal(call("json_type", x), text_literal("NULL")))
    if field.op in {Op.EXISTS, Op.NULL}:
        found = any_value(values, lambda x: exp.NEQ(this=call("json_type", x), expression=text_literal("NULL")))
        return found if field.op is Op.EXISTS else exp.not_(found)
    scalars = kept(
        values, lambda x: exp.not_(exp.In(this=call("json_type", x), expressions=literals(("OBJECT", "ARRAY"))))
    )
    return any_value(scalars, lambda x: text_test(field, unquoted(x), row))


def _reference(field: Field) -> Any:
    cased = field.cased or field.strict

    def folded(text: Any) -> Any:
        return text if cased else call("lower", text)

    def pair(here: Any, there: Any) -> Any:
        if field.op is Op.FIELDREF:
            return equal(folded(here), folded(there))
        names = {Op.FIELDREF_CONTAINS: "contains", Op.FIELDREF_STARTSWITH: "starts_with"}
        return call(names.get(field.op, "suffix"), folded(here), folded(there))

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
            tests.append(any_value(_values(field.path), _some_pair(there, pair)))
    return exp.or_(*tests)


def _some_pair(there: Any, pair: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda x: any_value(there, lambda y: pair(unquoted(x), unquoted(y)), SECOND)


def _values(path: str) -> Any:
    """The list of all values at a path that are not null, as JSON."""
    if scalar_row(path) is not None:
        return kept(listed(call("to_json", _scalar_text(path))), is_value)
    row = _column(path)
    if row.kind is not Kind.JSON:
        *above, last = row.column
        members = lambda_of(exp.Dot.build([exp.to_identifier("x"), exp.to_identifier(last)]))
        return kept(
            transformed(call("list_transform", dotted(above), members), lambda x: call("to_json", x)), is_value
        )
    return kept(stepped(listed(dotted(row.column)), parse_path(path)[1:], flatten=True), is_value)
