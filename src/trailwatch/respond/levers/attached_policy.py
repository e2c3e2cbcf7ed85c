"""Whether a managed policy is attached to a user, role or group: its ARN, or None."""

from __future__ import annotations

from collections.abc import Sequence

from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud
from trailwatch.respond.levers.pages import items


class AttachedPolicy:
    """Of `thing["policy"]`, an ARN, at the `thing[...]` that the owner names.

    Args:
        owner: `user`, `role` or `group`.
    """

    def __init__(self, owner: str) -> None:
        kind = owner.capitalize()
        self.name = f"{owner}-attached-policy"
        self.reads: tuple[str, ...] = (f"iam:ListAttached{kind}Policies",)
        self.writes: tuple[str, ...] = (f"iam:Attach{kind}Policy", f"iam:Detach{kind}Policy")
        self._owner = owner
        self._kind = kind

    def read(self, step: Step, cloud: Cloud) -> State:
        owner = {f"{self._kind}Name": step.thing[self._owner]}
        listed = Call(step.account, "iam", f"ListAttached{self._kind}Policies", owner)
        arns = {one["PolicyArn"] for one in items(listed, "AttachedPolicies", cloud)}
        return step.thing["policy"] if step.thing["policy"] in arns else None

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        parameters = {f"{self._kind}Name": step.thing[self._owner], "PolicyArn": step.thing["policy"]}
        verb = "Detach" if wanted is None else "Attach"
        return (Call(step.account, "iam", f"{verb}{self._kind}Policy", parameters),)
