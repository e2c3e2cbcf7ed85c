"""What stage 1 finds: matches, rejects, failures of rules, and the counters that must reconcile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from trailwatch.model.rule import RuleInfo
from trailwatch.model.signal import Link, Signal


class Match(msgspec.Struct, frozen=True):
    """The fact that a rule said yes to an event. Short-lived; crosses process borders, so it is plain data."""

    rule: RuleInfo
    alert_id: str
    """The id of the alert it belongs to, see `trailwatch.model.identity.alert_id`."""
    time: int
    """Event time in seconds since 1970, UTC; CloudTrail has no finer resolution."""
    event_id: str
    """`eventID`, or `sha256:...` over the raw record for records that have none."""
    account: str
    region: str
    event_source: str
    event_name: str
    principal: str
    """`Principal.key`."""
    actor: str
    """Who it began with, as text for people; equals the principal until lineage says more."""
    source_ip: str
    user_agent: str
    error_code: str
    reason: str
    """The clauses that held, with the values seen."""
    origin: str
    position: int
    record: bytes
    """The raw record, one JSON object."""
    title: str = ""
    """The alert's title where a Python rule gives its own; empty for the rule's title."""
    context: dict[str, str] = {}
    """Further facts that a Python rule gives."""
    event_ids: tuple[str, ...] = ()
    """Of a correlation, the events that made it hold, oldest first; empty for a rule over single events."""
    identity: str = ""
    """From where lineage goes back, see `trailwatch.detect.links.identity_of`; empty for the principal."""


class Reject(msgspec.Struct, frozen=True):
    """A piece of input that could not be read: kept and counted, never dropped in silence."""

    origin: str
    position: int
    """Number of the record within its origin, from 0; -1 when the whole body could not be read."""
    reason: str
    """`where: what, with the value seen; what to do`."""
    body: bytes
    """What was delivered, at most the first 256 KiB."""


class RuleFailure(msgspec.Struct, frozen=True):
    """A rule raised on an event; the other rules went on."""

    rule_id: str
    event_id: str
    origin: str
    error: str


class Tally(msgspec.Struct):
    """Counters of one run; `reconciles()` must hold whenever a delivery is done."""

    records: int = 0
    """JSON objects delivered, or pieces that should have been one."""
    rejects: int = 0
    duplicates: int = 0
    """Records whose (recipientAccountId, eventID) came earlier in the same delivery."""
    matched: int = 0
    """Events that at least one rule said yes to."""
    unmatched: int = 0
    matches: int = 0
    failures: int = 0
    mended: int = 0
    """Places where text was no valid Unicode or JSON and was replaced."""
    unkeyed: int = 0
    """Times that a stateful rule could not use an event, because it lacks a value to group by or to count."""
    late: int = 0
    """Signals older than what stateful rules still remember; they count as far as anything is remembered."""
    suppressed: int = 0
    """Matches, and events of correlations, that a suppression hid."""
    lapsed: int = 0
    """Matches that a suppression would have hidden, had it not expired."""
    put_off: int = 0
    """Alerts that nobody was told of, because they joined an incident that somebody snoozed."""
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    """Records and files that are no events, by what they are: `digest`, `insight`, `before --since`, ..."""

    @property
    def events(self) -> int:
        """Events that rules saw."""
        return self.matched + self.unmatched

    def reconciles(self) -> bool:
        """Whether every record is accounted for exactly once."""
        left_out = sum(n for what, n in self.left_out.items() if not what.endswith(" file"))
        return self.records == self.rejects + self.duplicates + self.events + left_out

    def add(self, other: Tally) -> None:
        for name in _COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.left_out.update(other.left_out)


_COUNTERS = tuple(name for name in Tally.__struct_fields__ if name != "left_out")


class Written(NamedTuple):
    """Notes of events as they are kept, with what has to be known of them before they are read."""

    body: bytes
    heard: list[tuple[str, str, int, int]]
    """Rules with a memory, and for each account the first and the last time of what is there for them."""


class Found(msgspec.Struct):
    """Everything that stage 1 has to say about one delivery."""

    matches: list[Match] = []
    rejects: list[Reject] = []
    failures: list[RuleFailure] = []
    signals: list[Signal] = []
    links: list[Link] = []
    tally: Tally = msgspec.field(default_factory=Tally)
    notes: list[Any] = []
    """Events that only feed stateful rules, as `trailwatch.detect.pages` notes them, until they are on a page."""
    pages: list[Written] = []
    """The same once they are."""


def in_order(matches: Iterable[Match]) -> list[Match]:
    """Matches by (origin, position, rule id): the order of every output."""
    return sorted(matches, key=lambda match: (match.origin, match.position, match.rule.id))
