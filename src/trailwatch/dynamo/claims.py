"""Who tells of an alert: a lease on it while a message is on its way, and a mark once it has arrived.

Each (alert, notifier) is one item. It begins as `telling` with a lease, so that of two invocations at the same time
one sends, and becomes `told` afterwards. An invocation that dies between the two leaves a lease that runs out;
whoever comes next, such as Lambda's own retry, then sends. So nothing is lost, and the most that is repeated is the
one message that was under way.
"""

from __future__ import annotations

import enum

import msgspec

from trailwatch.dynamo.table import Table


class Turn(enum.Enum):
    """What became of a claim."""

    MINE = "mine"
    """This caller tells."""
    DONE = "done"
    """It was told."""
    BUSY = "busy"
    """Somebody else is telling just now."""


class Claim(msgspec.Struct, frozen=True):
    """The answer to a claim."""

    turn: Turn
    since: int = 0
    """When it was claimed first, in seconds since 1970; the same in every attempt."""


class Claims:
    """The claims in a table.

    Args:
        table: where they are.
        owner: a text that no other caller has, such as the request id of the invocation.
        keep_seconds: how long it is remembered that something was told.
    """

    def __init__(self, table: Table, owner: str, keep_seconds: int) -> None:
        self._table = table
        self._owner = owner
        self._keep_seconds = keep_seconds

    def claim(self, what: str, notifier: str, rank: int, now: int, until: int) -> Claim:
        """Whether this caller tells.

        Args:
            what: an alert's id.
            notifier: who is told.
            rank: how severe it is; what was told as something less severe is told once more.
            now: seconds since 1970.
            until: when the caller is surely gone.
        """
        held, item = self._table.update(
            _partition(what),
            notifier,
            "SET #state = :telling, #owner = :me, #until = :until, #rank = :rank, #expires = :expires, "
            "#since = if_not_exists(#since, :now)",
            "attribute_not_exists(pk) OR (#state = :telling AND #until < :now) OR (#state = :told AND #rank < :rank)",
            {f"#{name}": name for name in ("state", "owner", "until", "rank", "expires", "since")},
            {
                ":telling": "telling",
                ":told": "told",
                ":me": self._owner,
                ":until": until,
                ":rank": rank,
                ":now": now,
                ":expires": now + self._keep_seconds,
            },
        )
        if held:
            return Claim(Turn.MINE, int(item["since"]))
        return Claim(Turn.DONE if item.get("state") == "told" else Turn.BUSY)

    def told(self, what: str, notifier: str) -> None:
        """It has arrived, or will never."""
        self._table.update(
            _partition(what), notifier, "SET #state = :told", "", {"#state": "state"}, {":told": "told"}
        )

    def give_back(self, what: str, notifier: str) -> None:
        """It has not arrived: the next attempt need not wait for the lease to run out."""
        self._table.update(
            _partition(what),
            notifier,
            "SET #until = :never",
            "#owner = :me AND #state = :telling",
            {"#until": "until", "#owner": "owner", "#state": "state"},
            {":never": 0, ":me": self._owner, ":telling": "telling"},
        )


def _partition(what: str) -> str:
    return f"alert#{what}"
