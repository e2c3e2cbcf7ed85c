"""What could not be read, and which rules raised: kept, counted, bounded."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

import msgspec

from trailwatch.model.match import Reject, RuleFailure
from trailwatch.store.database import Database
from trailwatch.store.text import RECORD_KEPT, storable, storable_id

BODIES_KEPT = 256 * 1024 * 1024
"""Bytes of rejected bodies that are kept at most; the oldest leave first."""
FAILURES_KEPT = 10_000


class StoredReject(msgspec.Struct, frozen=True):
    """A reject as the store has it."""

    id: int
    reject: Reject
    """As it came first."""
    first: int
    """When it came first, in seconds since 1970."""
    last: int
    times: int
    """How often the same body was delivered."""


class StoredFailure(msgspec.Struct, frozen=True):
    failure: RuleFailure
    first: int
    last: int
    times: int


class Rejects:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, rejects: Iterable[Reject], now: int) -> None:
        """Keeps each body once and counts how often it came."""
        self._db.executemany(
            """
            INSERT INTO rejects (digest, origin, position, reason, body, first, last, times)
            VALUES (?, ?, ?, ?, ?, ?, ?, 1)
            ON CONFLICT (digest) DO UPDATE SET last = excluded.last, times = times + 1
            """,
            [
                (
                    hashlib.sha256(reject.body).digest(),
                    storable(reject.origin),
                    reject.position,
                    storable(reject.reason),
                    reject.body[:RECORD_KEPT],
                    now,
                    now,
                )
                for reject in rejects
            ],
        )

    def recent(self, limit: int = 100) -> list[StoredReject]:
        """Those that came last, newest first."""
        rows = self._db.all("SELECT * FROM rejects ORDER BY last DESC, id DESC LIMIT ?", (limit,))
        return [_reject(row) for row in rows]

    def find(self, reject_id: int) -> StoredReject | None:
        row = self._db.one("SELECT * FROM rejects WHERE id = ?", (reject_id,))
        return None if row is None else _reject(row)

    def count(self) -> int:
        row = self._db.one("SELECT count(*) FROM rejects")
        return row[0] if row else 0

    def add_failures(self, failures: Iterable[RuleFailure], now: int) -> None:
        """Keeps each (rule, event) once and counts how often it failed."""
        self._db.executemany(
            """
            INSERT INTO rule_failures (rule_id, event_id, origin, error, first, last, times)
            VALUES (?, ?, ?, ?, ?, ?, 1)
            ON CONFLICT (rule_id, event_id) DO UPDATE
            SET last = excluded.last, times = times + 1, error = excluded.error
            """,
            [
                (storable(f.rule_id), storable_id(f.event_id), storable(f.origin), storable(f.error), now, now)
                for f in failures
            ],
        )

    def recent_failures(self, limit: int = 100) -> list[StoredFailure]:
        """Rules that raised, the last first."""
        rows = self._db.all("SELECT * FROM rule_failures ORDER BY last DESC, id DESC LIMIT ?", (limit,))
        return [
            StoredFailure(
                RuleFailure(row["rule_id"], row["event_id"], row["origin"], row["error"]),
                row["first"],
                row["last"],
                row["times"],
            )
            for row in rows
        ]

    def prune(self, before: int) -> int:
        """Forgets what did not come again since `before`, and the oldest beyond the bounds; how many."""
        with self._db.transaction():
            gone = self._db.execute("DELETE FROM rejects WHERE last < ?", (before,)).rowcount
            gone += self._db.execute(
                """
                DELETE FROM rejects WHERE id IN (
                    SELECT id FROM (
                        SELECT id, sum(length(body)) OVER (ORDER BY last DESC, id DESC) AS bytes FROM rejects
                    ) WHERE bytes > ?
                )
                """,
                (BODIES_KEPT,),
            ).rowcount
            gone += self._db.execute("DELETE FROM rule_failures WHERE last < ?", (before,)).rowcount
            gone += self._db.execute(
                """
                DELETE FROM rule_failures
                WHERE id NOT IN (SELECT id FROM rule_failures ORDER BY last DESC, id DESC LIMIT ?)
                """,
                (FAILURES_KEPT,),
            ).rowcount
        return gone


def _reject(row: sqlite3.Row) -> StoredReject:
    return StoredReject(
        row["id"],
        Reject(row["origin"], row["position"], row["reason"], row["body"]),
        row["first"],
        row["last"],
        row["times"],
    )
