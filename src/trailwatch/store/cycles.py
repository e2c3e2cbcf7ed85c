"""Cycles kept in the store, and the lock that lets only one run at a time."""

from __future__ import annotations

import fcntl
import os
from typing import Self

import msgspec

from trailwatch.store.database import Database

CYCLES_KEPT = 1440


class CycleRow(msgspec.Struct, frozen=True):
    """One run of `check`, or one turn of `watch`. Times are seconds since 1970."""

    id: int
    started: float
    finished: float | None
    process: int
    outcome: str
    """`running`, `good`, `partial` (something could not be read), `failed` or `killed`."""
    summary: str


class CycleLock:
    """An advisory lock on a file beside the state file; the system frees it when its process ends, however it ends.

    Args:
        path: the state file; `":memory:"` is private to one process and needs no lock.
    """

    def __init__(self, path: str) -> None:
        self._path = None if path == ":memory:" else f"{path}.lock"
        self._descriptor = -1

    def acquire(self) -> bool:
        """Whether this process has it now; never waits."""
        if self._path is None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Cycles:
    """The table `cycle`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lock(self) -> CycleLock:
        return CycleLock(self._database.path)

    def begin(self, now: float) -> tuple[int, bool]:
        """The new cycle's id, and whether the one before it ended cleanly. Only the holder of the lock may ask."""
        with self._database.transaction():
            killed = self._database.execute("UPDATE cycle SET outcome = 'killed' WHERE outcome = 'running'").rowcount
            cursor = self._database.execute(
                "INSERT INTO cycle (started, process, outcome) VALUES (?, ?, 'running')", (now, os.getpid())
            )
            number = int(cursor.lastrowid or 0)
            self._database.execute("DELETE FROM cycle WHERE id <= ?", (number - CYCLES_KEPT,))
        return number, killed == 0

    def finish(self, number: int, now: float, outcome: str, summary: str) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE cycle SET finished = ?, outcome = ?, summary = ? WHERE id = ?",
                (now, outcome, summary, number),
            )

    def running(self) -> CycleRow | None:
        """The cycle that has not said yet how it ended."""
        return self._newest("outcome = 'running'")

    def last(self) -> CycleRow | None:
        """The newest cycle that ended, or was ended."""
        return self._newest("outcome <> 'running'")

    def last_good(self) -> CycleRow | None:
        """The newest cycle that did what it could: one that left out a region which cannot be read counts."""
        return self._newest("outcome IN ('good', 'partial')")

    def _newest(self, condition: str) -> CycleRow | None:
        row = self._database.one(
            "SELECT id, started, finished, process, outcome, summary FROM cycle"  # noqa: S608 the conditions stand above
            f" WHERE {condition} ORDER BY id DESC LIMIT 1"
        )
        return None if row is None else CycleRow(*row)
