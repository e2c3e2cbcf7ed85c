"""One cycle in one account and region: which windows are read, in which order, and what came of each.

It runs in a thread of its own and touches nothing but its client; what it yields is committed by the main thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import msgspec

from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.ports import Clock
from trailwatch.sources.lookup_events import PAGE_SIZE, look_up
from trailwatch.sources.slices import Limits, Purpose, Slice, Task, attribute_of
from trailwatch.store.coverage import Lookup

SLICE_PAGES = 20
"""A slice of a gap: about eleven seconds at the usual pace, so that a run that is killed still made progress."""
EASY_PAGES = 4
"""What is expected to fit into so many pages is read in one look-up."""
NEWEST_SHARE = 0.45
"""How much of the time that is left the newest window may take."""
PLAN_SHARE = 0.3
"""The same for the look-ups of the plan together."""
ROOM = 0.8
"""A slice is filled to this share of its pages, because density is a guess."""
HOPELESS = 2.0
"""A window that seems to need so many times its pages is given up at once."""
FASTEST_PAGE_SECONDS = 0.02
"""No page is expected to come faster."""
SWEEP_TRIES = 2
"""A piece of the sweep that does not fit is halved so often in one cycle; the rest is for the next."""
GROWTH = 8
"""So many times as long as the slice before may the next one be."""
SESSION_SECONDS = 12 * 3600
"""A role session lasts no longer."""


class RegionPoll:
    """Reads the windows of one task.

    Args:
        client: a paced CloudTrail client of that account and region.
        task: what to read.
        limits: the configured durations.
        clock: the time.
        deadline: the monotonic time after which nothing new is begun.
        stopped: whether somebody wants it to end early; the slice under way is finished.
    """

    def __init__(
        self,
        client: Any,
        task: Task,
        limits: Limits,
        clock: Clock,
        deadline: float,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._task = task
        self._limits = limits
        self._clock = clock
        self._deadline = deadline
        self._stopped = stopped
        self._seconds_a_page = max(limits.pace, FASTEST_PAGE_SECONDS)

    def slices(self) -> Iterator[Slice]:
        """Every window that was read: the newest first, then the plan, gaps, and the overlap once more.

        Raises:
            SourceError: the region cannot be read; what was yielded before stands.
        """
        task = self._task
        polled, reached = yield from self._newest(task.polled, self._pages(NEWEST_SHARE))
        plan_ends = self._clock.monotonic() + PLAN_SHARE * self._time_left()
        yield from self._sessions(plan_ends)
        planned = yield from self._planned(plan_ends)
        if task.sweep is not None:
            yield from self._swept(*task.sweep)
        asked = {lookup.key for lookup in planned}
        yield from self._gaps([polled, *planned, *(one for one in task.behind if one.key not in asked)])
        yield from self._reread(reached)

    def _newest(self, lookup: Lookup, pages: int) -> Generator[Slice, None, tuple[Lookup, int]]:
        """Reads the newest window, smaller and smaller until it fits.

        Returns what is known afterwards, and from where on nothing of the overlap is left to read again.
        """
        now, last = self._task.now, min(lookup.end, self._task.now)
        floor = max(lookup.since, now - self._limits.history)
        settled = max(last - self._limits.overlap, floor)
        window = Interval(max(min(settled, now - self._limits.lookback), floor), now)
        shortest = Interval(max(now - self._limits.lookback, floor), now)
        if not self._fits(lookup, window, min(pages, EASY_PAGES)):
            window = shortest
        while self._may_go_on():
            # more than a slice is only read of what cannot wait for a slice
            at_most = pages if window.start >= shortest.start else min(pages, SLICE_PAGES)
            piece = self._read(lookup.key, Purpose.NEWEST, window, at_most)
            if piece.complete:
                outage = window.start > last and now - last > self._limits.overlap
                if outage and settled < last:
                    piece = msgspec.structs.replace(piece, unsettled=Interval(settled, last))
                yield piece
                return _known(lookup, piece), settled if outage else window.start
            yield piece
            lookup = _known(lookup, piece)
            if window.start < shortest.start:
                window = shortest
            else:
                window = Interval(now - self._shorter(lookup, window, pages), now)
        return lookup, now

    def _sessions(self, ends: float) -> Iterator[Slice]:
        for session in self._task.sessions:
            if not self._may_go_on() or self._clock.monotonic() > ends:
                return
            end = min(session.matched + SESSION_SECONDS, self._task.now)
            window = Interval(session.matched - SESSION_SECONDS, end)
            yield self._read(session.key, Purpose.SESSION, window, min(SLICE_PAGES, self._pages(1.0)))

    def _planned(self, ends: float) -> Generator[Slice, None, list[Lookup]]:
        known: list[Lookup] = []
        for lookup in self._task.planned:
            left = ends - self._clock.monotonic()
            if not self._may_go_on() or left <= 0:
                break
            pages = max(1, int(left / self._seconds_a_page))
            after, _ = yield from self._newest(lookup, pages)
            known.append(after)
        return known

    def _swept(self, lookup: Lookup, window: Interval) -> Iterator[Slice]:
        for _ in range(SWEEP_TRIES):
            if not self._may_go_on():
                return
            pages = min(SLICE_PAGES, self._pages(1.0))
            piece = self._read(lookup.key, Purpose.SWEEP, window, pages)
            yield piece
            if piece.complete:
                return
            lookup = _known(lookup, piece)
            window = Interval(window.start, window.start + self._shorter(lookup, window, pages))

    def _gaps(self, lookups: Sequence[Lookup]) -> Iterator[Slice]:
        """Gaps of every look-up, oldest first, by turns."""
        oldest = self._task.now - self._limits.history
        waiting = [(one, one.slice_seconds or self._limits.history) for one in lookups if one.gaps(oldest)]
        while waiting and self._may_go_on():
            lookup, longest = waiting.pop(0)
            gap = next(iter(lookup.gaps(oldest)))
            window = Interval(gap.start, gap.start + min(gap.seconds, longest))
            lookup, longest = yield from self._oldest_part(lookup, window)
            if lookup.gaps(oldest):
                waiting.append((lookup, longest))

    def _oldest_part(self, lookup: Lookup, window: Interval) -> Generator[Slice, None, tuple[Lookup, int]]:
        """Reads the oldest part of a gap that fits; what did not fit teaches how long the next may be.

        Returns what is known afterwards, and how many seconds the next part may have at most: behind a dense
        spot lengths grow step by step, so that the next one does not cost as many tries.
        """
        pages = min(SLICE_PAGES, self._pages(1.0))
        window = Interval(window.start, window.start + min(window.seconds, self._length(lookup, pages)))
        while self._may_go_on():
            piece = self._read(lookup.key, Purpose.GAP, window, pages)
            yield piece
            lookup = _known(lookup, piece)
            if piece.complete:
                break
            pages = min(SLICE_PAGES, self._pages(1.0))
            window = Interval(window.start, window.start + self._shorter(lookup, window, pages))
        return lookup, longest_after(window, complete=True)

    def _reread(self, reached: int) -> Iterator[Slice]:
        """The overlap once more, where the newest window was too dense to hold it and time is left.

        Where it is not, the sweep comes by later.
        """
        lookup, now = self._task.polled, self._task.now
        last = min(lookup.end, now)
        floor = max(lookup.since, now - self._limits.history)
        window = Interval(max(last - self._limits.overlap, floor), min(last, reached))
        if window.seconds <= 0:
            return
        if self._may_go_on() and self._fits(lookup, window, self._pages(1.0)):
            yield self._read(lookup.key, Purpose.REREAD, window, self._pages(1.0))

    def _read(self, key: LookupKey, purpose: Purpose, window: Interval, pages: int) -> Slice:
        """Reads a window until its end, or until it is plain that it does not fit into `pages`."""
        records: list[bytes] = []
        oldest, taken, complete = window.end, 0, False
        begun = self._clock.monotonic()
        found = look_up(
            self._client, f"{key.account}/{key.region}", attribute_of(key.lookup), window, may_go_on=self._in_time
        )
        for page in found:
            if page.restarted:
                records.clear()
            records.extend(page.records)
            taken += 1
            oldest = oldest if page.oldest is None else page.oldest
            if not page.more:
                complete = True
                break
            # one second cannot be cut any further
            if window.seconds > 1 and _will_not_fit(window, oldest, taken, pages):
                break
            if not self._in_time():
                break
        spent = (self._clock.monotonic() - begun) / max(taken, 1)
        self._seconds_a_page = max((self._seconds_a_page + spent) / 2, FASTEST_PAGE_SECONDS)
        return Slice(
            key=key,
            purpose=purpose,
            window=window,
            records=tuple(records),
            complete=complete,
            pages=taken,
            events_per_second=_density(window, oldest, len(records), complete=complete),
        )

    def _fits(self, lookup: Lookup, window: Interval, pages: int) -> bool:
        return window.seconds <= self._length(lookup, pages)

    def _length(self, lookup: Lookup, pages: int) -> int:
        """How many seconds fit into so many pages, as far as density is known."""
        if not lookup.events_per_second:
            return self._limits.history
        return max(1, int(pages * PAGE_SIZE * ROOM / lookup.events_per_second))

    def _shorter(self, lookup: Lookup, window: Interval, pages: int) -> int:
        return max(1, min(window.seconds // 2, self._length(lookup, pages)))

    def _pages(self, share: float) -> int:
        return max(1, int(share * self._time_left() / self._seconds_a_page))

    def _time_left(self) -> float:
        return max(0.0, self._deadline - self._clock.monotonic())

    def _in_time(self) -> bool:
        return self._time_left() > 0

    def _may_go_on(self) -> bool:
        return self._in_time() and not self._stopped()


def longest_after(window: Interval, *, complete: bool) -> int:
    """How many seconds the slice after this one may have at most."""
    return window.seconds * GROWTH if complete else max(1, window.seconds // 2)


def _will_not_fit(window: Interval, oldest: int, taken: int, pages: int) -> bool:
    if taken >= pages:
        return True
    reached = max(1, window.end - oldest)
    return taken * window.seconds / reached > HOPELESS * pages


def _density(window: Interval, oldest: int, events: int, *, complete: bool) -> float | None:
    if complete:
        return events / window.seconds
    return events / max(1, window.end - oldest) if events else None


def _known(lookup: Lookup, piece: Slice) -> Lookup:
    """The look-up as it is once `piece` is committed."""
    covered = lookup.covered
    if piece.unsettled is not None:
        covered = IntervalSet(left for one in covered for left in IntervalSet([piece.unsettled]).missing(one))
    if piece.complete:
        covered = covered.union([piece.window])
    density = lookup.events_per_second if piece.events_per_second is None else piece.events_per_second
    return msgspec.structs.replace(lookup, covered=covered, events_per_second=density)
