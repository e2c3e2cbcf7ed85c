"""What stage 1 hands to stage 2: from an event that a rule said yes to, the signals that stateful rules want.

A path that leads to several values gives a signal for each of them, so that a call about three machines meets what
one of the three does later. An event that lacks a value gives none; that is counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

from trailwatch.detect.leaf import text_of
from trailwatch.detect.links import identity_of
from trailwatch.detect.record import Record, getter
from trailwatch.detect.schema import PLAIN_FIELDS, values_at
from trailwatch.model.event import Event
from trailwatch.model.identity import shortened, synthetic_event_id
from trailwatch.model.principal import Principal, principal_of
from trailwatch.model.signal import ACTOR, Brief, Signal
from trailwatch.rules.rule import Correlation, RuleSet

LOCATION = "derived.location"
"""Where somebody is, as rules about travel ask."""
KEYS_OF_ONE_EVENT = 64
"""So many combinations of values of one event at most go to one stateful rule."""
PRINCIPALS_KEPT = 4096

Getter = Callable[[Record], list[Any]]


class Want(NamedTuple):
    """What one stateful rule wants of the events of one rule."""

    rule_id: str
    key: tuple[Getter | None, ...]
    """What finds the values of each group-by field; None stands for the principal."""
    value: tuple[Getter, ...]
    """What finds the value that is counted or summed; empty where none is."""
    whole: bool = False
    """Whether the record goes with it, as evidence of what is told later."""


def wants_of(rules: RuleSet) -> dict[str, list[Want]]:
    """For each rule over single events by id, what stateful rules want of it.

    A rule with a memory wants the values of its fields as the key, and itself as the one who eats them.
    """
    events = {rule.info.id for rule in (*rules.rules, *rules.first_seen)}
    wants: dict[str, list[Want]] = {}
    for correlation in rules.correlations:
        for name in dict.fromkeys(correlation.rules):
            if name in events:
                wants.setdefault(name, []).append(_want(correlation, name))
    for rule in rules.first_seen:
        if rule.first_seen is not None:
            key = tuple(map(_key_getter, rule.first_seen.fields))
            wants.setdefault(rule.info.id, []).append(Want(rule.info.id, key, (), whole=True))
        if rule.travel is not None:
            key = tuple(map(_key_getter, rule.travel.by))
            wants.setdefault(rule.info.id, []).append(Want(rule.info.id, key, (getter(LOCATION),), whole=True))
    return wants


def paths_of(correlation: Correlation, rule_id: str) -> tuple[str, ...]:
    """The group-by fields as this rule's events name them."""
    return tuple(correlation.aliases.get(name, {}).get(rule_id, name) for name in correlation.group_by)


def plain_paths(rules: RuleSet) -> tuple[str, ...]:
    """The plain fields that signals are made of; empty where nobody wants any."""
    if not (rules.correlations or rules.first_seen):
        return ()
    wanted = [path for one in rules.correlations for rule_id in one.rules for path in paths_of(one, rule_id)]
    wanted += [path for one in rules.correlations if one.limit for path in one.limit.fields]
    wanted += [path for rule in rules.first_seen if rule.first_seen for path in rule.first_seen.fields]
    return tuple(dict.fromkeys((*BRIEF_PATHS, *(path for path in wanted if path in PLAIN_FIELDS))))


class SignalMaker:
    """Makes signals of events.

    Args:
        wants: from `wants_of`.
    """

    def __init__(self, wants: Mapping[str, Sequence[Want]]) -> None:
        self._wants = wants
        self._principals: dict[tuple[str, ...], Principal] = {}

    def signals(self, rule_ids: Iterable[str], record: Record) -> tuple[list[Signal], int]:
        """The signals of one event, and how many stateful rules found no value for their key in it.

        Args:
            rule_ids: the rules that said yes to it.
            record: the event's record.
        """
        brief: Brief | None = None
        signals: list[Signal] = []
        unkeyed = 0
        for base in rule_ids:
            for want in self._wants.get(base, ()):
                if brief is None:
                    brief = self.brief(record)
                found = list(itertools.islice(_combinations(want, record, brief), KEYS_OF_ONE_EVENT))
                unkeyed += not found
                signals += [
                    Signal(
                        want.rule_id, base, key, brief.time, brief, value, bytes(record.raw) if want.whole else b""
                    )
                    for key, value in dict.fromkeys(found)
                ]
        return signals, unkeyed

    def brief(self, record: Record) -> Brief:
        """What a person needs to know of the event, without decoding all of it where that can be avoided."""
        if record.plain is not None:
            return self._plain_brief(record.plain)
        return _brief_of(Event(record.full), bytes(record.raw))

    def _plain_brief(self, event: Any) -> Brief:
        region, source, address, agent, error, account, *identity = (
            value if type(value) is str else "" for value in _BRIEF_VALUES(event)
        )
        principal = self._principal((account, *identity))
        time = event.eventTime
        return Brief(
            event_id=event.eventID,
            time=int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()),
            account=account or principal.account,
            region=region,
            event_source=source,
            event_name=event.eventName,
            principal=principal.key,
            who=str(principal),
            access_key=principal.access_key,
            source_ip=address,
            user_agent=agent,
            error_code=error,
            identity=identity_of(principal),
        )

    def _principal(self, values: tuple[str, ...]) -> Principal:
        known = self._principals.get(values)
        if known is None:
            record: dict[str, Any] = {}
            for path, value in zip(_PRINCIPAL_PATHS, values, strict=True):
                *way, last = path.split(".")
                part = record
                for name in way:
                    part = part.setdefault(name, {})
                part[last] = value
            known = principal_of(record)
            if len(self._principals) >= PRINCIPALS_KEPT:
                self._principals.clear()
            self._principals[values] = known
        return known


_PRINCIPAL_PATHS = (
    "recipientAccountId",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.accountId",
    "userIdentity.accessKeyId",
    "userIdentity.principalId",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.onBehalfOf.userId",
    "userIdentity.sessionContext.sourceIdentity",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
)
"""What `principal_of` reads."""
BRIEF_PATHS = ("awsRegion", "eventSource", "sourceIPAddress", "userAgent", "errorCode", *_PRINCIPAL_PATHS)
"""The plain fields that a brief is made of."""
_BRIEF_VALUES = values_at(BRIEF_PATHS)


def _brief_of(event: Event, raw: bytes) -> Brief:
    principal = event.principal
    return Brief(
        event_id=event.event_id or synthetic_event_id(raw),
        time=int(event.time.timestamp()),
        account=event.account,
        region=event.region,
        event_source=event.source,
        event_name=event.name,
        principal=principal.key,
        who=str(principal),
        access_key=principal.access_key,
        source_ip=event.source_ip,
        user_agent=event.user_agent,
        error_code=event.error_code,
        identity=identity_of(principal),
    )


def _want(correlation: Correlation, rule_id: str) -> Want:
    counted = correlation.limit.fields if correlation.limit is not None else ()
    key = tuple(map(_key_getter, paths_of(correlation, rule_id)))
    return Want(correlation.info.id, key, tuple(map(getter, counted)))


def _key_getter(path: str) -> Getter | None:
    return None if path == ACTOR else getter(path)


def _combinations(want: Want, record: Record, brief: Brief) -> Iterator[tuple[tuple[str, ...], str]]:
    keys = [[brief.principal] if get is None else _texts(get(record)) for get in want.key]
    if not want.value:
        for key in itertools.product(*keys):
            yield key, ""
        return
    values = [_texts(get(record)) for get in want.value]
    for key in itertools.product(*keys):
        for counted in itertools.product(*values):
            yield key, "\n".join(counted)


def _texts(values: Collection[Any]) -> list[str]:
    return [shortened(text) for value in values if (text := text_of(value))]
