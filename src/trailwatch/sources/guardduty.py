"""GuardDuty's findings of one account and region, read by the time of their last update.

What the API answers is written as EventBridge and exports have it (camelCase), by the names that botocore's own model
gives each member, so that one reader understands all of them. Archived findings are left out: somebody, or a
suppression rule in GuardDuty, has decided about them.

Source: https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from trailwatch.errors import SourceError
from trailwatch.model.coverage import Interval
from trailwatch.sources.lookup_events import as_source_error

LOOKUP = "GuardDuty"
"""What coverage calls this way of reading."""
PERMISSIONS = (
    "guardduty:ListDetectors",
    "guardduty:GetDetector",
    "guardduty:ListFindings",
    "guardduty:GetFindings",
)
PAGE_SIZE = 50
"""Both calls take no more."""
_NOT_THERE = ("SubscriptionRequired", "OptInRequired", "not subscribed", "not supported in this region")


class Gathered(msgspec.Struct):
    """What one region has."""

    state: Literal["on", "suspended", "off"]
    findings: list[bytes] = []
    """One JSON object each, those updated first in front."""
    read_until: int = 0
    """Up to which time of update all were read, in seconds since 1970."""


def gather(client: Any, origin: str, window: Interval, may_go_on: Callable[[], bool] = lambda: True) -> Gathered:
    """The findings that were updated in a window; no detector is no error.

    Args:
        client: a GuardDuty client of that region.
        origin: account and region, for errors.
        window: times of update in seconds since 1970; both ends are included.
        may_go_on: whether there is still time for another page.

    Raises:
        SourceError: GuardDuty could not be asked.
    """
    detectors = _detectors(client, origin)
    if not detectors:
        return Gathered("off")
    found = Gathered(_state(client, detectors), read_until=window.end)
    for detector in detectors:
        findings: list[bytes] = []
        for numbers in _pages(client, origin, detector, window):
            findings += _findings(client, origin, detector, numbers)
            if not may_go_on():
                found.read_until = min(found.read_until, _newest(findings, window))
                break
        found.findings += findings
    return found


def wire(value: Any, shape: Any) -> Any:
    """A member of an answer as it stood on the wire: names in the service's own spelling, times as text.

    Args:
        value: what botocore made of it.
        shape: botocore's model of it.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members = shape.members
        return {
            members[name].serialization.get("name", _lowered(name)): wire(inner, members[name])
            for name, inner in value.items()
            if name in members
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [wire(inner, shape.member) for inner in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: wire(inner, shape.value) for name, inner in value.items()}
    return value


def _detectors(client: Any, origin: str) -> list[str]:
    try:
        answer = _ask(client, origin, "list_detectors")
    except SourceError as error:
        if any(mark in error.what for mark in _NOT_THERE):
            return []
        raise
    return [str(one) for one in answer.get("DetectorIds", ())]


def _state(client: Any, detectors: list[str]) -> Literal["on", "suspended"]:
    """Whether it looks; where that may not be asked it is taken to do so."""
    try:
        answers = [_ask(client, "", "get_detector", DetectorId=one) for one in detectors]
    except SourceError:
        return "on"
    return "on" if any(one.get("Status") != "DISABLED" for one in answers) else "suspended"


def _pages(client: Any, origin: str, detector: str, window: Interval) -> Iterator[list[str]]:
    request: dict[str, Any] = {
        "DetectorId": detector,
        "MaxResults": PAGE_SIZE,
        "SortCriteria": {"AttributeName": "updatedAt", "OrderBy": "ASC"},
        "FindingCriteria": {
            "Criterion": {
                "service.archived": {"Equals": ["false"]},
                "updatedAt": {
                    "GreaterThanOrEqual": window.start * 1000,
                    "LessThanOrEqual": window.end * 1000 + 999,
                },
            }
        },
    }
    while True:
        answer = _ask(client, origin, "list_findings", **request)
        numbers = [str(one) for one in answer.get("FindingIds", ())]
        if numbers:
            yield numbers
        token = answer.get("NextToken")
        if not token:
            return
        request["NextToken"] = token


def _findings(client: Any, origin: str, detector: str, numbers: list[str]) -> list[bytes]:
    answer = _ask(client, origin, "get_findings", DetectorId=detector, FindingIds=numbers)
    shape = client.meta.service_model.shape_for("Finding")
    found = [wire(one, shape) for one in answer.get("Findings", ())]
    return [msgspec.json.encode(one) for one in sorted(found, key=lambda one: str(one.get("updatedAt", "")))]


class _Updated(msgspec.Struct):
    updatedAt: datetime  # noqa: N815 the finding's own spelling


def _newest(findings: list[bytes], window: Interval) -> int:
    """Up to which second nothing is missing when reading ends here.

    One that was updated while it was read says nothing about the others.
    """
    times = [int(msgspec.json.decode(one, type=_Updated).updatedAt.timestamp()) for one in findings]
    return max((time for time in times if time <= window.end), default=window.start)


def _ask(client: Any, origin: str, operation: str, **request: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = getattr(client, operation)(**request)
    except Exception as error:
        failure = as_source_error(origin, error)
        if failure is None:
            raise
        call = client.meta.method_to_api_mapping[operation]
        remedy = f"allow guardduty:{call} there, or set guardduty.enabled = false"
        raise SourceError(failure.origin, failure.what, remedy, kind=failure.kind) from error
    return answer


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]
