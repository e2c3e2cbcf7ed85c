"""The canary's own event among others, told by what only its caller knows, so that nobody can hide behind it.

The call removes tags from a trail that does not exist, so it is refused whatever rights the caller has and changes
nothing; it is recorded as a call that changes something, so the ordinary poll sees it. Its name carries a marker of
128 random bits, once as the trail's name and once in the user agent, because a refusal may leave parameters out. A
record is the canary's only if marker, account, region, access key, call and refusal are right, and only once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.event import Event

PREFIX = "trailwatch-canary-"
EVENT_SOURCE = "cloudtrail.amazonaws.com"
EVENT_NAME = "RemoveTags"
EARLY_SECONDS = 120
"""So much may the clocks differ."""
LATE_SECONDS = 900
"""No call takes longer, retries included."""


class Expected(Protocol):
    """What is known of a call whose event is awaited."""

    @property
    def marker(self) -> str:
        """What its event is known by."""

    @property
    def account(self) -> str:
        """In which it was made."""

    @property
    def region(self) -> str:
        """Where it was made."""

    @property
    def access_key(self) -> str:
        """The key that signed it."""

    @property
    def called(self) -> int:
        """When, in seconds since 1970."""


def markers_at(records: Mapping[int, bytes], awaited: Mapping[str, Expected]) -> dict[int, str]:
    """Which of the records are events of awaited calls, with their markers; of two for one call the first is.

    Args:
        records: by their place.
        awaited: by marker.
    """
    left = dict(awaited)
    found: dict[int, str] = {}
    for at, raw in records.items():
        if marker := marker_in(raw, left):
            found[at] = marker
            del left[marker]
    return found


def marker_in(raw: bytes, awaited: Mapping[str, Expected]) -> str:
    """The marker of the awaited call whose event a record is; empty for any other."""
    try:
        record = to_mapping(raw)
        time = Event(record).time
    except DecodeError:
        return ""
    return next((one.marker for one in awaited.values() if _is(record, time, one)), "")


def _is(record: Mapping[str, Any], time: datetime, expected: Expected) -> bool:
    identity, asked = record.get("userIdentity"), record.get("requestParameters")
    named = asked.get("resourceId") if isinstance(asked, Mapping) else None
    agent = record.get("userAgent")
    marked = [text for text in (named, agent) if isinstance(text, str) and expected.marker in text]
    return (
        bool(marked)
        and record.get("eventSource") == EVENT_SOURCE
        and record.get("eventName") == EVENT_NAME
        and bool(record.get("errorCode"))
        and record.get("recipientAccountId") == expected.account
        and record.get("awsRegion") == expected.region
        and isinstance(identity, Mapping)
        and identity.get("accessKeyId") == expected.access_key
        # parameters that name anything else are somebody else's call
        and (named is None or (isinstance(named, str) and named.endswith(f":trail/{expected.marker}")))
        and -EARLY_SECONDS <= time.timestamp() - expected.called <= LATE_SECONDS
    )
