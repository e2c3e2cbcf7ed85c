"""One cycle: lock, read, tell, send, and say how it went."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from trailwatch.config.schema import Check
from trailwatch.errors import StoreError
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock, Notifier
from trailwatch.relay import DEFAULT_POLICY, Policy, Sending
from trailwatch.service.companions import Companion
from trailwatch.service.places import AccountAccess
from trailwatch.service.reading import Reading
from trailwatch.service.report import BUSY, FAILED, GOOD, PARTIAL, STOPPED, CycleReport
from trailwatch.service.tasks import Place, keys_of
from trailwatch.service.trouble import tell_troubles
from trailwatch.sources.poll_plan import Plan
from trailwatch.store.coverage import Lookup
from trailwatch.store.store import RETENTION, Retention, Store

RELAY_SECONDS = 8.0
"""How long after the budget messages may still begin to leave."""
PATIENCE_SECONDS = 3.0
"""When no receiver answered for so long, the cycle goes on; it asks at its end what became of those that hang."""
HEARTBEAT_SECONDS = 5
WAITED_FOR_SECONDS = 3600
"""A region that cannot be read holds up what is said of absence no longer than this."""
TIDY_SECONDS = 3600
REREAD_SECONDS = 14 * 3600
"""How far back anything but the sweep reads again: a role session and some room."""


class Cycle:
    """Everything that one run needs, passed in.

    Args:
        accesses: the accounts.
        store: where everything is kept.
        pipeline: what becomes of what was read.
        notifiers: makes those of the outbox, by name; asked only when something has to leave.
        routes: for each notifier, the least severity that is sent there.
        settings: `[check]`.
        plan: the names to look up.
        clock: the time.
        regions: the only regions to read; empty for those of the configuration.
        reach_back: how many seconds before now count as unread on a first run; 0 for lookback and overlap.
        heartbeat: calls a URL; by default with GET.
        stopped: whether somebody wants it to end early.
        retention: how long the store remembers; what may still be read again is kept in any case.
        tidy: called once an hour with the time, to remove what is kept elsewhere and is too old.
        companions: what else is done in this cycle.
        delivery: what is done about messages that cannot be delivered.
    """

    def __init__(
        self,
        *,
        accesses: Sequence[AccountAccess],
        store: Store,
        pipeline: Pipeline,
        notifiers: Callable[[], Mapping[str, Notifier]],
        routes: Mapping[str, Severity],
        settings: Check,
        plan: Plan,
        clock: Clock,
        regions: Sequence[str] = (),
        reach_back: int = 0,
        heartbeat: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        retention: Retention = RETENTION,
        tidy: Callable[[int], object] = lambda _now: None,
        companions: Sequence[Companion] = (),
        delivery: Policy = DEFAULT_POLICY,
    ) -> None:
        self._sending = Sending(store, clock, policy=delivery)
        self._companions = companions
        self._retention = retention
        self._tidy = tidy
        self._accesses = accesses
        self._store = store
        self._pipeline = pipeline
        self._notifiers = notifiers
        self._routes = routes
        self._settings = settings
        self._plan = Plan() if settings.all_events else plan
        self._clock = clock
        self._regions = regions
        self._reach_back = reach_back
        self._heartbeat = heartbeat or call_heartbeat
        self._stopped = stopped

    def run(self) -> CycleReport:
        """What the cycle did.

        Raises:
            StoreError: the state file cannot be used, or another run has held the lock for too long.
        """
        # the lock goes first: whoever waits here for a receiver that hangs keeps no other run from reading
        with self._sending, self._store.cycles.lock() as lock:
            if not lock.acquire():
                return self._busy()
            return self._run()

    def _busy(self) -> CycleReport:
        now, other = self._clock.now(), self._store.cycles.running()
        if other is not None and now.timestamp() - other.started > self._settings.lock_stale:
            raise StoreError(
                "check",
                f"another run (process {other.process}) has not ended for "
                f"{int(now.timestamp() - other.started)} s and still holds the lock",
                f"look why it hangs, then end it: kill {other.process}",
            )
        return CycleReport(started=now, outcome=BUSY, running_since=other.started if other else 0.0)

    def _run(self) -> CycleReport:
        report = CycleReport(started=self._clock.now())
        begun = self._clock.monotonic()
        deadline = begun + self._settings.budget
        number, calm = self._store.cycles.begin(report.started.timestamp())
        outcome = FAILED
        try:
            reading = self._read(report, deadline, calm=calm)
            self._judge(report, reading)
            keep = self._look_back(report, reading)
            self._tell(report, deadline)
            self._forget(report, self._seconds(), keep)
            report.outcome = outcome = self._outcome(report, reading)
            if outcome in (GOOD, PARTIAL):
                self._beat(report)
        finally:
            report.seconds = self._clock.monotonic() - begun
            self._store.cycles.finish(number, self._clock.now().timestamp(), outcome, report.line())
        return report

    def _read(self, report: CycleReport, deadline: float, *, calm: bool) -> Reading:
        reading = Reading(
            self._store,
            self._pipeline,
            self._settings,
            self._plan,
            self._clock,
            deadline=deadline,
            calm=calm,
            stopped=self._stopped,
            newest_done=lambda: self._send(report, deadline),
            beside=self._beside,
        )
        for companion in self._companions:
            companion.begin(deadline, self._reach_back)
        reading.run(self._accesses, self._regions, self._reach_back, report)
        for companion in self._companions:
            companion.read(report)
        for region in report.regions:
            region.requests = reading.reached().get(Place(region.account, region.region), 0)
        return reading

    def _judge(self, report: CycleReport, reading: Reading) -> None:
        """Lets stateful rules conclude what only complete reading shows, such as that something did not happen."""
        if not self._pipeline.waits:
            return
        now, known = self._seconds(), self._store.coverage.lookups()
        watermarks, unread = [], []
        for region in report.regions:
            place = Place(region.account, region.region)
            keys = keys_of(place, reading.polled, self._plan.in_region(region.region))
            lookups = [known[key] for key in keys if key in known]
            read = min((_read_until(one, reading) for one in lookups), default=0)
            if region.error_kind and now - read > WAITED_FOR_SECONDS:
                unread.append(f"{region.account}/{region.region}")
            else:
                watermarks.append(read)
        if watermarks:
            self._pipeline.judge(min(watermarks), unread, report.tally)

    def _tell(self, report: CycleReport, deadline: float) -> None:
        names = self._notices()
        asked = [*report.regions, *report.sources]
        report.notices.extend(tell_troubles(self._store, asked, names, self._seconds()))
        for companion in self._companions:
            companion.conclude(report, names)
        self._send(report, deadline, always=True)
        if self._sending.unfinished:
            self._relay(report, deadline, patience=None, until=deadline + RELAY_SECONDS + PATIENCE_SECONDS)

    def _send(self, report: CycleReport, deadline: float, *, always: bool = False) -> None:
        """Tells what is new, so that an alert does not wait until a backlog is read."""
        messages = self._pipeline.announce(self._seconds())
        report.messages.extend(messages)
        if messages or (always and self._store.outbox.waiting_by_notifier()):
            self._relay(report, deadline)
        names = self._notices()
        more = [companion.follow_up(report, names) for companion in self._companions]
        if any(more):
            self._relay(report, deadline)

    def _notices(self) -> list[str]:
        return [name for name, least in self._routes.items() if least <= Severity.HIGH]

    def _relay(
        self,
        report: CycleReport,
        deadline: float,
        patience: float | None = PATIENCE_SECONDS,
        until: float = math.inf,
    ) -> None:
        done = self._sending.run(self._notifiers(), deadline + RELAY_SECONDS, patience, until)
        report.sent += done.sent
        report.waiting = sum(done.waiting.values())
        report.dead += done.dead
        report.errors.update(done.errors)
        report.overdue.update(done.overdue)

    def _beside(self, access: AccountAccess, places: Sequence[Place]) -> None:
        for companion in self._companions:
            companion.beside(access, places)

    def _look_back(self, report: CycleReport, reading: Reading) -> int:
        """Says how far every region is; how many seconds back events may still be needed."""
        now, known = self._seconds(), self._store.coverage.lookups()
        oldest_gap = now
        for region in report.regions:
            if region.region == "*":
                continue
            place = Place(region.account, region.region)
            names = self._plan.in_region(region.region)
            lookups = [known[key] for key in keys_of(place, reading.polled, names) if key in known]
            begins = _unread_since(lookups, reading)
            region.behind_seconds = now - begins if begins is not None else 0
            waiting = [one for one in lookups[1:] if one.key not in reading.read]
            region.waiting = [one.key.lookup.partition("=")[2] for one in waiting]
            region.waiting_seconds = max((now - one.end for one in waiting), default=0)
            if begins is not None and not region.error_kind:
                oldest_gap = min(oldest_gap, begins)
        return max(int(self._settings.sweep) + 3600, REREAD_SECONDS, now - oldest_gap + int(self._settings.overlap))

    def _forget(self, report: CycleReport, now: int, keep: int) -> None:
        """What is past its time; nothing that an event of the last `keep` seconds may still need."""
        kept = self._retention
        self._store.prune(
            now, msgspec.structs.replace(kept, seen=max(keep, kept.seen), signals=max(keep, kept.signals))
        )
        self._store.coverage.prune(now - int(self._settings.history) - 86400)
        before = self._store.cycles.last()
        if before is None or int(before.started) // TIDY_SECONDS < now // TIDY_SECONDS:
            try:
                self._tidy(now)
            except StoreError as error:
                report.problems.append(str(error))

    def _outcome(self, report: CycleReport, reading: Reading) -> str:
        if report.unread and len(report.unread) == len(report.regions):
            return FAILED
        readable = [region for region in report.regions if not region.error_kind]
        if self._stopped() and not all(reading.has_newest(region.account, region.region) for region in readable):
            return STOPPED
        return PARTIAL if report.unread or report.unread_sources else GOOD

    def _beat(self, report: CycleReport) -> None:
        if not self._settings.heartbeat_url:
            return
        try:
            self._heartbeat(self._settings.heartbeat_url)
        except (OSError, ValueError) as error:
            report.problems.append(f"heartbeat failed: {type(error).__name__}: {error}")

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())


def _read_until(lookup: Lookup, reading: Reading) -> int:
    """The time up to which nothing is missing."""
    gaps = lookup.gaps(reading.now - reading.limits.history)
    return next(iter(gaps)).start if gaps else lookup.end


def _unread_since(lookups: Sequence[Lookup], reading: Reading) -> int | None:
    """Where the oldest gap of these begins; the first of them is also behind when its newest window was not read."""
    oldest = reading.now - reading.limits.history
    begins = [next(iter(gaps)).start for one in lookups if (gaps := one.gaps(oldest))]
    if lookups and lookups[0].key not in reading.read:
        begins.append(max(lookups[0].end, oldest))
    return min(begins, default=None)


def call_heartbeat(url: str) -> None:
    """Calls the URL with GET.

    Raises:
        OSError: no answer, or one that is no success.
        ValueError: it is no URL of a web server.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an http:// or https:// URL, got {url!r}")
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": "trailwatch"})  # noqa: S310 the URL is the user's own setting
    with urllib.request.urlopen(request, timeout=HEARTBEAT_SECONDS) as answer:  # noqa: S310 the same
        answer.read(1024)
