"""What is to be told, through which notifier and when: between an alert that is stored and a message about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from trailwatch.model.severity import Severity
from trailwatch.store.database import Database

_MARKS = 500


class Due(msgspec.Struct, frozen=True):
    """That an alert is to be told through a notifier."""

    notifier: str
    alert_id: str
    due: int
    """Not before this, in seconds since 1970."""
    digest: str = ""
    """`hourly` or `daily`; empty for a message of its own."""
    known: int = 0
    """Events that were told before; 0 for a new alert."""


class Told(msgspec.Struct, frozen=True):
    """What one notifier was given of one conversation so far."""

    last: int
    """When, in seconds since 1970."""
    messages: int
    worst: Severity


class Merger(msgspec.Struct, frozen=True):
    """An incident that became part of another one, and the notifiers that spoke of it."""

    gone: str
    home: str
    notifiers: tuple[str, ...]


class Telling:
    """The tables `telling` and `pointed`, and what the outbox says of conversations."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, rows: Iterable[Due]) -> None:
        """These are to be told; a row for the same notifier and alert gives way, but a growth to nothing else."""
        self._db.executemany(
            """
            INSERT INTO telling (notifier, alert_id, due, digest, known) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (notifier, alert_id) DO UPDATE SET due = min(due, ?3), digest = ?4, known = min(known, ?5)
            WHERE ?5 = 0 OR known > 0
            """,
            [(one.notifier, one.alert_id, one.due, one.digest, one.known) for one in rows],
        )

    def waiting(self) -> list[Due]:
        """Everything that is to be told, now or later, by notifier."""
        rows = self._db.all("SELECT * FROM telling ORDER BY notifier, due, alert_id")
        return [Due(row["notifier"], row["alert_id"], row["due"], row["digest"], row["known"]) for row in rows]

    def done(self, rows: Iterable[Due]) -> None:
        """These are told, or need no telling any more."""
        self._db.executemany(
            "DELETE FROM telling WHERE notifier = ? AND alert_id = ?", [(one.notifier, one.alert_id) for one in rows]
        )

    def grown(self) -> dict[str, int]:
        """Alerts that were told and have more events now, with how many were known then; closed ones need none."""
        rows = self._db.all(
            """
            SELECT id, told_events FROM alerts
            WHERE told IS NOT NULL AND event_count > told_events AND state <> 'closed' AND snoozed IS NULL
            """
        )
        return {row["id"]: row["told_events"] for row in rows}

    def noticed(self, alert_ids: Collection[str]) -> None:
        """That these have grown is taken care of."""
        self._db.executemany(
            "UPDATE alerts SET told_events = event_count WHERE id = ?", [(alert_id,) for alert_id in alert_ids]
        )

    def told_by(self, alert_id: str) -> set[str]:
        """The notifiers that were given this alert."""
        rows = self._db.all(
            "SELECT DISTINCT o.notifier FROM outbox o JOIN message_alerts a ON a.message_id = o.message_id"
            " WHERE a.alert_id = ?",
            (alert_id,),
        )
        return {row["notifier"] for row in rows}

    def conversations(self, threads: Collection[str]) -> dict[tuple[str, str], Told]:
        """For each notifier and conversation among these what it was given; what was given up does not count."""
        found: dict[tuple[str, str], Told] = {}
        ordered = sorted(threads)
        for start in range(0, len(ordered), _MARKS):
            some = ordered[start : start + _MARKS]
            rows = self._db.all(
                f"""
                SELECT o.notifier, o.thread, max(m.created) AS last, count(*) AS messages,
                    group_concat(DISTINCT m.severity) AS severities
                FROM outbox o JOIN messages m ON m.id = o.message_id
                WHERE o.thread IN ({", ".join("?" * len(some))}) AND o.state <> 'dead'
                  AND m.kind IN ('alert', 'update', 'flood')
                GROUP BY o.notifier, o.thread
                """,  # noqa: S608 only question marks are put in
                some,
            )
            found.update({(row["notifier"], row["thread"]): _told(row) for row in rows})
        return found

    def given_since(self, notifier: str, since: int) -> int:
        """How many alerts this notifier was given after that time, each in a message of its own incident."""
        row = self._db.one(
            """
            SELECT count(DISTINCT a.alert_id) FROM messages m
            JOIN outbox o ON o.message_id = m.id JOIN message_alerts a ON a.message_id = m.id
            WHERE o.notifier = ? AND m.created > ? AND m.kind = 'alert'
            """,
            (notifier, since),
        )
        return int(row[0]) if row else 0

    def mergers(self, notifiers: Sequence[str]) -> list[Merger]:
        """Incidents that became part of another and of which that was not told yet."""
        rows = self._db.all(
            """
            SELECT id, merged_into FROM incidents
            WHERE merged_into IS NOT NULL AND id NOT IN (SELECT incident FROM pointed) ORDER BY created, id
            """
        )
        return [Merger(row["id"], row["merged_into"], self._spoke_of(row["id"], notifiers)) for row in rows]

    def pointed(self, incident: str, now: int) -> None:
        """That it became part of another is told, or nobody has to know."""
        self._db.execute("INSERT OR IGNORE INTO pointed (incident, at) VALUES (?, ?)", (incident, now))

    def prune(self) -> int:
        """Forgets what was told of incidents that are forgotten; how many."""
        return self._db.execute("DELETE FROM pointed WHERE incident NOT IN (SELECT id FROM incidents)").rowcount

    def _spoke_of(self, incident: str, notifiers: Sequence[str]) -> tuple[str, ...]:
        rows = self._db.all(
            "SELECT DISTINCT notifier FROM outbox WHERE thread = ? AND state <> 'dead' ORDER BY notifier", (incident,)
        )
        return tuple(row["notifier"] for row in rows if row["notifier"] in notifiers)


def by_notifier(rows: Iterable[Due]) -> Mapping[str, list[Due]]:
    """The same rows, gathered."""
    found: dict[str, list[Due]] = {}
    for one in rows:
        found.setdefault(one.notifier, []).append(one)
    return found


def _told(row: sqlite3.Row) -> Told:
    worst = max(Severity(name) for name in row["severities"].split(","))
    return Told(row["last"], row["messages"], worst)
