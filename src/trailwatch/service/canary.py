"""The canary: a harmless call in every region, and an alert where its event does not come back.

It proves the whole way: that AWS records, that event history shows, that trailwatch reads and recognises.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from trailwatch.config.proof import CanarySettings
from trailwatch.detect.canary import PREFIX
from trailwatch.errors import SourceError
from trailwatch.ports import Clock
from trailwatch.service.companions import Quiet
from trailwatch.service.own_alerts import Complaint, close_alerts, own_rule, raise_alerts
from trailwatch.service.places import AccountAccess
from trailwatch.service.report import CycleReport, duration
from trailwatch.service.tasks import Place
from trailwatch.sources.canary_call import call
from trailwatch.store.canaries import Canary, Flights
from trailwatch.store.store import Store

PATIENCE_SECONDS = 10.0
"""How long the slowest call may take once event history was read."""
LOST = own_rule(
    "trailwatch_canary",
    "trailwatch's canary did not come back",
    "A call that trailwatch made itself did not show up as an event: what an intruder does there may not either.",
    (
        "`trailwatch canary` shows how long it took before; `trailwatch coverage` whether the region is read.",
        "Look whether the event history of the region's console shows `RemoveTags`; AWS may be late, too.",
    ),
)


class _Answer(NamedTuple):
    marker: str
    error: Exception | None


class Flock:
    """Calls in several regions at once, each in a thread of its own.

    Args:
        store: where calls are kept before they are made.
        clock: the time.
        new_marker: makes a marker that nobody can guess.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        new_marker: Callable[[], str] = lambda: PREFIX + secrets.token_hex(16),
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_marker = new_marker
        self._answers: queue.Queue[_Answer] = queue.Queue()
        self._waiting: dict[str, Place] = {}

    def fly(self, access: AccountAccess, places: Sequence[Place]) -> None:
        """Starts a call in each of these regions.

        Raises:
            SourceError: there are no credentials.
        """
        now, key = int(self._clock.now().timestamp()), access.access_key
        canaries = [Canary(self._new_marker(), place.account, place.region, key, now) for place in places]
        self._store.canaries.add(canaries)
        for one, place in zip(canaries, places, strict=True):
            client = access.client("cloudtrail", place.region)
            self._waiting[one.marker] = place
            # a daemon, so that a call that hangs cannot keep the process
            threading.Thread(target=self._call, args=(client, one), daemon=True).start()

    def landed(self) -> Iterator[tuple[Place, str]]:
        """Each region in which a call was tried, with what went wrong; empty where it was made."""
        ends = self._clock.monotonic() + PATIENCE_SECONDS
        while self._waiting:
            try:
                answer = self._answers.get(timeout=max(0.0, ends - self._clock.monotonic()))
            except queue.Empty:
                break
            place, why = self._waiting.pop(answer.marker), _why(answer.error)
            if why:
                self._store.canaries.failed(answer.marker, why)
            yield place, why
        for marker, place in self._waiting.items():
            # it may still get through, and then it comes back like any other
            self._store.canaries.failed(marker, "no answer in time")
            yield place, "no answer in time"
        self._waiting.clear()

    def _call(self, client: Any, one: Canary) -> None:
        try:
            call(client, one.account, one.region, one.marker)
        except Exception as error:  # noqa: BLE001 carried to the main thread, which reports or raises it
            self._answers.put(_Answer(one.marker, error))
        else:
            self._answers.put(_Answer(one.marker, None))


class CanaryRound(Quiet):
    """Makes the calls when they are due, and complains about those that did not come back.

    Args:
        store: where canaries and alerts are kept.
        settings: `[canary]`.
        clock: the time.
    """

    def __init__(self, store: Store, settings: CanarySettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._flock = Flock(store, clock)
        self._due = False

    def begin(self, deadline: float, reach_back: int) -> None:  # noqa: ARG002 one shape for all
        waited = self._clock.now().timestamp() - self._store.canaries.last_called()
        self._due = bool(self._settings.every) and waited >= self._settings.every

    def beside(self, access: AccountAccess, places: Sequence[Place]) -> None:
        if self._due:
            self._flock.fly(access, places)

    def read(self, report: CycleReport) -> None:
        failed = [f"{place.account}/{place.region}: {why}" for place, why in self._flock.landed() if why]
        if failed:
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            report.problems.append(f"canary not sent: {failed[0]}{more}")

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:  # noqa: ARG002 one shape for all
        now = int(self._clock.now().timestamp())
        unread = {(one.account, one.region) for one in report.unread}
        judge(self._store, int(self._settings.within), now, unread)


def judge(store: Store, within: int, now: int, unread: Iterable[tuple[str, str]] = ()) -> None:
    """Raises an alert where a canary is overdue, and closes it where a later one came back.

    Args:
        store: where both are kept.
        within: so many seconds may one take.
        now: seconds since 1970.
        unread: accounts and regions of which people were told that they cannot be read.
    """
    known, lost = set(unread), overdue(store, within, now)
    standing = store.alerts.unclosed(LOST.id)
    if not lost and not standing:
        return
    flights = {(one.account, one.region): one for one in store.canaries.flights(0)}
    raise_alerts(store, LOST, [_complaint(one, flights, now, known) for one in lost], now)
    still = {(one.account, one.region) for one in lost}
    over = [(account, region) for _, account, region in standing if (account, region) not in still]
    close_alerts(store, LOST, over, "a later canary came back", now)


def overdue(store: Store, within: int, now: int) -> list[Canary]:
    """For each account and region the newest call that did not come back in time, unless a later one did.

    Args:
        store: where canaries are kept.
        within: so many seconds may one take.
        now: seconds since 1970.
    """
    late: dict[tuple[str, str], Canary] = {}
    for one in store.canaries.awaited().values():
        if now - one.called > within:
            place = one.account, one.region
            late[place] = max(one, late.get(place, one), key=lambda one: one.called)
    if not late:
        return []
    back = {(one.account, one.region): one.newest_back for one in store.canaries.flights(0)}
    return [one for place, one in sorted(late.items()) if back[place] <= one.called]


def _complaint(
    one: Canary, flights: dict[tuple[str, str], Flights], now: int, known: set[tuple[str, str]]
) -> Complaint:
    place = one.account, one.region
    before = flights[place].seconds
    usual = f"{duration(percentile(before, 50))}" if before else "never came back before"
    facts = {"called": duration(now - one.called) + " ago", "usually takes": usual, "marker": one.marker}
    return Complaint(
        account=one.account,
        region=one.region,
        title=f"no event came back from {one.account}/{one.region} for {duration(now - one.called)}",
        reason="; ".join(f"{name} {value}" for name, value in facts.items()),
        facts=facts,
        known=place in known,
    )


def percentile(ascending: Sequence[int], percent: int) -> int:
    """The least value that so many percent of all do not exceed; 0 for none."""
    if not ascending:
        return 0
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)]


def _why(error: Exception | None) -> str:
    if error is None:
        return ""
    if not isinstance(error, SourceError):
        raise error
    return error.what
