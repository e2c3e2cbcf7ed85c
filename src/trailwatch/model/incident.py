"""Incident: the alerts of one actor, as one story."""

from __future__ import annotations

import msgspec

from trailwatch.model.alert import Alert, AlertState
from trailwatch.model.severity import Severity


class Moment(msgspec.Struct, frozen=True):
    """One event of an incident's timeline."""

    time: int
    event_id: str
    event_name: str
    severity: Severity
    title: str
    """Of the alert."""
    account: str
    region: str
    source_ip: str
    error_code: str
    alert_id: str


class Measure(msgspec.Struct, frozen=True):
    """One thing that contains an intruder, in the order in which they should be done."""

    target: str
    """A user, role, key or machine, as text."""
    action: str


class Subject(msgspec.Struct, frozen=True):
    """What attributing asks of a stored alert."""

    alert_id: str
    identity: str
    """From where the way back begins."""
    who: str
    """The principal as text."""
    time: int
    """Of the event that the alert speaks of."""
    actor_key: str
    """Who it was attributed to so far; empty for nobody."""


class Member(msgspec.Struct, frozen=True):
    """What deciding on incidents asks of an alert."""

    alert_id: str
    actor_key: str
    first_time: int
    last_time: int
    incident: str = ""
    """The id of the incident that it was in so far."""


class Ruling(msgspec.Struct, frozen=True):
    """What became of some incidents."""

    homes: dict[str, str]
    """Alert id to incident id."""
    opened: tuple[str, ...]
    """Ids that are new."""
    merged: dict[str, str]
    """Incidents that lost all their alerts, and to which they went."""


class Incident(msgspec.Struct, frozen=True):
    """Everything that a person asks first; all of it follows from the alerts and the links."""

    id: str
    actor_key: str
    actor: str
    """For people: `alice (IAM user) in 111122223333 -> role Admin`."""
    first_time: int
    last_time: int
    score: int
    """0 to 100, see `trailwatch.detect.incidents.score`."""
    alerts: tuple[Alert, ...]
    """Oldest first."""
    tactics: tuple[str, ...]
    """In the order of their first event."""
    timeline: tuple[Moment, ...]
    principals: tuple[str, ...]
    keys: tuple[str, ...]
    sessions: tuple[str, ...]
    """ARNs of role sessions and users."""
    made: tuple[str, ...]
    """Users, keys and passwords that came of it, as text."""
    addresses: tuple[str, ...]
    resources: tuple[str, ...]
    measures: tuple[Measure, ...]
    created: int = 0
    """When it was stored, in seconds since 1970; 0 for one that never was."""
    merged: tuple[str, ...] = ()
    """Ids of younger incidents that turned out to be this one."""

    @property
    def severity(self) -> Severity:
        return max(alert.severity for alert in self.alerts)

    @property
    def state(self) -> AlertState:
        """Open while one of its alerts is; closed when all are."""
        states = {alert.state for alert in self.alerts}
        if AlertState.OPEN in states:
            return AlertState.OPEN
        return AlertState.ACKED if AlertState.ACKED in states else AlertState.CLOSED

    @property
    def event_count(self) -> int:
        """At least so many: an event may be in several alerts, and each has only its first ones at hand."""
        return max(len(self.timeline), *(alert.event_count for alert in self.alerts))
