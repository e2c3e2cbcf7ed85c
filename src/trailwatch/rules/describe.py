"""A condition in words, as `rules show` and `rules explain` print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate
from trailwatch.rules.rule import AndTerm, Correlation, NotTerm, RuleTerm, Term

_TIME_PARTS = (Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR)
_WORDS: dict[Op, str] = {
    Op.EQ: "is",
    Op.CONTAINS: "contains",
    Op.STARTSWITH: "starts with",
    Op.ENDSWITH: "ends with",
    Op.LIKE: "is like",
    Op.RE: "matches",
    Op.CIDR: "is an address in",
    Op.EXISTS: "is there",
    Op.NULL: "is absent",
    Op.IS_NULL: "is there and null",
    Op.ABSENT: "is not there",
    Op.LT: "is less than",
    Op.LTE: "is at most",
    Op.GT: "is more than",
    Op.GTE: "is at least",
    Op.FIELDREF: "is the same as field",
    Op.FIELDREF_CONTAINS: "contains the value of field",
    Op.FIELDREF_STARTSWITH: "starts with the value of field",
    Op.FIELDREF_ENDSWITH: "ends with the value of field",
    **{op: f"has the {op.value}" for op in _TIME_PARTS},
}


_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_LIMITS = {
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "eq": "is",
    "neq": "is not",
}
_COUNTED = {
    "event_count": "their number",
    "value_count": "the number of different values of {fields}",
    "value_sum": "the sum of {fields}",
    "value_avg": "the average of {fields}",
    "value_median": "the median of {fields}",
    "value_percentile": "percentile {part} of {fields}",
}


def clause(field: Field) -> str:
    """One field test in words: `eventName is DeleteTrail or StopLogging`."""
    words = [field.path or "the record", _WORDS[field.op]]
    if field.op in _TIME_PARTS:
        words.append(" or ".join(_runs([int(value) for value in field.values])))
    elif field.values:
        words.append(" or ".join(_value(value) for value in field.values))
    if field.cased and field.values:
        words.append("(case counts)")
    return " ".join(words)


def outline(predicate: Predicate, depth: int = 0) -> Iterator[str]:
    """The condition as indented lines."""
    indent = "  " * depth
    if isinstance(predicate, Field):
        yield indent + clause(predicate)
    elif isinstance(predicate, Const):
        yield indent + ("always" if predicate.value else "never")
    elif isinstance(predicate, Not):
        if isinstance(predicate.item, Field):
            yield f"{indent}not: {clause(predicate.item)}"
        else:
            yield f"{indent}none of this:" if isinstance(predicate.item, Or) else f"{indent}not all of this:"
            for item in predicate.item.items if isinstance(predicate.item, And | Or) else (predicate.item,):
                yield from outline(item, depth + 1)
    else:
        yield indent + ("all of:" if isinstance(predicate, And) else "any of:")
        for item in predicate.items:
            yield from outline(item, depth + 1)


def _runs(numbers: list[int]) -> Iterator[str]:
    """The numbers, with three or more in a row as `9 to 23`."""
    rest = sorted(set(numbers))
    while rest:
        length = next((at for at, number in enumerate(rest) if number != rest[0] + at), len(rest))
        taken = length if length > 2 else 1  # noqa: PLR2004 two numbers are shorter than their range
        yield str(rest[0]) if taken == 1 else f"{rest[0]} to {rest[taken - 1]}"
        rest = rest[taken:]


def outline_correlation(correlation: Correlation, slugs: Mapping[str, str], depth: int = 0) -> Iterator[str]:
    """What a correlation asks for, as indented lines.

    Args:
        correlation: the correlation.
        slugs: the slug of each rule that it reads, by id.
        depth: how far the lines are indented.
    """
    indent, span = "  " * depth, _span(correlation.timespan_seconds)
    by = f", for each {' and '.join(correlation.group_by)}" if correlation.group_by else ""
    if correlation.expression is not None:
        yield f"{indent}within {span}{by}:"
        yield from _term(correlation.expression, slugs, depth + 1)
    else:
        yield f"{indent}{_counted(correlation)}, within {span}{by}, over the matches of:"
        for rule in correlation.rules:
            yield f"{indent}  {slugs.get(rule, rule)}"
    for alias, paths in correlation.aliases.items():
        told = "; ".join(f"{path} of {slugs.get(rule, rule)}" for rule, path in paths.items())
        yield f"{indent}where {alias} is {told}"


def _counted(correlation: Correlation) -> str:
    limit, order = correlation.limit, ", in this order" if correlation.type == "temporal_ordered" else ""
    every = limit is None or (limit.op == "gte" and limit.value >= len(correlation.rules))
    if limit is None or (every and correlation.type.startswith("temporal")):
        return f"one of each{order}"
    what = _COUNTED.get(correlation.type, "the number of different rules")
    what = what.format(fields=" and ".join(limit.fields), part=limit.percentile)
    return f"{what}{order} {_LIMITS[limit.op]} {limit.value:g}"


def _term(term: Term, slugs: Mapping[str, str], depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(term, RuleTerm):
        yield indent + slugs.get(term.rule, term.rule)
    elif isinstance(term, NotTerm):
        yield f"{indent}and no:"
        yield from _term(term.item, slugs, depth + 1)
    else:
        yield indent + ("all of:" if isinstance(term, AndTerm) else "any of:")
        for item in term.items:
            yield from _term(item, slugs, depth + 1)


def _span(seconds: int) -> str:
    unit, name = next((unit, name) for unit, name in _UNITS if seconds % unit == 0)
    return f"{seconds // unit} {name}" + ("s" if seconds != unit else "")


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return '""' if value == "" else str(value)
