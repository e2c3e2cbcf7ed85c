"""What is known about accounts and their regions: who the credentials are, what is enabled, what cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from trailwatch.store.database import Database

KNOWN_FOR_SECONDS = 3600


class Trouble(msgspec.Struct, frozen=True):
    """A region that cannot be read now. Times are seconds since 1970."""

    account: str
    region: str
    kind: str
    what: str
    since: int
    told: int
    """When people were last told; 0 for never."""


class Regions:
    """The tables `caller`, `region_list` and `trouble`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def account_of(self, access_key: str, now: int) -> str | None:
        """The account of an access key, when it was asked within the last hour."""
        row = self._database.one(
            "SELECT account FROM caller WHERE key_hash = ? AND fetched > ?",
            (_hash(access_key), now - KNOWN_FOR_SECONDS),
        )
        return None if row is None else str(row["account"])

    def keep_account(self, access_key: str, account: str, now: int, arn: str = "") -> None:
        """Keeps whose an access key is; `arn` is the user or the role session that it stands for."""
        with self._database.transaction():
            self._database.execute("DELETE FROM caller WHERE fetched <= ?", (now - KNOWN_FOR_SECONDS,))
            self._database.execute(
                "INSERT OR REPLACE INTO caller (key_hash, account, fetched, arn) VALUES (?, ?, ?, ?)",
                (_hash(access_key), account, now, arn),
            )

    def callers(self) -> tuple[str, ...]:
        """The ARNs that the credentials in use stand for, as far as AWS was asked."""
        rows = self._database.all("SELECT DISTINCT arn FROM caller WHERE arn <> '' ORDER BY arn")
        return tuple(str(row["arn"]) for row in rows)

    def enabled(self, account: str, now: int) -> tuple[str, ...] | None:
        """The account's enabled regions, when they were asked within the last hour."""
        row = self._database.one(
            "SELECT names FROM region_list WHERE account = ? AND fetched > ?", (account, now - KNOWN_FOR_SECONDS)
        )
        return None if row is None else tuple(str(row["names"]).split())

    def last_enabled(self, account: str) -> tuple[str, ...] | None:
        """The account's enabled regions as they were last known, however long ago."""
        row = self._database.one("SELECT names FROM region_list WHERE account = ?", (account,))
        return None if row is None else tuple(str(row["names"]).split())

    def keep_enabled(self, account: str, names: Sequence[str], now: int) -> None:
        with self._database.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO region_list (account, names, fetched) VALUES (?, ?, ?)",
                (account, " ".join(names), now),
            )

    def failed(self, account: str, region: str, kind: str, what: str, now: int) -> Trouble:
        """Keeps that a region could not be read; `since` stays when it could not be read before."""
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO trouble (account, region, kind, what, since) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET kind = excluded.kind, what = excluded.what",
                (account, region, kind, what, now),
            )
        return next(one for one in self.troubles() if (one.account, one.region) == (account, region))

    def recovered(self, account: str, region: str) -> Trouble | None:
        """Forgets the trouble of a region that was read again; what it was, or None when there was none."""
        found = [one for one in self.troubles() if (one.account, one.region) == (account, region)]
        if not found:
            return None
        with self._database.transaction():
            self._database.execute("DELETE FROM trouble WHERE account = ? AND region = ?", (account, region))
        return found[0]

    def told(self, account: str, region: str, now: int) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE trouble SET told = ? WHERE account = ? AND region = ?", (now, account, region)
            )

    def troubles(self) -> list[Trouble]:
        return [
            Trouble(row["account"], row["region"], row["kind"], row["what"], row["since"], row["told"])
            for row in self._database.all(
                "SELECT account, region, kind, what, since, told FROM trouble ORDER BY account, region"
            )
        ]


def _hash(access_key: str) -> str:
    return hashlib.sha256(access_key.encode()).hexdigest()[:32]
