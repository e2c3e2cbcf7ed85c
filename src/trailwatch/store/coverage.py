"""Coverage kept in the store: what was fully read, and what is known about each look-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.ports import CoverageGain
from trailwatch.store.database import Database


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
    covered: IntervalSet = msgspec.field(default_factory=IntervalSet)

    @property
    def end(self) -> int:
        """The end of what was read last; `since` when nothing was."""
        return max((interval.end for interval in self.covered), default=self.since)

    def gaps(self, oldest: int) -> IntervalSet:
        """What is missing between the first run (or `oldest`, if later) and the end of what was read last."""
        return self.covered.missing(Interval(max(self.since, oldest), self.end))


class RoleSession(msgspec.Struct, frozen=True):
    """A role session that matched a rule."""

    account: str
    region: str
    access_key: str
    matched: int
    """Time of the newest event of it that matched."""
    asked: int = 0


class Coverage:
    """The tables `coverage`, `lookup` and `role_session`."""

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

    def begin(self, keys: Iterable[LookupKey], since: int) -> None:
        """Starts to watch `keys` at `since`; those that are watched already stay as they are."""
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO lookup (account, region, lookup, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(*_row(key), since) for key in keys],
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
            "SELECT account, region, lookup, since, asked, events_per_second, sweep_cursor, swept FROM lookup"
        ):
            key = LookupKey(row["account"], row["region"], row["lookup"])
            found[key] = Lookup(
                key=key,
                since=row["since"],
                asked=row["asked"],
                events_per_second=row["events_per_second"],
                sweep_cursor=row["sweep_cursor"],
                swept=row["swept"],
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

    def swept(self, key: LookupKey, *, cursor: int, now: int) -> None:
        """Keeps where the next piece of the sweep begins."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE lookup SET sweep_cursor = ?, swept = ? WHERE account = ? AND region = ? AND lookup = ?",
                (cursor, now, *_row(key)),
            )

    def prune(self, before: int) -> None:
        """Forgets coverage and role sessions older than `before`."""
        with self._database.transaction():
            self._database.execute("DELETE FROM coverage WHERE end_time <= ?", (before,))
            self._database.execute("DELETE FROM role_session WHERE matched <= ?", (before,))

    def add_session(self, session: RoleSession) -> None:
        """Asks for a look-up by this session's access key.

        A session that is known is asked for once more only when it matched later than it was asked.
        """
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO role_session (account, region, access_key, matched) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET matched = max(matched, excluded.matched)",
                (session.account, session.region, session.access_key, session.matched),
            )

    def sessions(self) -> list[RoleSession]:
        """Role sessions that matched since they were last looked up, newest match first."""
        return [
            RoleSession(row["account"], row["region"], row["access_key"], row["matched"], row["asked"])
            for row in self._database.all(
                "SELECT account, region, access_key, matched, asked FROM role_session WHERE asked < matched"
                " ORDER BY matched DESC, access_key"
            )
        ]

    def session_asked(self, account: str, region: str, access_key: str, now: int) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE role_session SET asked = ? WHERE account = ? AND region = ? AND access_key = ?",
                (now, account, region, access_key),
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
