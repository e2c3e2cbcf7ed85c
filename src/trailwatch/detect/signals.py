"""What stage 1 hands to stage 2: from an event that a rule said yes to, the signals that stateful rules want.

A path that leads to several values gives a signal for each of them, so that a call about three machines meets what
one of the three does later. An event that lacks a value gives none; that is counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

from trailwatch.detect import callers
from trailwatch.detect.leaf import text_of
from trailwatch.detect.links import identity_of
from trailwatch.detect.record import Record, getter
from trailwatch.detect.schema import PLAIN_FIELDS, values_at
from trailwatch.model.event import Event
from trailwatch.model.identity import KEY_KEPT, shortened, synthetic_event_id
from trailwatch.model.sighting import DAY
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
    plain: Callable[[Any], tuple[Any, ...]] | None = None
    """What takes the key and then the value out of an event's plain fields, where that is all there is to them."""


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
            fields = rule.first_seen.fields
            want = Want(rule.info.id, tuple(map(_key_getter, fields)), (), whole=True, plain=_plain(fields))
            wants.setdefault(rule.info.id, []).append(want)
        if rule.travel is not None:
            key = tuple(map(_key_getter, rule.travel.by))
            wants.setdefault(rule.info.id, []).append(Want(rule.info.id, key, (getter(LOCATION),), whole=True))
    return wants


def paths_of(correlation: Correlation, rule_id: str) -> tuple[str, ...]:
    """The group-by fields as this rule's events name them."""
    return tuple(correlation.aliases.get(name, {}).get(rule_id, name) for name in correlation.group_by)


def plain_paths(rules: RuleSet) -> tuple[str, ...]:
    """The plain fields that signals are made of."""
    wanted = [path for one in rules.correlations for rule_id in one.rules for path in paths_of(one, rule_id)]
    wanted += [path for one in rules.correlations if one.limit for path in one.limit.fields]
    wanted += [path for rule in rules.first_seen if rule.first_seen for path in rule.first_seen.fields]
    return tuple(dict.fromkeys((*BRIEF_PATHS, *(path for path in wanted if path in PLAIN_FIELDS))))


class SignalMaker:
    """Makes signals of events.

    Args:
        wants: from `wants_of`.
        known: the callers that are known already.
    """

    def __init__(self, wants: Mapping[str, Sequence[Want]], known: callers.Callers | None = None) -> None:
        self._wants = wants
        self._callers = known or callers.Callers()
        self._told: dict[tuple[Any, ...], int] = {}
        """When rules with a memory first heard of a combination of values in this delivery."""

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
                found = _combinations(want, record, brief)
                unkeyed += not found
                raw = b""
                if want.whole and found:
                    found = self._untold(want, found, brief)
                    raw = bytes(record.raw) if found else b""
                signals += [Signal(want.rule_id, base, key, brief.time, brief, value, raw) for key, value in found]
        return signals, unkeyed

    def begin(self) -> None:
        """A new delivery: what was told of the one before is told again."""
        self._told.clear()

    def _untold(
        self, want: Want, found: Iterable[tuple[tuple[str, ...], str]], brief: Brief
    ) -> list[tuple[tuple[str, ...], str]]:
        """What a rule with a memory has not heard in this delivery: it asks for the first of a day."""
        untold = []
        for key, value in found:
            stretch = brief.time if want.value else brief.time // DAY  # of a journey every moment counts
            place = (want.rule_id, brief.account, brief.identity or brief.principal, key, value, stretch)
            if brief.time < self._told.get(place, brief.time + 1):
                self._told[place] = brief.time
                untold.append((key, value))
        return untold

    def brief(self, record: Record) -> Brief:
        """What a person needs to know of the event, without decoding all of it where that can be avoided."""
        if record.plain is not None:
            return self._plain_brief(record.plain)
        return _brief_of(Event(record.full), bytes(record.raw))

    def _plain_brief(self, event: Any) -> Brief:
        caller, account, time = self._callers.of(event), event.recipientAccountId, event.eventTime
        principal = caller.principal
        return Brief(
            event_id=event.eventID,
            time=int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()),
            account=account if type(account) is str and account else principal.account,
            region=_text(event.awsRegion),
            event_source=_text(event.eventSource),
            event_name=event.eventName,
            principal=principal.key,
            who=caller.who,
            access_key=principal.access_key,
            source_ip=_text(event.sourceIPAddress),
            user_agent=_text(event.userAgent),
            error_code=_text(event.errorCode),
            identity=caller.identity,
        )


def _text(value: Any) -> str:
    return value if type(value) is str else ""


BRIEF_PATHS = ("awsRegion", "eventSource", "sourceIPAddress", "userAgent", "errorCode", *callers.PATHS)
"""The plain fields that a brief is made of."""


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
    paths = paths_of(correlation, rule_id)
    plain = _plain((*paths, *counted)) if len(counted) < 2 else None  # noqa: PLR2004 several values are joined
    return Want(correlation.info.id, tuple(map(_key_getter, paths)), tuple(map(getter, counted)), plain=plain)


def _plain(paths: Sequence[str]) -> Callable[[Any], tuple[Any, ...]] | None:
    return values_at(paths) if paths and all(path in PLAIN_FIELDS for path in paths) else None


def _key_getter(path: str) -> Getter | None:
    return None if path == ACTOR else getter(path)


def _combinations(want: Want, record: Record, brief: Brief) -> Iterable[tuple[tuple[str, ...], str]]:
    """Keys with values, each once, at most `KEYS_OF_ONE_EVENT`."""
    if want.plain is not None and record.plain is not None:
        texts = want.plain(record.plain)
        for text in texts:
            if type(text) is not str or not text or len(text) > KEY_KEPT:
                break
        else:
            return [(texts[:-1], texts[-1])] if want.value else [(texts, "")]
    keys = [[brief.principal] if get is None else _texts(get(record)) for get in want.key]
    values = [_texts(get(record)) for get in want.value]
    if all(len(texts) == 1 for texts in (*keys, *values)):
        return [(tuple([texts[0] for texts in keys]), "\n".join([texts[0] for texts in values]))]
    every = ((key, "\n".join(value)) for key in itertools.product(*keys) for value in itertools.product(*values))
    return dict.fromkeys(itertools.islice(every, KEYS_OF_ONE_EVENT))


def _texts(values: Collection[Any]) -> list[str]:
    return [shortened(text) for value in values if (text := text_of(value))]
