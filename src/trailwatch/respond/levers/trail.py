"""A trail: whether it logs, where to, and what it selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud

SETTINGS = {
    "S3BucketName": None,
    "S3KeyPrefix": "",
    "SnsTopicName": "",
    "IncludeGlobalServiceEvents": None,
    "IsMultiRegionTrail": None,
    "LogFileValidationEnabled": None,
    "CloudWatchLogsLogGroupArn": "",
    "CloudWatchLogsRoleArn": "",
    "KmsKeyId": "",
    "IsOrganizationTrail": None,
}
"""Members of a trail that UpdateTrail sets, and what clears each; None for one that is never clear."""
_PARAMETERS = {"LogFileValidationEnabled": "EnableLogFileValidation"}


class TrailLogging:
    """Whether `thing["trail"]` logs."""

    name = "trail-logging"
    reads: tuple[str, ...] = ("cloudtrail:GetTrailStatus",)
    writes: tuple[str, ...] = ("cloudtrail:StartLogging", "cloudtrail:StopLogging")

    def read(self, step: Step, cloud: Cloud) -> State:
        return bool(cloud.call(_call(step, "GetTrailStatus", {"Name": step.thing["trail"]}))["IsLogging"])

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        return (_call(step, "StartLogging" if wanted else "StopLogging", {"Name": step.thing["trail"]}),)


class TrailSettings:
    """Where `thing["trail"]` delivers to, from which regions, and how it protects what it delivered."""

    name = "trail-settings"
    reads: tuple[str, ...] = ("cloudtrail:GetTrail",)
    writes: tuple[str, ...] = ("cloudtrail:UpdateTrail", "iam:PassRole")

    def read(self, step: Step, cloud: Cloud) -> State:
        """Those of `SETTINGS` that are set."""
        trail = cloud.call(_call(step, "GetTrail", {"Name": step.thing["trail"]}))["Trail"]
        return {name: trail[name] for name in SETTINGS if trail.get(name) not in (None, "")}

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        changed: dict[str, Any] = {}
        for name, clear in SETTINGS.items():
            if found.get(name) != wanted.get(name):
                value = wanted.get(name, clear)
                if value is not None:
                    changed[_PARAMETERS.get(name, name)] = value
        if not changed:
            return ()
        if "SnsTopicName" in changed:
            # AWS shows the topic's ARN beside its name, and takes the name
            changed["SnsTopicName"] = changed["SnsTopicName"].rpartition(":")[2]
        return (_call(step, "UpdateTrail", {"Name": step.thing["trail"], **changed}),)


class TrailSelectors:
    """Which events `thing["trail"]` keeps: a mapping with `EventSelectors` or `AdvancedEventSelectors`."""

    name = "trail-selectors"
    reads: tuple[str, ...] = ("cloudtrail:GetEventSelectors",)
    writes: tuple[str, ...] = ("cloudtrail:PutEventSelectors",)

    def read(self, step: Step, cloud: Cloud) -> State:
        answer = cloud.call(_call(step, "GetEventSelectors", {"TrailName": step.thing["trail"]}))
        return selectors(answer)

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted or not wanted:
            return ()
        return (_call(step, "PutEventSelectors", {"TrailName": step.thing["trail"], **wanted}),)


class TrailInsights:
    """Which insights `thing["trail"]` looks for, by type."""

    name = "trail-insights"
    reads: tuple[str, ...] = ("cloudtrail:GetInsightSelectors",)
    writes: tuple[str, ...] = ("cloudtrail:PutInsightSelectors",)

    def read(self, step: Step, cloud: Cloud) -> State:
        try:
            answer = cloud.call(_call(step, "GetInsightSelectors", {"TrailName": step.thing["trail"]}))
        except ActionError as error:
            if error.code == "InsightNotEnabledException":
                return []
            raise
        return sorted({one["InsightType"] for one in answer.get("InsightSelectors", ())})

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        listed = [{"InsightType": kind} for kind in wanted]
        names = {"TrailName": step.thing["trail"], "InsightSelectors": listed}
        return (_call(step, "PutInsightSelectors", names),)


def selectors(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The selectors in a request or an answer; AWS keeps one of the two kinds.

    What AWS adds by itself is added here, too, so that what was asked for equals what is shown later.
    """
    advanced = answer.get("AdvancedEventSelectors")
    if advanced:
        return {"AdvancedEventSelectors": advanced}
    basic = [
        {
            "ReadWriteType": one.get("ReadWriteType", "All"),
            "IncludeManagementEvents": one.get("IncludeManagementEvents", True),
            "DataResources": one.get("DataResources") or [],
            "ExcludeManagementEventSources": one.get("ExcludeManagementEventSources") or [],
        }
        for one in answer.get("EventSelectors") or ()
    ]
    return {"EventSelectors": basic} if basic else {}


def _call(step: Step, operation: str, parameters: dict[str, Any]) -> Call:
    return Call(step.account, "cloudtrail", operation, parameters, step.region)
