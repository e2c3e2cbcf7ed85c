"""Which data events the trails of an account record: event history has none, a trail's bucket may.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from trailwatch.errors import SourceError
from trailwatch.sources.lookup_events import as_source_error

PERMISSIONS = ("cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors")


class TrailAccess(Protocol):
    """What it needs of `trailwatch.aws.Access`."""

    @property
    def default_region(self) -> str:
        """The region of the environment or profile."""

    def client(self, service: str, region: str) -> Any:
        """A new client."""


def data_events_of(access: TrailAccess) -> Iterator[str]:
    """One line for each trail, with the resources whose data events it records and where it writes them.

    Raises:
        SourceError: trails cannot be listed.
    """
    region = access.default_region
    trails = _ask(access.client("cloudtrail", region), "describe_trails").get("trailList", ())
    if not trails:
        yield f"no trail in {region}: data events are recorded nowhere"
    for trail in trails:
        name, home = str(trail.get("TrailARN") or trail.get("Name")), str(trail.get("HomeRegion") or region)
        try:
            answer = _ask(access.client("cloudtrail", home), "get_event_selectors", TrailName=name)
        except SourceError as error:
            yield f"{name}: cannot be asked: {error.what}"
            continue
        kinds = sorted(set(_kinds(answer)))
        bucket = f"bucket {trail.get('S3BucketName')}"
        yield f"{name} ({bucket}) records " + (f"data events of {', '.join(kinds)}" if kinds else "no data events")


def _kinds(answer: Mapping[str, Any]) -> Iterator[str]:
    for selector in answer.get("EventSelectors") or ():
        for resource in selector.get("DataResources") or ():
            yield str(resource.get("Type"))
    for selector in answer.get("AdvancedEventSelectors") or ():
        fields: Iterable[Mapping[str, Any]] = selector.get("FieldSelectors") or ()
        if any(one.get("Field") == "eventCategory" and "Data" in one.get("Equals", ()) for one in fields):
            for one in fields:
                if one.get("Field") == "resources.type":
                    yield from map(str, one.get("Equals", ()))


def _ask(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = getattr(client, operation)(**request)
    except Exception as error:
        failure = as_source_error("trails", error)
        if failure is None:
            raise
        call = client.meta.method_to_api_mapping[operation]
        raise SourceError("trails", failure.what, f"allow cloudtrail:{call}", kind=failure.kind) from error
    return answer
