"""Which events were read before: polled windows overlap, and the same event answers several look-ups."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trailwatch.store.database import Database

EventKey = tuple[str, int, str]
"""Account, event time in seconds since 1970, event id."""


class SeenEvents:
    def __init__(self, database: Database) -> None:
        self._db = database

    def fresh(self, events: Sequence[EventKey]) -> list[bool]:
        """For each event, whether it was not added before; an event that stands here twice is fresh twice."""
        sql = "SELECT 1 FROM seen WHERE time = ? AND key = ?"
        return [self._db.one(sql, _row(event)) is None for event in events]

    def add(self, events: Sequence[EventKey]) -> None:
        """Remembers them; in time order, so that rows go to the end of the tree."""
        self._db.executemany("INSERT OR IGNORE INTO seen (time, key) VALUES (?, ?)", sorted(map(_row, events)))

    def count(self) -> int:
        row = self._db.one("SELECT count(*) FROM seen")
        return row[0] if row else 0

    def prune(self, before: int) -> int:
        """Forgets events whose event time is earlier; how many."""
        with self._db.transaction():
            return self._db.execute("DELETE FROM seen WHERE time < ?", (before,)).rowcount


def _row(event: EventKey) -> tuple[int, bytes]:
    account, time, event_id = event
    text = f"{account}\0{event_id}".encode("utf-8", "surrogatepass")
    return time, hashlib.blake2b(text, digest_size=16).digest()
