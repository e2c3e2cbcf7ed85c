"""A port for remote administration or for a database was opened to every address on the internet.

Port and address must stand in the same permission, which no list of tests on single fields can say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.model.event import Event

ID = "a7e1c9d4-52f0-4c39-9f0e-6c1b7d2a8e35"
TITLE = "A port for administration was opened to the whole internet"
SEVERITY = "high"
TAGS = ["attack.defense-evasion", "attack.initial-access", "attack.exfiltration", "attack.t1562.007", "attack.t1133"]
REFERENCES = ["https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html"]
FALSE_POSITIVES = ["An open port for some minutes to find a fault"]
TRIAGE = [
    "Take the permission back; the internet finds an open port within minutes.",
    "See which machines the group protects and whether somebody came in.",
]
FIELDS = ["requestParameters.groupId", "requestParameters.fromPort", "requestParameters.toPort"]
DEDUP = {"by": ["userIdentity.arn", "requestParameters.groupId"], "period": "1h"}
PROFILES = ["core", "standard"]
RESPOND = "revert-network-rule"

WHEN = {
    "eventSource": "ec2.amazonaws.com",
    "eventName": ["AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules"],
    "errorCode|exists": False,
}

ADMIN_PORTS = (
    21,
    22,
    23,
    135,
    139,
    445,
    1433,
    1521,
    2375,
    2376,
    3306,
    3389,
    5432,
    5900,
    5985,
    5986,
    6379,
    9200,
    27017,
)


def rule(event: Event) -> bool:
    return not by_service(event) and any(world(one) and admin(one) for one in permissions(event))


def by_service(event: Event) -> bool:
    """Whether AWS itself made the call, which is no person's doing."""
    return event.principal.kind == "AWSService" or ":assumed-role/AWSServiceRoleFor" in event.principal.arn


def context(event: Event) -> dict[str, str]:
    opened = [permission for permission in permissions(event) if world(permission) and admin(permission)]
    return {"opened": "; ".join(f"{ports(permission)[0]} to {ports(permission)[1]}" for permission in opened)}


def permissions(event: Event) -> list[Mapping[str, Any]]:
    """Single permissions in each of the three shapes in which CloudTrail writes them."""
    request = event.get("requestParameters")
    if not isinstance(request, dict):
        return []
    found = [request, *event.paths("requestParameters.ipPermissions.items")]
    found += event.paths("requestParameters.ModifySecurityGroupRulesRequest.SecurityGroupRule.SecurityGroupRule")
    return [permission for permission in found if isinstance(permission, dict)]


def world(permission: Mapping[str, Any]) -> bool:
    """Whether one of its networks is the whole internet: every network of length 0 is."""
    texts = [permission.get(name) for name in ("cidrIp", "cidrIpv6", "CidrIpv4", "CidrIpv6")]
    for holder, name in (("ipRanges", "cidrIp"), ("ipv6Ranges", "cidrIpv6")):
        ranges = permission.get(holder)
        items = ranges.get("items") if isinstance(ranges, dict) else None
        texts += [item.get(name) for item in items or [] if isinstance(item, dict)]
    return any(isinstance(text, str) and text.strip().endswith("/0") for text in texts)


def admin(permission: Mapping[str, Any]) -> bool:
    """Whether the ports include one for administration; no ports, and protocol -1, mean all of them."""
    protocol = str(permission.get("ipProtocol", permission.get("IpProtocol", "-1"))).lower()
    if protocol not in {"-1", "tcp", "6", "all"}:
        return False
    first, last = ports(permission)
    return protocol in {"-1", "all"} or any(first <= port <= last for port in ADMIN_PORTS)


def ports(permission: Mapping[str, Any]) -> tuple[int, int]:
    first = number(permission.get("fromPort", permission.get("FromPort")), 0)
    last = number(permission.get("toPort", permission.get("ToPort")), 65535)
    return (0, 65535) if first < 0 else (first, last)


def number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEDORA",
        "arn": "arn:aws:iam::111122223333:user/dora",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "dora",
    },
    "eventTime": "2026-03-02T09:14:07Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "AuthorizeSecurityGroupIngress",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "198.51.100.23",
    "userAgent": "aws-cli/2.27.12 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 lang/python#3.13",
    "requestParameters": {
        "groupId": "sg-0a1b2c3d4e5f60718",
        "ipPermissions": {},
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "cidrIp": "0.0.0.0/0",
    },
    "responseElements": {"requestId": "0c897921-eded-4cdf-ac2a-c0e5ed5f397d", "_return": True},
    "requestID": "0c897921-eded-4cdf-ac2a-c0e5ed5f397d",
    "eventID": "e1f4b8a2-8d7c-4a36-b0d1-5a9c3e7f2b64",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}


def _listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"groupId": "sg-0a1b2c3d4e5f60718", "ipPermissions": {"items": list(items)}}


def _item(
    first: int, last: int, *, v4: Sequence[str] = (), v6: Sequence[str] = (), protocol: str = "tcp"
) -> dict[str, Any]:
    return {
        "ipProtocol": protocol,
        "fromPort": first,
        "toPort": last,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": cidr} for cidr in v4]} if v4 else {},
        "ipv6Ranges": {"items": [{"cidrIpv6": cidr} for cidr in v6]} if v6 else {},
        "prefixListIds": {},
    }


WEB_AND_SSH = _listed(_item(443, 443, v4=["0.0.0.0/0"]), _item(22, 22, v4=["192.0.2.0/24"]))
CHANGED = {"CidrIpv4": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389}
MODIFIED = {"ModifySecurityGroupRulesRequest": {"SecurityGroupRule": {"SecurityGroupRule": CHANGED}}}
BASE = "port 22 in the flat form"
EXAMPLES = [
    {"name": BASE, "matches": True, "event": EVENT},
    {
        "name": "a range over IPv6",
        "matches": True,
        "base": BASE,
        "change": {"requestParameters": _listed(_item(20, 30, v6=["::/0"]))},
    },
    {
        "name": "all protocols",
        "matches": True,
        "base": BASE,
        "change": {"requestParameters": _listed(_item(-1, -1, v4=["0.0.0.0/0"], protocol="-1"))},
    },
    {
        "name": "a rule is changed",
        "matches": True,
        "base": BASE,
        "change": {"eventName": "ModifySecurityGroupRules", "requestParameters": MODIFIED},
    },
    {"name": "one network", "matches": False, "base": BASE, "change": {"requestParameters.cidrIp": "192.0.2.0/24"}},
    {
        "name": "a web port",
        "matches": False,
        "base": BASE,
        "change": {"requestParameters.fromPort": 443, "requestParameters.toPort": 443},
    },
    {
        "name": "web to the world and SSH to the office",
        "matches": False,
        "base": BASE,
        "change": {"requestParameters": WEB_AND_SSH},
    },
    {"name": "outward", "matches": False, "base": BASE, "change": {"eventName": "AuthorizeSecurityGroupEgress"}},
    {"name": "another service", "matches": False, "base": BASE, "change": {"eventSource": "rds.amazonaws.com"}},
    {
        "name": "the call is refused",
        "matches": False,
        "base": BASE,
        "change": {"errorCode": "Client.UnauthorizedOperation"},
    },
]
