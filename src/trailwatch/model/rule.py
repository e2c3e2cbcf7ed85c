"""What people and outputs need to know of a rule; how it matches is in `trailwatch.rules`."""

from __future__ import annotations

import msgspec

from trailwatch.model.severity import Severity

OWN_ORIGIN = "trailwatch"
"""Origin of the rules by which trailwatch speaks of itself; they are in no file."""
GAP_ID = "trailwatch_gap"
"""Id of the one about what was not read."""


class Dedup(msgspec.Struct, frozen=True):
    """When two matches of one rule are the same alert."""

    by: tuple[str, ...] = ("userIdentity.arn", "recipientAccountId")
    """Field paths of the record whose values must be equal."""
    period_seconds: int = 3600
    """Matches whose event times fall into the same period of this length are one alert."""


class RuleInfo(msgspec.Struct, frozen=True):
    """A rule as a person reads it."""

    id: str
    """Stable: a uuid for shipped rules, whatever the author chose for others."""
    slug: str
    """Readable name, unique within a rule set; the file's stem for shipped rules."""
    title: str
    severity: Severity
    origin: str
    """`path:line` of the definition."""
    description: str = ""
    tactics: tuple[str, ...] = ()
    """ATT&CK tactics by short name, such as `defense-evasion`."""
    techniques: tuple[str, ...] = ()
    """ATT&CK technique ids, such as `T1562.008`."""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    triage: tuple[str, ...] = ()
    """First steps for the person who handles the alert."""
    respond: str = ""
    """Name of the response that fits, such as `lock-user`; empty for none."""
    fields: tuple[str, ...] = ()
    """Field paths to show in the alert."""
    dedup: Dedup = Dedup()
    alerting: bool = True
    """False for a rule that only feeds other rules."""
    profiles: tuple[str, ...] = ("standard",)
