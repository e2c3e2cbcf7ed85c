"""What came of an identity: the roles that were taken with it, one from another, and what it made.

A role's session outlives the key and the user that took it, so all of them are revoked in one go: two roles that let
each other in could be taken in turn for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from trailwatch.detect import links as kinds
from trailwatch.model.actor import node_text
from trailwatch.model.alert import Alert
from trailwatch.model.coverage import LookupKey
from trailwatch.model.response import Target, TargetKind
from trailwatch.model.signal import Link
from trailwatch.store.coverage import Lookup

LONGEST_SESSION_SECONDS = 36 * 3600
"""What GetFederationToken and GetSessionToken issue at most; sessions of roles end after 12 hours."""
IDENTITIES_AT_MOST = 5000
FRESH_SECONDS = 900
"""Event history is late by some minutes anyway."""

Children = Callable[[str], Iterable[Link]]
"""The links whose parent an identity is."""

_MADE = {kinds.CREATED_USER, kinds.CREATED_KEY, kinds.SET_PASSWORD}
_ALWAYS = {kinds.BELONGS, kinds.OF_ROLE}
"""Links without a time of their own that are worth following: keys of a user, sessions of a role."""


class Made(msgspec.Struct, frozen=True):
    """A user, a key or a password that came of an identity."""

    name: str
    """Of the user, or the key's id."""
    words: str


class Reached(msgspec.Struct, frozen=True):
    """What came of some identities."""

    roles: tuple[Target, ...]
    """Roles that were taken, the first one first."""
    made: tuple[Made, ...]
    cut_short: bool = False
    """Whether there was more than could be followed."""


def reached(starts: Iterable[str], children: Children) -> Reached:
    """Everything that the links lead to from these identities.

    Args:
        starts: as links name them; see `identities_of` and `starts_of`.
        children: links that hold at any time, or came about since the oldest session that may still live.
    """
    roles: dict[Target, None] = {}
    made: dict[Made, None] = {}
    waiting = list(dict.fromkeys(starts))
    known = set(waiting)
    while waiting and len(known) <= IDENTITIES_AT_MOST:
        node = waiting.pop(0)
        for link in children(node):
            if link.child in known or (not link.time and link.kind not in _ALWAYS):
                continue
            known.add(link.child)
            waiting.append(link.child)
            if link.kind in _MADE:
                made[_made(link)] = None
            role = role_of(link.child)
            if role is not None and link.kind in (kinds.NAMED, kinds.SWITCHED):
                roles[role] = None
    return Reached(tuple(roles), tuple(made), bool(waiting))


def identities_of(target: Target, partition: str = "aws") -> tuple[str, ...]:
    """How links name a user, role or key."""
    if target.kind is TargetKind.KEY:
        return (f"key:{target.name}",)
    if target.kind is TargetKind.USER:
        arn = f"arn:{partition}:iam::{target.account}:user/{target.name}"
        return arn, f"login:{arn}"
    if target.kind is TargetKind.ROLE:
        path = target.detail("path") or "/"
        return (f"arn:{partition}:iam::{target.account}:role{path}{target.name}",)
    return ()


def starts_of(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """From where to follow what came of the callers of some alerts: their keys and sessions, never whole roles.

    Many people may take one role, and what the others took with it is theirs.
    """
    return tuple(dict.fromkeys(alert.identity for alert in alerts if alert.identity))


def not_read(lookups: Mapping[LookupKey, Lookup], now: int) -> str:
    """Since when roles may have been taken that nobody knows of, in words; empty where that is minutes ago.

    Args:
        lookups: what was polled, see `trailwatch.store.coverage`.
        now: seconds since 1970.
    """
    until: dict[tuple[str, str], int] = {}
    for key, lookup in lookups.items():
        place = (key.account, key.region)
        read = lookup.end if lookup.covered and key.lookup in _READS_ROLES else 0
        until[place] = max(until.get(place, 0), read)
    behind = {place: time for place, time in until.items() if time < now - FRESH_SECONDS}
    if until and not behind:
        return ""
    never = [place for place, time in behind.items() if not time]
    if not until or never:
        where = f" in {len(never)} of {len(until)} regions" if until else ""
        since = f"AssumeRole was never read{where}"
    else:
        oldest = datetime.fromtimestamp(min(behind.values()), UTC)
        since = f"AssumeRole was last read at {oldest:%Y-%m-%dT%H:%M:%SZ} in {len(behind)} of {len(until)} regions"
    return f"{since}: more roles may have been taken; `trailwatch check --all-events` reads it everywhere"


_READS_ROLES = ("*", "EventName=AssumeRole")


def role_of(node: str) -> Target | None:
    """The role of a session's ARN; None for any other identity."""
    parts = node.split(":", 5)
    if len(parts) < 6 or parts[2] != "sts" or not parts[5].startswith("assumed-role/"):  # noqa: PLR2004 arn:aws:sts::account:assumed-role/name/session
        return None
    return Target(TargetKind.ROLE, parts[4], parts[5].split("/")[1])


def _made(link: Link) -> Made:
    if link.kind == kinds.CREATED_KEY:
        key = link.child.removeprefix("key:")
        return Made(key, f"access key {key} of {link.child_text}")
    name = link.child.rpartition("/")[2]
    if link.kind == kinds.SET_PASSWORD:
        return Made(name, f"a password of {link.child_text}")
    return Made(name, node_text(link.child) or link.child)
