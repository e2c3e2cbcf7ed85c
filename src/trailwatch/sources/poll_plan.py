"""Which read-only calls are looked up by name, because a poll of what changes something never shows them.

AssumeRole, GetSecretValue, GetPasswordData, ListBuckets and their like are recorded with `readOnly: true`, so a
poll with `ReadOnly=false` is blind to the theft of secrets. The loaded rules say which of them matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import And, Field, Op, Or, Predicate
from trailwatch.rules.rule import Correlation, Rule
from trailwatch.store.coverage import Lookup

READ_VERBS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Search", "Simulate")
READ_ONLY = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "DecodeAuthorizationMessage",
    }
)
"""Recorded with `readOnly: true` although their names do not sound like it."""
NOT_READ_ONLY = frozenset({"GetFederationToken", "GetSigninToken"})
"""Recorded with `readOnly: false`, so the poll of what changes something shows them."""
DATA_EVENTS = frozenset(
    {
        "BatchGetItem",
        "GetItem",
        "GetObject",
        "GetObjectAcl",
        "GetObjectTagging",
        "GetRecords",
        "HeadObject",
        "ListObjects",
        "ListObjectsV2",
        "ListObjectVersions",
    }
)
"""Data events: event history does not hold them, so no look-up finds them."""
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
"""How often the turn of a name comes, compared with another's."""


class PlannedName(msgspec.Struct, frozen=True):
    """An event name that is looked up, and why."""

    name: str
    severity: Severity
    """The highest among the alerting rules that name it or read those that do; informational where none alerts."""
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
    """All names, most severe first, then by name."""

    names: tuple[PlannedName, ...] = ()
    left_out: tuple[PlannedName, ...] = ()
    """Names that no rule above informational would tell of: they would cost turns that others need."""

    def in_region(self, region: str) -> list[PlannedName]:
        return [name for name in self.names if name.is_recorded_in(region)]


def home_region(region: str) -> str:
    """The region where global services of the same partition are recorded."""
    for prefix, home in (("cn-", "cn-north-1"), ("us-gov-", "us-gov-west-1")):
        if region.startswith(prefix):
            return home
    return "us-east-1"


def is_read_only(name: str) -> bool:
    """Whether events of this name are recorded with `readOnly: true`."""
    if name in NOT_READ_ONLY:
        return False
    return name in READ_ONLY or name.startswith(READ_VERBS)


def plan_of(rules: Iterable[Rule], correlations: Sequence[Correlation] = ()) -> Plan:
    """The names that the rules ask for and the poll of what changes something never shows.

    Args:
        rules: over single events.
        correlations: over those; a rule that an alerting one reads matters as much as that.
    """
    fed = _fed(correlations)
    wanted: dict[str, list[tuple[Rule, frozenset[str]]]] = {}
    for rule in rules:
        for name, sources in _named(rule.condition):
            wanted.setdefault(name, []).append((rule, sources))
    every = [_planned(name, found, fed) for name, found in wanted.items()]
    every.sort(key=lambda planned: (-planned.severity.rank, planned.name))
    return Plan(
        names=tuple(one for one in every if one.severity > Severity.INFORMATIONAL),
        left_out=tuple(one for one in every if one.severity <= Severity.INFORMATIONAL),
    )


def _fed(correlations: Sequence[Correlation]) -> dict[str, Severity]:
    """The highest severity of the alerting correlations that read a rule, directly or through others, by rule id."""
    by_id = {one.info.id: one for one in correlations}
    found: dict[str, Severity] = {}
    for one in correlations:
        pending = [one.info.id] if one.info.alerting else []
        seen: set[str] = set()
        while pending:
            reader = by_id.get(pending.pop())
            for read in reader.rules if reader is not None else ():
                found[read] = max(found.get(read, Severity.INFORMATIONAL), one.info.severity)
                if read not in seen:
                    seen.add(read)
                    pending.append(read)
    return found


def _planned(name: str, found: Sequence[tuple[Rule, frozenset[str]]], fed: Mapping[str, Severity]) -> PlannedName:
    everywhere = any(not sources for _, sources in found)
    sources = () if everywhere else tuple(sorted(frozenset().union(*(sources for _, sources in found))))
    return PlannedName(
        name=name,
        severity=max(_worth(rule, fed) for rule, _ in found),
        sources=sources,
        rules=tuple(sorted({rule.info.slug for rule, _ in found})),
    )


def _worth(rule: Rule, fed: Mapping[str, Severity]) -> Severity:
    # a rule that only feeds others says nothing by itself, whatever its level
    own = rule.info.severity if rule.info.alerting else Severity.INFORMATIONAL
    return max(own, fed.get(rule.info.id, Severity.INFORMATIONAL))


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

    def order(planned: PlannedName) -> tuple[int, str]:
        known = lookups.get(planned.lookup)
        return -(now - (known.asked if known else 0)) * WEIGHTS[planned.severity], planned.name

    return [*always, *sorted(others, key=order)[: max(0, requests - len(always))]]


def cycles_between(names: Sequence[PlannedName], requests: int) -> dict[str, int]:
    """How many cycles pass about, from one turn of a name to its next, by name; 0 for never."""
    always, others = _always(names, requests)
    turns = {planned.name: 1 for planned in always}
    places = max(0, requests - len(always))
    weight = sum(WEIGHTS[planned.severity] for planned in others)
    for planned in others:
        turns[planned.name] = max(1, -(-weight // (places * WEIGHTS[planned.severity]))) if places else 0
    return turns


def _always(names: Sequence[PlannedName], requests: int) -> tuple[list[PlannedName], list[PlannedName]]:
    """The most severe, where there is room for all of them in every cycle and for one other; and the others."""
    highest = max((planned.severity for planned in names), default=None)
    first = [planned for planned in names if planned.severity is highest]
    others = [planned for planned in names if planned.severity is not highest]
    room = requests - 1 if others else requests
    return (first, others) if len(first) <= room else ([], list(names))
