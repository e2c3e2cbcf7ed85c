"""Evidence of a user: who it is, what it may, what it signs with, and when that was last used. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud
from trailwatch.respond.levers.inline_policy import ABSENT
from trailwatch.respond.levers.pages import items

_LISTS = {
    "AttachedPolicies": "ListAttachedUserPolicies",
    "Groups": "ListGroupsForUser",
    "MFADevices": "ListMFADevices",
    "AccessKeyMetadata": "ListAccessKeys",
    "SSHPublicKeys": "ListSSHPublicKeys",
    "Certificates": "ListSigningCertificates",
    "ServiceSpecificCredentials": "ListServiceSpecificCredentials",
}
"""Member of the answer, and the operation that lists it."""


class UserSnapshot:
    """Of `thing["user"]`."""

    name = "user-snapshot"
    reads: tuple[str, ...] = (
        "iam:GetUser",
        "iam:GetLoginProfile",
        "iam:ListUserPolicies",
        "iam:GetUserPolicy",
        "iam:GetAccessKeyLastUsed",
        *(f"iam:{operation}" for operation in _LISTS.values()),
    )
    writes: tuple[str, ...] = ()

    def read(self, step: Step, cloud: Cloud) -> State:
        """Everything as AWS answers it; only that there is such a user must be known."""
        reader = _Reader(step, cloud)
        found: dict[str, Any] = {"User": reader.ask("GetUser")["User"]}
        found["LoginProfile"] = reader.optional("GetLoginProfile").get("LoginProfile")
        for member, operation in _LISTS.items():
            found[member] = reader.list(operation, member)
        found["UserPolicyList"] = [
            {key: answer.get(key) for key in ("PolicyName", "PolicyDocument")}
            for name in reader.list("ListUserPolicies", "PolicyNames")
            if (answer := reader.optional("GetUserPolicy", PolicyName=name))
        ]
        for key in found["AccessKeyMetadata"]:
            used = reader.optional("GetAccessKeyLastUsed", alone=True, AccessKeyId=key["AccessKeyId"])
            key["LastUsed"] = used.get("AccessKeyLastUsed")
        if reader.missing:
            found["not read"] = reader.missing
        return found

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:  # noqa: ARG002 evidence sets nothing
        return ()


class _Reader:
    """Asks about one user, and notes what could not be had."""

    def __init__(self, step: Step, cloud: Cloud) -> None:
        self._step = step
        self._cloud = cloud
        self.missing: list[str] = []

    def ask(self, operation: str) -> dict[str, Any]:
        return self._cloud.call(self._call(operation))

    def optional(self, operation: str, *, alone: bool = False, **more: str) -> dict[str, Any]:
        try:
            return self._cloud.call(self._call(operation, alone=alone, **more))
        except ActionError as error:
            self._note(error)
            return {}

    def list(self, operation: str, member: str) -> list[Any]:
        try:
            return list(items(self._call(operation), member, self._cloud))
        except ActionError as error:
            self._note(error)
            return []

    def _note(self, error: ActionError) -> None:
        if error.code not in ABSENT:
            self.missing.append(str(error))

    def _call(self, operation: str, *, alone: bool = False, **more: str) -> Call:
        user = {} if alone else {"UserName": self._step.thing["user"]}
        return Call(self._step.account, "iam", operation, {**user, **more})
