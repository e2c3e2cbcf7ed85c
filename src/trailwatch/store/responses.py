"""The journal of responses at rest: entries are added and never changed or removed.

Beside it stand the calls that AWS answered, until their events come back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from trailwatch.errors import StoreError
from trailwatch.model.response import Entry, EntryKind, Made
from trailwatch.store.database import Database
from trailwatch.store.text import storable


class Responses:
    """The tables `response` and `response_call`; `trailwatch.ports.Journal`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(self, entry: Entry) -> None:
        """Keeps it; it lasts when this returns.

        Raises:
            StoreError: it cannot be kept, or another process wrote an entry with this number of this plan.
        """
        content = msgspec.json.encode(entry.content)
        row = (entry.plan_id, entry.number, entry.time, entry.kind.value, storable(entry.who), entry.step, content)
        with self._db.transaction():
            added = self._db.execute(
                """
                INSERT INTO response (plan, number, time, kind, who, step, content) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """,
                row,
            ).rowcount
            if added and (made := entry.made) is not None:
                self._await(made, entry.time)
        if not added:
            raise StoreError(
                f"plan {entry.plan_id}", "another process works on it", "let it end, then ask for its status"
            )

    def _await(self, made: Made, called: int) -> None:
        self._db.execute(
            """
            INSERT INTO response_call (request, account, service, operation, caller, called) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING
            """,
            (storable(made.request), made.account, made.service, made.operation, storable(made.caller), called),
        )

    def awaited(self) -> dict[str, Made]:
        """By AWS's id of the request, calls whose events have not been read."""
        rows = self._db.all(
            "SELECT request, account, service, operation, caller FROM response_call WHERE returned IS NULL"
        )
        return {row["request"]: Made(*row) for row in rows}

    def returned(self, requests: Iterable[str], now: int) -> None:
        """The events of these calls were read; nothing that comes later is theirs."""
        self._db.executemany(
            "UPDATE response_call SET returned = ? WHERE request = ?", [(now, request) for request in requests]
        )

    def prune(self, called_before: int) -> int:
        """Awaits no longer the events of older calls; the journal itself stays. How many calls those were."""
        return self._db.execute("DELETE FROM response_call WHERE called < ?", (called_before,)).rowcount

    def entries(self, plan_id: str) -> list[Entry]:
        """All of a plan, in order; empty for one that is not known."""
        rows = self._db.all(f"SELECT {_COLUMNS} FROM response WHERE plan = ? ORDER BY number", (plan_id,))  # noqa: S608 a constant
        return [_entry(row) for row in rows]

    def find(self, prefix: str, limit: int) -> list[str]:
        """Ids of plans that begin so."""
        begin = storable(prefix, 64)
        rows = self._db.all(
            """
            SELECT DISTINCT plan FROM response WHERE plan >= ? AND plan < ? || char(1114111) ORDER BY plan LIMIT ?
            """,
            (begin, begin, limit),
        )
        return [row["plan"] for row in rows]

    def latest(self, limit: int) -> list[str]:
        """Ids of plans, the newest first."""
        rows = self._db.all(
            "SELECT plan FROM response WHERE number = 0 ORDER BY time DESC, rowid DESC LIMIT ?", (limit,)
        )
        return [row["plan"] for row in rows]


_COLUMNS = "plan, number, time, kind, who, step, content"


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        plan_id=row["plan"],
        number=row["number"],
        time=row["time"],
        kind=EntryKind(row["kind"]),
        who=row["who"],
        step=row["step"],
        content=msgspec.json.decode(row["content"]),
    )
