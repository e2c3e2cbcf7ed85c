"""The five severities, in the order of their weight."""

from __future__ import annotations

import enum
import functools


@functools.total_ordering
class Severity(enum.Enum):
    """How much a person must care; compares by weight, so `max()` and `>=` work."""

    INFORMATIONAL = "informational"
    """A fact that other rules build on; nobody needs to read it."""
    LOW = "low"
    """Worth a line in a report."""
    MEDIUM = "medium"
    """A person should look at it today."""
    HIGH = "high"
    """A person should look at it now."""
    CRITICAL = "critical"
    """Wake somebody."""

    @property
    def rank(self) -> int:
        """0 for informational to 4 for critical."""
        return _RANK[self]

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Severity):
            return NotImplemented
        return self.rank < other.rank


_RANK = {level: rank for rank, level in enumerate(Severity)}
