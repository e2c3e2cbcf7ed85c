"""Stage 2: signals in, what correlations conclude from them out.

`Correlator` keeps signals in a state, asks `trailwatch.detect.correlate` at which moments a correlation holds for a
key, and cuts these moments into the periods that are one alert each. What it concludes depends on the set of
signals alone, never on how they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from trailwatch.detect.correlate import Point, holds_at
from trailwatch.detect.correlation_plan import Plan, plans_of
from trailwatch.detect.signal_content import DECODE, ENCODE, NONE, THREE, Keys, number_of
from trailwatch.model.alert import Head
from trailwatch.model.coverage import Interval, IntervalSet
from trailwatch.model.identity import alert_id
from trailwatch.model.rule import RuleInfo
from trailwatch.model.signal import Brief, Kept, Signal, Touched
from trailwatch.ports import SignalState
from trailwatch.rules.rule import Correlation

JUDGED_AT_ONCE = 5000
ANY_MOMENT = 2**62
"""A watermark for input that is complete."""
KeptWhole = Callable[[RuleInfo, str], bool]
"""Whether the alert of a rule with this id is kept with all its events so far."""


def never(info: RuleInfo, ident: str) -> bool:  # noqa: ARG001 what is asked makes no difference
    """For whoever keeps no alerts: conclusions come with everything that is in them."""
    return False


class Crowd(NamedTuple):
    """When it pays to look at the latest signals of a key first."""

    size: int = 2000
    """With more signals around than this."""
    part: int = 64
    """One so manieth of a window is looked at first."""


CROWD = Crowd()


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
    completer: Member
    """Who made it hold at the first of these moments, see `Correlator`."""
    head: Head
    """Where the completer stands among all that may be one for this alert."""


class Correlator:
    """Runs correlations over a state.

    A conclusion names who completed it: of the first moment at which it holds in the alert's period, the event of the
    rule that is named last, and of several the one with the least id. Every moment is concluded with all signals of
    its window at least once, however they come, so the least completer of all conclusions is the same in any order.

    Args:
        correlations: those that others read first.
        state: where signals are kept; nothing is asked of it before the first signal.
        crowd: when signals of one key are many, and what is done then.
    """

    def __init__(self, correlations: Sequence[Correlation], state: SignalState, crowd: Crowd = CROWD) -> None:
        self._plans = plans_of(correlations)
        self._state = state
        self._begun = False
        self._crowd = crowd

    def __bool__(self) -> bool:
        return bool(self._plans)

    def keep(self, signals: Iterable[Signal]) -> int:
        """Keeps signals for `everything`; comes back with how many came too late to count in full."""
        return self._begin().add(self._kept(signals)).late

    def add(self, signals: Iterable[Signal], kept_whole: KeptWhole = never) -> tuple[list[Firing], int]:
        """What holds now with these signals, of correlations that may be judged at once; and how many came late.

        What held before with older signals and is still touched by the new ones comes again; each alert once.

        Args:
            signals: in any order.
            kept_whole: whether an alert is there with every event that was concluded so far. Of such a one in a crowd
                of signals only what is new comes: a flood of one key costs as much as it adds, not as much as it is.
        """
        kept = self._kept(signals)
        if not kept:
            return [], 0
        arrival = self._begin().add(kept)
        return joined(self._conclude(self._state.fresh(arrival), kept_whole)), arrival.late

    def withdraw(self, signals: Iterable[Signal]) -> set[str]:
        """Takes signals away that turned out to be somebody else's.

        What comes back are the ids of alerts that hold at no moment any more; it is for the caller to say what
        becomes of them.
        """
        kept = self._kept(signals)
        if not kept:
            return set()
        self._begin()
        return self._taken(kept)

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
        plans, keys = self._plans, Keys()
        kept = []
        brief: Brief | None = None
        ident, packed = 0, b""
        for one in signals:
            rule_id = one.rule_id
            if rule_id not in plans:
                continue
            if one.brief is not brief:
                brief = one.brief
                ident, packed = number_of((brief.account, brief.event_id)), ENCODE(msgspec.structs.astuple(brief))
            group, key = keys[one.key]
            kept.append(Kept(rule_id, group, one.time, ident, one.base_id, one.value, THREE + key + packed + NONE))
        return kept

    def _conclude(self, touched: Iterable[Touched], kept_whole: KeptWhole = never) -> list[Firing]:
        """Evaluates what was touched, lower correlations before those that read them."""
        waiting: dict[str, list[Touched]] = {}
        for one in touched:
            waiting.setdefault(one.rule_id, []).append(one)
        firings: list[Firing] = []
        for rule_id, plan in self._plans.items():
            for one in sorted(waiting.pop(rule_id, ()), key=lambda one: (one.low, one.high, one.group)):
                group = one.group
                before, moments = self._moments_in_crowd(plan, one) if one.around > self._crowd.size else (None, [])
                moments = moments or self._moments(plan, group, one.low, one.high)
                if not moments:
                    continue
                rows = self._state.members(rule_id, group, self._unseen(plan, group, moments, before, kept_whole))
                key = DECODE(rows[0].content).key
                for upper in plan.uppers:
                    waiting.setdefault(upper.info.id, []).extend(self._pass_on(plan, upper, key, moments))
                if plan.correlation.info.alerting:
                    firings += self._firings(plan, key, moments, rows)
        return firings

    def _moments(self, plan: Plan, group: int, low: int, high: int) -> list[int]:
        """The moments that signals between `low` and `high` have a say in, and at which it holds."""
        span, settles = plan.feed.span, plan.feed.settles
        after, before = low - span, high + span
        found = self._state.points(plan.feed.rule_id, group, after, before)
        points = [Point(*one) for one in found if one[1] in plan.rules]
        last = high if settles else before - 1
        return [moment for moment in holds_at(plan.correlation, points) if low <= moment <= last]

    def _moments_in_crowd(self, plan: Plan, touched: Touched) -> tuple[int | None, list[int]]:
        """The last moment at which it held before, and those at which it does now; nothing where that is not sure.

        What holds with some of the signals holds with all, so a look at the latest ones may be enough.
        """
        low, span = touched.low, plan.feed.span
        begin = low - max(1, span // self._crowd.part)
        found = self._state.points(touched.rule_id, touched.group, begin, touched.high + span)
        points = [Point(*one) for one in found if one[1] in plan.rules]
        held = holds_at(plan.correlation, points)
        moments = [moment for moment in held if moment >= low]
        if plan.feed.settles or {point.time for point in points if point.time >= low} != set(moments):
            return None, []
        return max((moment for moment in held if moment < low), default=None), moments

    def _unseen(
        self, plan: Plan, group: int, moments: Sequence[int], before: int | None, kept_whole: KeptWhole
    ) -> IntervalSet:
        """The windows of these moments, without what an alert has already."""
        info = plan.correlation.info
        if not info.alerting:
            return IntervalSet([Interval(moments[0], moments[0] + 1)])
        if before is None:
            return _windows(plan, moments)
        first = self._state.members(info.id, group, [Interval(before, before + 1)])[0]
        period = info.dedup.period_seconds
        if not kept_whole(info, alert_id(info.id, DECODE(first.content).key, before, period)):
            return _windows(plan, moments)
        same = [moment for moment in moments if moment // period == before // period]
        return _windows(plan, moments[len(same) :]).union(
            Interval(max(before, moment - plan.feed.span) + 1, moment + 1) for moment in same
        )

    def _pass_on(
        self, plan: Plan, upper: Correlation, key: tuple[str, ...], moments: Sequence[int]
    ) -> Iterator[Touched]:
        """Gives each moment to the correlation that reads this one; comes back with what that touches."""
        passed = _passed(plan.correlation, upper, key, moments)
        self._state.add(passed)
        if not self._plans[upper.info.id].feed.settles:
            # also moments that are known already: what their windows hold may have grown
            yield Touched(upper.info.id, passed[0].group, moments[0], moments[-1])

    def _taken(self, kept: Sequence[Kept]) -> set[str]:
        """Takes signals away; the ids of alerts of which nothing is left."""
        times: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for one in kept:
            times.setdefault((one.rule_id, DECODE(one.content).key), []).append(one.time)
        held = {place: self._all_moments(place, min(found), max(found)) for place, found in times.items()}
        self._state.remove(kept)
        lost: set[str] = set()
        passed: list[Kept] = []
        for place, found in times.items():
            plan, key = self._plans[place[0]], place[1]
            gone = sorted(held[place] - self._all_moments(place, min(found), max(found)))
            for upper in plan.uppers if gone else ():
                passed += _passed(plan.correlation, upper, key, gone)
            info, period = plan.correlation.info, plan.correlation.info.dedup.period_seconds
            for begin in {moment // period * period for moment in gone} if info.alerting else ():
                if not any(begin <= one < begin + period for one in self._all_moments(place, begin, begin + period)):
                    lost.add(alert_id(info.id, key, begin, period))
        return lost | self._taken(passed) if passed else lost

    def _all_moments(self, place: tuple[str, tuple[str, ...]], low: int, high: int) -> set[int]:
        """Every moment that signals between these times have a say in, whether it may be judged yet or not."""
        plan = self._plans[place[0]]
        last = high + plan.feed.span - 1 if plan.feed.settles else high
        return set(self._moments(plan, number_of(place[1]), low, last))

    def _firings(
        self, plan: Plan, key: tuple[str, ...], moments: Sequence[int], rows: Sequence[Kept]
    ) -> Iterator[Firing]:
        correlation = plan.correlation
        period = correlation.info.dedup.period_seconds
        for _, same in groupby(moments, lambda moment: moment // period if period else 0):
            held = list(same)
            ident = alert_id(correlation.info.id, key, held[0], period)
            windows = _windows(plan, held)
            inside = [row for window in windows for row in rows if window.start <= row.time < window.end]
            members = tuple(sorted(set(self._members(plan, inside))))
            completing = [
                (Head(one.time, plan.places[one.base_id], one.event_id, one.account), one)
                for one in self._members(plan, [row for row in inside if row.time == held[0]])
                if one.time == held[0]
            ]
            if completing:  # otherwise what it leans on is forgotten already
                head, completer = min(completing)
                yield Firing(ident, correlation, key, tuple(held), members, completer, head)

    def _members(self, plan: Plan, rows: Iterable[Kept]) -> Iterator[Member]:
        """The events of these signals; those of lower correlations are looked up."""
        below: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for row in rows:
            if row.base_id not in plan.counted:
                continue
            content = DECODE(row.content)
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
        else min(found, key=lambda one: one.head)._replace(
            moments=tuple(sorted({moment for one in found for moment in one.moments})),
            members=tuple(sorted({member for one in found for member in one.members})),
        )
        for found in by_id.values()
    ]
    return sorted(whole, key=lambda one: (one.moments[0], one.alert_id))


def _passed(lower: Correlation, upper: Correlation, key: tuple[str, ...], moments: Iterable[int]) -> list[Kept]:
    """The signals that the moments of a correlation are to the one that reads it."""
    values = dict(zip(lower.group_by, key, strict=True))
    above = tuple(values[upper.aliases.get(name, {}).get(lower.info.id, name)] for name in upper.group_by)
    counted = upper.limit.fields if upper.limit is not None else ()
    value = "\n".join(values[upper.aliases.get(name, {}).get(lower.info.id, name)] for name in counted)
    content, group, upper_id = ENCODE((above, (), key)), number_of(above), upper.info.id
    return [
        Kept(upper_id, group, moment, number_of((lower.info.id, str(moment), *key)), lower.info.id, value, content)
        for moment in moments
    ]


def _windows(plan: Plan, moments: Iterable[int]) -> IntervalSet:
    return IntervalSet(Interval(moment - plan.feed.span + 1, moment + 1) for moment in moments)
