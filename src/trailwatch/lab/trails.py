"""What a trail selects, as AWS keeps it: moto adds insight selectors up, and knows no selectors of a new trail.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
"""

from __future__ import annotations

from typing import Any

from moto.cloudtrail.exceptions import TrailNotFoundException
from moto.cloudtrail.models import cloudtrail_backends

from trailwatch.lab.answers import Answer, Refusal, json_answer
from trailwatch.lab.call import Call
from trailwatch.lab.identities import Caller

_NEW_TRAIL = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}
_NOT_ENABLED = "Trail does not have Insights enabled. Edit the trail settings to enable Insights."


def get_event_selectors(call: Call, caller: Caller, request_id: str) -> Answer:
    """One of the two kinds of selectors; those of a new trail where none were put."""
    trail = _trail(call, caller)
    if trail.advanced_event_selectors:
        kind: dict[str, Any] = {"AdvancedEventSelectors": trail.advanced_event_selectors}
    else:
        kind = {"EventSelectors": trail.event_selectors or [_NEW_TRAIL]}
    return json_answer({"TrailARN": trail.arn, **kind}, request_id)


def put_event_selectors(call: Call, caller: Caller, request_id: str) -> Answer:
    """The selectors take the place of those that there were, of whichever kind."""
    trail, asked = _trail(call, caller), call.parameters
    basic, advanced = asked.get("EventSelectors") or [], asked.get("AdvancedEventSelectors") or []
    if bool(basic) == bool(advanced):
        raise Refusal("InvalidEventSelectorsException", "Specify either event selectors or advanced ones.")
    trail.event_selectors, trail.advanced_event_selectors = [_NEW_TRAIL | one for one in basic], advanced
    kind = {"AdvancedEventSelectors": advanced} if advanced else {"EventSelectors": trail.event_selectors}
    return json_answer({"TrailARN": trail.arn, **kind}, request_id)


def get_insight_selectors(call: Call, caller: Caller, request_id: str) -> Answer:
    """The selectors; a trail without any says so as an error."""
    trail = _trail(call, caller)
    if not trail.insight_selectors:
        raise Refusal("InsightNotEnabledException", _NOT_ENABLED)
    return json_answer({"TrailARN": trail.arn, "InsightSelectors": trail.insight_selectors}, request_id)


def put_insight_selectors(call: Call, caller: Caller, request_id: str) -> Answer:
    """The selectors take the place of those that there were; none turns insights off."""
    trail = _trail(call, caller)
    trail.insight_selectors = list(call.parameters.get("InsightSelectors") or ())
    return json_answer({"TrailARN": trail.arn, "InsightSelectors": trail.insight_selectors}, request_id)


def remove_tags(call: Call, caller: Caller, request_id: str) -> Answer:
    """Tags leave a trail; what is no trail is refused, where moto would say yes."""
    arn = str(call.parameters.get("ResourceId") or "")
    backend = cloudtrail_backends[caller.account][call.region]
    if not any(trail.arn == arn for trail in backend.trails.values()):
        raise Refusal("ResourceNotFoundException", f"Unknown resource: {arn}")
    backend.remove_tags(arn, list(call.parameters.get("TagsList") or ()))
    return json_answer({}, request_id)


def _trail(call: Call, caller: Caller) -> Any:
    name = str(call.parameters.get("TrailName") or "")
    region = name.split(":")[3] if name.startswith("arn:") else call.region
    try:
        return cloudtrail_backends[caller.account][region].get_trail(name)
    except TrailNotFoundException:
        raise Refusal("TrailNotFoundException", f"Unknown trail: {name} for the user: {caller.account}") from None
