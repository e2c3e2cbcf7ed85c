"""Correlation rules as plain data: parsed by pySigma, their references resolved to rule ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaRuleReference,
)

from trailwatch.model.rule import RuleInfo
from trailwatch.rules.rule import AndTerm, Correlation, CorrelationLimit, NotTerm, OrTerm, RuleTerm, Term


class UnknownRuleError(LookupError):
    """A correlation names a rule that was not loaded."""


def to_correlation(parsed: SigmaCorrelationRule, info: RuleInfo, ids: Mapping[str, str]) -> Correlation:
    """The correlation with every reference as a rule id.

    Args:
        parsed: what pySigma read.
        info: what people read of it.
        ids: rule id by id and by name, of everything that was loaded.

    Raises:
        UnknownRuleError: with the reference that leads nowhere.
    """
    limit, expression = None, None
    if isinstance(parsed.condition, SigmaCorrelationCondition):
        limit = _limit(parsed.condition)
        references = [reference.reference for reference in parsed.rules or ()]
    else:
        expression = _term(parsed.condition.parsed, ids)
        references = parsed.condition.get_referenced_rules()
    return Correlation(
        info=info,
        type=parsed.type.name.lower(),
        rules=tuple(_resolve(reference, ids) for reference in references),
        timespan_seconds=parsed.timespan.seconds,
        group_by=tuple(parsed.group_by or ()),
        limit=limit,
        expression=expression,
        aliases={
            alias.alias: {_resolve(ref.reference, ids): path for ref, path in alias.mapping.items()}
            for alias in parsed.aliases
        },
        generate=parsed.generate,
        name=parsed.name or "",
    )


def _resolve(reference: str, ids: Mapping[str, str]) -> str:
    if reference not in ids:
        raise UnknownRuleError(reference)
    return ids[reference]


def _limit(condition: SigmaCorrelationCondition) -> CorrelationLimit:
    fields = condition.fieldref
    if fields is None:
        fields = []
    return CorrelationLimit(
        op=condition.op.name.lower(),
        value=condition.count,
        fields=tuple(str(field) for field in (fields if isinstance(fields, list) else [fields])),
        percentile=50 if condition.percentile is None else condition.percentile,
    )


def _term(parsed: Any, ids: Mapping[str, str]) -> Term:
    if isinstance(parsed, SigmaRuleReference):
        return RuleTerm(_resolve(parsed.reference, ids))
    items = tuple(_term(arg, ids) for arg in parsed.args)
    if isinstance(parsed, CorrelationConditionNOT):
        return NotTerm(items[0])
    if isinstance(parsed, CorrelationConditionAND):
        return AndTerm(items)
    if isinstance(parsed, CorrelationConditionOR):
        return OrTerm(items)
    raise TypeError(f"unexpected {type(parsed).__name__} in a correlation condition")
