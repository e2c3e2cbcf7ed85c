"""Which loaded rules can never fire, because nothing that is read today could make them true.

A condition is refused only where that is certain: every way through it needs an event that no source brings, or a
fact that no table tells. What a rule's own matching examples are counts too, for conditions that name no event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from trailwatch.model.severity import Severity
from trailwatch.rules.coverage import DATA, INSIGHT, NETWORK, READ_ONLY, log_type
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate
from trailwatch.rules.reads import DATA_EVENTS, is_read_only
from trailwatch.rules.rule import AndTerm, Correlation, NotTerm, OrTerm, Rule, RuleSet, Term
from trailwatch.sources.poll_plan import GLOBAL_SOURCES, home_region

LISTED = 3
_CATEGORIES = {"data": DATA, "insight": INSIGHT, "networkactivity": NETWORK}
_MISSING = {
    DATA: "needs data events, which event history never has",
    INSIGHT: "needs Insights events, which are not read",
    NETWORK: "needs network activity events, which event history never has",
}


class Sources(msgspec.Struct, frozen=True):
    """What is read today."""

    all_events: bool = False
    """Whether read-only events are polled too."""
    names: frozenset[str] = frozenset()
    """Read-only calls that are looked up by name."""
    regions: frozenset[str] = frozenset()
    """Regions that are read; empty where that is not known yet."""
    facts: frozenset[str] = frozenset()
    """Derived fields that some table tells."""
    lists: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    """Names and kinds of the user's own lists of addresses."""


class Unreachable(msgspec.Struct, frozen=True):
    """A rule that cannot fire."""

    rule_id: str
    slug: str
    title: str
    severity: Severity
    why: str


NEED_TABLES = frozenset(
    {"derived.country", "derived.city", "derived.location", "derived.asn", "derived.as_org", "derived.ip.is_aws"}
)
"""Derived fields that say nothing without a table; a rule may still ask for their absence."""


def unreachable(ruleset: RuleSet, sources: Sources) -> list[Unreachable]:
    """The alerting rules that cannot fire, the most severe first, then by name.

    Args:
        ruleset: what is loaded, with examples.
        sources: what is read.
    """
    judge = _Judge(sources)
    why: dict[str, str] = {}
    rules = (*ruleset.rules, *ruleset.first_seen)
    for rule in rules:
        if reason := judge.rule(rule):
            why[rule.info.id] = reason
    slugs = {rule.info.id: rule.info.slug for rule in rules}
    for one in ruleset.correlations:  # those that others read come first
        slugs[one.info.id] = one.info.slug
        if reason := _of_correlation(one, why, slugs):
            why[one.info.id] = reason
    infos = [*(rule.info for rule in rules), *(one.info for one in ruleset.correlations)]
    found = [
        Unreachable(info.id, info.slug, info.title, info.severity, why[info.id])
        for info in infos
        if info.alerting and info.id in why
    ]
    return sorted(found, key=lambda one: (-one.severity.rank, one.slug))


class _Judge:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._asks: dict[str, Callable[[Sequence[str]], str]] = {
            "eventName": self._names,
            "eventCategory": self._category,
            "managementEvent": self._managed,
            "awsRegion": self._regions,
            "derived.ip.list": self._list_names,
            "derived.ip.kind": self._list_kinds,
        }

    def rule(self, rule: Rule) -> str:
        """Why it cannot fire; empty where it may."""
        if rule.travel is not None and "derived.location" not in self._sources.facts:
            return "needs a table in addresses.mmdb that tells locations"
        return self._condition(rule.condition) or self._examples(rule)

    def _examples(self, rule: Rule) -> str:
        types = {log_type(example.record) for example in rule.examples if example.matches}
        if not types:
            return ""
        if types <= _MISSING.keys():
            return _MISSING[min(types)]
        if types <= {READ_ONLY, *_MISSING} and not self._sources.all_events:
            names = {str(example.record.get("eventName")) for example in rule.examples if example.matches}
            if not names & self._sources.names:
                return _not_looked_up(names)
        return ""

    def _condition(self, condition: Predicate) -> str:
        if isinstance(condition, Const):
            return "" if condition.value else "its condition never holds; a list that it names may be empty"
        if isinstance(condition, Not):
            return ""
        if isinstance(condition, Or):
            reasons = [self._condition(item) for item in condition.items]
            return "; or ".join(dict.fromkeys(reasons)) if all(reasons) else ""
        if isinstance(condition, And):
            return next(filter(None, map(self._condition, condition.items)), "") or self._place(condition)
        return self._field(condition)

    def _field(self, field: Field) -> str:
        if field.op is Op.NULL:
            return ""
        if field.path in NEED_TABLES and field.path not in self._sources.facts:
            return self._without_table(field)
        ask = self._asks.get(field.path) if field.op is Op.EQ else None
        return ask([str(value) for value in field.values]) if ask is not None else ""

    def _category(self, values: Sequence[str]) -> str:
        missing = [_MISSING.get(_CATEGORIES.get(value.lower(), ""), "") for value in values]
        return missing[0] if missing and all(missing) else ""

    def _managed(self, values: Sequence[str]) -> str:
        return _MISSING[DATA] if values and all(value.lower() == "false" for value in values) else ""

    def _regions(self, values: Sequence[str]) -> str:
        regions = self._sources.regions
        if not regions or any(value in regions for value in values):
            return ""
        return f"needs regions that are not read: {_listed(values)}"

    def _without_table(self, field: Field) -> str:
        if field.path == "derived.ip.is_aws":
            yes = any(str(value).lower() == "true" for value in field.values)
            return "needs addresses.aws_ranges, or a table of networks" if yes else ""
        return f"needs a table in addresses.mmdb that tells {field.path.removeprefix('derived.')}"

    def _list_names(self, values: Sequence[str]) -> str:
        known = not self._sources.lists.isdisjoint(values)
        return "" if known else f"needs an [[addresses.list]] called {_listed(values)}"

    def _list_kinds(self, values: Sequence[str]) -> str:
        known = not self._sources.kinds.isdisjoint(values)
        return "" if known else f"needs an [[addresses.list]] of the kind {_listed(values)}"

    def _names(self, names: Sequence[str]) -> str:
        data = [name for name in names if name in DATA_EVENTS]
        unseen = [name for name in names if name not in data and not self._is_seen(name)]
        if len(data) + len(unseen) < len(names):
            return ""
        reasons = [f"{_MISSING[DATA]} ({_listed(data)})"] if data else []
        return "; or ".join([*reasons, _not_looked_up(unseen)] if unseen else reasons)

    def _is_seen(self, name: str) -> bool:
        return self._sources.all_events or not is_read_only(name) or name in self._sources.names

    def _place(self, condition: And) -> str:
        """Global services are recorded in one region, which has to be read."""
        regions = self._sources.regions
        for item in condition.items:
            if isinstance(item, Field) and item.path == "eventSource" and item.op is Op.EQ and regions:
                homes = {home_region(region) for region in regions}
                if GLOBAL_SOURCES.issuperset(map(str, item.values)) and not homes & regions:
                    return f"needs a region that is not read: {_listed(homes)}"
        return ""


def _of_correlation(one: Correlation, why: Mapping[str, str], slugs: Mapping[str, str]) -> str:
    dead = [name for name in one.rules if name in why]
    if one.expression is not None:
        possible = _possible(one.expression, why)
    elif one.type in ("temporal", "temporal_ordered"):
        possible = not dead
    else:
        possible = len(dead) < len(one.rules)
    if possible or not dead:
        return ""
    first = dead[0]
    return f"reads {slugs.get(first, first)}, which {why[first]}"


def _possible(term: Term, dead: Collection[str]) -> bool:
    if isinstance(term, AndTerm):
        return all(_possible(item, dead) for item in term.items)
    if isinstance(term, OrTerm):
        return any(_possible(item, dead) for item in term.items)
    return True if isinstance(term, NotTerm) else term.rule not in dead


def _not_looked_up(names: Collection[str]) -> str:
    calls = (
        f"the read-only call {_listed(names)}, which is"
        if len(names) == 1
        else f"read-only calls ({_listed(names)}) that are"
    )
    return f"needs {calls} not looked up; check.all_events polls {'it' if len(names) == 1 else 'them'}"


def _listed(names: Iterable[str]) -> str:
    every = sorted(set(names))
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more
