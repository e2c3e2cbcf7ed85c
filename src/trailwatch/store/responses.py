"""The journal of responses at rest: entries are added and never changed or removed."""

from __future__ import annotations

import sqlite3

import msgspec

from trailwatch.errors import StoreError
from trailwatch.model.response import Entry, EntryKind
from trailwatch.store.database import Database
from trailwatch.store.text import storable


class Responses:
    """The table `response`; `trailwatch.ports.Journal`."""

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
        if not added:
            raise StoreError(
                f"plan {entry.plan_id}", "another process works on it", "let it end, then ask for its status"
            )

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
