"""The reading of one cycle: a thread for each region that only does network; what comes back is committed here."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trailwatch.config.schema import Check
from trailwatch.errors import SourceError
from trailwatch.model.coverage import LookupKey
from trailwatch.model.match import Found
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock
from trailwatch.service.delivering import delivery_of, sessions_of
from trailwatch.service.places import AccountAccess, account_and_regions
from trailwatch.service.report import CycleReport, RegionReport
from trailwatch.service.tasks import Place, keys_of, task_of
from trailwatch.sources.pacing import Pacer
from trailwatch.sources.poll_plan import Plan
from trailwatch.sources.region_poll import RegionPoll, longest_after
from trailwatch.sources.slices import Limits, Purpose, Slice
from trailwatch.store.store import Store

QUEUED_SLICES = 8
LINGER_SECONDS = 0.1
BATCH = 32
"""So many windows at most are committed together."""
MEASURABLE_SECONDS = 60
"""The density of nothing shorter is kept for the next cycle."""
GRACE_SECONDS = 6.0
"""How long a region may take to come back after the budget is spent."""


class _Slice(NamedTuple):
    place: Place
    piece: Slice


class _Ended(NamedTuple):
    place: Place
    error: Exception | None


class _Worker(NamedTuple):
    report: RegionReport
    pacer: Pacer


class Reading:
    """Reads every account and region once.

    Args:
        store: what is known, and where everything is kept.
        pipeline: what becomes of what was read.
        settings: `[check]`.
        plan: the names to look up.
        clock: the time.
        deadline: the monotonic time after which nothing new is begun.
        calm: whether the cycle before ended cleanly, so that its last calls are known.
        stopped: whether somebody wants it to end early.
        newest_done: called once when the newest window of every region is committed.
        beside: called for each account with the regions that are read, for what else is to be read there.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        settings: Check,
        plan: Plan,
        clock: Clock,
        *,
        deadline: float,
        calm: bool,
        stopped: Callable[[], bool],
        newest_done: Callable[[], None],
        beside: Callable[[AccountAccess, Sequence[Place]], None] = lambda _access, _places: None,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._settings = settings
        self._plan = plan
        self._clock = clock
        self._deadline = deadline
        self._stopped = stopped
        self._newest_done = newest_done
        self._beside = beside
        self.limits = limits_of(settings)
        self.polled = "*" if settings.all_events else "ReadOnly=false"
        self.now = int(clock.now().timestamp())
        self._last_calls = store.pace.last_calls()
        self._calm = calm
        self.read: set[LookupKey] = set()
        """Look-ups whose newest window was read."""
        self._queue: queue.Queue[_Slice | _Ended] = queue.Queue(QUEUED_SLICES)
        self._workers: dict[Place, _Worker] = {}
        self._newest_left: set[Place] = set()

    def run(
        self, accesses: Sequence[AccountAccess], only: Sequence[str], reach_back: int, report: CycleReport
    ) -> None:
        """Fills `report` with what was read, region by region.

        Args:
            accesses: the accounts.
            only: the only regions to read; empty for those of the configuration or of the account.
            reach_back: how many seconds before now are no history but unread; 0 leaves that as it is.
            report: where it goes.
        """
        for access in accesses:
            try:
                account, regions = account_and_regions(access, self._store.regions, self._settings, only, self.now)
            except SourceError as error:
                report.regions.append(RegionReport(access.account.name, "*", error_kind=error.kind, error=str(error)))
                continue
            places = [Place(account, region) for region in regions]
            self._start(access, [place for place in places if place not in self._workers], reach_back)
            self._beside(access, places)
        report.regions.extend(worker.report for worker in self._workers.values())
        self._consume(report)

    def reached(self) -> dict[Place, int]:
        """Attempts by region."""
        return {place: worker.pacer.calls for place, worker in self._workers.items()}

    def has_newest(self, account: str, region: str) -> bool:
        """Whether the newest window of what is polled there was read."""
        return LookupKey(account, region, self.polled) in self.read

    def _start(self, access: AccountAccess, places: Sequence[Place], reach_back: int) -> None:
        names = {place: self._plan.in_region(place.region) for place in places}
        keys = {place: keys_of(place, self.polled, names[place]) for place in places}
        every = [key for found in keys.values() for key in found]
        known = self._store.coverage.lookups()
        new = [key for key in every if key not in known]
        if new or reach_back:
            with self._store.transaction():
                self._store.coverage.begin(new, self.now - self.limits.lookback - self.limits.overlap, self.now)
                if reach_back:
                    self._store.coverage.reach_back(every, self.now - reach_back)
            known = self._store.coverage.lookups()
        sessions = self._store.coverage.sessions()
        for place in places:
            task = task_of(
                place,
                keys[place],
                names[place],
                known,
                [one for one in sessions if (one.key.account, one.key.region) == place],
                self.limits,
                now=self.now,
                requests=self._settings.plan_requests_per_region,
            )
            last_call = self._last_calls.get((place.account, place.region), 0.0) if self._calm else float("inf")
            pacer = Pacer(self._clock, self._settings.pace, last_call)
            client = access.client("cloudtrail", place.region)
            pacer.attach(client)
            poll = RegionPoll(client, task, self.limits, self._clock, self._deadline, self._stopped)
            self._workers[place] = _Worker(RegionReport(place.account, place.region), pacer)
            self._newest_left.add(place)
            # a daemon, so that a call that hangs cannot keep the process
            threading.Thread(target=self._work, args=(place, poll), name=f"poll {place.region}", daemon=True).start()

    def _work(self, place: Place, poll: RegionPoll) -> None:
        error: Exception | None = None
        try:
            for piece in poll.slices():
                self._queue.put(_Slice(place, piece))
        except Exception as raised:  # noqa: BLE001 carried to the main thread, which reports or raises it
            error = raised
        self._queue.put(_Ended(place, error))

    def _consume(self, report: CycleReport) -> None:
        running = set(self._workers)
        told = False
        while running:
            batch = self._batch(alone=len(running) == 1)
            if not batch:
                break
            self._commit([one for one in batch if isinstance(one, _Slice)], report)
            for one in batch:
                if isinstance(one, _Ended):
                    running.discard(one.place)
                    self._newest_left.discard(one.place)
                    self._note(one.place, one.error)
            if not self._newest_left and not told:
                told = True
                self._newest_done()
        for place in running:
            late = SourceError(_name(place), "no answer within the time of a cycle", "it is tried again in the next")
            self._note(place, late)

    def _batch(self, *, alone: bool) -> list[_Slice | _Ended]:
        """What the regions have ready; waits for the first, and comes back empty when time is up.

        Regions answer one soon after the other, so a moment's wait makes one commit of many.
        """
        left = max(0.0, self._deadline - self._clock.monotonic()) + GRACE_SECONDS
        batch: list[_Slice | _Ended] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._queue.get(timeout=left))
            ends = time.monotonic() + (0.0 if alone else LINGER_SECONDS)
            while len(batch) < BATCH:
                batch.append(self._queue.get(timeout=max(0.0, ends - time.monotonic())))
        return batch

    def _note(self, place: Place, error: Exception | None) -> None:
        if error is None:
            return
        if not isinstance(error, SourceError):
            raise error
        report = self._workers[place].report
        report.error_kind, report.error = error.kind, str(error)

    def _commit(self, slices: Sequence[_Slice], report: CycleReport) -> None:
        """Keeps these windows: their events, their coverage and when the regions were called, all at once."""
        if not slices:
            return
        store = self._store
        with store.transaction():
            for place, piece in slices:
                worker = self._workers[place]
                worker.report.lookups += 1
                if piece.unsettled is not None:
                    store.coverage.remove(piece.key, piece.unsettled)
                report.tally.add(self._process(piece).tally)
                self._remember(piece)
            store.pace.called(
                (place.account, place.region, worker.pacer.last_call) for place, worker in self._workers.items()
            )
        for place, piece in slices:
            if piece.purpose is Purpose.NEWEST and piece.complete:
                self._newest_left.discard(place)

    def _process(self, piece: Slice) -> Found:
        delivery = delivery_of(piece)
        if not piece.records:
            self._store.coverage.add(delivery.gains)
            return Found()
        found = self._pipeline.process(delivery)
        for session, matched in sessions_of(found.matches):
            self._store.coverage.add_session(*session, matched)
        return found

    def _remember(self, piece: Slice) -> None:
        coverage, key = self._store.coverage, piece.key
        if piece.purpose is Purpose.SESSION:
            coverage.session_asked(key, self.now)
        elif piece.complete and piece.purpose is Purpose.NEWEST:
            self.read.add(key)
            measurable = piece.window.seconds >= MEASURABLE_SECONDS
            coverage.measured(key, asked=self.now, events_per_second=piece.events_per_second if measurable else None)
        elif piece.purpose in (Purpose.GAP, Purpose.SWEEP):
            coverage.sliced(key, min(longest_after(piece.window, complete=piece.complete), self.limits.history))
            if piece.complete and piece.purpose is Purpose.SWEEP:
                coverage.swept(key, cursor=piece.window.end, now=self.now)


def limits_of(settings: Check) -> Limits:
    return Limits(
        lookback=int(settings.lookback),
        overlap=int(settings.overlap),
        sweep=int(settings.sweep),
        history=int(settings.history),
        pace=settings.pace,
    )


def _name(place: Place) -> str:
    return f"{place.account}/{place.region}"
