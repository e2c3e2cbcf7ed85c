"""What may be done without a person: pure answers, each a reason against it or empty.

Events are written by whoever makes the call, so nothing is believed that a caller can choose. Only an event that
succeeded, came on a way that the settings trust, and is recent counts; only who its `userIdentity` proves, or what it
says that it made, may be acted on; and whoever is protected is left alone whatever the event says.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailwatch.config.automatic import AutomaticSettings
from trailwatch.errors import DecodeError
from trailwatch.model.event import parse_time
from trailwatch.model.provenance import Provenance
from trailwatch.model.response import Target, TargetKind
from trailwatch.respond.records import event_name as _name_of

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What AWS writes for a user name that does not exist, because it may be a password."""
_AHEAD_SECONDS = 900
"""Clocks differ; an event from further ahead is made up."""
_TYPES = frozenset({"AwsApiCall", "AwsConsoleSignIn"})
_SUBJECTS = {"IAMUser": (TargetKind.USER, ":user/"), "Role": (TargetKind.ROLE, ":role/")}
_UNTOUCHABLE_ROLES = (":role/aws-service-role/", ":role/aws-reserved/")


class Subject(msgspec.Struct, frozen=True):
    """Who an event proves to have made the call, as something that can be locked."""

    kind: TargetKind
    account: str
    name: str
    """Without a path."""
    arn: str
    key: str = ""
    """The long-term access key of a user that was used; empty for none."""


class Held(msgspec.Struct, frozen=True):
    """What is known of the user or role that a target is or belongs to."""

    arns: tuple[str, ...]
    """Every ARN by which it may be protected."""
    tags: tuple[tuple[str, str], ...] = ()


def distrust(record: Mapping[str, Any], provenance: Provenance, now: int, settings: AutomaticSettings) -> str:
    """Why nothing is done by itself about this event; empty where it can be trusted.

    Args:
        record: the event.
        provenance: on which way it came.
        now: seconds since 1970.
        settings: what the user allows.
    """
    if provenance not in settings.sources:
        return f"it came by {provenance.value}, which respond.automatic.sources does not trust"
    if record.get("eventType") not in _TYPES:
        return f"it is a {str(record.get('eventType'))[:40]!r}, which is no call of anybody"
    if record.get("eventCategory", "Management") != "Management" or record.get("managementEvent", True) is not True:
        return "it is no management event"
    return _failure(record) or _age(record, now, settings)


def _failure(record: Mapping[str, Any]) -> str:
    answer = record.get("responseElements")
    parts = answer if isinstance(answer, Mapping) else {}
    if any(record.get(key) for key in ("errorCode", "errorMessage")) or any(parts.get(key) for key in _ERROR_KEYS):
        return "the call failed, and anybody can make a call that fails"
    if record.get("eventType") == "AwsConsoleSignIn" and (
        record.get("eventName") != "ConsoleLogin" or parts.get("ConsoleLogin") != "Success"
    ):
        return "it is no sign-in that succeeded, and anybody can try to sign in"
    return ""


_ERROR_KEYS = ("errorCode", "errorMessage", "error", "failureReason")
"""Some services answer 200 and put the error into the answer."""


def _age(record: Mapping[str, Any], now: int, settings: AutomaticSettings) -> str:
    try:
        time = parse_time(str(record.get("eventTime"))).timestamp()
    except DecodeError:
        return "it has no time"
    if now - time > settings.max_age:
        return f"it happened at {datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC, which is too long ago"
    return "its time lies ahead" if time - now > _AHEAD_SECONDS else ""


def subject_of(record: Mapping[str, Any]) -> Subject | str:
    """Who made the call, or why nobody can be held to it.

    For a session that is who issued it: a session's own name is chosen by whoever asks for it, and so is a
    source identity.
    """
    identity = _mapping(record.get("userIdentity"))
    if identity.get("invokedBy"):
        return f"a service made the call for somebody: {str(identity['invokedBy'])[:80]!r}"
    holder = identity
    if identity.get("type") in ("AssumedRole", "FederatedUser"):
        holder = _mapping(_mapping(identity.get("sessionContext")).get("sessionIssuer"))
    kind, infix = _SUBJECTS.get(str(holder.get("type")), (None, ""))
    arn = holder.get("arn")
    if kind is None or not isinstance(arn, str) or infix not in arn:
        shown = str(holder.get("type"))[:40]
        return f"nobody who can be locked made the call: its identity is a {shown!r}"
    account = arn.split(":")[4]
    if {account} != {record.get("recipientAccountId", account), identity.get("accountId")}:
        return "the caller belongs to another account"
    name = arn.rpartition("/")[2]
    if not name or name == HIDDEN or holder.get("userName") not in (None, name):
        return "the event's name and ARN of its caller do not agree"
    key = identity.get("accessKeyId")
    long_term = isinstance(key, str) and key.startswith("AKIA") and kind is TargetKind.USER
    return Subject(kind, account, name, arn, str(key) if long_term else "")


def ungrounded(target: Target, record: Mapping[str, Any]) -> str:
    """Why the event does not prove that something should be done about the target; empty where it does.

    A target must be who made the call, or something that the call, which succeeded, made or changed.
    """
    account = record.get("recipientAccountId")
    if target.account != account:
        return f"the event is of account {account}"
    names = {_text(record, *path).rpartition("/")[2] for path in _MADE.get((target.kind, _name_of(record)), ())}
    if _name_of(record) in _CHANGING.get(target.kind, ()):
        names.update(_texts(record.get("requestParameters")))
    subject = subject_of(record)
    if isinstance(subject, Subject):
        names.update({subject.name} if target.kind in (subject.kind, TargetKind.KEY) else ())
        names.update({subject.key} if target.kind is TargetKind.KEY else ())
    wanted = [target.name, *(value for name, value in target.of if name in _IDENTIFYING)]
    missing = [one for one in wanted if not one or one not in names]
    return f"the event does not name {missing[0][:80]!r} as its caller or as what it made" if missing else ""


_IDENTIFYING = ("user", "role", "group", "statement", "qualifier")
"""Parts of a target that say which one it is; the others only describe it."""
_USER, _ROLE, _KEY = TargetKind.USER, TargetKind.ROLE, TargetKind.KEY
_MADE: Mapping[tuple[TargetKind, str], tuple[tuple[str, ...], ...]] = {
    (_USER, "CreateUser"): (("responseElements", "user", "userName"),),
    (_USER, "CreateLoginProfile"): (("requestParameters", "userName"),),
    (_USER, "UpdateLoginProfile"): (("requestParameters", "userName"),),
    (_ROLE, "AssumeRole"): (("requestParameters", "roleArn"),),
    (_ROLE, "AssumeRoleWithSAML"): (("requestParameters", "roleArn"),),
    (_KEY, "CreateAccessKey"): (
        ("responseElements", "accessKey", "accessKeyId"),
        ("responseElements", "accessKey", "userName"),
    ),
}
"""Where calls that make an identity, or hand it to their caller, name it; that they succeeded is asked before.

AssumeRoleWithWebIdentity is not among them: some roles may be taken so by anybody in the world.
"""
_CHANGING: Mapping[TargetKind, frozenset[str]] = {
    TargetKind.POLICY: frozenset(
        {
            *("AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy"),
            *("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy"),
        }
    ),
    TargetKind.FUNCTION: frozenset({"AddPermission", "CreateFunctionUrlConfig", "UpdateFunctionUrlConfig"}),
    TargetKind.TRAIL: frozenset(
        {"StopLogging", "UpdateTrail", "DeleteTrail", "PutEventSelectors", "PutInsightSelectors"}
    ),
}
"""For each kind, the calls whose request names what they changed."""


def protection(held: Held, settings: AutomaticSettings, own: Iterable[str]) -> str:
    """Why somebody is never touched; empty where they may be.

    Args:
        held: who it is.
        settings: names whom to leave alone.
        own: ARNs of whom trailwatch itself is, however it acts.
    """
    mine = {_bare(arn) for arn in own}
    for arn in held.arns:
        if _bare(arn) in mine:
            return "trailwatch itself acts or reads as it"
        if any(part in arn for part in _UNTOUCHABLE_ROLES):
            return "AWS alone can change such a role"
        for pattern in settings.protected:
            if fnmatch.fnmatchcase(arn, pattern):
                return f"respond.automatic.protected has {pattern!r}"
    for wanted in settings.protected_tags:
        key, separator, value = wanted.partition("=")
        if any(key == name and (not separator or value == found) for name, found in held.tags):
            return f"it has the tag {wanted!r}"
    return ""


def _bare(arn: str) -> str:
    """Without a path, which not every place says; a session's ARN as its role's."""
    head, separator, rest = arn.partition(":assumed-role/")
    if separator:
        head = head.replace(":sts:", ":iam:")
        return f"{head}:role/{rest.partition('/')[0]}"
    kind, _, name = arn.rpartition("/")
    return f"{kind.partition('/')[0]}/{name}" if kind else arn


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
        if ":" in value and "/" in value:
            yield value.rpartition("/")[2]
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _text(record: Mapping[str, Any], *path: str) -> str:
    found: Any = record
    for name in path:
        found = _mapping(found).get(name)
    return found if isinstance(found, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
