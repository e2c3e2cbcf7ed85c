"""How fast and how late the lab's event history answers: the limits of AWS, which a test may move."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from trailwatch.ports import Clock

HISTORY_SECONDS = 90 * 86_400


@dataclass
class Limits:
    """Settings that may be changed while the lab runs."""

    lookup_rate: float | None = 2.0
    """LookupEvents calls a second per account and region; None switches the limit off."""
    visibility_delay: float = 0.0
    """Seconds until an event shows up in event history."""
    history: float = HISTORY_SECONDS
    """Seconds that event history goes back."""


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass
class LookupGate:
    """A token bucket per account and region, as AWS throttles: it holds one second's worth and fills evenly."""

    limits: Limits
    clock: Clock
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, account: str, region: str) -> bool:
        """Whether one more call may pass now; counts it if so."""
        rate = self.limits.lookup_rate
        if rate is None:
            return True
        now, most = self.clock.monotonic(), max(1.0, rate)
        with self._lock:
            bucket = self._buckets.setdefault((account, region), _Bucket(most, now))
            bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True
