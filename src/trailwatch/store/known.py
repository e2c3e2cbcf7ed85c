"""From when on everything that a look-up shows was read, as coverage tells it."""

from __future__ import annotations

from trailwatch.model.coverage import Interval, IntervalSet
from trailwatch.model.sighting import CHANGES, DAY, EVERYTHING
from trailwatch.store.database import Database

HISTORY = "history "
"""Before the look-up where a baseline read it; see `trailwatch.service.history`."""


def known_since(database: Database) -> dict[tuple[str, str], int]:
    """For each account and look-up, from when on it was read in some region without a gap of a day.

    Seconds since 1970.
    """
    stretches: dict[tuple[str, str, str], list[Interval]] = {}
    for row in database.all("SELECT account, region, lookup, start_time, end_time FROM coverage"):
        lookup = row["lookup"].removeprefix(HISTORY)
        if lookup in (CHANGES, EVERYTHING) or lookup.startswith("EventName="):  # others are of no events, or of a few
            key = row["account"], lookup, row["region"]
            stretches.setdefault(key, []).append(Interval(row["start_time"], row["end_time"]))
    found: dict[tuple[str, str], int] = {}
    for (account, lookup, _), read in sorted(stretches.items()):
        since = _begin(IntervalSet(read))
        found[account, lookup] = min(since, found.get((account, lookup), since))
    return found


def _begin(read: IntervalSet) -> int:
    newest, *older = reversed(list(read))
    begin = newest.start
    for stretch in older:
        if begin - stretch.end >= DAY:
            break
        begin = stretch.start
    return begin
