"""The last act: the intruder is locked out of everything that it holds, and all of that is undone exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from demo.parts import Trailwatch
from demo.screen import Screen
from trailwatch.simulate.company import Company
from trailwatch.simulate.intruder import BACK_DOOR, Loot
from trailwatch.simulate.stage import Seat, Stage

INTRUDER = (":user/dana", f":user/{BACK_DOOR}", ":role/org-admin")
FUNCTION = "shop-orders"
_CALLS = (("iam", "list_users"), ("s3", "list_buckets"), ("secretsmanager", "list_secrets"))
_SHOWN = ("UserDetailList", "GroupDetailList", "RoleDetailList")


def lock_out(
    screen: Screen,
    stage: Stage,
    company: Company,
    loot: Loot,
    administrator: Seat,
    trailwatch: Trailwatch,
    alerts: Sequence[Mapping[str, Any]],
) -> tuple[bool, str]:
    """Locks the intruder out and undoes it; whether both went as they should."""
    ids = [alert["alert_id"] for alert in alerts if alert["principal"].endswith(INTRUDER)]
    before = picture(stage, administrator)
    screen.step("Somebody reads the mail, and locks the intruder out")
    screen.command(f"trailwatch respond apply {' '.join(ids[:2])} ... --yes")
    for line in trailwatch.run("respond", "apply", *ids, "--yes").stdout.splitlines():
        screen.line(line, "green")
    plan = json.loads(trailwatch.run("respond", "status", "--format", "json").stdout)["plan"]
    for one in _done(trailwatch, plan):
        screen.line(f"- {one}")
    leaked = Seat("the intruder", company.developer.credentials, loot.back_door.address, loot.back_door.agent)
    tried = _try(stage, (leaked, loot.back_door, loot.admin))
    refused = [outcome for _, outcome in tried if outcome != "ok"]
    screen.line(
        f"the intruder tries {len(tried)} more calls with its 3 identities: {len(refused)} are refused", "red"
    )
    locked = len(refused) == len(tried) and picture(stage, administrator) != before
    screen.command(f"trailwatch respond undo {plan} --yes")
    for line in trailwatch.run("respond", "undo", plan, "--yes").stdout.splitlines():
        screen.line(line, "green")
    return locked and picture(stage, administrator) == before, "the intruder was locked out, and undone exactly"


def _done(trailwatch: Trailwatch, plan: str) -> list[str]:
    shown = json.loads(trailwatch.run("respond", "status", plan, "--format", "json").stdout)
    return [step["does"] for step in shown["steps"] if step["kind"] == "change"]


def _try(stage: Stage, seats: Sequence[Seat]) -> list[tuple[str, str]]:
    begin = len(stage.script)
    for seat in seats:
        for service, operation in _CALLS:
            stage.do(seat, service, operation)
    return [(step.what, step.outcome) for step in stage.script[begin:]]


def picture(stage: Stage, administrator: Seat) -> str:
    """Everything that IAM, the trails and the function's policy show, as one text."""
    iam, trails = stage.client(administrator, "iam"), stage.client(administrator, "cloudtrail")
    details = iam.get_account_authorization_details()
    shown: dict[str, Any] = {name: details[name] for name in _SHOWN}
    for role in shown["RoleDetailList"]:
        role.pop("RoleLastUsed", None)
    for user in shown["UserDetailList"]:
        listed = iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
        user["keys"] = sorted((key["AccessKeyId"], key["Status"]) for key in listed)
    for trail in trails.describe_trails()["trailList"]:
        logs = trails.get_trail_status(Name=trail["TrailARN"])["IsLogging"]
        shown[trail["TrailARN"]] = {**trail, "logs": logs}
    answer = stage.do(administrator, "lambda", "get_policy", FunctionName=FUNCTION)
    shown["function"] = answer.get("Policy", "nobody else may call it")
    return json.dumps(shown, default=str, sort_keys=True)
