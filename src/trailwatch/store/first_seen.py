"""What was seen when and where, from one run to the next: the memory of rules that speak of what is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from trailwatch.model.sighting import DAY, EVERYTHING, Remembered, Sightings
from trailwatch.model.signal import Brief, Stay
from trailwatch.store.database import Database
from trailwatch.store.text import storable, storable_id

ROWS_KEPT = 200_000
"""Combinations of one rule in one account; the ones that were not seen for longest leave first."""
PRUNED_AT_ONCE = 50_000
TURNS = 61
"""In each minute the combinations of so many-th a memory are counted, since to count reads them; a prime, so that
cycles at any pace of minutes come to all of them."""
_ASKED_AT_ONCE = 500


class FirstSeen:
    """The tables `memory`, `sighting`, `learned` and `stay`.

    It is `trailwatch.ports.SightingState` and `trailwatch.ports.JourneyState`.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._codes: dict[tuple[str, str], int] = {}
        self._since: dict[tuple[str, str], int] = {}

    def sightings(self, numbers: Iterable[int]) -> dict[int, Sightings]:
        """The days of these combinations, as far as they are known."""
        found: dict[int, Sightings] = {}
        wanted = list(numbers)
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            piece = wanted[start : start + _ASKED_AT_ONCE]
            rows = self._db.all(
                f"SELECT number, first, last, days FROM sighting WHERE number IN ({', '.join('?' * len(piece))})",  # noqa: S608 only question marks are put in
                piece,
            )
            found |= {number: Sightings(first, last, days) for number, first, last, days in rows}
        return found

    def see(self, changed: Mapping[int, Remembered]) -> None:
        """Keeps the days of these combinations in place of what was kept of them."""
        if not changed:
            return
        with self._db.transaction():
            rows = [
                (
                    number,
                    self._code(one),
                    one.seen.first,
                    one.seen.last,
                    one.seen.days,
                    _json(one),
                )
                for number, one in sorted(changed.items())
            ]
            self._db.executemany(
                'INSERT INTO sighting (number, memory, first, last, days, "values") VALUES (?, ?, ?, ?, ?, ?)'
                " ON CONFLICT DO UPDATE SET first = excluded.first, last = excluded.last, days = excluded.days",
                rows,
            )

    def learn(self, account: str, since: int, lookup: str = EVERYTHING) -> None:
        """What a look-up shows of the account is known from this time on, or from an earlier one told before."""
        key = storable(account), storable_id(lookup)
        if since >= self._since.get(key, since + 1):
            return
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO learned (account, lookup, since) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET since = min(since, excluded.since)",
                (*key, since),
            )
        self._since[key] = since

    def learned(self) -> dict[tuple[str, str], int]:
        """For each account and look-up, the time from which on what it shows is known."""
        rows = self._db.all("SELECT account, lookup, since FROM learned")
        return {(row["account"], row["lookup"]): row["since"] for row in rows}

    def stay(self, stays: Sequence[Stay]) -> None:
        """Keeps these; of two at one time and place one."""
        if not stays:
            return
        with self._db.transaction():
            for one in stays:
                self._db.execute(
                    "INSERT OR IGNORE INTO stay (number, time, latitude, longitude, content) VALUES (?, ?, ?, ?, ?)",
                    (one.number, one.time, one.latitude, one.longitude, _ENCODE((one.brief, one.record))),
                )

    def stays(self, number: int, after: int, before: int) -> list[Stay]:
        """Where somebody was between these times, by time."""
        rows = self._db.all(
            "SELECT time, latitude, longitude, content FROM stay WHERE number = ? AND time > ? AND time < ?"
            " ORDER BY time, latitude, longitude",
            (number, after, before),
        )
        return [Stay(number, time, north, east, *_DECODE(content)) for time, north, east, content in rows]

    def everything(self) -> Iterator[Remembered]:
        """All combinations, by rule, account and values; read as they are asked for."""
        rows = self._db.execute(
            'SELECT rule_id, account, first, last, days, "values", lasting FROM sighting'
            ' JOIN memory ON memory.code = sighting.memory ORDER BY rule_id, account, "values"'
        )
        for rule_id, account, first, last, days, values, lasting in rows:
            seen = Sightings(first, last, days)
            yield Remembered(rule_id, account, tuple(msgspec.json.decode(values)), seen, bool(lasting))

    def counts(self) -> list[tuple[str, str, int, int]]:
        """Rule, account, number of combinations and the last day on which one was seen."""
        rows = self._db.all(
            "SELECT rule_id, account, count(*) AS number, max(last) AS latest FROM sighting"
            " JOIN memory ON memory.code = sighting.memory GROUP BY memory ORDER BY rule_id, account"
        )
        return [(row["rule_id"], row["account"], row["number"], row["latest"]) for row in rows]

    def prune(self, before: int, long_ago: int, limit: int = PRUNED_AT_ONCE, most: int = ROWS_KEPT) -> int:
        """Forgets what no rule can ask for any more; how many rows left, at most about `limit`.

        Args:
            before: what was not seen since is forgotten, in seconds since 1970.
            long_ago: the same for what still matters when it was not seen for long.
            limit: the most rows of each kind.
            most: so many combinations of one memory are kept in the long run.
        """
        gone, turn = 0, before // 60 % TURNS
        with self._db.transaction():
            for row in self._db.all("SELECT code, lasting FROM memory ORDER BY code"):
                day = (long_ago if row["lasting"] else before) // DAY
                gone += self._drop(row["code"], "last < ?", (day,), limit - gone)
                over = self._count(row["code"]) - most if row["code"] % TURNS == turn else 0
                if over > 0:
                    gone += self._drop(row["code"], "1", (), min(over, limit))
        return gone

    def prune_stays(self, before: int) -> int:
        """Forgets where somebody was before this time; how many rows left."""
        with self._db.transaction():
            return self._db.execute("DELETE FROM stay WHERE time < ?", (before,)).rowcount

    def _drop(self, code: int, which: str, values: Sequence[int], most: int) -> int:
        if most <= 0:
            return 0
        return self._db.execute(
            f"DELETE FROM sighting WHERE number IN (SELECT number FROM sighting WHERE memory = ? AND {which}"  # noqa: S608 a condition of this module
            " ORDER BY last LIMIT ?)",
            (code, *values, most),
        ).rowcount

    def _count(self, code: int) -> int:
        row = self._db.one("SELECT count(*) FROM sighting WHERE memory = ?", (code,))
        return int(row[0]) if row else 0

    def _code(self, one: Remembered) -> int:
        key = (storable_id(one.rule_id), storable(one.account))
        if key not in self._codes:
            self._db.execute(
                "INSERT INTO memory (rule_id, account, lasting) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET lasting = excluded.lasting",
                (*key, int(one.lasting)),
            )
            row = self._db.one("SELECT code FROM memory WHERE rule_id = ? AND account = ?", key)
            self._codes[key] = int(row["code"]) if row else 0
        return self._codes[key]


def _json(one: Remembered) -> str:
    return msgspec.json.encode([storable(value) for value in one.values]).decode()


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(tuple[Brief, bytes]).decode
