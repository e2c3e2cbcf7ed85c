"""The derived fields that rules may name: what a record does not say outright but lets one conclude.

How each is computed stands in `trailwatch.detect.derived`; a name that is not in this table is refused at load.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "derived."


class DerivedName(NamedTuple):
    """One row of the table."""

    path: str
    kind: str
    """`text`, `number`, `boolean` or `texts`."""
    sentence: str


DERIVED_NAMES: tuple[DerivedName, ...] = (
    DerivedName(
        "derived.principal",
        "text",
        "Who made the call: the ARN of the user or of the role behind the session, as alerts group by it.",
    ),
    DerivedName(
        "derived.ip.is_aws_service",
        "boolean",
        "True when the call came from inside AWS: the source address is the host name of a service.",
    ),
    DerivedName(
        "derived.target.is_other_user",
        "boolean",
        "True when the call names an IAM user in requestParameters.userName who is not the caller.",
    ),
    DerivedName(
        "derived.policy.public",
        "boolean",
        "True when a policy document in the request allows everybody, without a condition that narrows who.",
    ),
    DerivedName(
        "derived.policy.admin",
        "boolean",
        "True when a policy document in the request allows every action on every resource, or all of IAM, which "
        "comes to the same.",
    ),
    DerivedName(
        "derived.policy.escalation",
        "texts",
        "Actions that a policy document in the request allows on everything and that let their holder get more "
        "rights: `iam:AttachUserPolicy`, `iam:CreateAccessKey`, `sts:AssumeRole`, ...",
    ),
    DerivedName(
        "derived.policy.external_accounts",
        "texts",
        "Account ids that a policy document in the request allows, other than the record's own account, "
        "`organization.accounts`, and in buckets those that AWS itself writes logs from, for that alone. With "
        "`organization.ids`, a statement for members of these organisations lets in nobody, and one for members of "
        "others names them.",
    ),
    DerivedName(
        "derived.self",
        "boolean",
        "True when the request names something that trailwatch depends on: what `[self]` lists, is called "
        "`trailwatch` or `trailwatch-...`, or, in `check` and `watch`, the user or role that it works as.",
    ),
    DerivedName(
        "derived.country",
        "text",
        "Country of the source address as two letters, from a table in `addresses.mmdb`.",
    ),
    DerivedName("derived.city", "text", "City of the source address, from a table in `addresses.mmdb`."),
    DerivedName(
        "derived.location",
        "text",
        "Latitude and longitude of the source address, `51.51,-0.13`, from a table in `addresses.mmdb`.",
    ),
    DerivedName(
        "derived.asn",
        "number",
        "Number of the autonomous system of the source address, from a table in `addresses.mmdb`.",
    ),
    DerivedName(
        "derived.as_org",
        "text",
        "Who runs that autonomous system, from a table in `addresses.mmdb`.",
    ),
    DerivedName(
        "derived.network",
        "text",
        "Network of the source address: `AS64500` where a table tells, else its /24, or its /48 in IPv6.",
    ),
    DerivedName(
        "derived.ip.is_aws",
        "boolean",
        "True when the source address is one of AWS's, from `addresses.aws_ranges` or the autonomous system.",
    ),
    DerivedName(
        "derived.ip.is_hosting",
        "boolean",
        "True when programs or proxies sit at the source address rather than people: a cloud, a hoster, a VPN.",
    ),
    DerivedName(
        "derived.ip.list",
        "texts",
        "Names of the lists in `[[addresses.list]]` that hold the source address.",
    ),
    DerivedName(
        "derived.ip.kind",
        "texts",
        "Kinds of these lists, such as `office`, `vpn`, `tor` or `threat`.",
    ),
    DerivedName(
        "derived.agent.family",
        "text",
        "What the user agent is, without versions: `aws-cli`, `boto3`, `terraform`, `firefox on mac`.",
    ),
    DerivedName("derived.hour", "text", "Hour of the event time in UTC, `00` to `23`."),
)
