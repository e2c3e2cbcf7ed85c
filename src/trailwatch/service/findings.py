"""The reading of GuardDuty in one cycle: a thread for each region that is due, beside those that read event history.

Findings go through the pipeline like events: suppressions, alerts, incidents, messages. One whose state was read
before is left out, so that looking back a little every time costs and repeats nothing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from trailwatch.config.proof import GuardDutySettings
from trailwatch.config.schema import Check
from trailwatch.decode.records import to_mapping
from trailwatch.detect.findings import event_id_of, is_finding, updated_at
from trailwatch.errors import DecodeError, SourceError
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock, CoverageGain, Delivery
from trailwatch.service.companions import Quiet
from trailwatch.service.delivering import sessions_of
from trailwatch.service.places import AccountAccess
from trailwatch.service.report import CycleReport, RegionReport
from trailwatch.service.tasks import Place
from trailwatch.sources.guardduty import LOOKUP, Gathered, gather
from trailwatch.store.finding_sources import FindingSource, SourceState
from trailwatch.store.store import Store

PATIENCE_SECONDS = 10.0
"""How long the slowest region may take once event history was read."""
GRACE_SECONDS = 6.0
"""The same after the budget is spent."""


class _Answer(NamedTuple):
    place: Place
    window: Interval
    gathered: Gathered | None
    error: Exception | None


class FindingsReading(Quiet):
    """Reads GuardDuty once, wherever it is due.

    Args:
        store: what is known, and where everything is kept.
        pipeline: what becomes of findings.
        settings: `[guardduty]`.
        check: `[check]`, for how far back.
        clock: the time.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        settings: GuardDutySettings,
        check: Check,
        clock: Clock,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._settings = settings
        self._check = check
        self._clock = clock
        self._deadline = 0.0
        self._reach_back = 0
        self._now = int(clock.now().timestamp())
        self._checked = {Place(one.account, one.region): one.checked for one in store.finding_sources.all()}
        self._answers: queue.Queue[_Answer] = queue.Queue()
        self._waiting: dict[Place, AccountAccess] = {}

    def begin(self, deadline: float, reach_back: int) -> None:
        self._deadline, self._reach_back = deadline, reach_back

    def beside(self, access: AccountAccess, places: Sequence[Place]) -> None:
        """Starts to ask in every one of these regions that is due."""
        due = [place for place in places if self._is_due(place) and place not in self._waiting]
        if not due:
            return
        keys = {place: LookupKey(place.account, place.region, LOOKUP) for place in due}
        self._store.coverage.begin(
            keys.values(), self._now - int(self._check.lookback) - int(self._check.overlap), self._now
        )
        known = self._store.coverage.lookups()
        for place, key in keys.items():
            since = known[key].end - int(self._check.overlap)
            if self._reach_back:
                since = min(since, self._now - self._reach_back)
            window = Interval(max(since, self._now - int(self._check.history)), self._now)
            client = access.client("guardduty", place.region)
            self._waiting[place] = access
            # a daemon, so that a call that hangs cannot keep the process
            threading.Thread(target=self._ask, args=(place, window, client), daemon=True).start()

    def read(self, report: CycleReport) -> None:
        """Keeps what came; what did not come in time is asked again in the next cycle."""
        now = self._clock.monotonic()
        ends = min(now + PATIENCE_SECONDS, max(now, self._deadline) + GRACE_SECONDS)
        while self._waiting:
            try:
                answer = self._answers.get(timeout=max(0.0, ends - self._clock.monotonic()))
            except queue.Empty:
                break
            access = self._waiting.pop(answer.place)
            if answer.gathered is not None:
                self._commit(answer.place, answer.window, answer.gathered, report)
            else:
                self._failed(answer.place, access, answer.error, report)
        for place, access in self._waiting.items():
            late = SourceError(_name(place), "no answer within the time of a cycle", "it is tried again in the next")
            self._failed(place, access, late, report)
        self._waiting.clear()

    def _is_due(self, place: Place) -> bool:
        return bool(self._reach_back) or self._now - self._checked.get(place, 0) >= self._settings.every

    def _ask(self, place: Place, window: Interval, client: Any) -> None:
        try:
            found = gather(client, _name(place), window, lambda: self._clock.monotonic() < self._deadline)
        except Exception as error:  # noqa: BLE001 carried to the main thread, which reports or raises it
            self._answers.put(_Answer(place, window, None, error))
        else:
            self._answers.put(_Answer(place, window, found, None))

    def _commit(self, place: Place, window: Interval, gathered: Gathered, report: CycleReport) -> None:
        store, key = self._store, LookupKey(place.account, place.region, LOOKUP)
        with store.transaction():
            delivery = self._fresh(place, gathered.findings)
            if delivery.records:
                found = self._pipeline.process(delivery)
                report.tally.add(found.tally)
                report.findings += found.tally.events
                for session, matched in sessions_of(found.matches):
                    store.coverage.add_session(*session, matched)
            if gathered.state != "off" and gathered.read_until > window.start:
                store.coverage.add([CoverageGain(key, Interval(window.start, gathered.read_until))])
            if gathered.state != "off":
                store.coverage.measured(key, asked=self._now, events_per_second=None)
            self._keep(place, gathered.state)
        report.sources.append(RegionReport(place.account, f"{place.region}/{LOOKUP}"))

    def _fresh(self, place: Place, findings: Sequence[bytes]) -> Delivery:
        """The findings whose state was not read before; from now on it was."""
        seen = self._store.seen
        keyed = [(one, _key_of(one)) for one in findings]
        known = [key for _, key in keyed if key is not None]
        fresh = {key for key, new in zip(known, seen.fresh(known), strict=True) if new}
        seen.add(sorted(fresh))
        records = [msgspec.Raw(one) for one, key in keyed if key is None or key in fresh]
        return Delivery(f"{_name(place)}/{LOOKUP}", records, range(len(records)))

    def _failed(self, place: Place, access: AccountAccess, error: Exception | None, report: CycleReport) -> None:
        if not isinstance(error, SourceError):
            raise error or AssertionError("an answer is a result or an error")
        if error.kind == "unreachable" and not access.offers("guardduty", place.region):
            self._keep(place, "absent")
            return
        self._keep(place, "failed", error.what)
        report.sources.append(
            RegionReport(place.account, f"{place.region}/{LOOKUP}", error_kind=error.kind, error=str(error))
        )

    def _keep(self, place: Place, state: SourceState, detail: str = "") -> None:
        self._store.finding_sources.keep(FindingSource(place.account, place.region, state, detail, self._now))


def _key_of(raw: bytes) -> tuple[str, int, str] | None:
    """Account, time of update and id of a finding's state; None for what the engine has to reject."""
    try:
        finding = to_mapping(raw)
        return (
            (str(finding.get("accountId")), updated_at(finding), event_id_of(finding))
            if is_finding(finding)
            else None
        )
    except DecodeError:
        return None


def _name(place: Place) -> str:
    return f"{place.account}/{place.region}"
