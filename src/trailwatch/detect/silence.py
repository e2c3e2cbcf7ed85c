"""Stage 3, what is told of notifiers that do not deliver."""

from __future__ import annotations

import hashlib

from trailwatch.model.inert import for_terminal
from trailwatch.model.message import Kind, Message
from trailwatch.model.severity import Severity
from trailwatch.store.conversations import Trouble

SHOWN = 600


def does_not_deliver(trouble: Trouble, waiting: int, now: int, *, lost: bool) -> Message:
    """To the others: this notifier is silent.

    Args:
        trouble: since when and why.
        waiting: messages that it still has to deliver.
        now: seconds since 1970.
        lost: whether a message was given up.
    """
    name = for_terminal(trouble.notifier)
    minutes = (now - trouble.since) // 60
    lasts = f"has not delivered for {minutes} minutes" if minutes else "does not deliver"
    lines = [f"The notifier {name} {lasts}: {for_terminal(trouble.what[:SHOWN])}"]
    if waiting:
        lines.append(f"Messages that wait for it: {waiting}. They are tried again, with growing pauses.")
    if lost:
        lines.append("At least one message was given up; it stands in the list as dead and can be sent once more.")
    return Message(
        id=_id("silent", trouble),
        created=now,
        principal="",
        alerts=(),
        headline=f"notifier {name} does not deliver",
        body="\n".join(lines),
        kind=Kind.NOTICE,
        thread=f"notifier {name}",
        commands=(f"trailwatch outbox list --notifier {name}", f"trailwatch notify test {name}"),
        level=Severity.HIGH,
    )


def delivers_again(trouble: Trouble, now: int) -> Message:
    """To the others, who heard of its silence: it is over."""
    name = for_terminal(trouble.notifier)
    return Message(
        id=_id("over", trouble),
        created=now,
        principal="",
        alerts=(),
        headline=f"notifier {name} delivers again",
        body=f"The notifier {name} delivers again, after {(now - trouble.since) // 60} minutes.",
        kind=Kind.NOTICE,
        thread=f"notifier {name}",
        level=Severity.MEDIUM,
    )


def _id(what: str, trouble: Trouble) -> str:
    return hashlib.sha256(f"{what}\0{trouble.notifier}\0{trouble.since}".encode()).hexdigest()[:32]
