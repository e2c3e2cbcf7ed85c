"""Locking an IAM user: everything is denied, everything that signs is switched off, and nothing is deleted.

The deny comes first, because it also reaches sessions that were issued before and live on without their key. The
password and the user's own second factor stay: the deny makes them useless, and nobody could restore them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.model.response import Draft, Step, StepKind, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.attached_policy import AttachedPolicy
from trailwatch.respond.levers.inline_policy import InlinePolicy
from trailwatch.respond.levers.status import ACCESS_KEY, CREDENTIALS, INACTIVE
from trailwatch.respond.levers.user_snapshot import UserSnapshot
from trailwatch.respond.policies import ATTACHED_AT_MOST, DENY_EVERYTHING, LOCK, USER_ROOM, room
from trailwatch.respond.records import calling_user

SNAPSHOT = UserSnapshot()
INLINE = InlinePolicy("user")
ATTACHED = AttachedPolicy("user")
_MEMBERS = {
    "access-key": ("AccessKeyMetadata", "AccessKeyId"),
    "ssh-key": ("SSHPublicKeys", "SSHPublicKeyId"),
    "signing-certificate": ("Certificates", "CertificateId"),
    "service-credential": ("ServiceSpecificCredentials", "ServiceSpecificCredentialId"),
}
"""Where the evidence has what each lever switches off, and what its id is called there."""


class LockUser(LeverAction):
    """Locks the user who called."""

    name = "lock-user"
    levers: tuple[Lever, ...] = (SNAPSHOT, INLINE, ATTACHED, *CREDENTIALS)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        user = calling_user(record)
        return [user] if user else []

    def plan(self, target: Target, scene: Scene) -> Draft:
        if target.kind is not TargetKind.USER:
            return Draft(cannot=(f"{self.name} is for users, not for {target}",))
        return _Locking(self, target, scene).draft()


class _Locking:
    def __init__(self, action: LockUser, target: Target, scene: Scene) -> None:
        self._action = action
        self._target = target
        self._scene = scene
        evidence = self._step(SNAPSHOT, {}, f"keep what user {target.name} is, may and signs with")
        self._evidence = msgspec.structs.replace(
            evidence, kind=StepKind.EVIDENCE, action=action.name, lever=SNAPSHOT.name
        )
        self._seen: dict[str, Any] = SNAPSHOT.read(self._evidence, scene.cloud)
        self._cannot: list[str] = []

    def draft(self) -> Draft:
        steps = [self._evidence, *self._deny(), *self._switch_off()]
        name = self._target.name
        self._cannot += [
            f"sessions of roles that user {name} took go on until those roles' sessions are revoked",
            f"what user {name} started goes on: machines, functions, grants, shares, policies of resources",
        ]
        if self._seen["MFADevices"]:
            self._cannot.append(
                f"second factors of user {name} stay, whoever registered them: "
                + ", ".join(device["SerialNumber"] for device in self._seen["MFADevices"])
            )
        if self._seen["LoginProfile"]:
            self._cannot.append(f"the password of user {name} stays as it is; the deny makes it useless")
        problems = tuple(
            f"not all evidence of user {name} can be had: {one}" for one in self._seen.get("not read", ())
        )
        return Draft(tuple(steps), tuple(self._cannot), (self._cut(),), problems)

    def _deny(self) -> list[Step]:
        name, cloud = self._target.name, self._scene.cloud
        documents = {one["PolicyName"]: one["PolicyDocument"] for one in self._seen["UserPolicyList"]}
        standing = sorted(
            policy
            for policy, document in documents.items()
            if policy.startswith(LOCK) and document == DENY_EVERYTHING
        )
        policy = standing[0] if standing else f"{LOCK}{self._scene.plan_id}"
        if standing or room(documents.values(), DENY_EVERYTHING, USER_ROOM):
            does = f"deny everything to user {name} and every session of it, with the inline policy {policy}"
            step = self._step(INLINE, {"policy": policy}, does, DENY_EVERYTHING)
            return [self._action.step(INLINE, cloud, step)]
        attached = self._seen["AttachedPolicies"]
        arn = f"arn:{self._seen['User']['Arn'].split(':')[1]}:iam::aws:policy/AWSDenyAll"
        if len(attached) < ATTACHED_AT_MOST or arn in {one["PolicyArn"] for one in attached}:
            does = f"deny everything to user {name} with AWSDenyAll, because its inline policies leave no room"
            return [self._action.step(ATTACHED, cloud, self._step(ATTACHED, {"policy": arn}, does, arn))]
        self._cannot.append(
            f"nothing more can be denied to user {name}: its policies leave no room for one more. Sessions that were "
            "issued to it go on; take a policy away from it, then plan again"
        )
        return []

    def _switch_off(self) -> list[Step]:
        steps = []
        for lever in CREDENTIALS:
            member, identity = _MEMBERS[lever.name]
            for one in self._seen[member]:
                does = f"make {lever.title} {one[identity]} of user {self._target.name} inactive"
                step = self._step(lever, {"id": one[identity]}, does, INACTIVE)
                steps.append(self._action.step(lever, self._scene.cloud, step))
        return steps

    def _cut(self) -> str:
        active = [one for one in self._seen[_MEMBERS[ACCESS_KEY.name][0]] if one["Status"] != INACTIVE]
        parts = [f"{len(active)} active access key{'' if len(active) == 1 else 's'}"]
        if self._seen["LoginProfile"]:
            parts.append("its console password")
        return f"everything that user {self._target.name} does, whoever it is: {' and '.join(parts)}"

    def _step(self, lever: Lever, thing: dict[str, str], does: str, wanted: Any = None) -> Step:
        return Step(
            action=self._action.name,
            lever=lever.name,
            account=self._target.account,
            thing={"user": self._target.name, **thing},
            does=does,
            wanted=wanted,
        )
