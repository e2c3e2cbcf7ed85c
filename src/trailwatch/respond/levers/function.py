"""What lets others call a Lambda function: a statement of its policy, and the authentication of its URL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud

ABSENT = "ResourceNotFoundException"


class FunctionPermission:
    """The statement `thing["statement"]` of `thing["function"]`, as AWS shows it; None where it is not there.

    `thing["qualifier"]` is the version or alias whose policy it is, empty for the function's own.
    """

    name = "function-permission"
    reads: tuple[str, ...] = ("lambda:GetPolicy",)
    writes: tuple[str, ...] = ("lambda:RemovePermission", "lambda:AddPermission")

    def read(self, step: Step, cloud: Cloud) -> State:
        try:
            answer = cloud.call(Call(step.account, "lambda", "GetPolicy", function_of(step), step.region))
        except ActionError as error:
            if error.code == ABSENT:
                return None
            raise
        statements = json.loads(answer["Policy"]).get("Statement", ())
        return next((one for one in statements if one.get("Sid") == step.thing["statement"]), None)

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        """Removing, adding, or both: a statement cannot be changed."""
        if found == wanted:
            return ()
        names = {**function_of(step), "StatementId": step.thing["statement"]}
        calls = []
        if found is not None:
            calls.append(Call(step.account, "lambda", "RemovePermission", names, step.region))
        if wanted is not None:
            added = {**names, **as_parameters(wanted)}
            calls.append(Call(step.account, "lambda", "AddPermission", added, step.region))
        return calls


class FunctionUrl:
    """Who may call the URL of `thing["function"]`: `NONE` is everybody, `AWS_IAM` whoever a policy lets in.

    None where the function has no URL. The URL itself stays: a new one would have another name.
    """

    name = "function-url"
    reads: tuple[str, ...] = ("lambda:GetFunctionUrlConfig",)
    writes: tuple[str, ...] = ("lambda:UpdateFunctionUrlConfig",)

    def read(self, step: Step, cloud: Cloud) -> State:
        try:
            return cloud.call(Call(step.account, "lambda", "GetFunctionUrlConfig", function_of(step), step.region))[
                "AuthType"
            ]
        except ActionError as error:
            if error.code == ABSENT:
                return None
            raise

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        if found is None:
            raise ActionError(f"URL of function {step.thing['function']}", "it is not there any more")
        parameters = {**function_of(step), "AuthType": wanted}
        return (Call(step.account, "lambda", "UpdateFunctionUrlConfig", parameters, step.region),)


def function_of(step: Step) -> dict[str, Any]:
    """The parameters that name a step's function."""
    qualifier = step.thing.get("qualifier")
    return {"FunctionName": step.thing["function"], **({"Qualifier": qualifier} if qualifier else {})}


_CONDITIONS = {
    ("ArnLike", "aws:sourcearn"): "SourceArn",
    ("StringEquals", "aws:sourceaccount"): "SourceAccount",
    ("StringEquals", "aws:principalorgid"): "PrincipalOrgID",
    ("StringEquals", "lambda:functionurlauthtype"): "FunctionUrlAuthType",
    ("StringEquals", "lambda:eventsourcetoken"): "EventSourceToken",
    ("Bool", "lambda:invokedviafunctionurl"): "InvokedViaFunctionUrl",
}
"""Conditions that AddPermission makes, and the parameter of each."""


def as_parameters(statement: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of AddPermission that make such a statement again.

    Raises:
        ActionError: AddPermission cannot make it.
    """
    where = f"statement {statement.get('Sid')}"
    parameters: dict[str, Any] = {"Action": statement.get("Action"), "Principal": _principal(statement, where)}
    if statement.get("Effect") != "Allow" or not isinstance(parameters["Action"], str):
        raise ActionError(where, "AddPermission could not make it again, so it is not taken away")
    for operator, block in (statement.get("Condition") or {}).items():
        for key, value in block.items():
            name = _CONDITIONS.get((operator, key.lower()))
            if name is None or not isinstance(value, str):
                raise ActionError(where, f"AddPermission could not make its condition {operator} {key} again")
            parameters[name] = value == "true" if name == "InvokedViaFunctionUrl" else value
    return parameters


def _principal(statement: Mapping[str, Any], where: str) -> str:
    principal = statement.get("Principal")
    if isinstance(principal, str):
        return principal
    if isinstance(principal, Mapping) and len(principal) == 1:
        value = next(iter(principal.values()))
        if isinstance(value, str) and set(principal) <= {"AWS", "Service"}:
            return value
    raise ActionError(where, f"AddPermission could not make its principal {principal!r:.200} again")
