"""Stage 2: signals in, what correlations conclude from them out.

`Correlator` keeps signals in a state, asks `trailwatch.detect.correlate` at which moments a correlation holds for a
key, and cuts these moments into the periods that are one alert each. What it concludes depends on the set of
signals alone, never on how they came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from trailwatch.detect.correlate import LATENESS_SECONDS, Point, holds_at, is_monotone, positive_rules
from trailwatch.model.coverage import Interval, IntervalSet
from trailwatch.model.identity import alert_id
from trailwatch.model.signal import Brief, Feed, Kept, Signal, Touched
from trailwatch.ports import SignalState
from trailwatch.rules.rule import Correlation

SHORTEST_SLOT = 3600
JUDGED_AT_ONCE = 5000
ANY_MOMENT = 2**62
"""A watermark for input that is complete."""


class Member(NamedTuple):
    """One event that a correlation leans on."""

    time: int
    event_id: str
    account: str
    base_id: str
    value: str
    brief: Brief


class Firing(NamedTuple):
    """A correlation held at some moments of one period, for one key."""

    alert_id: str
    correlation: Correlation
    key: tuple[str, ...]
    moments: tuple[int, ...]
    """Ascending."""
    members: tuple[Member, ...]
    """The events in the windows of these moments, by time."""


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a signal: of an event its brief, of a lower correlation's moment that one's key."""

    key: tuple[str, ...]
    brief: tuple[Any, ...]
    """The values of a `Brief` in order; empty for a lower correlation's moment."""
    lower: tuple[str, ...] = ()


class _Plan(NamedTuple):
    """A correlation with what follows from it."""

    correlation: Correlation
    rules: frozenset[str]
    counted: frozenset[str]
    """Rules whose signals are evidence: all but those that must be absent."""
    uppers: tuple[Correlation, ...]
    feed: Feed


class Correlator:
    """Runs correlations over a state.

    Args:
        correlations: those that others read first.
        state: where signals are kept; nothing is asked of it before the first signal.
    """

    def __init__(self, correlations: Sequence[Correlation], state: SignalState) -> None:
        self._plans = _plans_of(correlations)
        self._state = state
        self._begun = False

    def __bool__(self) -> bool:
        return bool(self._plans)

    def keep(self, signals: Iterable[Signal]) -> int:
        """Keeps signals for `everything`; comes back with how many came too late to count in full."""
        return self._begin().add(self._kept(signals)).late

    def add(self, signals: Iterable[Signal]) -> tuple[list[Firing], int]:
        """What holds now with these signals, of correlations that may be judged at once; and how many came late.

        What held before with older signals and is still touched by the new ones comes again; each alert once.
        """
        kept = self._kept(signals)
        if not kept:
            return [], 0
        arrival = self._begin().add(kept)
        return joined(self._conclude(self._state.fresh(arrival))), arrival.late

    @property
    def waits(self) -> bool:
        """Whether there is a correlation that cannot be judged at once."""
        return any(plan.feed.settles for plan in self._plans.values())

    def judge(self, watermark: int) -> tuple[list[Firing], int]:
        """What held at moments that could not be judged before, and how many moments that were.

        At most `JUDGED_AT_ONCE` moments are judged, so this is called until there are none.

        Args:
            watermark: the time up to which all events are known.
        """
        moments = self._begin().due(watermark, JUDGED_AT_ONCE)
        if not moments:
            return [], 0
        firings = self._conclude(moments)
        self._state.judged(watermark, moments)
        return joined(firings), len(moments)

    def everything(self) -> list[Firing]:
        """All that holds over the signals that were kept, which are complete."""
        state = self._begin()
        firings = self._conclude(state.everything())
        while moments := state.due(ANY_MOMENT, JUDGED_AT_ONCE):
            firings += self._conclude(moments)
            state.judged(0, moments)
        return joined(firings)

    def _begin(self) -> SignalState:
        if not self._begun:
            self._state.begin([plan.feed for plan in self._plans.values()])
            self._begun = True
        return self._state

    def _kept(self, signals: Iterable[Signal]) -> list[Kept]:
        plans, keys = self._plans, _Keys()
        kept = []
        brief: Brief | None = None
        ident, packed = 0, b""
        for one in signals:
            rule_id = one.rule_id
            if rule_id not in plans:
                continue
            if one.brief is not brief:
                brief = one.brief
                ident, packed = number_of((brief.account, brief.event_id)), _ENCODE(msgspec.structs.astuple(brief))
            group, key = keys[one.key]
            kept.append(Kept(rule_id, group, one.time, ident, one.base_id, one.value, _THREE + key + packed + _NONE))
        return kept

    def _conclude(self, touched: Iterable[Touched]) -> list[Firing]:
        """Evaluates what was touched, lower correlations before those that read them."""
        waiting: dict[str, list[Touched]] = {}
        for one in touched:
            waiting.setdefault(one.rule_id, []).append(one)
        firings: list[Firing] = []
        for rule_id, plan in self._plans.items():
            for low, high, group in sorted((one.low, one.high, one.group) for one in waiting.pop(rule_id, ())):
                moments = self._moments(plan, group, low, high)
                if not moments:
                    continue
                rows = self._state.members(rule_id, group, _windows(plan, moments))
                key = _DECODE(rows[0].content).key
                for upper in plan.uppers:
                    waiting.setdefault(upper.info.id, []).extend(self._pass_on(plan, upper, key, moments))
                if plan.correlation.info.alerting:
                    firings += self._firings(plan, key, moments, rows)
        return firings

    def _moments(self, plan: _Plan, group: int, low: int, high: int) -> list[int]:
        """The moments that signals between `low` and `high` have a say in, and at which it holds."""
        span, settles = plan.feed.span, plan.feed.settles
        after, before = low - span, high + span
        found = self._state.points(plan.feed.rule_id, group, after, before)
        points = [Point(*one) for one in found if one[1] in plan.rules]
        last = high if settles else before - 1
        return [moment for moment in holds_at(plan.correlation, points) if low <= moment <= last]

    def _pass_on(
        self, plan: _Plan, upper: Correlation, key: tuple[str, ...], moments: Sequence[int]
    ) -> Iterator[Touched]:
        """Gives each moment to the correlation that reads this one; comes back with what that touches."""
        lower = plan.correlation
        values = dict(zip(lower.group_by, key, strict=True))
        above = tuple(values[upper.aliases.get(name, {}).get(lower.info.id, name)] for name in upper.group_by)
        counted = upper.limit.fields if upper.limit is not None else ()
        value = "\n".join(values[upper.aliases.get(name, {}).get(lower.info.id, name)] for name in counted)
        content, group, upper_id = _ENCODE((above, (), key)), number_of(above), upper.info.id
        self._state.add(
            [
                Kept(
                    upper_id,
                    group,
                    moment,
                    number_of((lower.info.id, str(moment), *key)),
                    lower.info.id,
                    value,
                    content,
                )
                for moment in moments
            ]
        )
        if not self._plans[upper_id].feed.settles:
            # also moments that are known already: what their windows hold may have grown
            yield Touched(upper_id, group, moments[0], moments[-1])

    def _firings(
        self, plan: _Plan, key: tuple[str, ...], moments: Sequence[int], rows: Sequence[Kept]
    ) -> Iterator[Firing]:
        correlation = plan.correlation
        period = correlation.info.dedup.period_seconds
        by_id: dict[str, list[int]] = {}
        for moment in moments:
            by_id.setdefault(alert_id(correlation.info.id, key, moment, period), []).append(moment)
        for ident, held in by_id.items():
            windows = _windows(plan, held)
            inside = [row for window in windows for row in rows if window.start <= row.time < window.end]
            yield Firing(ident, correlation, key, tuple(held), tuple(sorted(set(self._members(plan, inside)))))

    def _members(self, plan: _Plan, rows: Iterable[Kept]) -> Iterator[Member]:
        """The events of these signals; those of lower correlations are looked up."""
        below: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for row in rows:
            if row.base_id not in plan.counted:
                continue
            content = _DECODE(row.content)
            if not content.brief:
                below.setdefault((row.base_id, content.lower), []).append(row.time)
            else:
                brief = Brief(*content.brief)
                yield Member(brief.time, brief.event_id, brief.account, row.base_id, row.value, brief)
        for (rule_id, key), moments in below.items():
            lower = self._plans[rule_id]
            yield from self._members(lower, self._state.members(rule_id, number_of(key), _windows(lower, moments)))


def joined(firings: Iterable[Firing]) -> list[Firing]:
    """One for each alert, by (first moment, id)."""
    by_id: dict[str, list[Firing]] = {}
    for firing in firings:
        by_id.setdefault(firing.alert_id, []).append(firing)
    whole = [
        found[0]
        if len(found) == 1
        else found[0]._replace(
            moments=tuple(sorted({moment for one in found for moment in one.moments})),
            members=tuple(sorted({member for one in found for member in one.members})),
        )
        for found in by_id.values()
    ]
    return sorted(whole, key=lambda one: (one.moments[0], one.alert_id))


def number_of(texts: Sequence[str]) -> int:
    """63 bits that stand for these texts."""
    raw = "\0".join(texts).encode("utf-8", "surrogatepass")
    if raw.count(0) != len(texts) - 1:
        # a NUL within a text must not look like the border between two
        raw = b"".join(
            len(part).to_bytes(8, "big") + part for part in (t.encode("utf-8", "surrogatepass") for t in texts)
        )
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big") >> 1


class _Keys(dict[tuple[str, ...], tuple[int, bytes]]):
    """For each key its number and its place in a content."""

    def __missing__(self, key: tuple[str, ...]) -> tuple[int, bytes]:
        value = self[key] = number_of(key), _ENCODE(key)
        return value


_ENCODE = msgspec.msgpack.Encoder().encode
_THREE, _NONE = b"\x93", b"\x90"
"""In MessagePack the beginning of a list of three, and an empty list: contents are put together from parts."""
_DECODE = msgspec.msgpack.Decoder(_Content).decode


def _windows(plan: _Plan, moments: Iterable[int]) -> IntervalSet:
    return IntervalSet(Interval(moment - plan.feed.span + 1, moment + 1) for moment in moments)


def _plans_of(correlations: Sequence[Correlation]) -> dict[str, _Plan]:
    """By id, those whose conclusions somebody hears, others before those that read them."""
    by_id = {one.info.id: one for one in correlations}
    heard: dict[str, _Plan] = {}
    for one in reversed(correlations):
        uppers = tuple(plan.correlation for plan in heard.values() if one.info.id in plan.rules)
        if uppers or one.info.alerting:
            above = max((heard[upper.info.id].feed.keep for upper in uppers), default=0)
            rules = frozenset(one.rules)
            counted = positive_rules(one)
            heard[one.info.id] = _Plan(one, rules, counted, uppers, _feed(one, by_id, above))
    return dict(reversed(heard.items()))


def _feed(one: Correlation, by_id: Mapping[str, Correlation], above: int) -> Feed:
    needed, several = _least(one)
    monotone = is_monotone(one)
    return Feed(
        rule_id=one.info.id,
        bases=tuple(dict.fromkeys(one.rules)),
        span=one.timespan_seconds,
        slot=max(SHORTEST_SLOT, one.timespan_seconds, one.info.dedup.period_seconds),
        keep=2 * one.timespan_seconds + settling_seconds(one, by_id) + above,
        settles=0 if monotone else settling_seconds(one, by_id),
        needed=needed,
        several=several,
    )


def settling_seconds(one: Correlation, by_id: Mapping[str, Correlation]) -> int:
    """How long after a moment nothing can change any more whether a correlation holds at it."""
    below = [settling_seconds(by_id[name], by_id) for name in one.rules if name in by_id]
    ahead = one.timespan_seconds if one.expression is not None else 0
    return ahead + max(below, default=LATENESS_SECONDS)


def _least(one: Correlation) -> tuple[int, bool]:
    """So many signals, and whether of more than one rule, are in any window in which a monotone one holds."""
    every = len(set(one.rules))
    if one.expression is not None or one.type == "value_sum":
        return 1, False
    if one.limit is None:
        return every, every > 1
    number = math.floor(one.limit.value) + 1 if one.limit.op == "gt" else math.ceil(one.limit.value)
    return max(1, number), one.type.startswith("temporal") and number > 1
