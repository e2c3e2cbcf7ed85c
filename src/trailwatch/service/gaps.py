"""Gaps as alerts: a region with something that was not read for too long is no silence, but an alert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from trailwatch.ports import Clock
from trailwatch.service.companions import Quiet
from trailwatch.service.own_alerts import Complaint, close_alerts, own_rule, raise_alerts
from trailwatch.service.report import CycleReport, RegionReport, duration
from trailwatch.store.store import Store

GAP = own_rule(
    "trailwatch_gap",
    "trailwatch has not read everything",
    "Events of this region may not have been judged yet: no alert from there means nothing until it is read.",
    (
        "`trailwatch coverage` shows what is missing, `trailwatch status` why.",
        "Look whether cron or the service ran all the time, and whether another tool uses up the requests.",
    ),
)


class Gaps(Quiet):
    """Raises an alert for each region that is late, and closes it when it has caught up.

    Args:
        store: where alerts are kept.
        late: from how many seconds on.
        clock: the time.
    """

    def __init__(self, store: Store, late: float, clock: Clock) -> None:
        self._store = store
        self._late = late
        self._clock = clock

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:  # noqa: ARG002 one shape for all
        now = int(self._clock.now().timestamp())
        places = [one for one in report.regions if one.region != "*"]
        late = [one for one in places if one.behind_seconds > self._late]
        if late:
            raise_alerts(self._store, GAP, _complaints(late, now), now)
        good = [(one.account, one.region) for one in places if one not in late]
        if self._store.alerts.unclosed(GAP.id):
            close_alerts(self._store, GAP, good, "everything was read", now)


def _complaints(late: Sequence[RegionReport], now: int) -> Iterator[Complaint]:
    for one in late:
        since = datetime.fromtimestamp(now - one.behind_seconds, UTC)
        facts = {"unread since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "why": one.error or "more than could be read so far"}
        yield Complaint(
            account=one.account,
            region=one.region,
            title=f"{one.account}/{one.region} was not read for {duration(one.behind_seconds)}",
            reason="; ".join(f"{name} {value}" for name, value in facts.items()),
            facts=facts,
            known=bool(one.error_kind),  # what cannot be read at all is told at once, see `service/trouble.py`
        )
