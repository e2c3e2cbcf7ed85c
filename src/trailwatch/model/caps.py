"""Caps: how many identities may be acted on without a person."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HOUR, DAY = 3600, 86400


class Caps(msgspec.Struct, frozen=True):
    """The most that may be done."""

    per_hour: int
    """In any hour."""
    per_day: int
    """In any 24 hours."""

    def against(self, taken: Sequence[int], now: int) -> str:
        """Why nothing more may be done by now; empty where there is room.

        Args:
            taken: when something was done, in seconds since 1970, at least all of the last day. What lies ahead
                counts, too, because a clock that is put back must not make room.
            now: seconds since 1970.
        """
        for seconds, most, unit in ((HOUR, self.per_hour, "in any hour"), (DAY, self.per_day, "in any 24 hours")):
            if sum(now - seconds < time for time in taken) >= most:
                return f"no more than {most} {unit}"
        return ""
