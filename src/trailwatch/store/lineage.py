"""Links at rest, looked up by their child, and which identities a new one may concern."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

from trailwatch.model.signal import Link
from trailwatch.store.database import Database
from trailwatch.store.text import storable

NODE_KEPT = 2048
LINKS_OF_ONE_CHILD = 64
"""A name that thousands of callers took tells nothing; the latest so many are read."""
CHILDREN_AT_MOST = 1000
PRUNED_AT_ONCE = 50_000
_MARKS = 500
_ADD = "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Lineage:
    """The tables `link` and `lineage_path`; `trailwatch.ports.LinkState`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, links: Sequence[Link], now: int) -> set[str]:
        """Keeps links; the children of those that are new."""
        gained = set()
        with self._db.transaction():
            for row in _rows(links, now):
                if self._db.execute(_ADD, row).rowcount:
                    gained.add(row[0])
        return gained

    def keep(self, links: Iterable[Link], now: int) -> None:
        """The same for whoever does not ask what is new."""
        with self._db.transaction():
            self._db.executemany(_ADD, _rows(links, now))

    def parents(self, child: str) -> list[Link]:
        """The links whose child this is, the latest first; at most `LINKS_OF_ONE_CHILD`."""
        rows = self._db.all(
            "SELECT * FROM link WHERE child = ? ORDER BY time = 0 DESC, time DESC, kind, parent LIMIT ?",
            (_node(child), LINKS_OF_ONE_CHILD),
        )
        return [_link(row) for row in rows]

    def children(self, parent: str, since: int) -> list[Link]:
        """The links whose parent this is, that hold at any time or came about since then; the latest first."""
        rows = self._db.all(
            """
            SELECT * FROM link WHERE parent = ? AND (time = 0 OR time >= ?)
            ORDER BY time = 0 DESC, time DESC, kind, child LIMIT ?
            """,
            (_node(parent), since, CHILDREN_AT_MOST),
        )
        return [_link(row) for row in rows]

    def remember(self, identity: str, path: Iterable[str], now: int) -> None:
        """The way back from this identity led over these."""
        with self._db.transaction():
            self._db.executemany(
                "INSERT INTO lineage_path VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used",
                [(_node(node), _node(identity), now) for node in path],
            )

    def led_over(self, nodes: Collection[str]) -> set[str]:
        """The identities from which the way back led over one of these."""
        found: set[str] = set()
        for some in _chunks(sorted(nodes)):
            marks = ", ".join("?" * len(some))
            rows = self._db.all(f"SELECT DISTINCT identity FROM lineage_path WHERE node IN ({marks})", some)  # noqa: S608 only question marks are put in
            found.update(row[0] for row in rows)
        return found

    def count(self) -> int:
        """How many links are kept."""
        row = self._db.one("SELECT count(*) FROM link")
        return row[0] if row else 0

    def prune(self, before: int, limit: int = PRUNED_AT_ONCE) -> int:
        """Forgets links that were added before then, and ways that nobody went since; how many rows."""
        with self._db.transaction():
            gone = self._db.execute(
                """
                DELETE FROM link WHERE (child, kind, parent, time) IN (
                    SELECT child, kind, parent, time FROM link WHERE added < ? ORDER BY added LIMIT ?)
                """,
                (before, limit),
            ).rowcount
            return (
                gone
                + self._db.execute(
                    """
                    DELETE FROM lineage_path WHERE (node, identity) IN (
                        SELECT node, identity FROM lineage_path WHERE used < ? ORDER BY used LIMIT ?)
                    """,
                    (before, limit),
                ).rowcount
            )


def _rows(links: Iterable[Link], now: int) -> list[tuple[str, str, str, int, str, str, str, int]]:
    return [
        (
            *(_node(link.child), storable(link.kind, 64), _node(link.parent), link.time),
            *(storable(link.event_id, 128), storable(link.account, 64), storable(link.child_text), now),
        )
        for link in links
    ]


def _node(text: str) -> str:
    return storable(text, NODE_KEPT)


def _link(row: sqlite3.Row) -> Link:
    return Link(
        kind=row["kind"],
        parent=row["parent"],
        child=row["child"],
        time=row["time"],
        event_id=row["event_id"],
        account=row["account"],
        child_text=row["child_text"],
    )


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + _MARKS] for start in range(0, len(values), _MARKS))
