"""The languages a rule can be written out in."""

from __future__ import annotations

from collections.abc import Callable

from trailwatch.errors import UsageError
from trailwatch.rules.predicate import Predicate
from trailwatch.rules.rule import Correlation, Rule
from trailwatch.translate.derived import spelled_out
from trailwatch.translate.errors import Inexpressible


def _sql_duckdb(predicate: Predicate) -> str:
    try:
        from trailwatch.translate.duckdb import to_sql
    except ModuleNotFoundError as missing:
        remedy = "install trailwatch-aws[convert]"
        raise UsageError("sql-duckdb", f"it needs the package {missing.name}", remedy) from None
    return to_sql(predicate)


def _cloudwatch(predicate: Predicate) -> str:
    from trailwatch.translate.cloudwatch import to_pattern

    return to_pattern(predicate)


def _eventbridge(predicate: Predicate) -> str:
    from trailwatch.translate.eventbridge import to_event_pattern

    return to_event_pattern(predicate)


TARGETS: dict[str, Callable[[Predicate], str]] = {
    "sql-duckdb": _sql_duckdb,
    "cloudwatch": _cloudwatch,
    "eventbridge": _eventbridge,
}


def convert(rule: Rule | Correlation, target: str) -> str:
    """The rule in the target's language; it matches exactly what the rule matches.

    Raises:
        Inexpressible: the target cannot say what the rule says.
    """
    if isinstance(rule, Correlation):
        what = f"{target} cannot count or order events over time, as {rule.info.slug} does"
        raise Inexpressible(rule.info.origin, what, "convert the rules that it reads")
    if rule.script is not None:
        raise Inexpressible(rule.info.origin, f"{target} cannot run the Python of {rule.info.slug}", "")
    if rule.remembers:
        what = f"{target} has no memory of what was seen before, which {rule.info.slug} asks for"
        raise Inexpressible(rule.info.origin, what, "")
    try:
        return TARGETS[target](spelled_out(rule.condition))
    except Inexpressible as error:
        what = f"{target} cannot say {rule.info.slug} exactly: {error.origin}: {error.what}"
        raise Inexpressible(rule.info.origin, what, error.remedy) from None
