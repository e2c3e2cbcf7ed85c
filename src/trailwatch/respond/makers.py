"""Who is in an incident only because they made a user in it: an administrator who once handed out a key, say.

Whoever makes a user is bound to all that the user does. That finds the intruder behind a back door, and it also finds
the innocent who set up somebody long before their key was stolen. Time tells them apart: a back door is used at once.
Where it does not, a plan says who it may be, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.principal import principal_of
from trailwatch.model.severity import Severity
from trailwatch.respond.records import event_name, part, succeeded, text

ESTABLISHED_SECONDS = 86400
"""Who did nothing bad for so long after they were made was not made for it."""
_MAKING = ("CreateUser", "CreateLoginProfile", "UpdateLoginProfile", "CreateAccessKey")
_SETTING_UP = (*_MAKING, "AttachUserPolicy", "PutUserPolicy", "AddUserToGroup")


class Maker(msgspec.Struct, frozen=True):
    """Somebody of whom an incident knows only that they made and set up users."""

    principal: str
    """Key of the user or role, without a path."""
    name: str
    """`user/NAME` or `role/NAME`."""
    made: tuple[str, ...]
    """Names of the users who did something afterwards."""
    long_ago: bool
    """Whether all of these were established by then."""


class _Deeds(msgspec.Struct):
    """What alerts of at least medium severity have of one caller."""

    made: dict[str, int] = {}
    """For each user that it set up, when it last did."""
    keys: set[str] = set()
    """Those of them that it made, and did not only give rights to."""
    other: bool = False
    """Whether there is anything else."""
    first: int = 0


def makers(events: Iterable[tuple[Alert, Evidence]]) -> list[Maker]:
    """Those of whom nothing else is known than that they made somebody who acts.

    Args:
        events: everything that the alerts of an incident were about, with records where they are known.
    """
    known: dict[str, _Deeds] = {}
    for alert, evidence in events:
        if alert.severity >= Severity.MEDIUM:
            _note(known, alert, evidence)
    found = []
    for principal, deeds in known.items():
        name = _name(principal)
        acting = {user: known[user].first - made for user, made in deeds.made.items() if user in known}
        if name and not deeds.other and any(user in deeds.keys for user in acting):
            long_ago = all(later >= ESTABLISHED_SECONDS for later in acting.values())
            found.append(Maker(principal, name, tuple(user.rpartition("/")[2] for user in acting), long_ago))
    return found


def caller_of(alert: Alert, evidence: Evidence) -> str:
    """Key of who made a call, without a path; of the alert's principal where nobody can read the record any more."""
    record = _record(evidence)
    return bare(principal_of(record).key if record else alert.principal)


def _record(evidence: Evidence) -> Mapping[str, Any]:
    try:
        return to_mapping(evidence.record)
    except DecodeError:
        return {}


def _note(known: dict[str, _Deeds], alert: Alert, evidence: Evidence) -> None:
    record, caller = _record(evidence), caller_of(alert, evidence)
    deeds = known.setdefault(caller, _Deeds(first=evidence.time))
    deeds.first = min(deeds.first, evidence.time)
    user = _set_up(record)
    if not user or user == caller or alert.event_count > len(alert.evidence):
        deeds.other = True
        return
    deeds.made[user] = max(deeds.made.get(user, 0), evidence.time)
    if event_name(record) in _MAKING:
        deeds.keys.add(user)


def _set_up(record: Mapping[str, Any]) -> str:
    """The ARN, without a path, of the user that a call made or gave rights to; empty for any other call."""
    name = text(part(record, "requestParameters"), "userName")
    caller = principal_of(record)
    if not name or not succeeded(record) or event_name(record) not in _SETTING_UP:
        return ""
    partition = caller.key.split(":")[1] if caller.key.startswith("arn:") else "aws"
    return f"arn:{partition}:iam::{text(record, 'recipientAccountId') or caller.account}:user/{name}"


def bare(arn: str) -> str:
    """An ARN without a path, which calls do not say."""
    head, separator, rest = arn.partition("/")
    return f"{head}/{rest.rpartition('/')[2]}" if separator else arn


def _name(principal: str) -> str:
    resource = principal.rpartition(":")[2]
    return resource if resource.startswith(("user/", "role/")) else ""
