"""A suppression: what somebody decided not to be told of, until when and why."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from trailwatch.rules.predicate import Const, Predicate

EVERY_RULE = "*"
DAY = 86400


class Suppression(msgspec.Struct, frozen=True):
    """It hides a match when everything that it names holds; what it does not name does not count."""

    name: str
    """Unique; outputs count by it."""
    owner: str
    """Who answers for it."""
    reason: str
    expires: int
    """The first second since 1970 at which it holds no longer: the end of its last day, UTC."""
    rules: tuple[str, ...]
    """Ids or slugs of rules; `*` for all."""
    condition: Predicate = Const(value=True)
    """What the record must satisfy."""
    actor: tuple[str, ...] = ()
    """Patterns for the principal's key or the actor's, with `*` and `?`; the text never counts, callers choose it."""
    networks: tuple[str, ...] = ()
    """Networks of the source address."""
    accounts: tuple[str, ...] = ()
    """Accounts in whose trail the event stands."""
    origin: str = ""
    """`path:line` of the definition."""

    @property
    def last_day(self) -> str:
        """The last day on which it holds, such as `2027-01-31`."""
        return f"{datetime.fromtimestamp(self.expires - DAY, UTC):%Y-%m-%d}"

    @property
    def path(self) -> str:
        """The file that it stands in."""
        return self.origin.rpartition(":")[0]

    def holds_at(self, time: int) -> bool:
        """Whether it has not expired at that time, in seconds since 1970."""
        return time < self.expires
