"""Signals at rest: what correlations count, kept as long as something that arrives late may still need it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from trailwatch.model.coverage import Interval
from trailwatch.model.signal import Arrival, Feed, Kept, Touched
from trailwatch.store.database import Database
from trailwatch.store.text import storable, storable_id

UNKNOWN = ""
"""The rule of a signal that no running correlation reads any more."""
PRUNED_AT_ONCE = 50_000
"""So many rows at most leave in one cycle, so that no cycle is slowed."""

_TOUCHED = """
    INSERT INTO temp.touched SELECT correlation, slot, grp, min(time), max(time) FROM signal NOT INDEXED
    WHERE seq > ? GROUP BY correlation, slot, grp
"""
"""By row number: SQLite would rather read the whole index, because that is in the order of the groups."""
_FRESH = """
    WITH beside (step) AS (VALUES (0), (-1), (1))
    SELECT touched.grp, low, high, count(*) AS number, min(base) < max(base) AS mixed
    FROM temp.touched CROSS JOIN beside CROSS JOIN signal
    WHERE touched.correlation = :code
        AND (step = 0 OR (step = -1 AND low - :span < touched.slot * :slot)
                      OR (step = 1 AND high + :span > (touched.slot + 1) * :slot))
        AND signal.correlation = :code AND signal.slot = touched.slot + step AND signal.grp = touched.grp
        AND signal.time > low - :span AND signal.time < high + :span
    GROUP BY touched.slot, touched.grp
    HAVING number >= :needed AND mixed >= :several
"""


class Signals:
    """The tables `signal`, `signal_due`, `correlation` and `signal_base`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._feeds: dict[str, Feed] = {}
        self._codes: dict[str, int] = {}
        self._bases: dict[str, int] = {}
        self._base_ids: dict[int, str] = {}
        self._complete_from: dict[str, int] = {}
        """By correlation, the time before which a signal comes too late to count in full."""

    def begin(self, feeds: Sequence[Feed]) -> None:
        """Makes room for these correlations, before anything else."""
        names = {base: storable_id(base) for feed in feeds for base in feed.bases}
        known, codes = self._known()
        if any(_key(feed) not in known or known[_key(feed)]["keep"] < feed.keep for feed in feeds) or any(
            name not in codes for name in names.values()
        ):
            self._introduce(feeds, sorted(names.values()))
            known, codes = self._known()
        self._bases = {base: codes[name] for base, name in names.items()}
        self._base_ids = {code: base for base, code in self._bases.items()}
        self._feeds = {feed.rule_id: feed for feed in feeds}
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS touched (correlation, slot, grp, low, high,"
            " PRIMARY KEY (correlation, slot, grp)) WITHOUT ROWID"
        )
        for feed in feeds:
            row = known[_key(feed)]
            self._codes[feed.rule_id] = row["code"]
            judged = row["judged"] - feed.settles if feed.settles else 0
            self._complete_from[feed.rule_id] = max(row["pruned_before"], judged)

    def _known(self) -> tuple[dict[tuple[str, int], sqlite3.Row], dict[str, int]]:
        rows = self._db.all("SELECT * FROM correlation")
        bases = self._db.all("SELECT code, rule_id FROM signal_base")
        return {(row["rule_id"], row["slot"]): row for row in rows}, {row["rule_id"]: row["code"] for row in bases}

    def _introduce(self, feeds: Sequence[Feed], bases: Sequence[str]) -> None:
        with self._db.transaction():
            self._db.executemany(
                "INSERT INTO correlation (rule_id, slot, keep) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET keep = max(keep, excluded.keep)",
                [(*_key(feed), feed.keep) for feed in feeds],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO signal_base (rule_id) VALUES (?)", [(name,) for name in bases]
            )

    def add(self, signals: Sequence[Kept]) -> Arrival:
        """Keeps what is new."""
        if not signals:
            return Arrival(0, 0, ())
        rows, late = [], 0
        codes, bases, complete = self._codes, self._bases, self._complete_from
        slots = {rule_id: feed.slot for rule_id, feed in self._feeds.items()}
        for one in signals:
            rule_id, time = one.rule_id, one.time
            late += time < complete[rule_id]
            value = storable(one.value) if one.value else ""
            slot, base = time // slots[rule_id], bases[one.base_id]
            rows.append((codes[rule_id], slot, one.group, time, one.id, base, value, one.content))
        rows.sort()
        with self._db.transaction():
            before = self._last()
            self._db.executemany(
                "INSERT OR IGNORE INTO signal (correlation, slot, grp, time, id, base, value, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            touched = tuple(sorted({one.rule_id for one in signals}))
            for rule_id in touched:
                if settles := self._feeds[rule_id].settles:
                    self._db.execute(
                        "INSERT OR IGNORE INTO signal_due SELECT time + ?, correlation, grp, time FROM signal"
                        " WHERE seq > ? AND correlation = ?",
                        (settles, before, codes[rule_id]),
                    )
        return Arrival(late, before, touched)

    def remove(self, signals: Sequence[Kept]) -> None:
        """Forgets these, as far as they are kept."""
        rows = [
            (
                *(self._codes[one.rule_id], one.time // self._feeds[one.rule_id].slot, one.group, one.time, one.id),
                *(self._bases[one.base_id], storable(one.value)),
            )
            for one in signals
        ]
        with self._db.transaction():
            self._db.executemany(
                "DELETE FROM signal WHERE correlation = ? AND slot = ? AND grp = ? AND time = ? AND id = ?"
                " AND base = ? AND value = ?",
                rows,
            )

    def fresh(self, arrival: Arrival) -> list[Touched]:
        """Groups that gained signals then and have enough to hold."""
        found: list[Touched] = []
        if all(self._feeds[rule_id].settles for rule_id in arrival.rule_ids):
            return found
        self._db.execute("DELETE FROM temp.touched")
        self._db.execute(_TOUCHED, (arrival.mark,))
        for rule_id in arrival.rule_ids:
            feed = self._feeds[rule_id]
            if feed.settles:
                continue
            values = {
                "code": self._codes[rule_id],
                "span": feed.span,
                "slot": feed.slot,
                "needed": feed.needed,
                "several": int(feed.several),
            }
            rows = self._db.execute(_FRESH, values)
            found += [Touched(rule_id, row["grp"], row["low"], row["high"], row["number"]) for row in rows]
        return found

    def everything(self) -> list[Touched]:
        """Groups that have enough to hold, in pieces of time."""
        return self.fresh(Arrival(0, 0, tuple(self._feeds)))

    def points(self, rule_id: str, group: int, after: int, before: int) -> list[tuple[int, str, str, int]]:
        """Time, rule, value and number of the signals of a group with `after` < time < `before`."""
        slot, code, bases = self._feeds[rule_id].slot, self._codes[rule_id], self._base_ids
        rows = self._db.all(
            f"""
            SELECT time, base, value, count(*) FROM signal
            WHERE correlation = ? AND slot IN ({_slots(after + 1, before - 1, slot)}) AND grp = ?
                AND time > ? AND time < ?
            GROUP BY time, base, value
            """,  # noqa: S608 only whole numbers are put in
            (code, group, after, before),
        )
        return [(time, bases.get(base, UNKNOWN), value, number) for time, base, value, number in rows]

    def members(self, rule_id: str, group: int, within: Iterable[Interval]) -> list[Kept]:
        """The signals of a group that lie in these stretches, by time."""
        slot, code, bases = self._feeds[rule_id].slot, self._codes[rule_id], self._base_ids
        found = []
        for stretch in within:
            rows = self._db.all(
                f"""
                SELECT time, id, base, value, content FROM signal
                WHERE correlation = ? AND slot IN ({_slots(stretch.start, stretch.end - 1, slot)}) AND grp = ?
                    AND time >= ? AND time < ? ORDER BY time, id, base, value
                """,  # noqa: S608 only whole numbers are put in
                (code, group, stretch.start, stretch.end),
            )
            found += [
                Kept(rule_id, group, time, ident, bases.get(base, UNKNOWN), value, content)
                for time, ident, base, value, content in rows
            ]
        return found

    def due(self, watermark: int, limit: int) -> list[Touched]:
        """Moments that could not be judged at once and now can, oldest first, of the correlations that run."""
        names = {code: rule_id for rule_id, code in self._codes.items() if self._feeds[rule_id].settles}
        marks = ", ".join(str(code) for code in names)
        rows = self._db.all(
            f"SELECT due, correlation, grp, time FROM signal_due WHERE due <= ? AND correlation IN ({marks})"  # noqa: S608 only whole numbers are put in
            " ORDER BY due, correlation, grp, time LIMIT ?",
            (watermark, limit),
        )
        if len(rows) == limit and rows[0]["due"] < rows[-1]["due"]:
            # what is due at one time stays together: a correlation is judged after those that it reads
            rows = [row for row in rows if row["due"] < rows[-1]["due"]]
        return [Touched(names[row["correlation"]], row["grp"], row["time"], row["time"]) for row in rows]

    def judged(self, watermark: int, moments: Sequence[Touched]) -> None:
        """These moments need no more judging."""
        with self._db.transaction():
            self._db.executemany(
                "DELETE FROM signal_due WHERE due = ? AND correlation = ? AND grp = ? AND time = ?",
                [
                    (one.low + self._feeds[one.rule_id].settles, self._codes[one.rule_id], one.group, one.low)
                    for one in moments
                ],
            )
            for rule_id, feed in self._feeds.items():
                if feed.settles and self._complete_from[rule_id] < watermark - feed.settles:
                    self._complete_from[rule_id] = watermark - feed.settles
                    self._db.execute(
                        "UPDATE correlation SET judged = max(judged, ?) WHERE code = ?",
                        (watermark, self._codes[rule_id]),
                    )

    def count(self) -> int:
        """How many signals are kept."""
        row = self._db.one("SELECT count(*) FROM signal")
        return row[0] if row else 0

    def prune(self, before: int, limit: int = PRUNED_AT_ONCE) -> int:
        """Forgets what nothing can need any more that may still arrive; how many rows left, at most `limit`.

        Args:
            before: the time of the oldest event that may still arrive.
            limit: the most rows.
        """
        gone = 0
        with self._db.transaction():
            for row in self._db.all("SELECT code, rule_id, slot, keep FROM correlation ORDER BY code"):
                slot = (before - row["keep"]) // row["slot"]
                if slot <= 0 or gone >= limit:
                    continue
                gone += self._db.execute(
                    "DELETE FROM signal WHERE seq IN (SELECT seq FROM signal WHERE correlation = ? AND slot < ?"
                    " ORDER BY slot LIMIT ?)",
                    (row["code"], slot, limit - gone),
                ).rowcount
                self._forget(row["code"], row["rule_id"], slot * row["slot"])
        return gone

    def _forget(self, code: int, rule_id: str, before: int) -> None:
        self._db.execute("DELETE FROM signal_due WHERE correlation = ? AND time < ?", (code, before))
        self._db.execute(
            "UPDATE correlation SET pruned_before = max(pruned_before, ?) WHERE code = ?", (before, code)
        )
        if self._codes.get(rule_id) == code:
            self._complete_from[rule_id] = max(self._complete_from[rule_id], before)

    def _last(self) -> int:
        row = self._db.one("SELECT max(seq) FROM signal")
        return (row[0] or 0) if row else 0


def _key(feed: Feed) -> tuple[str, int]:
    return storable_id(feed.rule_id), feed.slot


def _slots(first: int, last: int, slot: int) -> str:
    return ", ".join(map(str, _numbers(first // slot, last // slot)))


def _numbers(first: int, last: int) -> Iterator[int]:
    yield from range(first, max(first, last) + 1)
