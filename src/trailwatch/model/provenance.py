"""Provenance: the way on which a record came, which says who could have forged it."""

from __future__ import annotations

import enum


class Provenance(enum.Enum):
    """Whoever may act on a record without asking a person must know who could have written it."""

    EVENT_HISTORY = "event-history"
    """Read from CloudTrail's own answer to LookupEvents."""
    TRAIL_BUCKET = "trail-bucket"
    """Read from a bucket that the configuration names; whoever may write there can forge it."""
    EVENT_BUS = "event-bus"
    """Handed to the function by EventBridge; whoever may invoke the function can forge it."""
    QUEUE = "queue"
    """Out of a message of a queue or topic; whoever may send there can forge it."""
    FILE = "file"
    """A file from anywhere."""
