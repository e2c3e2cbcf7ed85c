"""Times of events as seconds."""

from __future__ import annotations

from datetime import UTC, datetime

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(time: datetime) -> int:
    """Seconds since 1970 of an event's time; one without a zone is in UTC."""
    if time.tzinfo is not UTC:
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    since = time - _BEGIN  # in a third of the time that `timestamp` takes
    if since.days < 0:
        return int(time.timestamp())  # towards zero, like all others
    return since.days * 86400 + since.seconds
