"""Canaries kept in the store: which calls were made, and when each came back as an event."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trailwatch.store.database import Database
from trailwatch.store.text import storable


class Canary(msgspec.Struct, frozen=True):
    """One call. Times are seconds since 1970."""

    marker: str
    account: str
    region: str
    access_key: str
    called: int
    returned: int | None = None
    failure: str = ""
    """Why the call itself could not be made; empty where it was."""


class Flights(msgspec.Struct, frozen=True):
    """How the canaries of one account and region did."""

    account: str
    region: str
    made: int
    seconds: tuple[int, ...]
    """From call to event read, of those that came back, ascending."""
    awaited: int
    """Called and not seen yet."""
    failed: int
    last_called: int
    last_returned: int
    """0 for never."""
    newest_back: int
    """When the newest of those that came back was called; 0 for none."""


class Canaries:
    """The table `canary`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, canaries: Sequence[Canary]) -> None:
        """Keeps calls that are about to be made: an event that comes back is always known."""
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO canary (marker, account, region, access_key, called) VALUES (?, ?, ?, ?, ?)",
                [(one.marker, one.account, one.region, one.access_key, one.called) for one in canaries],
            )

    def failed(self, marker: str, why: str) -> None:
        """The call could not be made, so nothing will come back."""
        with self._database.transaction():
            self._database.execute("UPDATE canary SET failure = ? WHERE marker = ?", (storable(why, 500), marker))

    def returned(self, marker: str, now: int) -> None:
        """Its event was read; what comes later of it changes nothing."""
        self._database.execute("UPDATE canary SET returned = ? WHERE marker = ? AND returned IS NULL", (now, marker))

    def awaited(self) -> dict[str, Canary]:
        """By marker, the calls that were made and whose events have not been read, however long ago that is."""
        return {marker: one for marker, one in self.expected().items() if not one.failure}

    def expected(self) -> dict[str, Canary]:
        """The same with calls that seemed to fail: one may have got through before its answer was lost."""
        rows = self._database.all("SELECT * FROM canary WHERE returned IS NULL")
        return {row["marker"]: _canary(row) for row in rows}

    def any_awaited(self) -> bool:
        """Whether some call's event has not been read."""
        return self._database.one("SELECT 1 FROM canary WHERE returned IS NULL AND failure = '' LIMIT 1") is not None

    def last_called(self) -> int:
        """When the newest was called; 0 for never."""
        row = self._database.one("SELECT max(called) AS last FROM canary")
        return int(row["last"] or 0) if row else 0

    def flights(self, since: int) -> list[Flights]:
        """Every account and region with a canary called since then, in order."""
        rows = self._database.all("SELECT * FROM canary WHERE called >= ? ORDER BY account, region, called", (since,))
        places: dict[tuple[str, str], list[Canary]] = {}
        for row in rows:
            places.setdefault((row["account"], row["region"]), []).append(_canary(row))
        return [_flights(account, region, found) for (account, region), found in places.items()]

    def prune(self, before: int) -> int:
        return self._database.execute("DELETE FROM canary WHERE called < ?", (before,)).rowcount


def _flights(account: str, region: str, found: Sequence[Canary]) -> Flights:
    back = [one for one in found if one.returned is not None]
    return Flights(
        account=account,
        region=region,
        made=len(found),
        seconds=tuple(sorted(max(0, (one.returned or 0) - one.called) for one in back)),
        awaited=sum(one.returned is None and not one.failure for one in found),
        failed=sum(bool(one.failure) and one.returned is None for one in found),
        last_called=max(one.called for one in found),
        last_returned=max((one.returned or 0 for one in back), default=0),
        newest_back=max((one.called for one in back), default=0),
    )


def _canary(row: object) -> Canary:
    return msgspec.convert(dict(row), Canary)  # type: ignore[call-overload]  # sqlite3.Row is one, and has no type for it
