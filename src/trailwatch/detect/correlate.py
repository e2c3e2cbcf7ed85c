"""Stage 2: when the signals of one group satisfy a correlation.

Everything here is a pure function of a set of signals of one (correlation, key). The window of a moment t is
(t - span, t]; a correlation holds at t when a signal came at t and the window satisfies its condition. Moments have a
resolution of one second, so signals of the same second are taken together, in any order.

Monotone conditions (gte and gt on counts and sums, temporal without `not`) can only become true by more signals,
so they may be judged at once. The others are judged when nothing can arrive any more.

In a boolean condition a rule under `not` must be absent from (t - span, t + span): before and after.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from trailwatch.rules.rule import AndTerm, Correlation, CorrelationLimit, NotTerm, OrTerm, RuleTerm, Term

LATENESS_SECONDS = 900
"""How long after a window's end its signals may still be on their way."""


class Point(NamedTuple):
    """Signals of one rule with one value in one second."""

    time: int
    base: str
    """Id of the rule or correlation that they came from."""
    value: str
    number: int


def is_monotone(correlation: Correlation) -> bool:
    """Whether more signals can only make it hold, never stop it from holding."""
    if correlation.expression is not None:
        return not _negates(correlation.expression)
    if correlation.limit is None:
        return True
    summable = correlation.type in ("event_count", "value_count", "value_sum", "temporal", "temporal_ordered")
    return summable and correlation.limit.op in ("gte", "gt")


def positive_rules(correlation: Correlation) -> frozenset[str]:
    """The rules whose signals make it hold: all but those that must be absent."""
    if correlation.expression is None:
        return frozenset(correlation.rules)
    return frozenset(_positive(correlation.expression))


def holds_at(correlation: Correlation, points: Iterable[Point]) -> list[int]:
    """The moments at which the correlation holds, ascending.

    Args:
        correlation: of any type.
        points: everything of one key that lies in the windows of the moments in question; order does not matter.
    """
    ordered = sorted(points)
    if correlation.expression is not None:
        return list(_boolean(correlation, correlation.expression, ordered))
    if correlation.type == "temporal_ordered":
        return list(_ordered(correlation, ordered))
    window = _window_of(correlation)
    return list(_sliding(correlation.timespan_seconds, window, ordered))


class _Window(Protocol):
    def add(self, point: Point) -> None: ...

    def remove(self, point: Point) -> None: ...

    def satisfied(self) -> bool: ...


def _sliding(span: int, window: _Window, ordered: Sequence[Point]) -> Iterator[int]:
    inside: deque[Point] = deque()
    for moment, arrivals in groupby(ordered, key=lambda point: point.time):
        while inside and inside[0].time <= moment - span:
            window.remove(inside.popleft())
        for point in arrivals:
            inside.append(point)
            window.add(point)
        if window.satisfied():
            yield moment


def _window_of(correlation: Correlation) -> _Window:
    if correlation.type == "temporal":
        return _AllPresent(frozenset(correlation.rules), correlation.limit)
    limit = correlation.limit
    if limit is None:
        raise ValueError(f"{correlation.info.origin}: {correlation.type} has no condition")
    if correlation.type == "event_count":
        return _Count(limit)
    if correlation.type == "value_count":
        return _Distinct(limit)
    if correlation.type == "value_sum":
        return _Sum(limit)
    return _Statistic(correlation.type, limit)


class _Count:
    def __init__(self, limit: CorrelationLimit) -> None:
        self._met = _test(limit)
        self._count = 0

    def add(self, point: Point) -> None:
        self._count += point.number

    def remove(self, point: Point) -> None:
        self._count -= point.number

    def satisfied(self) -> bool:
        return self._met(self._count)


class _Distinct:
    def __init__(self, limit: CorrelationLimit) -> None:
        self._met = _test(limit)
        self._values: Counter[str] = Counter()

    def add(self, point: Point) -> None:
        self._values[point.value] += point.number

    def remove(self, point: Point) -> None:
        self._values[point.value] -= point.number
        if not self._values[point.value]:
            del self._values[point.value]

    def satisfied(self) -> bool:
        return self._met(len(self._values))


class _Sum:
    """Sums without rounding errors that depend on the order: negative numbers and texts count as nothing."""

    def __init__(self, limit: CorrelationLimit) -> None:
        self._met = _test(limit)
        self._parts: Counter[float] = Counter()

    def add(self, point: Point) -> None:
        number = number_of(point.value)
        if number is not None and number > 0:
            self._parts[number] += point.number

    def remove(self, point: Point) -> None:
        number = number_of(point.value)
        if number is not None and number > 0:
            self._parts[number] -= point.number

    def satisfied(self) -> bool:
        return self._met(math.fsum(number * count for number, count in self._parts.items()))


class _Statistic:
    """Average, median and percentile of the numbers in the window; without a number nothing holds."""

    def __init__(self, kind: str, limit: CorrelationLimit) -> None:
        self._kind = kind
        self._percentile = 50 if kind == "value_median" else limit.percentile
        self._met = _test(limit)
        self._numbers: Counter[float] = Counter()

    def add(self, point: Point) -> None:
        number = number_of(point.value)
        if number is not None:
            self._numbers[number] += point.number

    def remove(self, point: Point) -> None:
        number = number_of(point.value)
        if number is not None:
            self._numbers[number] -= point.number

    def satisfied(self) -> bool:
        numbers = [number for number, count in sorted(self._numbers.items()) for _ in range(count)]
        if not numbers:
            return False
        if self._kind == "value_avg":
            return self._met(math.fsum(numbers) / len(numbers))
        return self._met(_percentile(numbers, self._percentile))


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """Linear interpolation between the two nearest ranks, as SQL's percentile_cont does."""
    at = (len(ordered) - 1) * percent / 100
    below, above = math.floor(at), math.ceil(at)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


class _AllPresent:
    """Every rule came, or as many different ones as the limit says."""

    def __init__(self, rules: frozenset[str], limit: CorrelationLimit | None) -> None:
        self._rules = rules
        self._met = _test(limit) if limit is not None else len(rules).__eq__
        self._present: Counter[str] = Counter()

    def add(self, point: Point) -> None:
        if point.base in self._rules:
            self._present[point.base] += point.number

    def remove(self, point: Point) -> None:
        if point.base in self._rules:
            self._present[point.base] -= point.number
            if not self._present[point.base]:
                del self._present[point.base]

    def satisfied(self) -> bool:
        return bool(self._met(len(self._present)))


def _ordered(correlation: Correlation, ordered: Sequence[Point]) -> Iterator[int]:
    """The rules came in their order. For each step the latest possible start of a chain that reached it is kept.

    Within one second any order is possible, so steps of the same second may follow each other.
    """
    place = {rule: step for step, rule in enumerate(correlation.rules)}
    started: list[float] = [-math.inf] * len(place)
    for moment, arrivals in groupby(ordered, key=lambda point: point.time):
        for step in sorted({place[point.base] for point in arrivals if point.base in place}):
            before = moment if step == 0 else started[step - 1]
            started[step] = max(started[step], before)
        if started[-1] > moment - correlation.timespan_seconds:
            yield moment


def _boolean(correlation: Correlation, expression: Term, ordered: Sequence[Point]) -> Iterator[int]:
    span = correlation.timespan_seconds
    times: dict[str, list[int]] = {}
    for point in ordered:
        times.setdefault(point.base, []).append(point.time)
    wanted = frozenset(_positive(expression))
    for moment in sorted({point.time for point in ordered if point.base in wanted}):
        if _true(expression, times, moment, span, negated=False):
            yield moment


def _true(term: Term, times: dict[str, list[int]], moment: int, span: int, *, negated: bool) -> bool:
    if isinstance(term, RuleTerm):
        until = moment + span - 1 if negated else moment
        heard = times.get(term.rule, ())
        latest = bisect_right(heard, until)
        return latest > 0 and heard[latest - 1] > moment - span
    if isinstance(term, NotTerm):
        return not _true(term.item, times, moment, span, negated=not negated)
    if isinstance(term, AndTerm):
        return all(_true(item, times, moment, span, negated=negated) for item in term.items)
    return any(_true(item, times, moment, span, negated=negated) for item in term.items)


def _positive(term: Term, *, negated: bool = False) -> Iterator[str]:
    if isinstance(term, RuleTerm):
        if not negated:
            yield term.rule
    elif isinstance(term, NotTerm):
        yield from _positive(term.item, negated=not negated)
    else:
        for item in term.items:
            yield from _positive(item, negated=negated)


def _negates(term: Term) -> bool:
    if isinstance(term, AndTerm | OrTerm):
        return any(_negates(item) for item in term.items)
    return isinstance(term, NotTerm)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def _test(limit: CorrelationLimit) -> Callable[[float], bool]:
    compare = _COMPARE[limit.op]
    return lambda number: compare(number, limit.value)


def number_of(text: str) -> float | None:
    """The finite number that the text spells, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
