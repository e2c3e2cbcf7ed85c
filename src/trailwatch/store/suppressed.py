"""What suppressions hid: counted for each, listed for a while, bounded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trailwatch.model.severity import Severity
from trailwatch.model.suppressed import Suppressed
from trailwatch.store.database import Database
from trailwatch.store.text import storable, storable_id

ROWS_KEPT = 100_000
"""Events that are listed at most; the oldest leave first, the totals keep them."""


class Total(msgspec.Struct, frozen=True):
    """What one suppression hid so far."""

    suppression: str
    events: int
    alerts: int
    """How many alerts these events would have been, of those that are still listed."""
    first: int
    """Event times in seconds since 1970."""
    last: int


class SuppressedEvents:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, hidden: Iterable[Suppressed], now: int) -> int:
        """Keeps and counts each event of each alert once; how many are new."""
        added = 0
        with self._db.transaction():
            for one in hidden:
                new = self._db.execute(
                    """
                    INSERT OR IGNORE INTO suppressed (suppression, rule_id, slug, severity, title, alert_id, time,
                        account, region, event_id, event_name, principal, actor, source_ip, stored)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                    (*_row(one), now),
                ).rowcount
                added += new
                if new:
                    self._count(one)
        return added

    def totals(self) -> dict[str, Total]:
        """By name of the suppression; also of those whose file is gone."""
        rows = self._db.all(
            """
            SELECT t.suppression, t.events, t.first, t.last,
                (SELECT count(DISTINCT alert_id) FROM suppressed s WHERE s.suppression = t.suppression) AS alerts
            FROM suppression_total t ORDER BY t.suppression
            """
        )
        return {
            row["suppression"]: Total(row["suppression"], row["events"], row["alerts"], row["first"], row["last"])
            for row in rows
        }

    def recent(self, suppression: str = "", limit: int = 100) -> list[Suppressed]:
        """What was hidden last, the newest event last; by one suppression or by any."""
        rows = self._db.all(
            "SELECT * FROM suppressed WHERE ? IN ('', suppression) ORDER BY time DESC, seq DESC LIMIT ?",
            (storable(suppression), limit),
        )
        return [
            Suppressed(
                suppression=row["suppression"],
                rule_id=row["rule_id"],
                slug=row["slug"],
                severity=Severity(row["severity"]),
                title=row["title"],
                alert_id=row["alert_id"],
                time=row["time"],
                account=row["account"],
                region=row["region"],
                event_id=row["event_id"],
                event_name=row["event_name"],
                principal=row["principal"],
                actor=row["actor"],
                source_ip=row["source_ip"],
            )
            for row in reversed(rows)
        ]

    def prune(self, before: int) -> int:
        """Forgets what was hidden earlier, and the oldest beyond the bound; how many."""
        with self._db.transaction():
            gone = self._db.execute(
                "DELETE FROM suppressed WHERE seq < coalesce((SELECT min(seq) FROM suppressed WHERE stored >= ?), ?)",
                (before, 2**62),
            ).rowcount
            gone += self._db.execute(
                "DELETE FROM suppressed WHERE seq <= (SELECT max(seq) FROM suppressed) - ?", (ROWS_KEPT,)
            ).rowcount
        return gone

    def _count(self, one: Suppressed) -> None:
        self._db.execute(
            """
            INSERT INTO suppression_total (suppression, events, first, last) VALUES (?1, 1, ?2, ?2)
            ON CONFLICT (suppression) DO UPDATE
            SET events = events + 1, first = min(first, excluded.first), last = max(last, excluded.last)
            """,
            (storable(one.suppression), one.time),
        )


def _row(one: Suppressed) -> tuple[str | int, ...]:
    return (
        storable(one.suppression),
        storable(one.rule_id),
        storable(one.slug),
        one.severity.value,
        storable(one.title, 1000),
        storable_id(one.alert_id),
        one.time,
        storable(one.account, 64),
        storable(one.region, 64),
        storable_id(one.event_id),
        storable(one.event_name, 256),
        storable(one.principal, 2048),
        storable(one.actor, 4096),
        storable(one.source_ip, 256),
    )
