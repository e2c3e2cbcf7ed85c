"""Signals by who acted, kept until no link can come any more that would tell who it began with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from trailwatch.model.signal import Signal
from trailwatch.store.database import Database
from trailwatch.store.text import storable

PRUNED_AT_ONCE = 50_000
DAY = 86400
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Signal).decode


class ActorSignals:
    """The table `actor_signal`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, signals: Sequence[Signal], actors: Sequence[str] = (), *, daily: bool = False) -> None:
        """Keeps signals as stage 1 made them, and under whom each is counted now, where that is known.

        Args:
            signals: of events.
            actors: for each signal the key of its actor.
            daily: whether one of a day stands for all with its key; it is kept as if it were the day's last.
        """
        rows = [
            (
                storable(one.brief.identity or one.brief.principal, 2048),
                one.time // DAY * DAY + DAY - 1 if daily else one.time,
                storable("\0".join((*_what(one, daily=daily), *one.key))),
                _ENCODE(one),
                storable(actor, 2048),
            )
            for one, actor in zip(signals, actors or [""] * len(signals), strict=True)
        ]
        with self._db.transaction():
            self._db.executemany(
                "INSERT INTO actor_signal (identity, time, ident, content, actor) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET actor = excluded.actor",
                rows,
            )

    def of(self, identities: Collection[str]) -> Iterator[tuple[Signal, str]]:
        """What these did, as it was kept, and under whom it was counted last."""
        for identity in sorted(identities):
            for row in self._db.all("SELECT content, actor FROM actor_signal WHERE identity = ?", (identity,)):
                yield _DECODE(row["content"]), row["actor"]

    def everything(self) -> Iterator[Signal]:
        """All of it, one after the other."""
        for row in self._db.execute("SELECT content FROM actor_signal"):
            yield _DECODE(row["content"])

    def prune(self, before: int, limit: int = PRUNED_AT_ONCE) -> int:
        """Forgets signals of events that are older; how many, at most `limit`."""
        with self._db.transaction():
            return self._db.execute(
                """
                DELETE FROM actor_signal WHERE (identity, time, ident) IN (
                    SELECT identity, time, ident FROM actor_signal WHERE time < ? ORDER BY time LIMIT ?)
                """,
                (before, limit),
            ).rowcount


def _what(signal: Signal, *, daily: bool) -> tuple[str, ...]:
    rules = signal.rule_id, signal.base_id, signal.brief.account
    return rules if daily else (*rules, signal.brief.event_id, signal.value)
