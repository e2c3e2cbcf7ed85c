"""Stage 2, rules with a memory: a match speaks only when its values were not seen in the history before it.

**What is new.** Days are UTC. On day d a combination (rule, account, values) is new when it was seen on none of the
`history` days that end the day before yesterday, d - 1 - history to d - 2. What was seen yesterday or today does not
make it known: events may come a day late, so nobody could yet tell which of them was first. Everything that a verdict
depends on is therefore at least a day old and complete, and the alerts are a pure function of the set of events:
order, batches and restarts change nothing, and nothing is ever taken back.

**When it is silent.** The account's own history must reach back as far: to day d - 1 - history or further. Not all
of it is read: event history is polled for what changes something, and for a few reads by name. So what is known is
kept for each look-up, and of an event that only changes show, or only the look-up of its name, nothing is said
before that look-up was made for as long.

**One alert.** Its id is made of the rule, the account, the values and the period of the event time, which is as long
as the history: what is new yesterday and today is one alert, and what comes back after a full history without it is
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from trailwatch.detect.sightings import Noted, Place, Stretch, widen
from trailwatch.detect.signal_content import number_of
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Match
from trailwatch.model.sighting import CHANGES, DAY, EVERYTHING, Remembered, Sightings, on
from trailwatch.model.signal import ACTOR, Brief, Signal, Stay, rekeyed
from trailwatch.ports import SightingState
from trailwatch.rules.reads import is_read_only
from trailwatch.rules.rule import FirstSeen, Rule

SETTLED_AFTER_DAYS = 2
"""What happened so many days ago is complete, because events come at most a day late."""
HOURS = 24
_KNOWN = "\0known"
"""Marks a row for the values that must be known by themselves."""

ActorOf = Callable[[Brief], str]
"""The key of who an event began with; its principal where nobody can tell."""


class _Combination(NamedTuple):
    rule_id: str
    account: str
    values: tuple[str, ...]

    @property
    def number(self) -> int:
        return number_of((self.rule_id, self.account, *self.values))


class Memory:
    """Runs rules with a memory over a state.

    Args:
        rules: those with `first_seen`; the others are left alone.
        state: what was seen before, from one run to the next.
        learn_until: everything before this time is learned in silence, everything from then on may speak, however
            long the history is; None for the rules' own histories.
        whole: whether it takes all that happened from its first event on, as from a trail; otherwise somebody else
            tells the state what was read.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        state: SightingState,
        *,
        learn_until: int | None = None,
        whole: bool = True,
    ) -> None:
        self._rules = {rule.info.id: rule for rule in rules if rule.first_seen is not None}
        self._state = state
        self._learn_until = learn_until
        self._whole = whole
        self._candidates: dict[_Combination, dict[int, Signal]] = {}
        """For each day the earliest event that may turn out to be new."""

    def __bool__(self) -> bool:
        return bool(self._rules)

    def take(self, signals: Iterable[Signal], actor_of: ActorOf | None = None) -> list[Match]:
        """What is new among these, with everything that was taken before; for events as they arrive."""
        self.keep(signals, actor_of)
        return self.conclude()

    def keep(self, signals: Iterable[Signal], actor_of: ActorOf | None = None) -> None:
        """Learns the signals; what is new is told by `conclude`."""
        found: dict[_Combination, dict[int, Signal]] = {}
        since: dict[str, int] = {}
        for signal in signals:
            if signal.rule_id not in self._rules or signal.value:
                continue
            account = signal.brief.account
            since[account] = min(since.get(account, signal.time), signal.time)
            days = found.setdefault(_Combination(signal.rule_id, account, self._values(signal, actor_of)), {})
            day = self._day(signal)
            if day not in days or _order(signal) < _order(days[day]):
                days[day] = signal
        if not found:
            return
        for account, time in since.items() if self._whole else ():
            self._state.learn(account, time)
        self._see(found)

    def conclude(self) -> list[Match]:
        """What turned out to be new, by time; each is told once."""
        candidates, self._candidates = self._candidates, {}
        if not candidates:
            return []
        learned = self._state.learned()
        rows = self._state.sightings(self._asked(candidates))
        matches = [
            self._match(combination, signal)
            for combination, days in candidates.items()
            for day, signal in days.items()
            if self._is_new(combination, day, rows) and self._is_known(signal, day, learned)
        ]
        return sorted(matches, key=lambda one: (one.time, one.rule.id, one.alert_id, one.event_id))

    def speaking(self, signals: Sequence[Signal], noted: Noted | None = None) -> list[Signal]:
        """Those of a whole input that can make a rule speak: of an account with less history, none of it can.

        A rule is left out for a whole account or not at all, so that what it says does not change.
        """
        mine = [one for one in signals if one.rule_id in self._rules and not one.value]
        heard = {} if noted is None else dict(noted.heard())
        for one in mine:
            widen(heard, (one.rule_id, one.brief.account), one.time, one.time)
        loud = set(heard) if self._learn_until is not None else self._loud(heard)
        found = [one for one in mine if (one.rule_id, one.brief.account) in loud]
        if noted is not None and loud:
            found += noted.heard_signals(loud)
        if self._learn_until is None:
            speaking = {account for _, account in loud}
            for (_, account), (first, _) in heard.items():
                if account in speaking:  # the rules that are left out know the account as well
                    self._state.learn(account, first)
        return found

    def _loud(self, heard: Mapping[Place, Stretch]) -> set[Place]:
        """The rules with the accounts whose history is long enough for them."""
        times = [(account, time) for (account, _), time in self._state.learned().items()]
        known: dict[str, int] = {}
        for account, time in (*times, *[(account, first) for (_, account), (first, _) in heard.items()]):
            known[account] = min(known.get(account, time), time)
        return {
            (rule_id, account)
            for (rule_id, account), (_, last) in heard.items()
            if known[account] // DAY <= _window(self._wanted(rule_id), last // DAY)[0]
        }

    def are_new(self, signals: Sequence[Signal], actor_of: ActorOf | None = None) -> list[bool]:
        """For each signal whether its combination is new on its day, with everything that was taken before."""
        asked = [(_Combination(one.rule_id, one.brief.account, self._values(one, actor_of)), one) for one in signals]
        if not asked:
            return []
        learned = self._state.learned()
        rows = self._state.sightings(self._asked({combination for combination, _ in asked}))
        return [
            (self._learn_until is None or one.time >= self._learn_until)
            and self._is_new(combination, one.time // DAY, rows)
            and self._is_known(one, one.time // DAY, learned)
            for combination, one in asked
        ]

    def numbers(self, signal: Signal, actor_of: ActorOf | None = None) -> list[int]:
        """What stands in the state for the combinations that a signal shows; none for other rules' signals."""
        if signal.rule_id not in self._rules or signal.value:
            return []
        combination = _Combination(signal.rule_id, signal.brief.account, self._values(signal, actor_of))
        known = self._known(combination)
        return [one.number for one in (combination, known) if one is not None]

    def _values(self, signal: Signal, actor_of: ActorOf | None) -> tuple[str, ...]:
        return values_of(signal, self._wanted(signal.rule_id).fields, actor_of)

    def _wanted(self, rule_id: str) -> FirstSeen:
        wanted = self._rules[rule_id].first_seen
        if wanted is None:  # only rules that have one were taken
            raise KeyError(rule_id)
        return wanted

    def _see(self, found: Mapping[_Combination, Mapping[int, Signal]]) -> None:
        numbers = {combination: combination.number for combination in found}
        known_of = {combination: self._known(combination) for combination in found}
        numbers |= {known: known.number for known in known_of.values() if known is not None}
        rows = self._state.sightings(numbers.values())
        changed: dict[int, Remembered] = {}
        for combination, days in found.items():
            self._note(combination, days, rows.get(numbers[combination]))
            for one in (combination, known_of[combination]):
                if one is None:
                    continue
                number = numbers[one]
                before = after = rows.get(number)
                for day in days:
                    after = on(day) if after is None else after.joined(on(day))
                if after is not None and after != before:
                    rows[number] = after
                    changed[number] = Remembered(*one, after, lasting=self._wanted(one.rule_id).dormant)
        self._state.see(changed)

    def _note(self, combination: _Combination, days: Mapping[int, Signal], row: Sightings | None) -> None:
        """Keeps what may be new; what was judged on its day before comes in vain."""
        wanted = self._wanted(combination.rule_id)
        pending = self._candidates.get(combination, {})
        for day, signal in days.items():
            if self._learn_until is not None and signal.time < self._learn_until:
                continue
            before = pending.get(day)
            if before is None and row is not None and (row.has(day) or row.count(*_window(wanted, day))):
                continue
            if before is None or _order(signal) < _order(before):
                self._candidates.setdefault(combination, pending)[day] = signal

    def _day(self, signal: Signal) -> int:
        """The day under which it is kept: what is learned counts as known at once."""
        day = signal.time // DAY
        if self._learn_until is None or signal.time >= self._learn_until:
            return day
        return min(day, self._learn_until // DAY - SETTLED_AFTER_DAYS)

    def _known(self, combination: _Combination) -> _Combination | None:
        wanted = self._wanted(combination.rule_id)
        if not wanted.known:
            return None
        named = zip(wanted.fields, combination.values, strict=True)
        values = tuple(value for name, value in named if name in wanted.known)
        return combination._replace(values=(_KNOWN, *values))

    def _asked(self, candidates: Iterable[_Combination]) -> set[int]:
        asked: set[int] = set()
        for combination in candidates:
            asked.update(near.number for near in self._near(combination))
            known = self._known(combination)
            if known is not None:
                asked.add(known.number)
        return asked

    def _near(self, combination: _Combination) -> Iterator[_Combination]:
        """The combinations that count as the same one."""
        around = self._wanted(combination.rule_id).around
        *others, last = combination.values
        if not around or not last.isdigit():
            yield combination
            return
        for step in range(-around, around + 1):
            yield combination._replace(values=(*others, f"{(int(last) + step) % HOURS:02}"))

    def _is_new(
        self,
        combination: _Combination,
        day: int,
        rows: Mapping[int, Sightings],
    ) -> bool:
        wanted = self._wanted(combination.rule_id)
        begin, end = _window(wanted, day)
        near = [row for one in self._near(combination) if (row := rows.get(one.number)) is not None]
        if any(row.count(begin, end) for row in near):
            return False
        if wanted.dormant and not any(row.first < begin for row in near):
            return False
        known = self._known(combination)
        if known is None:
            return True
        row = rows.get(known.number)
        return row is not None and row.count(begin, end) >= wanted.days

    def _is_known(self, signal: Signal, day: int, learned: Mapping[tuple[str, str], int]) -> bool:
        """Whether the history of events of this kind reaches back far enough."""
        if self._learn_until is not None:
            return True
        begin, _ = _window(self._wanted(signal.rule_id), day)
        account = signal.brief.account
        if learned.get((account, EVERYTHING), day * DAY) // DAY <= begin:
            return True
        return learned.get((account, lookup_of(signal)), day * DAY) // DAY <= begin

    def _match(self, combination: _Combination, signal: Signal) -> Match:
        rule, wanted = self._rules[combination.rule_id], self._wanted(combination.rule_id)
        ident = alert_id(
            rule.info.id, (combination.account, *combination.values), signal.time, wanted.history_seconds
        )
        told = dict(zip(wanted.fields, combination.values, strict=True))
        seen = ", ".join(f"{name} = {value}" for name, value in told.items())
        what = "again after" if wanted.dormant else "for the first time in"
        return match_of(rule, ident, signal, f"{what} {wanted.history_seconds // DAY} days: {seen}", told)


def values_of(signal: Signal, names: Sequence[str], actor_of: ActorOf | None) -> tuple[str, ...]:
    """What a signal shows of these names, under the actor where they ask for it and he is known."""
    if actor_of is None or ACTOR not in names:
        return signal.key
    return rekeyed(signal.key, names, actor_of(signal.brief))


def match_of(rule: Rule, ident: str, event: Signal | Stay, reason: str, context: Mapping[str, str]) -> Match:
    """What a rule with a memory says of an event."""
    brief = event.brief
    return Match(
        rule=rule.info,
        alert_id=ident,
        time=brief.time,
        event_id=brief.event_id,
        account=brief.account,
        region=brief.region,
        event_source=brief.event_source,
        event_name=brief.event_name,
        principal=brief.principal,
        actor=brief.who,
        source_ip=brief.source_ip,
        user_agent=brief.user_agent,
        error_code=brief.error_code,
        reason=reason,
        origin=event.origin,
        position=event.position,
        record=event.record,
        context=dict(context),
        identity=brief.identity,
    )


def lookup_of(signal: Signal) -> str:
    """The look-up that shows this event where not everything is read."""
    name = signal.brief.event_name
    read_only = is_read_only(name) if signal.read_only is None else signal.read_only
    return f"EventName={name}" if read_only else CHANGES


def number_of_row(row: Remembered) -> int:
    """What stands for the combination of a row in a state."""
    return _Combination(row.rule_id, row.account, row.values).number


def _window(wanted: FirstSeen, day: int) -> tuple[int, int]:
    """The first and the last day of the history that counts on a day."""
    end = day - SETTLED_AFTER_DAYS
    return end - wanted.history_seconds // DAY + 1, end


def _order(signal: Signal) -> tuple[int, str, str]:
    return signal.time, signal.brief.event_id, signal.brief.region
