"""Revoking a role's sessions: whoever holds one that was issued before now is denied everything.

Temporary credentials cannot be taken back, but every call is judged anew. New sessions are free, so the way in must
be closed, too: the user who took the role, its trust policy, the machine that it runs on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.model.response import Draft, Step, StepKind, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.inline_policy import InlinePolicy
from trailwatch.respond.levers.role_snapshot import RoleSnapshot
from trailwatch.respond.policies import REVOKE, ROLE_ROOM, deny_older_sessions, room, untouchable
from trailwatch.respond.records import calling_role, event_name, part, role_target, succeeded, text

SNAPSHOT = RoleSnapshot()
INLINE = InlinePolicy("role")
_TAKING = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


class RevokeSessions(LeverAction):
    """Revokes the sessions of the role that called, and of a role that the call took."""

    name = "revoke-sessions"
    levers: tuple[Lever, ...] = (SNAPSHOT, INLINE)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        found = [calling_role(record)]
        if event_name(record) in _TAKING and succeeded(record):
            found.append(role_target(text(part(record, "requestParameters"), "roleArn")))
        return [one for one in dict.fromkeys(found) if one is not None]

    def plan(self, target: Target, scene: Scene) -> Draft:
        if target.kind is not TargetKind.ROLE:
            return Draft(cannot=(f"{self.name} is for roles, not for {target}",))
        name = target.name
        reason = untouchable(name, target.detail("path"))
        if reason:
            return Draft(cannot=(reason,))
        does = f"keep what role {name} is, may, and who may take it"
        evidence = Step(self.name, SNAPSHOT.name, target.account, {"role": name}, does, kind=StepKind.EVIDENCE)
        seen = SNAPSHOT.read(evidence, scene.cloud)
        reason = untouchable(name, seen["Role"]["Path"])
        if reason:
            return Draft(cannot=(reason,))
        problems = tuple(f"not all evidence of role {name} can be had: {one}" for one in seen.get("not read", ()))
        document, policy = deny_older_sessions(), f"{REVOKE}{scene.plan_id}"
        if not room((one["PolicyDocument"] for one in seen["RolePolicyList"]), document, ROLE_ROOM):
            full = f"sessions of role {name} cannot be revoked: its inline policies leave no room for one more"
            return Draft((evidence,), (full,), problems=problems)
        does = f"deny everything to sessions of role {name} issued before now, with the inline policy {policy}"
        step = Step(self.name, INLINE.name, target.account, {"role": name, "policy": policy}, does)
        step = self.step(INLINE, scene.cloud, msgspec.structs.replace(step, wanted=document))
        return Draft(
            (evidence, step),
            tuple(_way_in(name, seen["Role"].get("AssumeRolePolicyDocument") or {})),
            (f"every session of role {name} issued before now, whoever holds it; they have to take it again",),
            problems,
        )


def _way_in(name: str, trust: Mapping[str, Any]) -> Iterator[str]:
    """Who may take the role again at once, as its trust policy says."""
    who: dict[str, None] = {}
    for statement in _many(trust.get("Statement", ())):
        if statement.get("Effect") != "Allow":
            continue
        principal = statement.get("Principal", {})
        named = {"AWS": "*"} if principal == "*" else principal
        for kind, values in named.items() if isinstance(named, Mapping) else ():
            who.update(
                dict.fromkeys(f"{value}" if kind != "Service" else f"service {value}" for value in _many(values))
            )
    if who:
        yield f"new sessions of role {name}: its trust policy lets in {', '.join(who)}"
    if any(value == "service ec2.amazonaws.com" for value in who):
        yield f"machines with role {name} get fresh credentials, and so does an intruder who is on one: isolate it"


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)
