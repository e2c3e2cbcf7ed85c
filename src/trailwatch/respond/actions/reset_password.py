"""A new password that nobody knows; it cannot be taken back, so no playbook names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Step, StepKind, Target
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.final import RESET, Password

PASSWORD = Password()


class ResetPassword(LeverAction):
    """Only for a user whom a person names."""

    name = "reset-password"
    levers: tuple[Lever, ...] = (PASSWORD,)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:  # noqa: ARG002 no event is reason enough
        return []

    def plan(self, target: Target, scene: Scene) -> Draft:
        user = target.name
        does = f"give user {user} a password that nobody knows; its console sessions go on until they are denied"
        step = Step(self.name, PASSWORD.name, target.account, {"user": user}, does, "", RESET, kind=StepKind.FINAL)
        step = self.step(PASSWORD, scene.cloud, step)
        if step.found is None:
            raise ActionError(f"user {user}", "it has no password")
        return Draft((step,), cuts=(f"user {user} cannot sign in with the password that it knows",))
