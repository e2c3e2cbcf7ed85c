"""What actions ask of a record: who called, and the parts of what was asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trailwatch.model.response import Target, TargetKind


def part(record: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The mapping at these keys; an empty one where there is none."""
    value: Any = record
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text(mapping: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text; empty where none is."""
    return next((value for name in names if isinstance(value := mapping.get(name), str) and value), "")


def event_name(record: Mapping[str, Any]) -> str:
    """Its name without the version that Lambda puts behind it."""
    name = text(record, "eventName")
    head = name.rstrip("0123456789v")
    return head if len(name) - len(head) >= _DATE_DIGITS else name


_DATE_DIGITS = 8


def succeeded(record: Mapping[str, Any]) -> bool:
    """Whether the call did what it was for."""
    answer = part(record, "responseElements")
    return not text(record, "errorCode") and "Failure" not in (answer.get("ConsoleLogin"), answer.get("SwitchRole"))


def account_of(record: Mapping[str, Any]) -> str:
    """The account whose trail has it."""
    return text(record, "recipientAccountId") or text(part(record, "userIdentity"), "accountId")


def calling_user(record: Mapping[str, Any]) -> Target | None:
    """The IAM user who called, also by a session of its own; None for anybody else.

    A failed sign-in proves nothing about who tried. A name alone counts only beside the type that it belongs to: the
    session name of a role may be any user's name.
    """
    identity = part(record, "userIdentity")
    kind, account = text(identity, "type"), text(identity, "accountId")
    if text(record, "eventSource") == "signin.amazonaws.com" and not succeeded(record):
        return None
    if kind == "IAMUser":
        name = text(identity, "userName")
    elif kind == "FederatedUser":
        issuer = part(identity, "sessionContext", "sessionIssuer")
        name = text(issuer, "userName") if text(issuer, "type") == "IAMUser" else ""
    else:
        return None
    return Target(TargetKind.USER, account, name) if name and account else None


def calling_role(record: Mapping[str, Any]) -> Target | None:
    """The role whose session called; None for anybody else."""
    identity = part(record, "userIdentity")
    if text(identity, "type") != "AssumedRole":
        return None
    return role_target(text(part(identity, "sessionContext", "sessionIssuer"), "arn"))


def without_session(arn: str) -> str:
    """The role of a session's ARN, without its path, which that does not have; any other ARN as it is."""
    head, separator, rest = arn.partition(":assumed-role/")
    if not separator:
        return arn
    partition, _, account = head.removeprefix("arn:").partition(":sts::")
    return f"arn:{partition}:iam::{account}:role/{rest.partition('/')[0]}"


def role_target(arn: str) -> Target | None:
    """The role of an ARN; None for any other ARN."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):  # noqa: PLR2004 arn:aws:iam::account:role/name
        return None
    path, _, name = parts[5].removeprefix("role").rpartition("/")
    return Target(TargetKind.ROLE, parts[4], name, of=(("path", f"{path}/"),) if path else ())


def user_target(record: Mapping[str, Any], name: str) -> Target | None:
    """The user of this name in the record's own account."""
    account = account_of(record)
    return Target(TargetKind.USER, account, name) if name and account else None
