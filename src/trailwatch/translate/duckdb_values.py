"""SQL expressions for DuckDB: lists of JSON values at a path, and the small parts that conditions are built of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from trailwatch.model.fieldpath import Segment, Wild
from trailwatch.translate.errors import Inexpressible

_FIRST = "x"
SECOND = "y"
"""Name for a lambda inside another."""


def extracted(step: Any) -> Callable[[Any], Any]:
    return lambda x: call("json_extract", x, step)


def stepped(values: Any, segments: Sequence[Segment], *, flatten: bool) -> Any:
    """The JSON values that a path leads to from each of a list, NULL where it leads nowhere.

    With `flatten` lists on the way are walked, as `find_values` does; without it as `find_strict` does.
    """
    for at, segment in enumerate(segments):
        if flatten and at and (isinstance(segment, str) or segment is Wild.MEMBER):
            values = flattened(values)
        values = transformed(values, extracted(json_path((segment,))))
        if isinstance(segment, Wild):
            values = call("flatten", values)
    return flattened(values) if flatten else values


def flattened(values: Any) -> Any:
    """Lists in the list replaced by their elements, two deep."""
    for _ in range(2):
        values = call("flatten", transformed(values, elements))
    return values


def elements(one: Any) -> Any:
    is_list = equal(call("json_type", one), text_literal("ARRAY"))
    every = call("json_extract", one, text_literal("$[*]"))
    return exp.Case(ifs=[exp.If(this=is_list, true=every)], default=listed(one))


def json_path(segments: Sequence[Segment]) -> Any:
    """The path in DuckDB's `$.a.b` form, or as a JSON pointer where a name has other signs."""
    if all(not isinstance(segment, str) or segment.isidentifier() for segment in segments):
        steps = (f".{s}" if isinstance(s, str) else s.value if isinstance(s, Wild) else f"[{s}]" for s in segments)
        return text_literal("$" + "".join(steps))
    if any(isinstance(segment, Wild) for segment in segments):
        raise Inexpressible("a path", "a wildcard beside a name with other signs", "")
    return text_literal("".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments))


def any_value(values: Any, test: Callable[[Any], Any], name: str = _FIRST) -> Any:
    """Whether a value of the list passes the test; never NULL."""
    return exp.GT(this=call("len", kept(values, test, name)), expression=number_literal(0))


def kept(values: Any, test: Callable[[Any], Any], name: str = _FIRST) -> Any:
    return call("list_filter", values, lambda_of(test(exp.column(name)), name))


def transformed(values: Any, change: Callable[[Any], Any]) -> Any:
    return call("list_transform", values, lambda_of(change(exp.column(_FIRST))))


def lambda_of(body: Any, name: str = _FIRST) -> Any:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def is_value(one: Any) -> Any:
    return exp.NEQ(this=call("json_type", one), expression=text_literal("NULL"))


def unquoted(one: Any) -> Any:
    return call("json_extract_string", one, text_literal("$"))


def dotted(parts: Sequence[str]) -> Any:
    """A column, or a member of a struct column."""
    identifiers = [exp.to_identifier(part) for part in parts]
    return exp.column(parts[0]) if len(parts) == 1 else exp.Dot.build(identifiers)


def one_of(text: Any, values: Sequence[str]) -> Any:
    distinct = tuple(dict.fromkeys(values))
    return (
        equal(text, text_literal(distinct[0]))
        if len(distinct) == 1
        else exp.In(this=text, expressions=literals(distinct))
    )


def literals(values: Sequence[str]) -> list[Any]:
    return [text_literal(value) for value in values]


def equal(left: Any, right: Any) -> Any:
    return exp.EQ(this=left, expression=right)


def listed(item: Any) -> Any:
    return call("list_value", item)


def call(name: str, *arguments: Any) -> Any:
    """A function of DuckDB by its name; arguments may be used again elsewhere."""
    return exp.Anonymous(this=name, expressions=[one.copy() for one in arguments])


def text_literal(value: str) -> Any:
    return exp.Literal.string(value)


def number_literal(value: int) -> Any:
    return exp.Literal.number(value)
