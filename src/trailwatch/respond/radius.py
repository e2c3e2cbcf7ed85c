"""Blast radius: who and what uses an identity, as far as the archive knows; and what it cannot know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trailwatch.errors import DecodeError
from trailwatch.model.event import parse_time
from trailwatch.model.response import Target, TargetKind
from trailwatch.ports import Delivery
from trailwatch.respond.records import calling_role, calling_user, text

SHOWN_AT_MOST = 1000
"""Of sessions, addresses and programs, so many different ones are kept for each identity."""


class Use(msgspec.Struct):
    """What used one identity."""

    target: Target
    events: int = 0
    first: int = 0
    """Seconds since 1970; 0 where there were none."""
    last: int = 0
    sessions: Counter[str] = msgspec.field(default_factory=Counter)
    """Session names of a role, keys of a user."""
    services: Counter[str] = msgspec.field(default_factory=Counter)
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    regions: Counter[str] = msgspec.field(default_factory=Counter)
    addresses: Counter[str] = msgspec.field(default_factory=Counter)
    agents: Counter[str] = msgspec.field(default_factory=Counter)


class Radius(msgspec.Struct, frozen=True):
    """What some identities were used for."""

    since: int
    until: int
    uses: tuple[Use, ...]
    unknown: tuple[str, ...]
    """What the archive cannot know, in words."""


class _Event(msgspec.Struct, rename="camel"):
    """What is asked of a record; the rest is skipped."""

    event_time: str = ""
    event_source: str = ""
    event_name: str = ""
    aws_region: str = ""
    source_ip: str = msgspec.field(name="sourceIPAddress", default="")
    user_agent: str | None = None
    error_code: str | None = None
    response_elements: Any = None
    user_identity: dict[str, Any] = {}


_READ = msgspec.json.Decoder(_Event)


def radius(
    targets: Iterable[Target], deliveries: Iterable[Delivery], since: int, until: int, *, all_events: bool, kept: bool
) -> Radius:
    """Who and what used these identities.

    Args:
        targets: users, roles and keys; others have no users.
        deliveries: of the archive, in that time.
        since: seconds since 1970.
        until: likewise.
        all_events: whether read-only calls were polled, too.
        kept: whether there is an archive at all.
    """
    wanted = [Use(target) for target in targets if target.kind in (TargetKind.USER, TargetKind.ROLE, TargetKind.KEY)]
    names = {use.target.name.encode() for use in wanted}
    unread = 0
    for delivery in deliveries:
        for raw in delivery.records:
            record = bytes(raw)
            if not any(name in record for name in names):
                continue
            try:
                _count(_READ.decode(record), wanted)
            except (msgspec.DecodeError, RecursionError, DecodeError):
                unread += 1
    return Radius(since, until, tuple(wanted), tuple(_unknown(unread, all_events=all_events, kept=kept)))


def _count(event: _Event, uses: Sequence[Use]) -> None:
    identity = event.user_identity
    record = {"userIdentity": identity, "eventSource": event.event_source, "errorCode": event.error_code}
    record["responseElements"] = event.response_elements
    callers = [_plain(one) for one in (calling_user(record), calling_role(record)) if one is not None]
    key = text(identity, "accessKeyId")
    for use in uses:
        target = _plain(use.target)
        if target in callers or (target.kind is TargetKind.KEY and key == target.name):
            _add(use, event, key)


def _add(use: Use, event: _Event, key: str) -> None:
    time = int(parse_time(event.event_time).timestamp())
    use.events += 1
    use.first = min(use.first or time, time)
    use.last = max(use.last, time)
    session = key
    if use.target.kind is TargetKind.ROLE:
        session = text(event.user_identity, "arn").rpartition("/")[2] or key
    for counter, value in (
        (use.sessions, session),
        (use.services, event.event_source),
        (use.calls, event.event_name),
        (use.regions, event.aws_region),
        (use.addresses, event.source_ip),
        (use.agents, event.user_agent or ""),
    ):
        if value and (value in counter or len(counter) < SHOWN_AT_MOST):
            counter[value] += 1


def _plain(target: Target) -> Target:
    return Target(target.kind, target.account, target.name)


def _unknown(unread: int, *, all_events: bool, kept: bool) -> Iterable[str]:
    if not kept:
        yield "everything: no archive is kept, see archive.enabled"
        return
    if not all_events:
        yield "calls that only read, but for the few that are polled by name; see check.all_events"
    yield "data events: objects in S3, invocations of functions, items in DynamoDB; event history never has them"
    yield "regions and accounts that are not polled, and what happened before trailwatch was set up"
    if unread:
        yield f"{unread} events that could not be read"
