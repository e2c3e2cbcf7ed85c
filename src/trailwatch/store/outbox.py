"""The outbox: what is to be sent, kept until it was, with a row for each attempt.

A row is marked `sending` before the send. Only the process that holds the drain lock sends, and the lock goes with
its process; so whoever gets the lock and finds such a row knows that the sender died, and that one message may
have been sent without our knowing.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.message import Message
from trailwatch.store.database import Database
from trailwatch.store.text import storable


class OutboxState(enum.Enum):
    WAITING = "waiting"
    """To be sent, now or at its next attempt."""
    SENDING = "sending"
    """An attempt is under way."""
    SENT = "sent"
    """The receiver accepted it."""
    DEAD = "dead"
    """Given up: refused for good, or not accepted for too long."""


class Outcome(enum.Enum):
    UNDER_WAY = "under-way"
    """The send has begun."""
    ACCEPTED = "accepted"
    """The receiver took the message."""
    FAILED = "failed"
    """It did not; it is tried again."""
    REFUSED = "refused"
    """It never will."""
    INTERRUPTED = "interrupted"
    """The process died while it sent; the message may or may not have arrived."""


class Item(msgspec.Struct, frozen=True):
    """One message on its way through one notifier."""

    id: int
    notifier: str
    message: Message
    attempts: int
    """Attempts begun so far."""
    created: int
    """When it was put here, in seconds since 1970."""


class Attempt(msgspec.Struct, frozen=True):
    started: int
    ended: int | None
    outcome: Outcome
    detail: str
    """What the receiver answered, or the error."""


class Entry(msgspec.Struct, frozen=True):
    """A row of the outbox as people see it."""

    id: int
    notifier: str
    state: OutboxState
    message: Message
    attempts: int
    created: int
    """Times in seconds since 1970."""
    due: int
    ended: int | None
    detail: str
    """What the last attempt came to; empty before the first."""


class Outbox:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, message: Message, notifiers: Sequence[str], now: int, alerts: Sequence[Alert] = ()) -> None:
        """Decides that the message goes out through these notifiers; adding it again changes nothing.

        Args:
            message: what is told.
            notifiers: by name.
            now: seconds since 1970.
            alerts: all that it stands for, where the message itself holds fewer.
        """
        if not notifiers:
            return
        every = alerts or message.alerts
        told = {alert.id for alert in every} | {twin for alert in every for twin in alert.twins}
        threads = {message.conversation} | {alert.incident or alert.principal for alert in every}
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO messages (id, created, principal, severity, kind, plan, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(message.id, now, message.principal, message.severity.value, message.kind.value, message.plan),
                    msgspec.json.encode(message),
                ),
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO message_alerts (message_id, alert_id) VALUES (?, ?)",
                [(message.id, alert_id) for alert_id in sorted(told)],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO message_threads (message_id, thread) VALUES (?, ?)",
                [(message.id, thread) for thread in sorted(threads)],
            )
            self._db.executemany(
                """
                INSERT OR IGNORE INTO outbox (message_id, notifier, principal, thread, state, attempts, created, due)
                VALUES (?, ?, ?, ?, 'waiting', 0, ?, ?)
                """,
                [(message.id, notifier, message.principal, message.conversation, now, now) for notifier in notifiers],
            )

    def is_oldest(self, item: Item) -> bool:
        """Whether nothing that its notifier still has to send was decided before it."""
        row = self._db.one(
            "SELECT MIN(id) AS id FROM outbox WHERE notifier = ? AND state IN ('waiting', 'sending')",
            (item.notifier,),
        )
        return row is not None and row["id"] == item.id

    def due(self, now: int, notifier: str = "", limit: int = 1000) -> list[Item]:
        """What may be sent now, in the order in which it was decided.

        For each notifier and conversation only the earliest that is not done: the next one waits for it, also one
        that merely touches the conversation, such as a digest.
        """
        rows = self._db.all(
            """
            SELECT o.*, m.body FROM outbox o JOIN messages m ON m.id = o.message_id
            WHERE o.state = 'waiting' AND o.due <= ? AND ? IN ('', o.notifier) AND NOT EXISTS (
                SELECT 1 FROM outbox e
                JOIN message_threads before ON before.message_id = e.message_id
                JOIN message_threads own ON own.message_id = o.message_id AND own.thread = before.thread
                WHERE e.state IN ('waiting', 'sending') AND e.notifier = o.notifier AND e.id < o.id)
            ORDER BY o.id LIMIT ?
            """,
            (now, notifier, limit),
        )
        return [_item(row) for row in rows]

    def begin(self, item: Item, now: int) -> None:
        """Marks it as being sent; to be committed before the send."""
        with self._db.transaction():
            self._db.execute("UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ?", (item.id,))
            self._db.execute(
                "INSERT INTO attempts (outbox_id, started, outcome, detail) VALUES (?, ?, 'under-way', '')",
                (item.id, now),
            )

    def succeeded(self, item: Item, answer: str, now: int, handle: str = "") -> None:
        """The receiver accepted it, and finds it again by this handle."""
        with self._db.transaction():
            self._end_attempt(item.id, Outcome.ACCEPTED, answer, now)
            self._db.execute(
                "UPDATE outbox SET state = 'sent', ended = ?, handle = ? WHERE id = ?",
                (now, storable(handle, 500), item.id),
            )

    def failed(self, item: Item, error: str, now: int, *, due: int | None, outcome: Outcome = Outcome.FAILED) -> None:
        """The attempt came to nothing; it is due again at `due`, or given up where that is None."""
        with self._db.transaction():
            self._end_attempt(item.id, outcome, error, now)
            if due is None:
                self._db.execute("UPDATE outbox SET state = 'dead', ended = ? WHERE id = ?", (now, item.id))
            else:
                self._db.execute("UPDATE outbox SET state = 'waiting', due = ? WHERE id = ?", (due, item.id))

    def hurry(self, notifier: str, now: int) -> None:
        """Everything that waits for this notifier is due: it delivers again."""
        self._db.execute(
            "UPDATE outbox SET due = ?1 WHERE notifier = ?2 AND state = 'waiting' AND due > ?1", (now, notifier)
        )

    def give_up(self, item: Item, now: int) -> None:
        """Makes a waiting one dead without an attempt."""
        with self._db.transaction():
            self._db.execute("UPDATE outbox SET state = 'dead', ended = ? WHERE id = ?", (now, item.id))

    def under_way(self) -> list[Item]:
        """What is marked as being sent; with the drain lock in hand, by a process that died."""
        rows = self._db.all(
            "SELECT o.*, m.body FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.state = 'sending'"
            " ORDER BY o.id"
        )
        return [_item(row) for row in rows]

    def unroutable(self, notifiers: Sequence[str], before: int) -> list[Item]:
        """Waiting since before that time for a notifier that is none of these."""
        rows = self._db.all(
            f"""
            SELECT o.*, m.body FROM outbox o JOIN messages m ON m.id = o.message_id
            WHERE o.state = 'waiting' AND o.created < ? AND o.notifier NOT IN ({", ".join("?" * len(notifiers))})
            ORDER BY o.id
            """,  # noqa: S608 only question marks are put in
            (before, *notifiers),
        )
        return [_item(row) for row in rows]

    def counts(self) -> dict[OutboxState, int]:
        """How many there are in each state."""
        rows = self._db.all("SELECT state, count(*) FROM outbox GROUP BY state")
        found = {OutboxState(row[0]): int(row[1]) for row in rows}
        return {state: found.get(state, 0) for state in OutboxState}

    def waiting_by_notifier(self) -> dict[str, int]:
        """How many messages each notifier still has to send, those under way too."""
        rows = self._db.all(
            "SELECT notifier, count(*) FROM outbox WHERE state IN ('waiting', 'sending') GROUP BY notifier"
            " ORDER BY notifier"
        )
        return {row[0]: int(row[1]) for row in rows}

    def attempts(self, message_id: str, notifier: str) -> list[Attempt]:
        """Every attempt to send this message there, oldest first."""
        rows = self._db.all(
            """
            SELECT a.* FROM attempts a JOIN outbox o ON o.id = a.outbox_id
            WHERE o.message_id = ? AND o.notifier = ? ORDER BY a.id
            """,
            (message_id, notifier),
        )
        return [Attempt(row["started"], row["ended"], Outcome(row["outcome"]), row["detail"]) for row in rows]

    def sendings_of(self, alert_id: str) -> list[tuple[str, OutboxState, int | None]]:
        """Notifier, state and end time of everything that told of this alert, in order."""
        rows = self._db.all(
            """
            SELECT o.notifier, o.state, o.ended FROM outbox o JOIN message_alerts a ON a.message_id = o.message_id
            WHERE a.alert_id = ? ORDER BY o.id
            """,
            (alert_id,),
        )
        return [(row[0], OutboxState(row[1]), row[2]) for row in rows]

    def entries(
        self, states: Sequence[OutboxState] = (), notifier: str = "", ids: Sequence[int] = (), limit: int = 100
    ) -> list[Entry]:
        """The latest rows in these states for this notifier, or those with these ids, in the order of deciding."""
        wanted = [state.value for state in states or OutboxState]
        rows = self._db.all(
            f"""
            SELECT o.*, m.body, coalesce((
                SELECT a.detail FROM attempts a WHERE a.outbox_id = o.id AND a.detail <> '' ORDER BY a.id DESC LIMIT 1
            ), '') AS detail
            FROM outbox o JOIN messages m ON m.id = o.message_id
            WHERE o.state IN ({_marks(wanted)}) AND ? IN ('', o.notifier) AND (? OR o.id IN ({_marks(ids)}))
            ORDER BY o.id DESC LIMIT ?
            """,  # noqa: S608 only question marks are put in
            (*wanted, storable(notifier), not ids, *ids, limit),
        )
        return [_entry(row) for row in reversed(rows)]

    def retry(self, outbox_id: int, now: int) -> bool:
        """Makes one that waits or was given up due at once, with all its attempts again; False for any other."""
        return bool(
            self._db.execute(
                """
                UPDATE outbox SET state = 'waiting', due = ?1, created = ?1, attempts = 0, ended = NULL
                WHERE id = ?2 AND state IN ('waiting', 'dead')
                """,
                (now, outbox_id),
            ).rowcount
        )

    def drop(self, outbox_id: int) -> bool:
        """Forgets one that waits or was given up; it is never sent. False for any other."""
        return bool(
            self._db.execute(
                "DELETE FROM outbox WHERE id = ? AND state IN ('waiting', 'dead')", (outbox_id,)
            ).rowcount
        )

    def prune(self, before: int) -> int:
        """Forgets messages that were decided earlier and are sent or dead everywhere; how many."""
        with self._db.transaction():
            return self._db.execute(
                """
                DELETE FROM messages WHERE created < ? AND NOT EXISTS (
                    SELECT 1 FROM outbox o WHERE o.message_id = messages.id AND o.state IN ('waiting', 'sending'))
                """,
                (before,),
            ).rowcount

    @contextlib.contextmanager
    def drain_lock(self) -> Iterator[bool]:
        """Whether this process is the one that sends; the lock is gone when the process is, however it ends."""
        if self._db.path == ":memory:":
            yield True
            return
        path = Path(self._db.path + "-sending")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)

    def _end_attempt(self, outbox_id: int, outcome: Outcome, detail: str, now: int) -> None:
        self._db.execute(
            "UPDATE attempts SET ended = ?, outcome = ?, detail = ? WHERE outbox_id = ? AND outcome = 'under-way'",
            (now, outcome.value, storable(detail, 2000), outbox_id),
        )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        id=row["id"],
        notifier=row["notifier"],
        state=OutboxState(row["state"]),
        message=msgspec.json.decode(row["body"], type=Message),
        attempts=row["attempts"],
        created=row["created"],
        due=row["due"],
        ended=row["ended"],
        detail=row["detail"],
    )


def _item(row: sqlite3.Row) -> Item:
    message = msgspec.json.decode(row["body"], type=Message)
    return Item(row["id"], row["notifier"], message, row["attempts"], row["created"])
