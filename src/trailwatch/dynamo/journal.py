"""The journal of responses in a table: `trailwatch.ports.Journal`."""

from __future__ import annotations

from trailwatch.dynamo.bodies import packed, unpacked
from trailwatch.dynamo.table import Table
from trailwatch.errors import StoreError
from trailwatch.model.response import Entry

_PLANS = "plans"


class TableJournal:
    """One item for each entry, and one for each plan by its time; nothing is changed, and nothing expires."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def append(self, entry: Entry) -> None:
        """Keeps it; it lasts when this returns.

        Raises:
            StoreError: it cannot be kept, or another process wrote an entry with this number of this plan.
        """
        where = f"plan {entry.plan_id}"
        if entry.number == 0:  # listed first: a plan without entries is passed over, an entry without a plan is lost
            self._table.put(_PLANS, f"{entry.time:012}#{entry.plan_id}", {"plan": entry.plan_id})
        body = packed(entry, where)
        if not self._table.put(_partition(entry.plan_id), f"{entry.number:06}", {"body": body}, version=0):
            raise StoreError(where, "another process works on it", "let it end, then ask for its status")

    def entries(self, plan_id: str) -> list[Entry]:
        """All of a plan, in order; empty for one that is not known."""
        where = f"plan {plan_id}"
        return [unpacked(item.get("body"), Entry, where) for item in self._table.all(_partition(plan_id))]

    def find(self, prefix: str, limit: int) -> list[str]:
        """Ids of plans that begin so."""
        return sorted(plan for plan in self._plans() if plan.startswith(prefix))[:limit]

    def latest(self, limit: int) -> list[str]:
        """Ids of plans, the newest first."""
        return self._plans()[::-1][:limit]

    def _plans(self) -> list[str]:
        return [str(item["plan"]) for item in self._table.all(_PLANS)]


def _partition(plan_id: str) -> str:
    return f"plan#{plan_id}"
