"""Message: what is told about some alerts, frozen when it is decided, so that every attempt says the same."""

from __future__ import annotations

import enum

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.severity import Severity


class Kind(enum.Enum):
    """What a message is for."""

    ALERT = "alert"
    """The first that is told of an incident."""
    UPDATE = "update"
    """More of an incident that was told already; it goes into the same conversation."""
    FLOOD = "flood"
    """So many alerts at once that only counts and the worst are told."""
    DIGEST = "digest"
    """What could wait, gathered."""
    POINTER = "pointer"
    """The last of an incident that turned out to be another one."""
    RESPONSE = "response"
    """What was done about an incident, or waits for approval; it goes into the same conversation."""
    NOTICE = "notice"
    """About trailwatch itself."""
    TEST = "test"
    """Somebody wants to see whether it arrives."""

    @property
    def follows(self) -> bool:
        """Whether it belongs below what was told of the same incident before."""
        return self in (Kind.UPDATE, Kind.POINTER, Kind.RESPONSE)


class Count(msgspec.Struct, frozen=True):
    """How many alerts of a flood or digest are alike."""

    by: str
    """`severity`, `rule` or `actor`."""
    label: str
    number: int


class Message(msgspec.Struct, frozen=True):
    """One message to people. Notifiers render it for their channel and add nothing of their own."""

    id: str
    """Stable and unique; the e-mail Message-ID is made of it."""
    created: int
    """Seconds since 1970."""
    principal: str
    """Whose alerts these are; empty for a message about trailwatch itself."""
    alerts: tuple[Alert, ...]
    """Most severe first, then oldest first."""
    headline: str
    """One line of plain text without control characters."""
    body: str = ""
    """Plain text: all of a message without alerts, the first lines of an update."""
    kind: Kind = Kind.ALERT
    thread: str = ""
    """The conversation that it belongs to: the incident's id; empty for the principal."""
    commands: tuple[str, ...] = ()
    """Lines to paste, such as the one that undoes a response."""
    level: Severity | None = None
    """Of a message without alerts; None for high."""
    plan: str = ""
    """Id of the plan or case that it asks approval for; empty where nobody has to approve."""
    counts: tuple[Count, ...] = ()
    """What a flood or digest comes to; its alerts are only those worth a line."""
    total: int = 0
    """Alerts that a flood or digest stands for."""

    @property
    def severity(self) -> Severity:
        if self.level is not None:
            return self.level
        return max((alert.severity for alert in self.alerts), default=Severity.HIGH)

    @property
    def conversation(self) -> str:
        """The key of the conversation."""
        return self.thread or self.principal


class Conversation(msgspec.Struct, frozen=True):
    """What one notifier delivered of a conversation before."""

    earlier: tuple[str, ...] = ()
    """Ids of the messages, oldest first."""
    opening: Message | None = None
    """The first of them."""
    handle: str = ""
    """By which the receiver finds it again, as the notifier gave it; empty where there is none."""


class Receipt(msgspec.Struct, frozen=True):
    """What came of a send."""

    answer: str
    """What the receiver said, for the log."""
    handle: str = ""
    """By which the receiver finds the message again; empty where it has none."""


class Reply(msgspec.Struct, frozen=True):
    """What a person said in a channel to a message."""

    who: str
    """As the channel knows them, such as a Slack user id."""
    verb: str
    """`ack`, `approve` or `decline`."""
    handle: str
    """Of the message that it was said to; of a text the text itself."""
    at: int
    """Seconds since 1970; 0 where the channel does not tell, as of a reaction."""
    about: str = ""
    """What they named after the verb, such as the id of a plan."""
    is_text: bool = False
    """A text below the message, not a reaction to it."""
