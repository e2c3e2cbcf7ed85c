"""Which read-only calls are looked up by name, because a poll of what changes something never shows them.

AssumeRole, GetSecretValue, GetPasswordData, ListBuckets and their like are recorded with `readOnly: true`, so a
poll with `ReadOnly=false` is blind to the theft of secrets. The loaded rules say which of them matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import And, Field, Op, Or, Predicate
from trailwatch.rules.reads import DATA_EVENTS, is_read_only
from trailwatch.rules.rule import Correlation, Rule
from trailwatch.store.coverage import Lookup

OWN_CALLS = frozenset({"LookupEvents"})
"""What trailwatch itself calls all the time: a look-up would find little but its own calls, more each time."""
GLOBAL_SOURCES = frozenset({"cloudfront.amazonaws.com", "iam.amazonaws.com", "organizations.amazonaws.com"})
"""Services whose events are all recorded in one region, see `home_region`."""


WEIGHTS = {
    Severity.CRITICAL: 64,
    Severity.HIGH: 32,
    Severity.MEDIUM: 8,
    Severity.LOW: 2,
    Severity.INFORMATIONAL: 1,
}
"""What an alert of this severity is worth, compared with another."""


class PlannedName(msgspec.Struct, frozen=True):
    """An event name that is looked up, and why."""

    name: str
    severity: Severity
    """The highest among the alerting rules that name it or read those that do; informational where none alerts."""
    weight: float
    """How often its turn comes, compared with another's."""
    sources: tuple[str, ...]
    """Event sources that the rules ask for with it; empty when a rule does not say."""
    rules: tuple[str, ...]
    """Slugs of the rules that name it."""

    @property
    def lookup(self) -> str:
        return f"EventName={self.name}"

    def is_recorded_in(self, region: str) -> bool:
        """Whether events of this name can be there at all."""
        if self.sources and GLOBAL_SOURCES.issuperset(self.sources):
            return region == home_region(region)
        return True


class Plan(msgspec.Struct, frozen=True):
    """All names, those that matter most first, then by name."""

    names: tuple[PlannedName, ...] = ()
    left_out: tuple[PlannedName, ...] = ()
    """Names worth less than an alert of low severity: they would cost turns that others need."""

    def in_region(self, region: str) -> list[PlannedName]:
        return [name for name in self.names if name.is_recorded_in(region)]


def home_region(region: str) -> str:
    """The region where global services of the same partition are recorded."""
    for prefix, home in (("cn-", "cn-north-1"), ("us-gov-", "us-gov-west-1")):
        if region.startswith(prefix):
            return home
    return "us-east-1"


def plan_of(rules: Iterable[Rule], correlations: Sequence[Correlation] = ()) -> Plan:
    """The names that the rules ask for and the poll of what changes something never shows.

    Args:
        rules: over single events.
        correlations: over those; a rule that an alerting one reads matters as much as that.
    """
    wanted: dict[str, list[tuple[Rule, frozenset[str]]]] = {}
    named: dict[str, set[str]] = {}
    for rule in rules:
        for name, sources in _named(rule.condition):
            wanted.setdefault(name, []).append((rule, sources))
            named.setdefault(rule.info.id, set()).add(name)
    fed = _fed(correlations, named)
    every = [_planned(name, found, fed) for name, found in wanted.items()]
    every.sort(key=lambda planned: (-planned.weight, planned.name))
    least = WEIGHTS[Severity.LOW]
    return Plan(
        names=tuple(one for one in every if one.weight >= least),
        left_out=tuple(one for one in every if one.weight < least),
    )


class _Worth(NamedTuple):
    weight: float
    severity: Severity


_NOTHING = _Worth(0, Severity.INFORMATIONAL)


def _fed(correlations: Sequence[Correlation], named: Mapping[str, set[str]]) -> dict[str, list[_Worth]]:
    """What the alerting correlations make of the rules they read, directly or through others, by rule id.

    A correlation over many names learns little from one of them, so they share its weight.
    """
    by_id = {one.info.id: one for one in correlations}
    found: dict[str, list[_Worth]] = {}
    for one in correlations:
        if one.info.alerting:
            read = _read(one, by_id)
            names = set().union(*(named.get(rule, ()) for rule in read))
            worth = _Worth(WEIGHTS[one.info.severity] / max(1, len(names)), one.info.severity)
            for rule in read:
                found.setdefault(rule, []).append(worth)
    return found


def _read(one: Correlation, by_id: Mapping[str, Correlation]) -> set[str]:
    """Ids of everything that it reads, through others too."""
    read: set[str] = set()
    pending = [*one.rules]
    while pending:
        name = pending.pop()
        if name not in read:
            read.add(name)
            pending += by_id[name].rules if name in by_id else ()
    return read


def _planned(
    name: str, found: Sequence[tuple[Rule, frozenset[str]]], fed: Mapping[str, Sequence[_Worth]]
) -> PlannedName:
    everywhere = any(not sources for _, sources in found)
    sources = () if everywhere else tuple(sorted(frozenset().union(*(sources for _, sources in found))))
    worths = [_NOTHING]
    for rule, _ in found:
        worths += fed.get(rule.info.id, ())
        # a rule that only feeds others says nothing by itself, whatever its level
        if rule.info.alerting:
            worths.append(_Worth(WEIGHTS[rule.info.severity], rule.info.severity))
    return PlannedName(
        name=name,
        severity=max(worth.severity for worth in worths),
        weight=max(worth.weight for worth in worths),
        sources=sources,
        rules=tuple(sorted({rule.info.slug for rule, _ in found})),
    )


def _named(condition: Predicate) -> Iterator[tuple[str, frozenset[str]]]:
    """Each name to look up that can make the condition true, with the event sources asked for beside it."""
    if isinstance(condition, Or):
        for item in condition.items:
            yield from _named(item)
    elif isinstance(condition, And):
        sources: frozenset[str] | None = None
        for item in condition.items:
            for name, inner in _named(item):
                if sources is None:
                    sources = frozenset(_values(condition, "eventSource"))
                yield name, inner or sources
    elif isinstance(condition, Field) and condition.path == "eventName":
        for name in _values(condition, "eventName"):
            if is_read_only(name) and name not in DATA_EVENTS and name not in OWN_CALLS:
                yield name, frozenset()


def _values(condition: Predicate, path: str) -> Iterator[str]:
    """What must be equal to one of; negated parts say nothing about that."""
    if isinstance(condition, And):
        for item in condition.items:
            yield from _values(item, path)
    elif isinstance(condition, Field) and condition.path == path and condition.op is Op.EQ:
        yield from (value for value in condition.values if isinstance(value, str))


def due(names: Sequence[PlannedName], lookups: Mapping[str, Lookup], requests: int, now: int) -> list[PlannedName]:
    """The names whose turn it is: the most severe every cycle, the others by weight and by how long they waited.

    Args:
        names: the plan in one region.
        lookups: what is known about each, by `PlannedName.lookup`.
        requests: how many look-ups the cycle may make there.
        now: seconds since 1970.
    """
    always, others = _always(names, requests)

    def order(planned: PlannedName) -> tuple[float, str]:
        known = lookups.get(planned.lookup)
        return -(now - (known.asked if known else 0)) * planned.weight, planned.name

    return [*always, *sorted(others, key=order)[: max(0, requests - len(always))]]


def cycles_between(names: Sequence[PlannedName], requests: int) -> dict[str, int]:
    """How many cycles pass about, from one turn of a name to its next, by name; 0 for never."""
    always, others = _always(names, requests)
    turns = {planned.name: 1 for planned in always}
    places = max(0, requests - len(always))
    weight = sum(planned.weight for planned in others)
    for planned in others:
        turns[planned.name] = max(1, math.ceil(weight / (places * planned.weight))) if places else 0
    return turns


def _always(names: Sequence[PlannedName], requests: int) -> tuple[list[PlannedName], list[PlannedName]]:
    """Those that matter most, where there is room for all of them in every cycle and one other; and the others."""
    highest = max((planned.weight for planned in names), default=0)
    first = [planned for planned in names if planned.weight == highest]
    others = [planned for planned in names if planned.weight != highest]
    room = requests - 1 if others else requests
    return (first, others) if len(first) <= room else ([], list(names))
