"""Deactivating one access key, and cutting the sessions that were issued with it; the user's other keys work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, Draft, Step, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.inline_policy import InlinePolicy
from trailwatch.respond.levers.pages import items
from trailwatch.respond.levers.status import ACCESS_KEY, INACTIVE
from trailwatch.respond.policies import REVOKE, USER_ROOM, deny_older_sessions, room
from trailwatch.respond.records import calling_user, part, text

INLINE = InlinePolicy("user")
LONG_TERM = "AKIA"


class DeactivateKey(LeverAction):
    """Deactivates the key that called."""

    name = "deactivate-key"
    levers: tuple[Lever, ...] = (ACCESS_KEY, INLINE)
    asks: tuple[str, ...] = ("iam:GetAccessKeyLastUsed", "iam:ListUserPolicies")

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        user = calling_user(record)
        key = text(part(record, "userIdentity"), "accessKeyId")
        return [key_target(user, key)] if user and key.startswith(LONG_TERM) else []

    def plan(self, target: Target, scene: Scene) -> Draft:
        user = target.detail("user") or self._owner(target, scene)
        does = f"make access key {target.name} of user {user} inactive"
        step = Step(self.name, ACCESS_KEY.name, target.account, {"user": user, "id": target.name}, does)
        step = self.step(ACCESS_KEY, scene.cloud, _wanting(step, INACTIVE))
        if step.found is None:
            raise ActionError(f"access key {target.name}", f"user {user} has no such key")
        revoke, cannot = self._revoke(target, user, scene)
        return Draft(
            (step, *revoke),
            (*cannot, f"user {user} can still sign in, use other keys and take roles; lock-user stops that"),
            (
                f"every program that uses access key {target.name}",
                f"every session of user {user} issued before now: GetSessionToken, GetFederationToken, the console",
            ),
        )

    def _revoke(self, target: Target, user: str, scene: Scene) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        policy, document = f"{REVOKE}{scene.plan_id}", deny_older_sessions()
        does = f"deny everything to sessions of user {user} issued before now, with the inline policy {policy}"
        thing = {"user": user, "policy": policy}
        if not room(self._documents(target, user, scene), document, USER_ROOM):
            return (), (f"sessions that user {user} took with it go on: its inline policies leave no room",)
        step = Step(self.name, INLINE.name, target.account, thing, does)
        return (self.step(INLINE, scene.cloud, _wanting(step, document)),), ()

    def _documents(self, target: Target, user: str, scene: Scene) -> list[Any]:
        listed = Call(target.account, "iam", "ListUserPolicies", {"UserName": user})
        return [
            INLINE.read(Step(self.name, INLINE.name, target.account, {"user": user, "policy": name}, ""), scene.cloud)
            for name in items(listed, "PolicyNames", scene.cloud)
        ]

    def _owner(self, target: Target, scene: Scene) -> str:
        asked = Call(target.account, "iam", "GetAccessKeyLastUsed", {"AccessKeyId": target.name})
        owner = scene.cloud.call(asked).get("UserName")
        if not isinstance(owner, str) or not owner:
            raise ActionError(f"access key {target.name}", f"nobody in account {target.account} has it")
        return owner


def key_target(user: Target, key: str) -> Target:
    """A key of a user."""
    return Target(TargetKind.KEY, user.account, key, of=(("user", user.name),))


def _wanting(step: Step, wanted: Any) -> Step:
    return msgspec.structs.replace(step, wanted=wanted)
