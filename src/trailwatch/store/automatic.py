"""Cases of automatic response at rest, what counts against its caps, and which alerts were considered."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trailwatch.errors import StoreError
from trailwatch.model.caps import DAY, Caps
from trailwatch.model.case import OPEN, Case
from trailwatch.model.message import Message
from trailwatch.store.database import Database
from trailwatch.store.outbox import Outbox

_OPEN = tuple(state.value for state in OPEN)


class AutomaticCases:
    """The tables `automatic_...`; `trailwatch.respond.automatic.Cases` once `telling` says who is told.

    Args:
        database: where they are.
        outbox: where messages about cases go.
        notifiers: who is told.
    """

    def __init__(self, database: Database, outbox: Outbox, notifiers: Iterable[str] = ()) -> None:
        self._db = database
        self._outbox = outbox
        self._notifiers = tuple(notifiers)

    def telling(self, notifiers: Iterable[str]) -> AutomaticCases:
        """The same cases; what is kept from now on is told through these notifiers."""
        return AutomaticCases(self._db, self._outbox, notifiers)

    def pending(self, since: int) -> list[str]:
        """Ids of open alerts with events since then that were not considered yet, the oldest first."""
        rows = self._db.all(
            """
            SELECT id FROM alerts LEFT JOIN automatic_considered ON alert_id = id
            WHERE last_time >= ? AND event_count > coalesce(events, 0) AND state = 'open' AND snoozed IS NULL
                AND staged = 0
            ORDER BY first_time, id
            """,
            (since,),
        )
        return [row["id"] for row in rows]

    def considered(self, alerts: Iterable[tuple[str, int]]) -> None:
        """These alerts need no more considering until they have more events than these."""
        with self._db.transaction():
            self._db.executemany(
                """
                INSERT INTO automatic_considered (alert_id, events) VALUES (?, ?)
                ON CONFLICT DO UPDATE SET events = excluded.events
                """,
                list(alerts),
            )

    def find(self, case_id: str) -> Case | None:
        """The case as it is now."""
        row = self._db.one("SELECT body FROM automatic_case WHERE id = ?", (case_id,))
        return None if row is None else self._case(row["body"])

    def open(self) -> list[Case]:
        """Those in which something is still to come, the oldest first."""
        marks = ", ".join("?" * len(_OPEN))
        rows = self._db.all(
            f"SELECT body FROM automatic_case WHERE state IN ({marks}) ORDER BY changed, id",  # noqa: S608 question marks
            _OPEN,
        )
        return [self._case(row["body"]) for row in rows]

    def keep(self, case: Case, message: Message | None) -> bool:
        """Keeps the case together with what is to be told of it; False where it was kept since it was read."""
        kept = msgspec.structs.replace(case, version=case.version + 1)
        with self._db.transaction():
            written = self._db.execute(
                """
                INSERT INTO automatic_case (id, state, changed, version, body) SELECT ?1, ?2, ?3, ?4, ?5
                WHERE ?4 = 1 OR EXISTS (SELECT 1 FROM automatic_case WHERE id = ?1 AND version = ?4 - 1)
                ON CONFLICT DO UPDATE SET state = ?2, changed = ?3, version = ?4, body = ?5 WHERE version = ?4 - 1
                """,
                (kept.id, kept.state.value, kept.changed, kept.version, msgspec.json.encode(kept)),
            ).rowcount
            if written and message is not None:
                self._outbox.add(message, self._notifiers, message.created)
        return bool(written)

    def full(self, now: int, caps: Caps) -> str:
        """Why the caps leave nothing by now; empty where they leave something."""
        return caps.against([row["time"] for row in self._db.all("SELECT time FROM automatic_taken")], now)

    def take(self, plan_id: str, now: int, caps: Caps) -> str:
        """Takes one of the responses that the caps leave, once for each plan; why there is none, or empty."""
        with self._db.transaction():
            if self._db.one("SELECT 1 FROM automatic_taken WHERE plan = ?", (plan_id,)) is not None:
                return ""
            self._db.execute("DELETE FROM automatic_taken WHERE time <= ?", (now - 2 * DAY,))
            reason = self.full(now, caps)
            if not reason:
                self._db.execute("INSERT INTO automatic_taken (plan, time) VALUES (?, ?)", (plan_id, now))
            return reason

    def prune(self, before: int) -> int:
        """Forgets cases in which nothing is to come and that did not change since `before`; how many."""
        marks = ", ".join("?" * len(_OPEN))
        with self._db.transaction():
            return self._db.execute(
                f"DELETE FROM automatic_case WHERE changed < ? AND state NOT IN ({marks})",  # noqa: S608 question marks
                (before, *_OPEN),
            ).rowcount

    def _case(self, body: bytes) -> Case:
        try:
            return msgspec.json.decode(body, type=Case)
        except msgspec.MsgspecError as error:
            raise StoreError(self._db.path, f"a case cannot be read: {error}") from error
