"""What stage 1 hands to stage 2: from an event that a rule said yes to, the signals that stateful rules want.

A path that leads to several values gives a signal for each of them, so that a call about three machines meets what
one of the three does later. An event that lacks a value gives none; that is counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trailwatch.detect import callers
from trailwatch.detect.briefs import account_of, brief_of, plain_brief
from trailwatch.detect.bundle import Ask, Bundle, Taker, Texts
from trailwatch.detect.leaf import text_of
from trailwatch.detect.moments import seconds_of
from trailwatch.detect.notes import Heard, Noter, Values
from trailwatch.detect.pages import Note
from trailwatch.detect.record import Record, getter
from trailwatch.detect.schema import FREE_FIELDS, PLAIN_FIELDS
from trailwatch.model.event import Event
from trailwatch.model.identity import shortened
from trailwatch.model.sighting import DAY
from trailwatch.model.signal import ACTOR, Brief, Signal
from trailwatch.rules.rule import Correlation, RuleSet

LOCATION = "derived.location"
"""Where somebody is, as rules about travel ask."""
KEYS_OF_ONE_EVENT = 64
"""So many combinations of values of one event at most go to one stateful rule."""
WANTED_KEPT = 4096
"""So many sets of rules that said yes together are remembered with what is wanted of their events."""
HEARD_KEPT = 100_000
"""So many combinations of values are remembered as told; after that they are told anew, which changes nothing."""

Getter = Callable[[Record], list[Any]]


class Want(NamedTuple):
    """What one stateful rule wants of the events of one rule."""

    rule_id: str
    key: tuple[Getter | None, ...]
    """What finds the values of each group-by field; None stands for the principal."""
    value: tuple[Getter, ...]
    """What finds the value that is counted or summed; empty where none is."""
    remembers: bool = False
    """Whether the rule has a memory: it asks for the first of a day, and for the record as evidence of it."""
    ask: Ask | None = None
    """The same for the quick way; None where there is more to it than one text for each path."""
    asks_memory: bool = False
    """Whether it is for a correlation that wants to know first what a rule with a memory says."""


def wants_of(rules: RuleSet) -> dict[str, list[Want]]:
    """For each rule over single events by id, what stateful rules want of it.

    A rule with a memory wants the values of its fields as the key, and itself as the one who eats them.
    """
    events = {rule.info.id for rule in (*rules.rules, *rules.first_seen)}
    memories = {rule.info.id: rule.first_seen.fields for rule in rules.first_seen if rule.first_seen is not None}
    wants: dict[str, list[Want]] = {}
    for correlation in rules.correlations:
        for name in dict.fromkeys(correlation.rules):
            if name in events:
                wants.setdefault(name, []).append(_want(correlation, name, memories.get(name, ())))
    for rule in rules.first_seen:
        if rule.first_seen is not None:
            fields, ident = rule.first_seen.fields, rule.info.id
            ask = Ask(ident, ident, fields, remembers=True)
            want = Want(ident, tuple(map(_key_getter, fields)), (), remembers=True, ask=ask)
            wants.setdefault(ident, []).append(want)
        if rule.travel is not None:
            key = tuple(map(_key_getter, rule.travel.by))
            want = Want(rule.info.id, key, (getter(LOCATION),), remembers=True)
            wants.setdefault(rule.info.id, []).append(want)
    return wants


def paths_of(correlation: Correlation, rule_id: str) -> tuple[str, ...]:
    """The group-by fields as this rule's events name them."""
    return tuple(correlation.aliases.get(name, {}).get(rule_id, name) for name in correlation.group_by)


def fields_wanted(rules: RuleSet) -> tuple[str, ...]:
    """The plain fields that signals are made of, and the free-form ones that hold something of them."""
    wanted = [path for one in rules.correlations for rule_id in one.rules for path in paths_of(one, rule_id)]
    wanted += [path for one in rules.correlations if one.limit for path in one.limit.fields]
    wanted += [path for rule in rules.first_seen if rule.first_seen for path in rule.first_seen.fields]
    roots = [path if path in PLAIN_FIELDS else path.partition(".")[0] for path in wanted]
    asked = [path for path in roots if path in PLAIN_FIELDS or path in FREE_FIELDS]
    return tuple(dict.fromkeys((*BRIEF_PATHS, *FURTHER_PATHS, *asked)))


_Wish = tuple[str, Want]
"""A rule that said yes, and what is wanted of its events."""


class _Wanted(NamedTuple):
    """What is wanted of the events to which the same rules said yes."""

    each: tuple[_Wish, ...]
    bundle: Bundle | None
    slow: tuple[_Wish, ...]
    """Those that are not in the bundle."""


class SignalMaker:
    """Makes signals of events.

    Args:
        wants: from `wants_of`.
        known: the callers that are known already.
        gathered: whether all deliveries are put together before a rule with a memory is asked: what it heard in one
            delivery is not told again in the next, and where a record is stands for the record.
    """

    def __init__(
        self,
        wants: Mapping[str, Sequence[Want]],
        known: callers.Callers | None = None,
        *,
        gathered: bool = False,
    ) -> None:
        self._wants = wants
        self._callers = known or callers.Callers()
        self._gathered = gathered
        self._texts = Texts()
        self._wanted: dict[tuple[str, ...], _Wanted] = {}
        asks = [want.ask for several in wants.values() for want in several if want.ask]
        self.values = Values(path for ask in asks for path in ask.paths)
        """What is noted of every event."""
        self._heard_together: dict[tuple[Ask, ...], Heard] = {}
        """What was heard by sets of rules with a memory, for those who note events."""
        self._noting: list[Noter] = []
        """Those that have noted something."""
        self._heard: dict[tuple[Any, ...], tuple[int, str]] = {}
        """Time and event of what rules with a memory heard first of a combination of values."""

    def signals(
        self, rule_ids: Iterable[str], record: Record, origin: str = "", position: int = -1
    ) -> tuple[list[Signal], int]:
        """The signals of one event, and how many stateful rules found no value for their key in it.

        Args:
            rule_ids: the rules that said yes to it.
            record: the event's record.
            origin: where the record came from.
            position: its place there.
        """
        said = tuple(rule_ids)
        wanted = self._wanted.get(said)
        if wanted is None:
            if len(self._wanted) >= WANTED_KEPT:
                self._wanted.clear()
            wanted = self._wanted[said] = self._sorted_out(self._each(said))
        signals: list[Signal] = []
        return signals, self._told(wanted, _Event(record, origin, position), signals)

    def begin(self) -> None:
        """A new delivery: what was told of the one before is told again, unless they are put together."""
        if not self._gathered:
            self._heard.clear()

    def noter(self, said: Iterable[str]) -> Noter | None:
        """What notes events to which these rules alone said yes; None where deliveries stand by themselves."""
        if not self._gathered:
            return None
        each = self._each(said)
        noted = tuple(want.ask for _, want in each if want.ask and not want.asks_memory)
        rest = tuple((base, want) for base, want in each if not want.ask or want.asks_memory)
        wanted = self._sorted_out(rest)

        def told(record: Record, origin: str, position: int, signals: list[Signal]) -> int:
            return self._told(wanted, _Event(record, origin, position), signals)

        return Noter(
            noted,
            self.values,
            told if rest else None,
            callers=self._callers,
            texts=self._texts,
            heard=self._heard_together.setdefault(noted, {}),
            active=self._noting,
        )

    def notes(self) -> list[Note]:
        """What was noted since the last time."""
        noting, self._noting[:] = list(self._noting), ()
        return [noter.noted() for noter in noting]

    def _each(self, said: Iterable[str]) -> tuple[_Wish, ...]:
        return tuple((base, want) for base in said for want in self._wants.get(base, ()))

    def _sorted_out(self, each: tuple[_Wish, ...]) -> _Wanted:
        asks = [want.ask for _, want in each if want.ask is not None]
        slow = tuple((base, want) for base, want in each if want.ask is None)
        return _Wanted(each, Bundle(asks, self._texts) if asks else None, slow)

    def _told(self, wanted: _Wanted, event: _Event, signals: list[Signal]) -> int:
        """Adds the signals that are wanted of an event; how many of them find no value."""
        unkeyed, slow = 0, wanted.slow
        if wanted.bundle is not None:
            if event.record.plain is None:
                slow = wanted.each
            else:
                unkeyed, odd = self._quickly(wanted.bundle, event, signals)
                if odd:
                    slow = (*slow, *((base, want) for base, want in wanted.each if want.ask in odd))
        if slow:
            unkeyed += self._slowly(slow, event, signals)
        return unkeyed

    def _quickly(self, bundle: Bundle, event: _Event, signals: list[Signal]) -> tuple[int, tuple[Ask, ...]]:
        """Adds the signals made of one text for each path; how many rules find none, what the slow way has to do."""
        plain = event.record.plain
        caller = self._callers.of(plain)
        texts = bundle.texts(plain, event.record, caller.principal.key)
        cut = bundle.cut(texts)
        if cut.counted or cut.memory is not None:
            seconds = seconds_of(plain.eventTime)
            brief = None
            if cut.counted:
                brief = plain_brief(plain, caller, seconds)
                signals += [
                    Signal(rule_id, base, key(texts), seconds, brief, value(texts) if value is not None else "")
                    for rule_id, base, key, value in cut.counted
                ]
            if cut.memory is not None:
                account = account_of(plain, caller)
                place = (cut.remembered, account, caller.identity, cut.memory(texts), seconds // DAY)
                if self._is_news(place, seconds, plain.eventID):
                    brief = brief or plain_brief(plain, caller, seconds)
                    self._remembered(cut.remembered, texts, event, brief, signals)
        return cut.unkeyed, cut.odd

    def _remembered(
        self, takers: Iterable[Taker], texts: tuple[Any, ...], event: _Event, brief: Brief, signals: list[Signal]
    ) -> None:
        raw = None
        for rule_id, base, take, _ in takers:
            key = take(texts)
            if self._is_news(_place(rule_id, brief, key, "", brief.time // DAY), brief.time, brief.event_id):
                if raw is None:
                    raw = b"" if self._gathered else bytes(event.record.raw)
                told = brief.time, brief, "", raw, event.origin, event.position, event.record.get("readOnly") is True
                signals.append(Signal(rule_id, base, key, *told))

    def _slowly(self, wants: Iterable[tuple[str, Want]], event: _Event, signals: list[Signal]) -> int:
        """Adds the signals that these want; how many of them find no value."""
        record = event.record
        brief = self.brief(record)
        unkeyed = 0
        for base, want in wants:
            found = _combinations(want, record, brief)
            unkeyed += not found
            if not want.remembers:
                signals += [Signal(want.rule_id, base, key, brief.time, brief, value) for key, value in found]
                continue
            for key, value in found:
                stretch = brief.time if value else brief.time // DAY  # of a journey every moment counts
                if self._is_news(_place(want.rule_id, brief, key, value, stretch), brief.time, brief.event_id):
                    raw = b"" if self._gathered and not value else bytes(record.raw)
                    told = brief.time, brief, value, raw, event.origin, event.position, record.get("readOnly") is True
                    signals.append(Signal(want.rule_id, base, key, *told))
        return unkeyed

    def _is_news(self, place: tuple[Any, ...], time: int, event_id: str) -> bool:
        """Whether a rule with a memory has not heard it, or not of so early an event."""
        moment = time, event_id
        known = self._heard.get(place)
        if known is not None and known <= moment:
            return False
        if len(self._heard) >= HEARD_KEPT:
            self._heard.clear()
        self._heard[place] = moment
        return True

    def brief(self, record: Record) -> Brief:
        """What a person needs to know of the event, without decoding all of it where that can be avoided."""
        event = record.plain
        if event is not None:
            return plain_brief(event, self._callers.of(event), seconds_of(event.eventTime))
        return brief_of(Event(record.full), bytes(record.raw))


class _Event(NamedTuple):
    record: Record
    origin: str
    position: int


def _place(rule_id: str, brief: Brief, key: tuple[str, ...], value: str, stretch: int) -> tuple[Any, ...]:
    return rule_id, brief.account, brief.identity or brief.principal, key, value, stretch


BRIEF_PATHS = ("awsRegion", "eventSource", "sourceIPAddress", "userAgent", "errorCode", *callers.PATHS)
"""The plain fields that a brief is made of."""
FURTHER_PATHS = ("sharedEventID", "readOnly")
"""Others that links and rules with a memory ask for."""


def _want(correlation: Correlation, rule_id: str, memory: Sequence[str]) -> Want:
    counted = correlation.limit.fields if correlation.limit is not None else ()
    # what a memory asks of an event stands after the key, see `trailwatch.detect.novelty`
    paths = (*paths_of(correlation, rule_id), *memory)
    ask = Ask(correlation.info.id, rule_id, paths, counted[0] if counted else "")
    quick = ask if len(counted) < 2 else None  # noqa: PLR2004 several values are joined
    key, value = tuple(map(_key_getter, paths)), tuple(map(getter, counted))
    return Want(correlation.info.id, key, value, ask=quick, asks_memory=bool(memory))


def _key_getter(path: str) -> Getter | None:
    return None if path == ACTOR else getter(path)


def _combinations(want: Want, record: Record, brief: Brief) -> Iterable[tuple[tuple[str, ...], str]]:
    """Keys with values, each once, at most `KEYS_OF_ONE_EVENT`."""
    keys = [[brief.principal] if get is None else _texts(get(record)) for get in want.key]
    values = [_texts(get(record)) for get in want.value]
    if all(len(texts) == 1 for texts in (*keys, *values)):
        return [(tuple([texts[0] for texts in keys]), "\n".join([texts[0] for texts in values]))]
    every = ((key, "\n".join(value)) for key in itertools.product(*keys) for value in itertools.product(*values))
    return dict.fromkeys(itertools.islice(every, KEYS_OF_ONE_EVENT))


def _texts(values: Collection[Any]) -> list[str]:
    return [shortened(text) for value in values if (text := text_of(value))]
