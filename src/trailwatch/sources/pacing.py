"""Never more than AWS allows: one token for each HTTP attempt, per account and region.

LookupEvents may be called twice a second in an account and region, and the console and every other tool share
that. So attempts are spaced evenly, without bursts, and retries take their turn like everything else.
"""

from __future__ import annotations

import threading
from typing import Any

from trailwatch.ports import Clock

RATED_CALL = "before-send.cloudtrail.LookupEvents"


class Pacer:
    """Spaces the calls to one account and region.

    Args:
        clock: the time.
        pace: shortest time between two calls, in seconds.
        last_call: when the last call of an earlier process was, in seconds since 1970; 0 for never.
    """

    def __init__(self, clock: Clock, pace: float, last_call: float = 0.0) -> None:
        self._clock = clock
        self._pace = pace
        self._lock = threading.Lock()
        self.last_call = last_call
        """Seconds since 1970, for the next process; 0 for never."""
        self.calls = 0
        """Attempts since this pacer was made."""
        # within a process the monotonic clock counts, because the other one can be set
        ago = max(0.0, clock.now().timestamp() - last_call)
        self._next = clock.monotonic() + max(0.0, pace - ago)

    def take(self) -> None:
        """Comes back when the next call may be made."""
        with self._lock:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._pace
            if turn > now:
                self._clock.sleep(turn - now)
            self.last_call = self._clock.now().timestamp()
            self.calls += 1

    def attach(self, client: Any) -> None:
        """Makes every attempt of this CloudTrail client take a token, retries included."""
        client.meta.events.register(RATED_CALL, self._before_send)

    def _before_send(self, **_: object) -> None:
        self.take()
