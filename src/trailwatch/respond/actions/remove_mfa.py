"""Taking away a second factor that an intruder registered; it cannot be taken back, so no playbook names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Step, StepKind, Target
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.final import MfaDevice

DEVICE = MfaDevice()


class RemoveMfa(LeverAction):
    """Only for a device whose serial number a person names."""

    name = "remove-mfa"
    levers: tuple[Lever, ...] = (DEVICE,)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:  # noqa: ARG002 no event is reason enough
        return []

    def plan(self, target: Target, scene: Scene) -> Draft:
        user, device = target.name, target.detail("device")
        does = f"take second factor {device} away from user {user}; only who holds it can register it again"
        thing = {"user": user, "device": device}
        step = Step(self.name, DEVICE.name, target.account, thing, does, kind=StepKind.FINAL)
        step = self.step(DEVICE, scene.cloud, step)
        if step.found is None:
            raise ActionError(f"second factor {device}", f"user {user} does not have it")
        return Draft((step,), cuts=(f"user {user} signs in without second factor {device}",))
