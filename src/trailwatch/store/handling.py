"""What people do with alerts: acknowledge, close, put off, note; each with a line of history."""

from __future__ import annotations

import msgspec

from trailwatch.model.alert import AlertState, Verdict
from trailwatch.store.database import Database
from trailwatch.store.text import storable


class Change(msgspec.Struct, frozen=True):
    """What a person did with an alert."""

    at: int
    state: AlertState
    verdict: Verdict | None
    note: str
    snoozed: int | None = None
    """Until when it was put off then, in seconds since 1970."""


class Handling:
    """The columns of `alerts` that people write, and the table `alert_history`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def handle(self, alert_id: str, state: AlertState, verdict: Verdict | None, note: str, now: int) -> bool:
        """Sets state and verdict, and the note where there is one; it is no longer put off. False for no such id."""
        found = self._db.execute(
            """
            UPDATE alerts
            SET state = ?, verdict = ?, note = coalesce(nullif(?, ''), note), changed = ?, snoozed = NULL
            WHERE id = ?
            """,
            (state.value, verdict.value if verdict else None, storable(note), now, alert_id),
        )
        if found.rowcount:
            self._remember(alert_id, note, now)
        return bool(found.rowcount)

    def note(self, alert_id: str, note: str, now: int) -> bool:
        """Keeps what somebody found out; state and verdict stay. False for no such id."""
        found = self._db.execute(
            "UPDATE alerts SET note = ?, changed = ? WHERE id = ?", (storable(note), now, alert_id)
        )
        if found.rowcount:
            self._remember(alert_id, note, now)
        return bool(found.rowcount)

    def snooze(self, alert_id: str, until: int, note: str, now: int) -> bool:
        """Puts it off: not listed and not told until then, unless it grows more severe. False for no such id."""
        found = self._db.execute(
            "UPDATE alerts SET snoozed = ?, note = coalesce(nullif(?, ''), note), changed = ? WHERE id = ?",
            (until, storable(note), now, alert_id),
        )
        if found.rowcount:
            self._remember(alert_id, note, now)
        return bool(found.rowcount)

    def wake(self, now: int) -> int:
        """Alerts whose time has come are told again, unless they were closed; how many."""
        return self._db.execute(
            """
            UPDATE alerts SET snoozed = NULL, told = CASE WHEN state = 'closed' THEN told END
            WHERE snoozed IS NOT NULL AND snoozed <= ?
            """,
            (now,),
        ).rowcount

    def history(self, alert_id: str) -> list[Change]:
        """What people did with it, oldest first."""
        rows = self._db.all("SELECT * FROM alert_history WHERE alert_id = ? ORDER BY id", (alert_id,))
        return [
            Change(
                row["at"],
                AlertState(row["state"]),
                Verdict(row["verdict"]) if row["verdict"] else None,
                row["note"],
                row["snoozed"],
            )
            for row in rows
        ]

    def _remember(self, alert_id: str, note: str, now: int) -> None:
        self._db.execute(
            """
            INSERT INTO alert_history (alert_id, at, state, verdict, note, snoozed)
            SELECT id, ?, state, verdict, ?, snoozed FROM alerts WHERE id = ?
            """,
            (now, storable(note), alert_id),
        )
