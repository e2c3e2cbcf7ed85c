"""Closing a Lambda function that an intruder opened: a permission for others, or an address that asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Step, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.function import FunctionPermission, FunctionUrl, as_parameters
from trailwatch.respond.records import account_of, event_name, part, succeeded, text

PERMISSION = FunctionPermission()
URL = FunctionUrl()
OPEN = "NONE"
CLOSED = "AWS_IAM"


class DisableFunction(LeverAction):
    """Takes away the statement that a call added, or closes the URL that it opened."""

    name = "disable-function"
    levers: tuple[Lever, ...] = (PERMISSION, URL)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        asked, name = part(record, "requestParameters"), event_name(record)
        function, qualifier = text(asked, "functionName"), text(asked, "qualifier")
        of = {"qualifier": qualifier} if qualifier else {}
        if not succeeded(record) or not function:
            return []
        if name == "AddPermission" and text(asked, "statementId"):
            of["statement"] = text(asked, "statementId")
        elif name not in ("CreateFunctionUrlConfig", "UpdateFunctionUrlConfig") or text(asked, "authType") != OPEN:
            return []
        region = text(record, "awsRegion")
        return [Target(TargetKind.FUNCTION, account_of(record), function, region, tuple(sorted(of.items())))]

    def plan(self, target: Target, scene: Scene) -> Draft:
        thing = {"function": target.name, "qualifier": target.detail("qualifier")}
        statement = target.detail("statement")
        if not statement:
            does = f"let only IAM's own callers use the URL of function {target.name}"
            step = Step(self.name, URL.name, target.account, thing, does, target.region, CLOSED)
            step = self.step(URL, scene.cloud, step)
            return Draft(
                (step,), cuts=(f"everybody who calls the URL of function {target.name} without a signature",)
            )
        does = f"take statement {statement} from the policy of function {target.name}"
        thing["statement"] = statement
        step = Step(self.name, PERMISSION.name, target.account, thing, does, target.region)
        step = self.step(PERMISSION, scene.cloud, step)
        if step.found is None:
            raise ActionError(f"statement {statement}", f"function {target.name} does not have it any more")
        try:
            as_parameters(step.found)
        except ActionError as error:
            return Draft(cannot=(str(error),))
        return Draft((step,), cuts=(f"whoever statement {statement} lets call function {target.name}",))
