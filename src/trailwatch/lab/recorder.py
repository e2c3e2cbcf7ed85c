"""The lab's event history: CloudTrail records per account and region, found by time and by attribute."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from typing import Any

import msgspec

from trailwatch.lab.resources import resources_of

Record = Mapping[str, Any]

ATTRIBUTES = (
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
)


class Row:
    """One record in its place: ordered by time, then by the order of arrival."""

    __slots__ = ("_shown", "place", "record", "visible_at")

    def __init__(self, place: tuple[int, int], visible_at: float, record: Record) -> None:
        self.place = place
        self.visible_at = visible_at
        self.record = record
        self._shown: dict[str, Any] | None = None

    def shown(self) -> dict[str, Any]:
        """The event as LookupEvents answers it."""
        if self._shown is None:
            self._shown = _as_event(self.record, self.place[0])
        return self._shown

    def values(self, attribute: str) -> list[str]:
        """What this event has for a look-up attribute."""
        if attribute in {"ResourceType", "ResourceName"}:
            found = {resource.get(attribute, "") for resource in resources_of(self.record)}
            return [value for value in found if value]
        value = _ATTRIBUTE_READERS[attribute](self.record)
        return [value] if value else []


class Shelf:
    """The rows of one account and region, in order; an index per attribute is made when it is first asked for."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._indexes: dict[str, dict[str, list[Row]]] = {}

    def add(self, row: Row) -> None:
        insort(self._rows, row, key=_place)
        for attribute, index in self._indexes.items():
            for value in row.values(attribute):
                insort(index.setdefault(value, []), row, key=_place)

    def add_many(self, rows: list[Row]) -> None:
        self._rows.extend(rows)
        self._rows.sort(key=_place)
        self._indexes.clear()

    def newest_first(
        self, attribute: tuple[str, str] | None, first: int, last: int, before: tuple[int, int] | None
    ) -> Iterator[Row]:
        """Rows with first <= time <= last (seconds since 1970), those in front of `before` only, newest first."""
        rows = self._rows if attribute is None else self._index(attribute[0]).get(attribute[1], [])
        end = bisect_left(rows, before, key=_place) if before else bisect_right(rows, last, key=_second)
        start = bisect_left(rows, first, key=_second)
        for at in range(end - 1, start - 1, -1):
            yield rows[at]

    def _index(self, attribute: str) -> dict[str, list[Row]]:
        if attribute not in self._indexes:
            index: dict[str, list[Row]] = {}
            for row in self._rows:
                for value in row.values(attribute):
                    index.setdefault(value, []).append(row)
            self._indexes[attribute] = index
        return self._indexes[attribute]

    def __len__(self) -> int:
        return len(self._rows)

    def records(self) -> list[Record]:
        return [row.record for row in self._rows]


class Recorder:
    """Everything that happened, for `LookupEvents` to find; raw records may be put in by tests and benchmarks."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._numbers = count()
        self.lock = threading.RLock()

    def add(self, record: Record, *, visible_at: float = 0.0) -> None:
        """Keeps one record below its own `recipientAccountId` and `awsRegion`.

        Args:
            record: a CloudTrail record with `eventTime`, as a mapping.
            visible_at: seconds since 1970 before which no look-up shows it.
        """
        with self.lock:
            self._shelf_of(record).add(self._row(record, visible_at))

    def add_many(self, records: Iterable[Record], *, visible_at: float = 0.0) -> int:
        """Keeps many records at once, which is much faster than one by one; how many they were."""
        grouped: dict[tuple[str, str], list[Row]] = {}
        for record in records:
            key = (record["recipientAccountId"], record["awsRegion"])
            grouped.setdefault(key, []).append(self._row(record, visible_at))
        with self.lock:
            for (account, region), rows in grouped.items():
                self.shelf(account, region).add_many(rows)
        return sum(map(len, grouped.values()))

    def shelf(self, account: str, region: str) -> Shelf:
        """The rows of an account and region; made empty when there are none."""
        return self._shelves.setdefault((account, region), Shelf())

    def records(self, account: str = "", region: str = "") -> list[Record]:
        """All records, or those of one account or region, oldest first within each."""
        with self.lock:
            return [
                record
                for (its_account, its_region), shelf in sorted(self._shelves.items())
                if account in {"", its_account} and region in {"", its_region}
                for record in shelf.records()
            ]

    def clear(self) -> None:
        """Forgets everything."""
        with self.lock:
            self._shelves.clear()

    def _shelf_of(self, record: Record) -> Shelf:
        return self.shelf(record["recipientAccountId"], record["awsRegion"])

    def _row(self, record: Record, visible_at: float) -> Row:
        return Row((seconds(record["eventTime"]), next(self._numbers)), visible_at, record)


def seconds(event_time: str) -> int:
    """An eventTime as seconds since 1970."""
    moment = datetime.fromisoformat(event_time)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


_place = attrgetter("place")


def _second(row: Row) -> int:
    return row.place[0]


def _as_event(record: Record, at: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        attribute: value for attribute, reader in _ATTRIBUTE_READERS.items() if (value := reader(record))
    }
    event["EventTime"] = at
    event["Resources"] = resources_of(record)
    event["CloudTrailEvent"] = msgspec.json.encode(record).decode()
    return event


def _user_name(record: Record) -> str:
    identity = record.get("userIdentity") or {}
    if identity.get("type") == "Root":
        return "root"
    name = identity.get("userName") or identity.get("principalId", "").partition(":")[2]
    return str(name)


_ATTRIBUTE_READERS: dict[str, Callable[[Record], str]] = {
    "EventId": lambda record: record.get("eventID", ""),
    "EventName": lambda record: record.get("eventName", ""),
    "ReadOnly": lambda record: "true" if record.get("readOnly") else "false",
    "Username": _user_name,
    "EventSource": lambda record: record.get("eventSource", ""),
    "AccessKeyId": lambda record: (record.get("userIdentity") or {}).get("accessKeyId", ""),
}
