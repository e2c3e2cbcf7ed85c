"""Settings of what shows that trailwatch looks, and of GuardDuty, which looks beside it."""

from __future__ import annotations

import msgspec

from trailwatch.config.kinds import Seconds


class GuardDutySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[guardduty]`: the findings of Amazon GuardDuty as one more source of alerts."""

    enabled: bool = False
    """Whether they are read."""
    every: Seconds = 300.0
    """How often each region is asked; GuardDuty itself takes up to five minutes for a new finding."""


class CanarySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[canary]`: a harmless call that must come back as an event."""

    every: Seconds = 0.0
    """How often `check` and `watch` make it in each region; 0 for never."""
    within: Seconds = 1800.0
    """One that was not seen after this raises an alert."""


class CoverageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[coverage]`: what is told of reading itself."""

    late: Seconds = 3600.0
    """A region with something that was not read for so long raises an alert; 0 raises none."""
    digest: Seconds = 604800.0
    """How often a message says what was read, what was not, and which rules cannot fire; 0 for never."""


class WatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[watch]`: the service."""

    listen: str = ""
    """Where `GET /healthz` is answered: a port of this machine's loopback, or `address:port`; empty for nowhere."""
