"""Cases of automatic response in a table: `trailwatch.respond.automatic.Cases`."""

from __future__ import annotations

import json

import msgspec

from trailwatch.dynamo.bodies import packed, unpacked
from trailwatch.dynamo.table import Item, Table
from trailwatch.errors import StoreError
from trailwatch.model.caps import DAY, Caps
from trailwatch.model.case import OPEN, Case
from trailwatch.model.message import Message

KEEP_SECONDS = 90 * DAY
_CASES, _TAKEN = "cases", ("caps", "taken")
_UNTOLD_KEPT = 5
_ATTEMPTS = 20
"""Each time that the list of what was taken changes between reading and writing it, somebody else took something."""


class TableCases:
    """One item for each case, with the message about it until that was sent; and one item with what was taken."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, case_id: str) -> Case | None:
        """The case as it is now."""
        item = self._table.get(_CASES, case_id)
        return None if item is None else _case(item)

    def open(self) -> list[Case]:
        """Those in which something is still to come, the oldest first."""
        found = [_case(item) for item in self._table.all(_CASES)]
        return sorted((case for case in found if case.state in OPEN), key=lambda case: (case.changed, case.id))

    def keep(self, case: Case, message: Message | None) -> bool:
        """Keeps the case together with what is to be told of it; False where it was kept since it was read."""
        kept = msgspec.structs.replace(case, version=case.version + 1)
        item: Item = {
            "body": packed(kept, f"case {case.id}"),
            "version": kept.version,
            "expires": kept.changed + KEEP_SECONDS,
        }
        untold = _messages(self._table.get(_CASES, case.id)) + ([] if message is None else [message])
        if untold:
            item["untold"] = packed(untold[-_UNTOLD_KEPT:], f"case {case.id}")
        return self._table.put(_CASES, case.id, item, version=case.version)

    def full(self, now: int, caps: Caps) -> str:
        """Why the caps leave nothing by now; empty where they leave something."""
        return caps.against([time for _, time in self._taken()[1]], now)

    def take(self, plan_id: str, now: int, caps: Caps) -> str:
        """Takes one of the responses that the caps leave, once for each plan; why there is none, or empty.

        Raises:
            StoreError: the table cannot be used, or too many take something at the same time.
        """
        for _ in range(_ATTEMPTS):
            version, taken = self._taken()
            if any(plan == plan_id for plan, _ in taken):
                return ""
            reason = caps.against([time for _, time in taken], now)
            if reason:
                return reason
            rest = [(plan, time) for plan, time in taken if time > now - 2 * DAY]
            more: Item = {"taken": json.dumps([*rest, (plan_id, now)]), "version": version + 1}
            if self._table.put(*_TAKEN, more, version=version):
                return ""
        raise StoreError(
            f"table {self._table.name}", "too many responses begin at the same time", "it is tried again"
        )

    def _taken(self) -> tuple[int, list[tuple[str, int]]]:
        """The version of the list, and the plans in it with their times."""
        item = self._table.get(*_TAKEN) or {"version": 0, "taken": "[]"}
        return int(item["version"]), [(str(plan), int(time)) for plan, time in json.loads(str(item["taken"]))]

    def untold(self) -> list[tuple[Case, list[Message]]]:
        """Cases of which something is still to be told, with that."""
        return [(_case(item), found) for item in self._table.all(_CASES) if (found := _messages(item))]

    def told(self, case: Case) -> None:
        """All that was to be told of this very version of the case was told."""
        self._table.update(_CASES, case.id, "REMOVE untold", "version = :version", {}, {":version": case.version})


def _case(item: Item) -> Case:
    return unpacked(item.get("body"), Case, "case " + str(item["sk"]))


def _messages(item: Item | None) -> list[Message]:
    return unpacked(item["untold"], list[Message], "case") if item is not None and "untold" in item else []
