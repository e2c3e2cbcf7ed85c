"""What a cycle does in one region: a pure function of the plan and of what the store knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.sources.lookup_events import PAGE_SIZE
from trailwatch.sources.poll_plan import PlannedName, due
from trailwatch.sources.region_poll import ROOM
from trailwatch.sources.slices import Limits, Task
from trailwatch.store.coverage import Lookup, SessionLookup

SWEEP_REGION_SECONDS = 300
"""The sweep takes a piece in each region no more often."""
SWEEP_POLLED_SECONDS = 600
"""The same for the look-up of what changes something."""
SWEEP_PLANNED_SECONDS = 3600
"""The same for a look-up by name."""
SWEEP_LONGEST_SECONDS = 6 * 3600


class Place(NamedTuple):
    """One account and region."""

    account: str
    region: str


def keys_of(place: Place, polled: str, names: Sequence[PlannedName]) -> list[LookupKey]:
    """Every look-up that is made there, the one of what changes something first."""
    lookups = [polled, *(name.lookup for name in names)]
    return [LookupKey(place.account, place.region, lookup) for lookup in lookups]


def task_of(
    place: Place,
    keys: Sequence[LookupKey],
    names: Sequence[PlannedName],
    known: Mapping[LookupKey, Lookup],
    sessions: Sequence[SessionLookup],
    limits: Limits,
    *,
    now: int,
    requests: int,
) -> Task:
    """The task of one cycle in one region.

    Args:
        place: where.
        keys: from `keys_of`.
        names: the plan there.
        known: every look-up that the store knows.
        sessions: look-ups about role sessions that matched there.
        limits: the configured durations.
        now: the end of the newest windows, in seconds since 1970.
        requests: how many look-ups may be made besides the one of what changes something.
    """
    lookups = [known[key] for key in keys]
    sweep = sweep_of(lookups, limits, now)
    left = requests - (sweep is not None)
    chosen_sessions = list(sessions[: max(0, left)])
    by_name = {lookup.key.lookup: lookup for lookup in lookups[1:]}
    chosen = due(names, by_name, left - len(chosen_sessions), now)
    oldest = now - limits.history
    return Task(
        account=place.account,
        region=place.region,
        now=now,
        polled=lookups[0],
        planned=[by_name[name.lookup] for name in chosen],
        behind=[lookup for lookup in lookups[1:] if lookup.gaps(oldest)],
        sessions=chosen_sessions,
        sweep=sweep,
    )


def sweep_of(lookups: Sequence[Lookup], limits: Limits, now: int) -> tuple[Lookup, Interval] | None:
    """The look-up whose last day is read again now, and which piece of it; None when none is due.

    A piece is at least as long as the time since the one before, so the sweep never falls behind the day.
    """
    if now - max(lookup.swept for lookup in lookups) < SWEEP_REGION_SECONDS:
        return None
    overdue = []
    for at, lookup in enumerate(lookups):
        every = SWEEP_PLANNED_SECONDS if at else SWEEP_POLLED_SECONDS
        waited = now - lookup.swept
        if lookup.asked and waited >= every:
            overdue.append((waited / every, -at, lookup, waited))
    for _, _, lookup, waited in sorted(overdue, reverse=True, key=lambda one: one[:2]):
        window = _piece(lookup, limits, now, waited)
        if window.seconds > 0:
            return lookup, window
    return None


def _piece(lookup: Lookup, limits: Limits, now: int, waited: int) -> Interval:
    start, end = max(now - limits.sweep, lookup.since), now - limits.overlap
    cursor = lookup.sweep_cursor if start <= lookup.sweep_cursor < end else start
    density = lookup.events_per_second
    a_page = int(PAGE_SIZE * ROOM / density) if density else limits.sweep
    length = min(max(waited, a_page), max(a_page, SWEEP_LONGEST_SECONDS))
    if lookup.slice_seconds:
        length = min(length, lookup.slice_seconds)
    return Interval(cursor, min(cursor + length, end))
