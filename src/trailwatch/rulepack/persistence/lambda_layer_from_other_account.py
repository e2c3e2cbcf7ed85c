"""A function runs code from another account.

A layer that was put into a function belongs to an account which is neither yours nor one of AWS. Its owner sees
everything that the function does and can publish other code under the same name.
"""

from __future__ import annotations

import re

from trailwatch.model.event import Event

ID = "6e2f8b14-9d53-4a7c-b0e1-f4a95c3d7826"
TITLE = "A function runs code from another account"
SEVERITY = "high"
TAGS = ["attack.persistence", "attack.initial-access", "attack.t1525", "attack.t1195"]
REFERENCES = ["https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html"]
FALSE_POSITIVES = ["Monitoring agents of vendors, which come as layers of the vendor's account"]
TRIAGE = [
    "Find out whose account the layer belongs to.",
    "See what the role of the function may do, and take it out.",
]
FIELDS = ["requestParameters.functionName", "requestParameters.layers"]
DEDUP = {"by": ["userIdentity.arn", "requestParameters.functionName"], "period": "1h"}
RESPOND = "restore-function-version"

WHEN = [
    {
        "eventSource": "lambda.amazonaws.com",
        "eventName|startswith": ["UpdateFunctionConfiguration", "CreateFunction2"],
        "requestParameters.layers|exists": True,
        "errorCode|exists": False,
    }
]

LAYER = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]*:([0-9]{12}):layer:(.*)")
VENDORS = frozenset(
    {
        "017000801446",  # Powertools for AWS Lambda
        "580247275435",  # Lambda Insights
        "027255383542",  # AppConfig in us-east-1
        "901920570463",  # AWS Distro for OpenTelemetry
        "615299751070",  # AWS Distro for OpenTelemetry, second account
        "336392948345",  # AWS SDK for pandas
        "177933569100",  # Parameters and Secrets extension in us-east-1
        "015030872274",  # Parameters and Secrets extension in eu-west-1
    }
)
"""Accounts from which AWS itself publishes layers, as its documentation names them."""


def rule(event: Event) -> bool:
    return not by_service(event) and bool(foreign(event))


def by_service(event: Event) -> bool:
    """Whether AWS itself made the call, which is no person's doing."""
    return event.principal.kind == "AWSService" or ":assumed-role/AWSServiceRoleFor" in event.principal.arn


def context(event: Event) -> dict[str, str]:
    return {"layers of other accounts": ", ".join(foreign(event))}


def foreign(event: Event) -> list[str]:
    found = []
    for layer in event.paths("requestParameters.layers"):
        match = LAYER.fullmatch(str(layer))
        if match and match[1] != event.account and match[1] not in VENDORS:
            found.append(str(layer))
    return found


BASE = "a layer from elsewhere"
OWN = ["arn:aws:lambda:eu-west-1:111122223333:layer:probe:1"]
OFFICIAL = ["arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:18"]
MIXED = [*OWN, "arn:aws:lambda:eu-west-1:444455556666:layer:probe:1"]
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
    "eventSource": "lambda.amazonaws.com",
    "eventName": "UpdateFunctionConfiguration20150331v2",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "198.51.100.23",
    "userAgent": "aws-cli/2.27.12 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 lang/python#3.13",
    "requestParameters": {
        "functionName": "resize-images",
        "layers": ["arn:aws:lambda:eu-west-1:444455556666:layer:probe:1"],
    },
    "responseElements": None,
    "requestID": "8a4d2c90-1f6e-4b35-97c8-d30e5b7a1f62",
    "eventID": "f27c9b61-5e08-4d3a-8c14-6b9a0e7d2538",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
EXAMPLES = [
    {"name": BASE, "matches": True, "event": EVENT},
    {"name": "besides one's own", "matches": True, "base": BASE, "change": {"requestParameters.layers": MIXED}},
    {"name": "one's own layer", "matches": False, "base": BASE, "change": {"requestParameters.layers": OWN}},
    {"name": "a layer by AWS", "matches": False, "base": BASE, "change": {"requestParameters.layers": OFFICIAL}},
    {"name": "no layer", "matches": False, "base": BASE, "change": {"requestParameters.layers": None}},
    {"name": "another call", "matches": False, "base": BASE, "change": {"eventName": "PublishLayerVersion20181031"}},
    {"name": "another service", "matches": False, "base": BASE, "change": {"eventSource": "iam.amazonaws.com"}},
    {"name": "the call is refused", "matches": False, "base": BASE, "change": {"errorCode": "AccessDeniedException"}},
]
