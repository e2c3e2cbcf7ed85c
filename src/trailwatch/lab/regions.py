"""The regions of a simulated account: those that every account has, and some that must be opted in."""

from __future__ import annotations

from typing import Any

from trailwatch.lab.answers import Refusal

ENABLED = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
NOT_OPTED_IN = ("af-south-1", "ap-east-1", "ap-southeast-3", "eu-south-1", "il-central-1", "me-south-1")


def describe_regions(parameters: dict[str, Any]) -> str:
    """The XML members of a DescribeRegions answer: enabled regions, all of them only with AllRegions.

    Raises:
        Refusal: a region is named that does not exist.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    statuses = dict.fromkeys(ENABLED, "opt-in-not-required") | dict.fromkeys(NOT_OPTED_IN, "not-opted-in")
    wanted = set(parameters.get("RegionNames") or ())
    unknown = sorted(wanted - set(statuses))
    if unknown:
        raise Refusal("InvalidParameterValue", f"Invalid region provided: {', '.join(unknown)}")
    everything = parameters.get("AllRegions") in {True, "true"}
    items = []
    for region, status in sorted(statuses.items()):
        if (wanted and region not in wanted) or (status == "not-opted-in" and not everything):
            continue
        if not _passes(parameters.get("Filters") or (), region, status):
            continue
        items.append(
            f"<item><regionName>{region}</regionName><regionEndpoint>ec2.{region}.amazonaws.com</regionEndpoint>"
            f"<optInStatus>{status}</optInStatus></item>"
        )
    return f"<regionInfo>{''.join(items)}</regionInfo>"


def is_usable(region: str) -> bool:
    """Whether calls to the region are answered: a region that was not opted in refuses every key."""
    return region not in NOT_OPTED_IN


def _passes(filters: Any, region: str, status: str) -> bool:
    have = {"region-name": region, "opt-in-status": status, "endpoint": f"ec2.{region}.amazonaws.com"}
    return all(have.get(wanted.get("Name", "")) in wanted.get("Values", ()) for wanted in filters)
