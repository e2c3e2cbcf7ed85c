"""Gaps as alerts: a region with something that was not read for too long is no silence, but an alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trailwatch.model.rule import GAP_ID
from trailwatch.ports import Clock
from trailwatch.service.companions import Quiet
from trailwatch.service.own_alerts import Complaint, close_alerts, own_rule, raise_alerts
from trailwatch.service.report import CycleReport, RegionReport, duration
from trailwatch.store.coverage import Lookup
from trailwatch.store.facts import FIRST_CYCLE
from trailwatch.store.store import Store

GAP = own_rule(
    GAP_ID,
    "trailwatch has not read everything",
    "Events of this region may not have been judged yet: no alert from there means nothing until it is read.",
    (
        "`trailwatch coverage` shows what is missing, `trailwatch status` why.",
        "Look whether cron or the service ran all the time, and whether another tool uses up the requests.",
    ),
)


class Gaps(Quiet):
    """Raises an alert for each region that is late, and closes it when it has caught up.

    What lies before the first cycle is history that somebody asked for, and no gap.

    Args:
        store: where alerts are kept.
        late: from how many seconds on.
        polled: what is looked up in every cycle.
        clock: the time.
    """

    def __init__(self, store: Store, late: float, polled: str, clock: Clock) -> None:
        self._store = store
        self._late = late
        self._polled = polled
        self._clock = clock

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:  # noqa: ARG002 one shape for all
        now = int(self._clock.now().timestamp())
        places = [one for one in report.regions if one.region != "*"]
        late = self._late_ones([one for one in places if one.behind_seconds > self._late], now)
        report.late = {f"{one.account}/{one.region}": now - since for one, since in late}
        if late:
            raise_alerts(self._store, GAP, [_complaint(one, since, now) for one, since in late], now)
        behind = {(one.account, one.region) for one, _ in late}
        good = {(one.account, one.region) for one in places} - behind
        close_alerts(self._store, GAP, good, "everything was read", now)

    def _late_ones(self, behind: Sequence[RegionReport], now: int) -> list[tuple[RegionReport, int]]:
        """Those of the regions that are late, with the time since when."""
        first = self._store.facts.get(FIRST_CYCLE)
        if first is None:
            self._store.facts.set(FIRST_CYCLE, str(now))
            return []
        begun, known = int(first), self._store.coverage.lookups().values() if behind else ()
        found = []
        for one in behind:
            lookups = [each for each in known if (each.key.account, each.key.region) == (one.account, one.region)]
            since = min((self._unread_since(each, begun, now) for each in lookups), default=now)
            if now - since > self._late:
                found.append((one, since))
        return found

    def _unread_since(self, lookup: Lookup, begun: int, now: int) -> int:
        """Since when something is missing; `now` for never."""
        by_turns = lookup.key.lookup.startswith("EventName=")
        if not by_turns and lookup.key.lookup != self._polled:
            return now  # nobody asks for it any more, or it is no look-up
        gap = next(iter(lookup.gaps(begun)), None)
        if gap is not None:
            return gap.start
        # what is asked by turns is late by nature
        return now if by_turns else max(lookup.end, begun)


def _complaint(one: RegionReport, unread: int, now: int) -> Complaint:
    since = datetime.fromtimestamp(unread, UTC)
    facts = {"unread since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "why": one.error or "more than could be read so far"}
    return Complaint(
        account=one.account,
        region=one.region,
        title=f"{one.account}/{one.region} was not read for {duration(now - unread)}",
        reason="; ".join(f"{name} {value}" for name, value in facts.items()),
        facts=facts,
        known=bool(one.error_kind),  # what cannot be read at all is told at once, see `service/trouble.py`
    )
