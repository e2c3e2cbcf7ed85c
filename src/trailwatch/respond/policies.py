"""The policies that responses write: what they say, what they are called, and whether there is room for one more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trailwatch.model.response import APPLY_TIME
from trailwatch.respond.levers.inline_policy import compact

LOCK = "trailwatch-lock-"
REVOKE = "trailwatch-revoke-"
USER_ROOM = 2048
ROLE_ROOM = 10240
"""Characters, without blanks, of all inline policies of a user or role together.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
ATTACHED_AT_MOST = 10

DENY_EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
}


def deny_older_sessions() -> dict[str, Any]:
    """A policy that denies everything to sessions issued before the moment at which it is set."""
    older = {"DateLessThan": {"aws:TokenIssueTime": APPLY_TIME}}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}],
    }


def only_denies(document: Any) -> bool:
    """Whether a policy, as a mapping or a text, gives nobody any right; False where it cannot be read."""
    if isinstance(document, str):
        try:
            document = msgspec.json.decode(document)
        except msgspec.DecodeError:
            return False
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    listed = statements if isinstance(statements, list) else [statements]
    return bool(listed) and all(isinstance(one, Mapping) and one.get("Effect") == "Deny" for one in listed)


def room(documents: Iterable[Any], added: Any, quota: int) -> bool:
    """Whether one more document fits beside those that there are."""
    return sum(_length(one) for one in documents) + _length(added) <= quota


def _length(document: Any) -> int:
    return len("".join(compact(document).split()))


def untouchable(name: str, path: str = "") -> str:
    """Why IAM lets nobody change a role, with what to do instead; empty for one that can be changed."""
    if path.startswith("/aws-service-role/") or name.startswith("AWSServiceRoleFor"):
        return (
            f"role {name} belongs to an AWS service, and IAM lets nobody write a policy into it: stop what the "
            "service does for the intruder, or deny it in a service control policy"
        )
    if path.startswith("/aws-reserved/") or name.startswith("AWSReservedSSO_"):
        return (
            f"role {name} belongs to Identity Center, and IAM lets nobody write a policy into it: disable the user "
            "in Identity Center and delete its sessions there, and deny sessions issued before now in the permission "
            "set or in a service control policy with identitystore:UserId"
        )
    return ""
