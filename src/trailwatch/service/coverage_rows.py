"""What was read, row by row: each account, region and look-up with its state, for `coverage` and the digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from trailwatch.sources.guardduty import LOOKUP
from trailwatch.store.coverage import Lookup
from trailwatch.store.finding_sources import FindingSource
from trailwatch.store.regions import Trouble
from trailwatch.store.store import Store

POLLED = ("ReadOnly=false", "*")
READ, LATE, FAILED, NEVER = "read", "late", "failed", "never"
LEFT_OUT = "left out"
GOOD = (READ, "off", "absent", LEFT_OUT)
"""States about which nothing has to be done."""


class CoverageRow(msgspec.Struct, frozen=True):
    """How far one look-up is. Times are seconds since 1970, spans seconds."""

    account: str
    region: str
    lookup: str
    state: str
    """`read`, `late`, `failed`, `never`, or `left out` where it is no longer asked; of GuardDuty also `off`,
    `absent` or `suspended`."""
    read_until: int | None
    """The end of what was read last; None for never."""
    lag_seconds: int | None
    """Age of the oldest moment that was not read."""
    gaps: int
    gap_seconds: int
    since: int
    """What lies before is history from before the first run."""
    why: str = ""
    """Why it failed."""

    @property
    def polled(self) -> bool:
        """Whether it is asked in every cycle, rather than by turns."""
        return self.lookup in (*POLLED, LOOKUP)


def coverage_rows(
    store: Store,
    *,
    now: int,
    late: int,
    history: int,
    asked: Callable[[str, str], bool] = lambda _account, _region: True,
) -> list[CoverageRow]:
    """Every look-up that was ever begun, by account, region and look-up; those of every cycle first.

    Args:
        store: what is known.
        now: seconds since 1970.
        late: what was not read for so long is late.
        history: how far back a gap still counts.
        asked: whether an account and region is still read.
    """
    troubles = {(one.account, one.region): one for one in store.regions.troubles()}
    findings = {(one.account, one.region): one for one in store.finding_sources.all()}
    rows = [
        _row(one, troubles, findings, now=now, late=late, oldest=now - history)
        for one in store.coverage.lookups().values()
    ]
    rows = [one if asked(one.account, one.region) else msgspec.structs.replace(one, state=LEFT_OUT) for one in rows]
    rows += _nowhere(troubles.values(), {(one.account, one.region) for one in rows})
    return sorted(rows, key=lambda one: (one.account, one.region, not one.polled, one.lookup == LOOKUP, one.lookup))


def by_turns(rows: Iterable[CoverageRow]) -> list[CoverageRow]:
    """The rows with those that are asked by turns as one for each region, the one that is furthest behind."""
    found: list[CoverageRow] = []
    turns: dict[tuple[str, str], list[CoverageRow]] = {}
    for one in rows:
        if one.polled:
            found.append(one)
        else:
            turns.setdefault((one.account, one.region), []).append(one)
    for several in turns.values():
        read = [one for one in several if one.lag_seconds is not None]
        worst = max(read, key=lambda one: one.lag_seconds or 0, default=several[0])
        unread = len(several) - len(read)
        merged = msgspec.structs.replace(
            worst,
            lookup=f"{len(several)} names by turns",
            why=worst.why or (f"{unread} of them never" if unread else f"last {worst.lookup.partition('=')[2]}"),
            gaps=sum(one.gaps for one in several),
            gap_seconds=sum(one.gap_seconds for one in several),
        )
        found.append(merged)
    return sorted(found, key=lambda one: (one.account, one.region))


def _row(
    lookup: Lookup,
    troubles: Mapping[tuple[str, str], Trouble],
    findings: Mapping[tuple[str, str], FindingSource],
    *,
    now: int,
    late: int,
    oldest: int,
) -> CoverageRow:
    key, gaps = lookup.key, lookup.gaps(oldest)
    place = key.account, key.region
    ever = bool(lookup.asked or len(lookup.covered))
    lag = max(0, now - next((gap.start for gap in gaps), lookup.end)) if ever else None
    state, why = _state(lag, late), ""
    if key.lookup == LOOKUP:
        source = findings.get(place)
        if source is not None and source.state != "on":
            state, why = source.state, source.detail
    elif (trouble := troubles.get(place) or troubles.get((key.account, "*"))) is not None:
        state, why = FAILED, trouble.what
    return CoverageRow(
        account=key.account,
        region=key.region,
        lookup=key.lookup,
        state=state,
        read_until=lookup.end if ever else None,
        lag_seconds=lag,
        gaps=len(gaps),
        gap_seconds=gaps.seconds,
        since=lookup.since,
        why=why,
    )


def _state(lag: int | None, late: int) -> str:
    if lag is None:
        return NEVER
    return LATE if late and lag > late else READ


def _nowhere(troubles: Iterable[Trouble], known: set[tuple[str, str]]) -> Iterator[CoverageRow]:
    """Accounts and regions that failed from the beginning, so that no look-up was ever begun there."""
    for one in troubles:
        region, _, lookup = one.region.partition("/")
        if (one.account, region) not in known:
            yield CoverageRow(one.account, region, lookup or "*", FAILED, None, None, 0, 0, one.since, one.what)
