"""How large the state file is, table by table."""

from __future__ import annotations

import sqlite3

import msgspec

from trailwatch.errors import StoreError
from trailwatch.store.database import Database

_OLDEST = {
    "actor_signal": "time",
    "alert_events": "time",
    "alert_evidence": "time",
    "alert_history": "at",
    "alerts": "created",
    "attempts": "started",
    "canary": "called",
    "coverage": "start_time",
    "cycle": "started",
    "cycle_day": "day * 86400",
    "finding_source": "checked",
    "incidents": "created",
    "lineage_path": "used",
    "link": "added",
    "messages": "created",
    "outbox": "created",
    "rejects": "first",
    "response_call": "called",
    "rule_trial": "since",
    "rule_failures": "first",
    "seen": "time",
    "sighting": "last * 86400",
    "signal": "time",
    "signal_due": "time",
    "stay": "time",
    "suppressed": "stored",
}
"""For each table that has one, the column that tells how old a row is."""


class TableStats(msgspec.Struct, frozen=True):
    """One table with its indexes."""

    name: str
    rows: int
    bytes: int | None
    """What it takes in the file; None where this SQLite cannot tell."""
    oldest: int | None
    """Time of its oldest row, in seconds since 1970; None for an empty one, or one that has no times."""


class Sizes(msgspec.Struct, frozen=True):
    file: int
    """Bytes of the state file."""
    free: int
    """Bytes in it that nothing uses, until it is compacted."""
    tables: tuple[TableStats, ...]


def sizes_of(database: Database) -> Sizes:
    """Everything in the file, the largest table first."""
    page, pages, free = (_pragma(database, name) for name in ("page_size", "page_count", "freelist_count"))
    taken = _bytes(database)
    names = [
        row["name"]
        for row in database.all(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
        )
    ]
    tables = [_table(database, name, taken) for name in names]
    tables.sort(key=lambda one: (-(one.bytes or 0), -one.rows, one.name))
    return Sizes(page * pages, page * free, tuple(tables))


def compact(database: Database) -> None:
    """Gives back what nothing uses; it takes as much room on the disk again while it runs.

    Raises:
        StoreError: another process writes, or the disk is full.
    """
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _table(database: Database, name: str, taken: dict[str, int] | None) -> TableStats:
    column = _OLDEST.get(name)
    oldest = f"min({column})" if column else "NULL"
    row = database.one(f"SELECT count(*) AS rows, {oldest} AS oldest FROM {name}")  # noqa: S608 names come from the schema
    found = row["oldest"] if row else None
    return TableStats(
        name=name,
        rows=row["rows"] if row else 0,
        bytes=None if taken is None else taken.get(name, 0),
        oldest=None if found is None else int(found),
    )


def _bytes(database: Database) -> dict[str, int] | None:
    try:
        rows: list[sqlite3.Row] = database.all(
            """
            SELECT s.tbl_name AS name, sum(d.pgsize) AS bytes
            FROM dbstat d JOIN sqlite_schema s ON s.name = d.name GROUP BY s.tbl_name
            """
        )
    except StoreError:
        return None  # built without that table
    return {row["name"]: row["bytes"] for row in rows}


def _pragma(database: Database, name: str) -> int:
    row = database.one(f"PRAGMA {name}")
    return row[0] if row else 0
