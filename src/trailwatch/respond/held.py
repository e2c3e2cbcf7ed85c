"""Who a target is or belongs to, with its tags, asked of IAM before anything is done about it."""

from __future__ import annotations

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, Target, TargetKind
from trailwatch.ports import Cloud
from trailwatch.respond.guard import Held

PERMISSIONS = ("iam:GetRole", "iam:GetUser")
"""Every IAM action that `held_of` needs."""
_SERVICES = {TargetKind.FUNCTION: ("lambda", "function:"), TargetKind.TRAIL: ("cloudtrail", "trail/")}


def held_of(target: Target, cloud: Cloud) -> Held:
    """By which ARNs and tags the target may be protected.

    Raises:
        ActionError: that cannot be found out, so nothing may be done.
    """
    user, role = _holder(target)
    if user:
        found = cloud.call(Call(target.account, "iam", "GetUser", {"UserName": user}))["User"]
    elif role:
        found = cloud.call(Call(target.account, "iam", "GetRole", {"RoleName": role}))["Role"]
    else:
        return Held(_other_arns(target))
    tags = tuple((str(tag["Key"]), str(tag["Value"])) for tag in found.get("Tags", ()))
    return Held((str(found["Arn"]),), tags)


def _holder(target: Target) -> tuple[str, str]:
    """The user or the role."""
    match target.kind:
        case TargetKind.USER:
            return target.name, ""
        case TargetKind.ROLE:
            return "", target.name
        case TargetKind.KEY:
            if not target.detail("user"):
                raise ActionError(str(target), "it is not known whose key it is", "act by hand")
            return target.detail("user"), ""
        case TargetKind.POLICY:
            return target.detail("user"), target.detail("role")
        case _:
            return "", ""


def _other_arns(target: Target) -> tuple[str, ...]:
    if target.kind is TargetKind.ROOT:
        raise ActionError(str(target), "no policy can stop root", "change its password and keys by hand")
    if target.kind is TargetKind.POLICY:
        group = target.detail("group")
        if not group:
            raise ActionError(str(target), "it is not known whose policy it is", "act by hand")
        return (f"arn:aws:iam::{target.account}:group/{group}",)
    if target.name.startswith("arn:"):
        return (target.name,)
    service, kind = _SERVICES[target.kind]
    return (f"arn:aws:{service}:{target.region}:{target.account}:{kind}{target.name}",)
