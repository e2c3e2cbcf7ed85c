"""A role trusts a public sign-in system without saying whom there.

GitHub, GitLab, Terraform Cloud and the like sign tokens for everybody who has an account with them. Without a
condition on the subject, or with one that fits anything, each of their customers can become the role.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trailwatch.model.event import Event

ID = "c58b0d2f-3a64-4a0b-9f5e-0a8c6e1d7b92"
TITLE = "A role trusts every customer of a public sign-in system"
SEVERITY = "high"
TAGS = [
    "attack.persistence",
    "attack.initial-access",
    "attack.privilege-escalation",
    "attack.t1484.002",
    "attack.t1199",
]
REFERENCES = ["https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html"]
FALSE_POSITIVES = ["A mistake when a pipeline is set up"]
TRIAGE = [
    "Limit the subject to your own repositories at once.",
    "Look for AssumeRoleWithWebIdentity on this role from subjects that are not yours.",
]
FIELDS = ["requestParameters.roleName"]
DEDUP = {"by": ["userIdentity.arn", "requestParameters.roleName"], "period": "1h"}
PROFILES = ["core", "standard"]
RESPOND = "restore-trust-policy"

WHEN = {
    "eventSource": "iam.amazonaws.com",
    "eventName": ["CreateRole", "UpdateAssumeRolePolicy"],
    "errorCode|exists": False,
}

SHARED = (
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "oidc.circleci.com",
    "agent.buildkite.com",
    "api.bitbucket.org",
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
    "oidc.vercel.com",
)
NARROW = frozenset({"stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike"})
WHOLE = frozenset({"*", "repo:*", "repo:*/*", "repo:*:*", "project_path:*", "organization:*", "org/*", "system:*"})


def rule(event: Event) -> bool:
    return not by_service(event) and any(unlimited(statement) for statement in statements(event))


def by_service(event: Event) -> bool:
    """Whether AWS itself made the call, which is no person's doing."""
    return event.principal.kind == "AWSService" or ":assumed-role/AWSServiceRoleFor" in event.principal.arn


def statements(event: Event) -> list[Mapping[str, Any]]:
    """The statements of the trust policy, which is JSON text; none where it cannot be read."""
    text = event.path("requestParameters.policyDocument") or event.path("requestParameters.assumeRolePolicyDocument")
    try:
        document = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return []
    found = document.get("Statement") if isinstance(document, dict) else None
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def unlimited(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
        return False
    providers = [provider for provider in listed(principal.get("Federated")) if provider.endswith(SHARED)]
    return bool(providers) and not limits_subject(statement.get("Condition"))


def limits_subject(condition: object) -> bool:
    """Whether some test narrows the subject, or what stands for it with this provider."""
    if not isinstance(condition, dict):
        return False
    for operator, tests in condition.items():
        if str(operator).lower().rpartition(":")[2] not in NARROW or not isinstance(tests, dict):
            continue
        for key, values in tests.items():
            name = str(key).lower().rpartition(":")[2]
            own = name in {"sub", "repository", "repository_owner", "repository_id", "repository_owner_id"}
            audience = name == "aud" and str(key).lower().startswith(
                ("cognito-identity", "accounts.google", "graph.")
            )
            if (own or audience) and not WHOLE.intersection(listed(values)):
                return True
    return False


def listed(value: object) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [] if value is None else [value])]


def _trust(condition: dict[str, Any] | None, provider: str = "token.actions.githubusercontent.com") -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    if condition is not None:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


AUDIENCE = {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}
ANY_REPOSITORY = {**AUDIENCE, "StringLike": {"token.actions.githubusercontent.com:sub": "repo:*"}}
OWN_REPOSITORY = {**AUDIENCE, "StringLike": {"token.actions.githubusercontent.com:sub": "repo:example/shop:*"}}
BASE = "only the audience is tested"
DOCUMENT = "requestParameters.policyDocument"
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
    "eventSource": "iam.amazonaws.com",
    "eventName": "UpdateAssumeRolePolicy",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "198.51.100.23",
    "userAgent": "aws-cli/2.27.12 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 lang/python#3.13",
    "requestParameters": {"roleName": "pipeline", "policyDocument": _trust(AUDIENCE)},
    "responseElements": None,
    "requestID": "5f3a1c7e-90d2-4b8a-8e46-21b7c9d0f3a5",
    "eventID": "0b6d9e28-4c71-4f35-a9d3-7e52f1c8a604",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
CREATED = {DOCUMENT: None, "requestParameters.assumeRolePolicyDocument": _trust(None), "eventName": "CreateRole"}
EXAMPLES = [
    {"name": BASE, "matches": True, "event": EVENT},
    {
        "name": "a subject that fits everything",
        "matches": True,
        "base": BASE,
        "change": {DOCUMENT: _trust(ANY_REPOSITORY)},
    },
    {"name": "a new role without any condition", "matches": True, "base": BASE, "change": CREATED},
    {"name": "one's own repository", "matches": False, "base": BASE, "change": {DOCUMENT: _trust(OWN_REPOSITORY)}},
    {
        "name": "one's own provider",
        "matches": False,
        "base": BASE,
        "change": {DOCUMENT: _trust(AUDIENCE, "login.example.com")},
    },
    {"name": "no policy", "matches": False, "base": BASE, "change": {DOCUMENT: "no JSON"}},
    {"name": "another service", "matches": False, "base": BASE, "change": {"eventSource": "sts.amazonaws.com"}},
    {"name": "another call", "matches": False, "base": BASE, "change": {"eventName": "UpdateRole"}},
    {"name": "the call is refused", "matches": False, "base": BASE, "change": {"errorCode": "AccessDenied"}},
]
