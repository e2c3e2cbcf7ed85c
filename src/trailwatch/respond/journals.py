"""Several journals as one: that of the state file, and that of a function's table."""

from __future__ import annotations

from trailwatch.model.response import Entry
from trailwatch.ports import Journal


class Journals:
    """`trailwatch.ports.Journal`; a plan goes on where it began, and a new one begins in the first.

    Args:
        first: where new plans are kept.
        others: where else plans may be.
    """

    def __init__(self, first: Journal, *others: Journal) -> None:
        self._all = (first, *others)

    def append(self, entry: Entry) -> None:
        """Keeps it; it lasts when this returns.

        Raises:
            StoreError: it cannot be kept, or another process wrote an entry with this number of this plan.
        """
        self._home(entry.plan_id).append(entry)

    def entries(self, plan_id: str) -> list[Entry]:
        """All of a plan, in order; empty for one that no journal knows."""
        return self._home(plan_id).entries(plan_id)

    def find(self, prefix: str, limit: int) -> list[str]:
        """Ids of plans that begin so."""
        return sorted({plan for one in self._all for plan in one.find(prefix, limit)})[:limit]

    def latest(self, limit: int) -> list[str]:
        """Ids of plans, the newest first."""
        begun = {plan: one.entries(plan)[0].time for one in self._all for plan in one.latest(limit)}
        return sorted(begun, key=lambda plan: begun[plan], reverse=True)[:limit]

    def _home(self, plan_id: str) -> Journal:
        return next((one for one in self._all if one.entries(plan_id)), self._all[0])
