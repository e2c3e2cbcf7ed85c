"""From IAM actions to the policy that grants them and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_ANY = ("iam:GetAccessKeyLastUsed",)
"""Actions that IAM judges before it knows whose thing it is."""
_FOR_SERVICE = {"iam:PassRole": "cloudtrail.amazonaws.com"}
"""Roles may be handed to this service alone."""


def policy(
    actions: Iterable[str], partition: str = "aws", named: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Any]:
    """A policy document, one statement for each kind of resource, in an order that never changes.

    Args:
        actions: such as `iam:PutUserPolicy`.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        named: for further actions, ARNs of the only things on which they are needed; none where that is empty.
    """
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for action in sorted(set(actions)):
        sid, resource = _resource(action, partition)
        grouped.setdefault((sid, resource, _FOR_SERVICE.get(action, "")), []).append(action)
    statements: list[dict[str, Any]] = []
    for (sid, resource, service), names in sorted(grouped.items()):
        statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": names, "Resource": resource}
        if service:
            statement["Sid"] = f"{sid}PassedOn"
            statement["Condition"] = {"StringEquals": {"iam:PassedToService": service}}
        statements.append(statement)
    for action, arns in sorted((named or {}).items()):
        listed = sorted(set(arns))
        if listed:
            sid = action.partition(":")[2]
            statements.append({"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": listed})
    return {"Version": "2012-10-17", "Statement": statements}


def _resource(action: str, partition: str) -> tuple[str, str]:
    service, _, operation = action.partition(":")
    if action in _ANY:
        return "Anything", "*"
    if service == "iam":
        owner = next((one for one in ("Role", "Group") if one in operation and "ForUser" not in operation), "User")
        return f"{owner}s", f"arn:{partition}:iam::*:{owner.lower()}/*"
    if service == "lambda":
        return "Functions", f"arn:{partition}:lambda:*:*:function:*"
    if service == "cloudtrail" and operation != "LookupEvents":
        return "Trails", f"arn:{partition}:cloudtrail:*:*:trail/*"
    return "Anything", "*"
