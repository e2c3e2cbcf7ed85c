"""Conversations in the channels: what was delivered of each, what people said there, and channels that are silent."""

from __future__ import annotations

import sqlite3

import msgspec

from trailwatch.model.message import Conversation, Message, Reply
from trailwatch.store.database import Database
from trailwatch.store.outbox import Item
from trailwatch.store.text import storable

EARLIER_KEPT = 10
"""Ids of a conversation that a message refers to; the first is always one of them."""


class Heard(msgspec.Struct, frozen=True):
    """What a person said to a message, with what the message was about."""

    notifier: str
    reply: Reply
    incident: str
    plan: str
    """The plan or case that the message asked approval for; empty for none."""
    heard: int
    """When, in seconds since 1970."""


class Open(msgspec.Struct, frozen=True):
    """A message that a person may still answer."""

    handle: str
    message: Message


class Trouble(msgspec.Struct, frozen=True):
    """A notifier that does not deliver."""

    notifier: str
    since: int
    what: str
    told: int | None
    """When people heard of it last; None for not at all."""


class Conversations:
    """What the outbox knows of conversations, and the tables `replies` and `notifier_trouble`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, item: Item) -> Conversation:
        """What its notifier delivered before in the conversation that it follows; nothing where it follows none."""
        if not item.message.kind.follows:
            return Conversation()
        rows = self._db.all(
            """
            SELECT o.message_id, o.handle, o.id FROM outbox o
            WHERE o.notifier = ? AND o.thread = ? AND o.state = 'sent' AND o.id < ? ORDER BY o.id
            """,
            (item.notifier, item.message.conversation, item.id),
        )
        if not rows:
            return Conversation()
        ids = [row["message_id"] for row in rows]
        if len(ids) > EARLIER_KEPT:
            ids = [ids[0], *ids[1 - EARLIER_KEPT :]]
        opening = self._db.one("SELECT body FROM messages WHERE id = ?", (ids[0],))
        return Conversation(
            earlier=tuple(ids),
            opening=None if opening is None else msgspec.json.decode(opening["body"], type=Message),
            handle=next((row["handle"] for row in rows if row["handle"]), ""),
        )

    def answerable(self, since: int) -> bool:
        """Whether there is a message since then that a person can answer in its channel."""
        return (
            self._db.one(
                "SELECT 1 FROM outbox o JOIN messages m ON m.id = o.message_id"
                " WHERE o.handle <> '' AND m.created >= ? LIMIT 1",
                (since,),
            )
            is not None
        )

    def open(self, notifier: str, since: int, limit: int) -> list[Open]:
        """The latest messages that can be found again in the channel and still ask for somebody, the newest first.

        Those are the ones that opened a conversation, while one of their alerts is open, and those that ask approval,
        with the ones that opened their conversations.
        """
        rows = self._db.all(
            """
            SELECT o.handle, m.body FROM outbox o JOIN messages m ON m.id = o.message_id
            WHERE o.notifier = ?1 AND o.handle <> '' AND m.created >= ?2 AND (
                m.plan <> ''
                OR (m.kind IN ('alert', 'flood', 'digest') AND (
                    EXISTS (SELECT 1 FROM message_alerts a JOIN alerts x ON x.id = a.alert_id
                            WHERE a.message_id = m.id AND x.state = 'open')
                    OR EXISTS (SELECT 1 FROM outbox p JOIN messages asks ON asks.id = p.message_id
                               WHERE p.notifier = o.notifier AND p.thread = o.thread AND asks.plan <> ''
                                 AND asks.created >= ?2))))
            ORDER BY o.id DESC LIMIT ?3
            """,
            (notifier, since, limit),
        )
        return [Open(row["handle"], msgspec.json.decode(row["body"], type=Message)) for row in rows]

    def open_alerts(self, message_id: str, incident: str) -> list[str]:
        """The alerts that nobody has looked at yet, of this message and of the incident that it tells of."""
        rows = self._db.all(
            """
            SELECT id FROM alerts WHERE state = 'open' AND (
                id IN (SELECT alert_id FROM message_alerts WHERE message_id = ?1)
                OR (?2 <> '' AND incident = ?2))
            ORDER BY first_time, id
            """,
            (message_id, storable(incident)),
        )
        return [row["id"] for row in rows]

    def hear(self, notifier: str, reply: Reply, incident: str, plan: str, now: int) -> bool:
        """Keeps what somebody said; False for what is known already."""
        return bool(
            self._db.execute(
                """
                INSERT OR IGNORE INTO replies (notifier, handle, who, verb, incident, plan, at, heard)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                (
                    *(storable(notifier), storable(reply.handle, 500), storable(reply.who, 200), reply.verb),
                    *(storable(incident), storable(plan), reply.at, now),
                ),
            ).rowcount
        )

    def approvals(self, plan: str) -> list[Heard]:
        """Who approved or declined this plan or case, in the order in which it was heard."""
        rows = self._db.all(
            "SELECT * FROM replies WHERE plan = ? AND verb IN ('approve', 'decline') ORDER BY id", (plan,)
        )
        return [_heard(row) for row in rows]

    def failing(self, notifier: str, what: str, now: int, hold: int = 0) -> Trouble:
        """The notifier did not deliver; since when, and whether people know.

        Args:
            notifier: by name.
            what: why.
            now: seconds since 1970.
            hold: until when it wants to be left alone; 0 where it did not say.
        """
        self._db.execute(
            """
            INSERT INTO notifier_trouble (notifier, since, what, hold) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (notifier) DO UPDATE SET since = coalesce(since, ?2), what = ?3, hold = max(hold, ?4)
            """,
            (storable(notifier), now, storable(what, 2000), hold),
        )
        row = self._db.one("SELECT * FROM notifier_trouble WHERE notifier = ?", (storable(notifier),))
        if row is None:
            raise KeyError(notifier)
        return _trouble(row)

    def told_of(self, notifier: str, now: int) -> None:
        """People hear of it now."""
        self._db.execute("UPDATE notifier_trouble SET told = ? WHERE notifier = ?", (now, storable(notifier)))

    def delivers(self, notifier: str) -> Trouble | None:
        """The notifier delivered; the trouble that is over with it, None where there was none."""
        row = self._db.one(
            "SELECT * FROM notifier_trouble WHERE notifier = ? AND since IS NOT NULL", (storable(notifier),)
        )
        if row is None:
            return None
        self._db.execute(
            "UPDATE notifier_trouble SET since = NULL, hold = 0 WHERE notifier = ?", (storable(notifier),)
        )
        return _trouble(row)

    def held(self, now: int) -> set[str]:
        """Notifiers that want to be left alone now."""
        return {
            row["notifier"] for row in self._db.all("SELECT notifier FROM notifier_trouble WHERE hold > ?", (now,))
        }

    def troubles(self) -> list[Trouble]:
        """Notifiers that do not deliver now."""
        return [
            _trouble(row)
            for row in self._db.all("SELECT * FROM notifier_trouble WHERE since IS NOT NULL ORDER BY since, notifier")
        ]

    def prune(self, before: int) -> int:
        """Forgets what was said earlier; how many."""
        return self._db.execute("DELETE FROM replies WHERE heard < ?", (before,)).rowcount


def _heard(row: sqlite3.Row) -> Heard:
    reply = Reply(row["who"], row["verb"], row["handle"], row["at"])
    return Heard(row["notifier"], reply, row["incident"], row["plan"], row["heard"])


def _trouble(row: sqlite3.Row) -> Trouble:
    return Trouble(row["notifier"], row["since"], row["what"], row["told"])
