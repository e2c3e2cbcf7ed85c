"""Evidence of a role: who may take it and what it may. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud
from trailwatch.respond.levers.pages import items


class RoleSnapshot:
    """Of `thing["role"]`."""

    name = "role-snapshot"
    reads: tuple[str, ...] = (
        "iam:GetRole",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
    )
    writes: tuple[str, ...] = ()

    def read(self, step: Step, cloud: Cloud) -> State:
        """Everything as AWS answers it; only that there is such a role must be known."""
        role = {"RoleName": step.thing["role"]}
        found: dict[str, Any] = {"Role": cloud.call(Call(step.account, "iam", "GetRole", role))["Role"]}
        missing: list[str] = []

        def listed(operation: str, member: str) -> list[Any]:
            try:
                return list(items(Call(step.account, "iam", operation, role), member, cloud))
            except ActionError as error:
                missing.append(str(error))
                return []

        found["AttachedManagedPolicies"] = listed("ListAttachedRolePolicies", "AttachedPolicies")
        found["RolePolicyList"] = []
        for name in listed("ListRolePolicies", "PolicyNames"):
            try:
                answer = cloud.call(Call(step.account, "iam", "GetRolePolicy", {**role, "PolicyName": name}))
            except ActionError as error:
                missing.append(str(error))
                continue
            found["RolePolicyList"].append({key: answer[key] for key in ("PolicyName", "PolicyDocument")})
        if missing:
            found["not read"] = missing
        return found

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:  # noqa: ARG002 evidence sets nothing
        return ()
