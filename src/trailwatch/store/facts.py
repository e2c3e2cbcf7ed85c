"""Single facts, and what cycles did by day: small things that outlive a process and belong to nothing larger."""

from __future__ import annotations

import msgspec

from trailwatch.store.database import Database

DAY_SECONDS = 86400
FIRST_CYCLE = "first cycle"
"""The fact that says when it was first looked for gaps, in seconds since 1970."""


class Days(msgspec.Struct, frozen=True):
    """What the cycles of some days did together."""

    cycles: int = 0
    good: int = 0
    """Those that read what they could."""
    events: int = 0
    """New ones."""


class Facts:
    """The tables `fact` and `cycle_day`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        row = self._database.one("SELECT value FROM fact WHERE name = ?", (name,))
        return None if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

    def count_cycle(self, now: int, *, good: bool, events: int) -> None:
        """Adds one cycle to its day."""
        self._database.execute(
            "INSERT INTO cycle_day (day, cycles, good, events) VALUES (?, 1, ?, ?)"
            " ON CONFLICT DO UPDATE SET cycles = cycles + 1, good = good + excluded.good,"
            " events = events + excluded.events",
            (now // DAY_SECONDS, good, events),
        )

    def days(self, since: int) -> Days:
        """What cycles did since then, by whole days."""
        row = self._database.one(
            "SELECT coalesce(sum(cycles), 0), coalesce(sum(good), 0), coalesce(sum(events), 0)"
            " FROM cycle_day WHERE day >= ?",
            (since // DAY_SECONDS,),
        )
        return Days(*row) if row else Days()

    def prune(self, before: int) -> int:
        return self._database.execute("DELETE FROM cycle_day WHERE day < ?", (before // DAY_SECONDS,)).rowcount
