"""Alert: what a person handles. Deduplicated, durable, has a state."""

from __future__ import annotations

import enum

import msgspec

from trailwatch.model.match import Match
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity


class AlertState(enum.Enum):
    OPEN = "open"
    """Nobody has looked at it yet."""
    ACKED = "acked"
    """Somebody is on it."""
    CLOSED = "closed"
    """Done, with a verdict."""


class Verdict(enum.Enum):
    TRUE_POSITIVE = "true-positive"
    """It was what the rule says, and unwanted."""
    FALSE_POSITIVE = "false-positive"
    """It was wanted, or not what the rule says."""


class Evidence(msgspec.Struct, frozen=True):
    """One event of an alert."""

    event_id: str
    time: int
    event_name: str
    event_source: str
    account: str
    region: str
    source_ip: str
    user_agent: str
    error_code: str
    reason: str
    record: bytes
    """The raw record as recorded; mask it with `trailwatch.model.secrets.masked` before showing it."""


class Head(msgspec.Struct, frozen=True, order=True):
    """The event that an alert speaks of; of two the lesser one is it."""

    time: int
    place: int
    """Of a correlation, how many of its rules are named after the one that the event is of."""
    event_id: str
    account: str


class Alert(msgspec.Struct, frozen=True):
    """All matches of one rule with the same dedup values in the same period."""

    id: str
    rule: RuleInfo
    title: str
    principal: str
    actor: str
    account: str
    region: str
    first_time: int
    last_time: int
    event_count: int
    evidence: tuple[Evidence, ...]
    """The first events, oldest first, at most `EVIDENCE_KEPT`."""
    context: dict[str, str] = {}
    state: AlertState = AlertState.OPEN
    verdict: Verdict | None = None
    note: str = ""
    created: int = 0
    """When it was stored, in seconds since 1970; 0 for one that never was."""
    snoozed: int = 0
    """Until when nobody wants to hear of it; 0 for one that is not put off."""
    identity: str = ""
    """From where lineage goes back for its first event; empty for the principal."""
    incident: str = ""
    """Id of the incident that it belongs to; empty until that is known."""
    actor_key: str = ""
    """Of the actor; empty until that is known."""
    twins: tuple[str, ...] = ()
    """In a message: ids of alerts that say the same of other regions, told as one with this."""
    regions: tuple[str, ...] = ()
    """In a message: every region that it and its twins speak of; empty for its own alone."""
    head: Head | None = None
    """The event whose principal, actor, identity, account and region these are: of a correlation the one that
    completed it; None for the first event of the evidence."""
    staged: bool = False
    """Whether its rule is on trial, so that nobody is told of it."""

    @property
    def severity(self) -> Severity:
        return self.rule.severity

    @property
    def speaks_of(self) -> Head:
        if self.head is not None or not self.evidence:
            return self.head or Head(self.first_time, 0, "", self.account)
        first = self.evidence[0]
        return Head(first.time, 0, first.event_id, first.account)


EVIDENCE_KEPT = 20


def evidence_of(match: Match) -> Evidence:
    return Evidence(
        event_id=match.event_id,
        time=match.time,
        event_name=match.event_name,
        event_source=match.event_source,
        account=match.account,
        region=match.region,
        source_ip=match.source_ip,
        user_agent=match.user_agent,
        error_code=match.error_code,
        reason=match.reason,
        record=match.record,
    )
