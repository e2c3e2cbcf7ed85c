"""Event: one CloudTrail record that was read."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from trailwatch.errors import DecodeError
from trailwatch.model.fieldpath import find_values
from trailwatch.model.principal import Principal, principal_of


class Event(Mapping[str, Any]):
    """A record with names for what every stage asks of it; as a mapping it is the record, read-only.

    Args:
        record: the decoded JSON object, never changed.
        origin: where it came from: a path, or account/region/look-up.
        position: its number within that origin, from 0.

    Raises:
        DecodeError: no `eventName`, or no `eventTime` that is a time.
    """

    def __init__(self, record: Mapping[str, Any], origin: str = "", position: int = 0) -> None:
        self._record = record
        self.origin = origin
        self.position = position
        self.name = self._required("eventName")
        self.time = parse_time(self._required("eventTime"), f"{origin}: record {position}")

    def __getitem__(self, key: str) -> Any:
        return self._record[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)

    def __repr__(self) -> str:
        return f"Event({self.name!r}, {self.time:%Y-%m-%dT%H:%M:%SZ}, {self.event_id!r})"

    def path(self, path: str, default: Any = None) -> Any:
        """The first value at a dotted path, or `default`."""
        found = find_values(self._record, path)
        return found[0] if found else default

    def paths(self, path: str) -> list[Any]:
        """Every value at a dotted path, lists flattened."""
        return find_values(self._record, path)

    @property
    def record(self) -> Mapping[str, Any]:
        return self._record

    @property
    def event_id(self) -> str:
        """`eventID`; empty for records older than eventVersion 1.01, which have none."""
        return self._text("eventID")

    @property
    def source(self) -> str:
        return self._text("eventSource")

    @property
    def region(self) -> str:
        return self._text("awsRegion")

    @property
    def account(self) -> str:
        """The account whose trail this is, or the caller's where the record does not say."""
        return self._text("recipientAccountId") or self.principal.account

    @property
    def source_ip(self) -> str:
        """An address, or the host name of an AWS service."""
        return self._text("sourceIPAddress")

    @property
    def user_agent(self) -> str:
        return self._text("userAgent")

    @property
    def error_code(self) -> str:
        """Empty when the call succeeded."""
        return self._text("errorCode")

    @functools.cached_property
    def principal(self) -> Principal:
        return principal_of(self._record)

    def _text(self, key: str) -> str:
        value = self._record.get(key)
        return value if isinstance(value, str) else ""

    def _required(self, key: str) -> str:
        value = self._record.get(key)
        if not isinstance(value, str) or not value:
            raise DecodeError(
                f"{self.origin}: record {self.position}",
                f"expected a text in {key}, got {_short(value)}",
                "it is kept as a reject",
            )
        return value


def parse_time(text: str, origin: str = "") -> datetime:
    """An aware UTC time from CloudTrail's form, `2026-01-31T23:59:59Z`, or any ISO 8601 form with an offset.

    Raises:
        DecodeError: it is no such time.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise DecodeError(origin, f"expected a time such as 2026-01-31T23:59:59Z, got {_short(text)}") from None


def _short(value: object) -> str:
    text = repr(value)
    limit = 80
    return text if len(text) <= limit else text[:limit] + "..."
