"""The freeze of a function: an item; while it is there, nothing is changed at AWS."""

from __future__ import annotations

from trailwatch.dynamo.table import Table
from trailwatch.errors import StoreError

_PLACE = ("freeze", "respond")


class TableFreeze:
    """The freeze in a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def frozen(self) -> str:
        """Why responses are frozen; empty where they are not. A table that cannot be read freezes, too."""
        try:
            item = self._table.get(*_PLACE)
        except StoreError as error:
            return f"responses count as frozen, because that cannot be looked up: {error}"
        if item is None:
            return ""
        who, why = str(item.get("who")), str(item.get("why") or "")
        return f"responses are frozen by {who}" + (f": {why}" if why else "")

    def freeze(self, who: str, why: str) -> None:
        """Freezes, also where it is frozen already.

        Raises:
            StoreError: the table cannot be written; likewise from `thaw`.
        """
        self._table.put(*_PLACE, {"who": who, "why": why})

    def thaw(self) -> bool:
        """Whether it was frozen; it is not any more."""
        known = self._table.get(*_PLACE) is not None
        self._table.remove(*_PLACE)
        return known
