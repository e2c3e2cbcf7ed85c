"""What one cycle is to read in a region, and what came of each window."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.store.coverage import Lookup, SessionLookup


class Purpose(enum.Enum):
    """Why a window was read."""

    NEWEST = "newest"
    """The newest window of a look-up."""
    REREAD = "reread"
    """The overlap before it, once more."""
    GAP = "gap"
    """A stretch that was never read in full."""
    SWEEP = "sweep"
    """A piece of the last day, once more."""
    SESSION = "session"
    """What one role session did, or who began it."""


class Limits(msgspec.Struct, frozen=True):
    """The durations of `[check]`, in seconds."""

    lookback: int
    overlap: int
    sweep: int
    history: int
    pace: float


class Task(msgspec.Struct, frozen=True):
    """What one cycle does in one account and region."""

    account: str
    region: str
    now: int
    """The end of every newest window, in seconds since 1970."""
    polled: Lookup
    """The look-up that reads everything that changes something."""
    planned: Sequence[Lookup] = ()
    """Look-ups by name, for this cycle."""
    behind: Sequence[Lookup] = ()
    """Look-ups by name that have gaps, whether they are planned now or not."""
    sessions: Sequence[SessionLookup] = ()
    sweep: tuple[Lookup, Interval] | None = None


class Slice(msgspec.Struct, frozen=True):
    """One window that was read, in full or in part."""

    key: LookupKey
    purpose: Purpose
    window: Interval
    records: tuple[bytes, ...]
    complete: bool
    """Whether every page was read; only then is the window covered."""
    pages: int
    events_per_second: float | None = None
    """Measured in this window; None where nothing was read of it."""
    unsettled: Interval | None = None
    """What was read too soon to be complete before an outage; it becomes a gap together with this window."""


def attribute_of(lookup: str) -> tuple[str, str] | None:
    """The attribute that a `LookupKey.lookup` stands for; None for `*`."""
    if lookup == "*":
        return None
    name, _, value = lookup.partition("=")
    return name, value
