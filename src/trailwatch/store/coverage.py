"""Coverage kept in the store: what was fully read, and what is known about each look-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.ports import CoverageGain
from trailwatch.store.database import Database

NONE = IntervalSet()


class Lookup(msgspec.Struct, frozen=True):
    """One look-up that is asked again and again, and how it went so far. Times are seconds since 1970."""

    key: LookupKey
    since: int
    """What lies before is history from before the first run, and no gap."""
    asked: int = 0
    """When its newest window was last read in full; 0 for never."""
    events_per_second: float | None = None
    """Measured over its newest windows; None until then."""
    sweep_cursor: int = 0
    """Where the next piece of the sweep begins."""
    swept: int = 0
    """When the sweep last took a piece."""
    slice_seconds: int = 0
    """How long the next slice may be, as the one before taught; 0 for as long as it likes."""
    covered: IntervalSet = msgspec.field(default_factory=IntervalSet)

    @property
    def end(self) -> int:
        """The end of what was read last; `since` when nothing was."""
        return max((interval.end for interval in self.covered), default=self.since)

    def gaps(self, oldest: int) -> IntervalSet:
        """What is missing between the first run (or `oldest`, if later) and the end of what was read last."""
        window = Interval(max(self.since, oldest), self.end)
        first = next(iter(self.covered), None)
        if first is None or (len(self.covered) == 1 and first.start <= window.start):
            # nearly every look-up in nearly every cycle
            return NONE
        return self.covered.missing(window)


class SessionLookup(msgspec.Struct, frozen=True):
    """A look-up about a role session that matched a rule. Times are seconds since 1970."""

    key: LookupKey
    matched: int
    """Time of the newest event of the session that matched."""


class Coverage:
    """The tables `coverage`, `lookup` and `session_lookup`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, gains: Iterable[CoverageGain]) -> None:
        """Keeps what became covered, merged with what touches it."""
        with self._database.transaction():
            for gain in gains:
                if gain.interval.seconds > 0:
                    self._merge(gain.key, gain.interval)

    def remove(self, key: LookupKey, interval: Interval) -> None:
        """Forgets that `interval` was read, so that it is a gap again."""
        with self._database.transaction():
            kept = self._touching(key, interval)
            self._delete(key, kept)
            left = [piece for one in kept for piece in IntervalSet([interval]).missing(one)]
            self._insert(key, left)

    def intervals(self, key: LookupKey) -> IntervalSet:
        rows = self._database.all(
            "SELECT start_time, end_time FROM coverage WHERE account = ? AND region = ? AND lookup = ?", _row(key)
        )
        return IntervalSet(Interval(start, end) for start, end in rows)

    def begin(self, keys: Iterable[LookupKey], since: int, now: int) -> None:
        """Starts to watch `keys` at `since`, and to sweep them from `now` on; what is watched already stays."""
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO lookup (account, region, lookup, since, swept) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(*_row(key), since, now) for key in keys],
            )

    def reach_back(self, keys: Iterable[LookupKey], since: int) -> None:
        """Makes what lies between `since` and the first run a gap too."""
        with self._database.transaction():
            self._database.executemany(
                "UPDATE lookup SET since = min(since, ?) WHERE account = ? AND region = ? AND lookup = ?",
                [(since, *_row(key)) for key in keys],
            )

    def lookups(self) -> dict[LookupKey, Lookup]:
        """Every look-up that was ever begun, with its coverage."""
        covered: dict[LookupKey, list[Interval]] = {}
        for account, region, lookup, start, end in self._database.all(
            "SELECT account, region, lookup, start_time, end_time FROM coverage"
        ):
            covered.setdefault(LookupKey(account, region, lookup), []).append(Interval(start, end))
        found = {}
        for row in self._database.all(
            "SELECT account, region, lookup, since, asked, events_per_second, sweep_cursor, swept, slice_seconds"
            " FROM lookup"
        ):
            key = LookupKey(row["account"], row["region"], row["lookup"])
            found[key] = Lookup(
                key=key,
                since=row["since"],
                asked=row["asked"],
                events_per_second=row["events_per_second"],
                sweep_cursor=row["sweep_cursor"],
                swept=row["swept"],
                slice_seconds=row["slice_seconds"],
                covered=IntervalSet(covered.get(key, ())),
            )
        return found

    def measured(self, key: LookupKey, *, asked: int, events_per_second: float | None) -> None:
        """Keeps when the newest window was read, and how dense it was where that could be said."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE lookup SET asked = max(asked, ?), events_per_second = coalesce(?, events_per_second)"
                " WHERE account = ? AND region = ? AND lookup = ?",
                (asked, events_per_second, *_row(key)),
            )

    def sliced(self, key: LookupKey, longest: int) -> None:
        """Keeps how many seconds the next slice may have.

        Without it each cycle would try the same lengths in vain where a dense spot lies at the start of a gap.
        """
        with self._database.transaction():
            self._database.execute(
                "UPDATE lookup SET slice_seconds = ? WHERE account = ? AND region = ? AND lookup = ?",
                (longest, *_row(key)),
            )

    def swept(self, key: LookupKey, *, cursor: int, now: int) -> None:
        """Keeps where the next piece of the sweep begins."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE lookup SET sweep_cursor = ?, swept = ? WHERE account = ? AND region = ? AND lookup = ?",
                (cursor, now, *_row(key)),
            )

    def prune(self, before: int) -> None:
        """Forgets coverage and look-ups of sessions older than `before`."""
        with self._database.transaction():
            self._database.execute("DELETE FROM coverage WHERE end_time <= ?", (before,))
            self._database.execute("DELETE FROM session_lookup WHERE matched <= ?", (before,))

    def add_session(self, account: str, region: str, access_key: str, matched: int) -> None:
        """Asks for a look-up of what this role session did, and for one of who began it.

        What it did is asked for once more when it matched again after it was asked.
        """
        row = (account, region, f"AccessKeyId={access_key}", matched)
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO session_lookup (account, region, lookup, matched) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET matched = max(matched, excluded.matched)",
                row,
            )
            # the call that began a session gave its key away, so the key is a resource of that call
            self._database.execute(
                "INSERT INTO session_lookup (account, region, lookup, matched) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (account, region, f"ResourceName={access_key}", matched),
            )

    def sessions(self) -> list[SessionLookup]:
        """Look-ups about role sessions that matched since they were last asked, newest match first."""
        return [
            SessionLookup(LookupKey(row["account"], row["region"], row["lookup"]), row["matched"])
            for row in self._database.all(
                "SELECT account, region, lookup, matched FROM session_lookup WHERE asked < matched"
                " ORDER BY matched DESC, lookup"
            )
        ]

    def session_asked(self, key: LookupKey, now: int) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE session_lookup SET asked = ? WHERE account = ? AND region = ? AND lookup = ?",
                (now, *_row(key)),
            )

    def _merge(self, key: LookupKey, interval: Interval) -> None:
        touching = self._touching(key, interval)
        if any(one.start <= interval.start and interval.end <= one.end for one in touching):
            return
        self._delete(key, touching)
        self._insert(key, IntervalSet([interval, *touching]))

    def _touching(self, key: LookupKey, interval: Interval) -> list[Interval]:
        rows = self._database.all(
            "SELECT start_time, end_time FROM coverage WHERE account = ? AND region = ? AND lookup = ?"
            " AND start_time <= ? AND end_time >= ?",
            (*_row(key), interval.end, interval.start),
        )
        return [Interval(start, end) for start, end in rows]

    def _delete(self, key: LookupKey, intervals: Sequence[Interval]) -> None:
        self._database.executemany(
            "DELETE FROM coverage WHERE account = ? AND region = ? AND lookup = ? AND start_time = ?",
            [(*_row(key), interval.start) for interval in intervals],
        )

    def _insert(self, key: LookupKey, intervals: Iterable[Interval]) -> None:
        self._database.executemany(
            "INSERT INTO coverage (account, region, lookup, start_time, end_time) VALUES (?, ?, ?, ?, ?)",
            [(*_row(key), interval.start, interval.end) for interval in intervals],
        )


def _row(key: LookupKey) -> tuple[str, str, str]:
    return key.account, key.region, key.lookup
