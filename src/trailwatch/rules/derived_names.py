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
    """`text`, `boolean` or `texts`."""
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
        "True when a policy document in the request allows every action on every resource.",
    ),
    DerivedName(
        "derived.policy.external_accounts",
        "texts",
        "Account ids that a policy document in the request allows and that are not the record's own account.",
    ),
)
