"""When each account and region was last called; the next cron run is another process and must know."""

from __future__ import annotations

from collections.abc import Iterable

from trailwatch.store.database import Database


class Pace:
    """The table `pace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_calls(self) -> dict[tuple[str, str], float]:
        """Time of the last call in seconds since 1970, by (account, region)."""
        return {
            (row["account"], row["region"]): row["called"]
            for row in self._database.all("SELECT account, region, called FROM pace")
        }

    def called(self, calls: Iterable[tuple[str, str, float]]) -> None:
        """Keeps (account, region, time of the last call)."""
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO pace (account, region, called) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET called = max(called, excluded.called)",
                list(calls),
            )
