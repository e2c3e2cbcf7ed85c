"""The state file: one SQLite database, opened, migrated and written to in transactions.

Repositories (`alerts.py`, `outbox.py`, `coverage.py`, ...) each own some tables and take a `Database`. A write
happens inside `transaction()`, so that whoever decides what belongs together also decides where it ends.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from trailwatch.errors import StoreError

BUSY_TIMEOUT_SECONDS = 10.0


class Database:
    """An open state file. Use as a context manager, or call `close`.

    Args:
        path: the file, made with mode 0600 where it is not there; `":memory:"` for a store that is forgotten.
        lasting: False for a file that is thrown away: it is faster, and worth nothing after a crash.

    Raises:
        StoreError: it cannot be opened, is no trailwatch state file, or was written by a newer trailwatch.
    """

    def __init__(self, path: Path | str, *, lasting: bool = True) -> None:
        self.path = str(path)
        try:
            if self.path != ":memory:":
                _make_private(Path(self.path))
            self._connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise self._not_opened(error) from error
        try:
            self._connection.row_factory = sqlite3.Row
            if lasting:
                self._use_wal()
            else:
                self._connection.execute("PRAGMA journal_mode = MEMORY")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'OFF'}")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._not_opened(error) from error
        except StoreError:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are kept together or not at all; inside another transaction it joins that one.

        It takes the write lock at once (BEGIN IMMEDIATE), so that no write inside can fail half way for a lock.
        """
        if self._connection.in_transaction:
            yield
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise StoreError(
                self.path, f"cannot be locked for writing: {error}", "another process holds it"
            ) from error
        try:
            yield
        except BaseException:
            # the first error is the one to see, also when the roll-back fails as well
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._commit()

    def execute(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """The statement's cursor.

        Raises:
            StoreError: the file cannot be read or written; likewise from the next three.
        """
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def executemany(self, sql: str, rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]) -> sqlite3.Cursor:
        try:
            return self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def one(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row, or None."""
        try:
            row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return row

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    @property
    def version(self) -> int:
        """Number of the last migration that this file has."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _use_wal(self) -> None:
        """Turns write-ahead logging on; SQLite waits for no lock here, so of two first runs one would fail."""
        deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise self._unusable(error) from error

    def _not_opened(self, error: Exception) -> StoreError:
        return StoreError(self.path, f"cannot be opened as a state file: {error}", "check the path and its rights")

    def _unusable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            self.path, f"cannot be read or written: {error}", "check the space on the disk and the file's rights"
        )

    def _migrate(self) -> None:
        steps = migrations()
        if self.version == len(steps):
            return
        if self.version > len(steps):
            raise StoreError(
                self.path,
                f"has schema {self.version}, this trailwatch knows {len(steps)}",
                "use the newer trailwatch that wrote it, or another path",
            )
        with self.transaction():
            for number, sql in enumerate(steps[self.version :], start=self.version + 1):
                for statement in _statements(sql):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number:d}")


def migrations() -> list[str]:
    """The text of every migration, in order; file `NNN_name.sql` is number NNN, without gaps."""
    folder = Path(__file__).with_name("migrations")
    files = sorted(folder.glob("*.sql"), key=lambda file: file.name)
    return [f.read_text(encoding="utf-8") for f in files]


def _statements(sql: str) -> Iterator[str]:
    """Single statements, because `executescript` would commit the transaction that it runs in."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
