"""Taking back rights that an intruder gave: a policy is detached, an inline one removed with its text kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Step, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.attached_policy import AttachedPolicy
from trailwatch.respond.levers.inline_policy import InlinePolicy
from trailwatch.respond.policies import only_denies, untouchable
from trailwatch.respond.records import account_of, event_name, part, succeeded, text

OWNERS = ("user", "role", "group")
_HOLDING = ("AWSDenyAll", "AWSCompromisedKeyQuarantine")
"""Policies of AWS that hold somebody back; taking one away would let an intruder go.

Only AWS's own count, and of inline ones what they say: an intruder may call its policy whatever it likes.
"""
_OF_AWS = ":iam::aws:policy/"


class DisablePolicy(LeverAction):
    """Takes away the policy that a call attached or wrote."""

    name = "disable-policy"
    levers: tuple[Lever, ...] = (*map(AttachedPolicy, OWNERS), *map(InlinePolicy, OWNERS))

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        asked, name = part(record, "requestParameters"), event_name(record)
        if not succeeded(record):
            return []
        for owner in OWNERS:
            kind = owner.capitalize()
            whose = text(asked, f"{owner}Name")
            policy = {
                f"Attach{kind}Policy": text(asked, "policyArn"),
                f"Put{kind}Policy": text(asked, "policyName"),
            }.get(name, "")
            if whose and policy and not _holds_back(policy, asked.get("policyDocument")):
                return [Target(TargetKind.POLICY, account_of(record), policy, of=(("owner", owner), (owner, whose)))]
        return []

    def plan(self, target: Target, scene: Scene) -> Draft:
        owner = target.detail("owner")
        whose = target.detail(owner)
        reason = untouchable(whose) if owner == "role" else ""
        if reason:
            return Draft(cannot=(reason,))
        managed = target.name.startswith("arn:")
        lever = next(
            one for one in self.levers if one.name == f"{owner}-{'attached' if managed else 'inline'}-policy"
        )
        verb = "detach" if managed else "remove inline"
        does = f"{verb} policy {target.name} {'from' if managed else 'of'} {owner} {whose}"
        step = Step(self.name, lever.name, target.account, {owner: whose, "policy": target.name}, does)
        step = self.step(lever, scene.cloud, step)
        if step.found is None:
            raise ActionError(f"policy {target.name}", f"{owner} {whose} does not have it any more")
        if not managed and only_denies(step.found):
            return Draft(cannot=(f"policy {target.name} of {owner} {whose} stays: it only denies",))
        if managed:
            unknown = (
                f"whether policy {target.name} was attached to {owner} {whose} before: AWS says yes to that, too"
            )
        else:
            unknown = f"what policy {target.name} of {owner} {whose} said before, if it was there"
        return Draft((step,), (unknown,), (f"what policy {target.name} lets {owner} {whose} do",))


def _holds_back(policy: str, document: object) -> bool:
    if policy.startswith("arn:"):
        return _OF_AWS in policy and policy.rpartition("/")[2].startswith(_HOLDING)
    return only_denies(document)
