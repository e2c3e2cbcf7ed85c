"""Times as people type them: `2026-01-31`, `2026-01-31T23:59:59Z`, `7d`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from trailwatch.errors import DecodeError, UsageError
from trailwatch.model.event import parse_time

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, option: str, now: datetime) -> datetime:
    """An aware UTC time; `7d` is seven days before `now`, a time without a zone is UTC.

    Raises:
        UsageError: it is neither a time nor a span.
    """
    span = _AGO.fullmatch(text)
    try:
        if span is not None:
            return now - timedelta(**{_UNITS[span.group(2)]: int(span.group(1))})
        return parse_time(text)
    except (DecodeError, OverflowError, ValueError):
        raise UsageError(
            option,
            f"expected a time such as 2026-01-31T23:59:59Z or a span such as 7d, got {text!r}",
            "correct the option",
        ) from None


def seconds(text: str | None, option: str, now: datetime) -> int | None:
    """The same in seconds since 1970; None stays None."""
    return None if text is None else int(moment(text, option, now).timestamp())
