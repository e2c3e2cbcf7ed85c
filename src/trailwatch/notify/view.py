"""What a message shows, as plain data: templates only lay it out."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True):
    """One labelled line."""

    label: str
    value: str


class Moment(msgspec.Struct, frozen=True):
    """A time in UTC and, where it reads differently, in the reader's zone."""

    utc: str
    local: str = ""

    def __str__(self) -> str:
        return f"{self.utc} ({self.local})" if self.local else self.utc


class EventRow(msgspec.Struct, frozen=True):
    """One event of an alert."""

    time: Moment
    event: str
    source: str
    region: str
    address: str
    result: str
    failed: bool


class Reference(msgspec.Struct, frozen=True):
    """Where the rule's author sends the reader."""

    url: str
    link: bool
    """Whether it is a web address that a reader may follow."""


class RuleView(msgspec.Struct, frozen=True):
    """The rule behind an alert."""

    id: str
    slug: str
    severity: str
    attack: str
    false_positives: tuple[str, ...]
    references: tuple[Reference, ...]


class AlertView(msgspec.Struct, frozen=True):
    """One alert in full."""

    id: str
    severity: str
    title: str
    facts: tuple[Fact, ...]
    why: str
    steps: tuple[str, ...]
    respond: str
    commands: tuple[str, ...]
    events: tuple[EventRow, ...]
    more_events: int
    rule: RuleView


class AlertLine(msgspec.Struct, frozen=True):
    """One alert in one line."""

    id: str
    severity: str
    title: str
    time: Moment
    who: str = ""
    events: int = 1
    regions: str = ""
    """Where it speaks of several."""
    incident: str = ""


class CountGroup(msgspec.Struct, frozen=True):
    """How many alerts there are of each severity, rule or actor."""

    by: str
    rows: tuple[tuple[str, int], ...]


class MessageView(msgspec.Struct, frozen=True):
    """A whole message."""

    severity: str
    title: str
    who: str
    extra: int
    """Alerts besides the first."""
    headline: str
    body: str
    identity: tuple[Fact, ...]
    order: tuple[AlertLine, ...]
    """The alerts that are told in full, by time; empty for a single one."""
    alerts: tuple[AlertView, ...]
    folded: tuple[AlertLine, ...]
    kind: str = "alert"
    preface: str = ""
    """What an update adds, in one line."""
    commands: tuple[str, ...] = ()
    """Of the message as a whole."""
    counts: tuple[CountGroup, ...] = ()
    """Of a flood or digest."""
    lines: tuple[AlertLine, ...] = ()
    """The alerts of a flood or digest; it has none in full."""
    total: int = 0
    """Alerts that a flood or digest stands for."""
