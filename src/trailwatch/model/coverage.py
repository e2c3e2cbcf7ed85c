"""Coverage: which stretches of time were fully read, per account, region and look-up.

Times are whole seconds since 1970, UTC, because LookupEvents has no finer resolution; an interval holds
its start and not its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class LookupKey(msgspec.Struct, frozen=True, order=True):
    """One question that a poller asks again and again."""

    account: str
    region: str
    lookup: str
    """`ReadOnly=false`, `EventName=GetSecretValue`, ... or `*` for a look-up without an attribute."""


class Interval(msgspec.Struct, frozen=True, order=True):
    start: int
    end: int

    @property
    def seconds(self) -> int:
        return self.end - self.start


class IntervalSet:
    """A set of moments as sorted, disjoint, non-touching intervals. Immutable."""

    __slots__ = ("_intervals",)

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        merged: list[Interval] = []
        for interval in sorted(i for i in intervals if i.start < i.end):
            if merged and interval.start <= merged[-1].end:
                merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
            else:
                merged.append(interval)
        self._intervals = tuple(merged)

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def __len__(self) -> int:
        return len(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self._intervals == other._intervals

    def __hash__(self) -> int:
        return hash(self._intervals)

    def __repr__(self) -> str:
        return f"IntervalSet({list(self._intervals)!r})"

    @property
    def seconds(self) -> int:
        return sum(i.seconds for i in self._intervals)

    def union(self, other: Iterable[Interval]) -> IntervalSet:
        return IntervalSet([*self._intervals, *other])

    def within(self, window: Interval) -> IntervalSet:
        """The part of this set that lies in `window`."""
        return IntervalSet(
            Interval(max(i.start, window.start), min(i.end, window.end))
            for i in self._intervals
            if i.start < window.end and i.end > window.start
        )

    def missing(self, window: Interval) -> IntervalSet:
        """The part of `window` that is not in this set."""
        gaps, at = [], window.start
        for interval in self.within(window):
            gaps.append(Interval(at, interval.start))
            at = interval.end
        gaps.append(Interval(at, window.end))
        return IntervalSet(gaps)

    def covers(self, window: Interval) -> bool:
        return not self.missing(window)
