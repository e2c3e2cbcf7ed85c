"""Where GuardDuty is on, kept in the store: it cannot be said without asking, and coverage must say it."""

from __future__ import annotations

from typing import Literal

import msgspec

from trailwatch.store.database import Database
from trailwatch.store.text import storable

SourceState = Literal["on", "suspended", "off", "absent", "failed"]
"""`off`: no detector there; `absent`: AWS does not offer it there; `failed`: it could not be asked."""


class FindingSource(msgspec.Struct, frozen=True):
    """GuardDuty in one account and region."""

    account: str
    region: str
    state: SourceState
    detail: str
    """Why it failed; empty otherwise."""
    checked: int
    """When it was last asked, in seconds since 1970."""


class FindingSources:
    """The table `finding_source`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, source: FindingSource) -> None:
        with self._database.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO finding_source (account, region, state, detail, checked)"
                " VALUES (?, ?, ?, ?, ?)",
                (source.account, source.region, source.state, storable(source.detail), source.checked),
            )

    def all(self) -> list[FindingSource]:
        """Every place that was ever asked, in order."""
        rows = self._database.all("SELECT * FROM finding_source ORDER BY account, region")
        return [
            FindingSource(row["account"], row["region"], row["state"], row["detail"], row["checked"]) for row in rows
        ]

    def prune(self, before: int) -> int:
        """Forgets places that were not asked since then, such as those of an account that is no longer read."""
        return self._database.execute("DELETE FROM finding_source WHERE checked < ?", (before,)).rowcount
