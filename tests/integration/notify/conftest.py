"""Alerts and messages to send, built from records as CloudTrail writes them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.message import Message
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity

from .receivers import Receiver, SlackApi

START = 1_790_000_000
"""2026-09-21 14:13:20 UTC"""


def make_record(**changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEID:mallory",
            "arn": "arn:aws:sts::123456789012:assumed-role/deploy/mallory",
            "accountId": "123456789012",
            "accessKeyId": "ASIAEXAMPLEKEY000000",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": "arn:aws:iam::123456789012:role/deploy",
                    "accountId": "123456789012",
                    "userName": "deploy",
                },
                "sourceIdentity": "mallory@example.org",
                "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-09-21T13:00:00Z"},
            },
        },
        "eventTime": "2026-09-21T14:13:20Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.30.1 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 lang/python#3.13.7",
        "requestParameters": {"name": "management-events"},
        "responseElements": None,
        "eventID": "11111111-2222-3333-4444-555555555555",
        "recipientAccountId": "123456789012",
    } | changes


def make_evidence(
    record: dict[str, Any] | None = None, *, time: int = START, reason: str = "", raw: bytes = b"", **changes: Any
) -> Evidence:
    record = record or make_record()
    fields: dict[str, Any] = {
        "event_id": record["eventID"],
        "time": time,
        "event_name": record["eventName"],
        "event_source": record["eventSource"],
        "account": record["recipientAccountId"],
        "region": record["awsRegion"],
        "source_ip": record["sourceIPAddress"],
        "user_agent": record["userAgent"],
        "error_code": record.get("errorCode", ""),
        "reason": reason or f"eventName is {record['eventName']}",
        "record": raw or json.dumps(record).encode(),
    }
    return Evidence(**fields | changes)


def make_rule(**changes: Any) -> RuleInfo:
    fields: dict[str, Any] = {
        "id": "0a1b2c3d-0000-4000-8000-000000000001",
        "slug": "trail_logging_stopped",
        "title": "Trail logging stopped",
        "severity": Severity.CRITICAL,
        "origin": "trail_logging_stopped.yml:1",
        "description": "A trail no longer records. Intruders stop it so that what follows leaves no trace in the "
        "bucket; event history goes on for 90 days.",
        "tactics": ("defense-evasion",),
        "techniques": ("T1562.008",),
        "references": ("https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html",),
        "false_positives": ("A trail that is replaced on purpose.",),
        "triage": (
            "Ask the owner of the role whether the change was planned.",
            "Start logging again: aws cloudtrail start-logging --name NAME.",
            "List what the same access key did in the hour before and after.",
        ),
        "respond": "lock-role-sessions",
        "fields": ("requestParameters.name",),
    }
    return RuleInfo(**fields | changes)


def make_alert(*evidence: Evidence, rule: RuleInfo | None = None, **changes: Any) -> Alert:
    evidence = evidence or (make_evidence(),)
    rule = rule or make_rule()
    fields: dict[str, Any] = {
        "id": "5f0c2d7e9b3a1c48",
        "rule": rule,
        "title": rule.title,
        "principal": "arn:aws:iam::123456789012:role/deploy",
        "actor": "arn:aws:iam::123456789012:role/deploy",
        "account": "123456789012",
        "region": "eu-west-1",
        "first_time": evidence[0].time,
        "last_time": evidence[-1].time,
        "event_count": len(evidence),
        "evidence": evidence,
    }
    return Alert(**fields | changes)


def make_message(*alerts: Alert, **changes: Any) -> Message:
    fields: dict[str, Any] = {
        "id": "m-0001",
        "created": START + 60,
        "principal": alerts[0].principal if alerts else "",
        "alerts": alerts,
        "headline": alerts[0].title if alerts else "No good cycle for 15 minutes",
    }
    return Message(**fields | changes)


class Samples:
    """What tests build messages with."""

    start = START
    record = staticmethod(make_record)
    evidence = staticmethod(make_evidence)
    rule = staticmethod(make_rule)
    alert = staticmethod(make_alert)
    message = staticmethod(make_message)

    def attack(self) -> Message:
        """Two alerts of one role session, the second with three events."""
        key = make_record(
            eventSource="iam.amazonaws.com",
            eventName="CreateAccessKey",
            awsRegion="us-east-1",
            requestParameters={"userName": "backup"},
            responseElements={"accessKey": {"accessKeyId": "AKIAEXAMPLEKEY000001", "status": "Active"}},
        )
        events = [
            make_evidence(
                key,
                time=START - 50,
                event_id=f"key-{n}",
                error_code="AccessDenied" if n == 0 else "",
                reason="eventName is CreateAccessKey; the user is not the caller",
            )
            for n in range(3)
        ]
        rule = make_rule(
            id="0a1b2c3d-0000-4000-8000-000000000002",
            slug="access_key_for_another_user",
            title="Access key made for another user",
            severity=Severity.HIGH,
            description="Whoever makes a key for somebody else can act as them after their own way in is closed.",
            tactics=("persistence",),
            techniques=("T1098.001",),
            respond="",
            triage=("Disable the new key.", "Ask the user whether they asked for it."),
            fields=("requestParameters.userName", "responseElements.accessKey.accessKeyId"),
        )
        return make_message(make_alert(), make_alert(*events, rule=rule, id="9d41c07a5e6612bb", region="us-east-1"))


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as serving:
        yield serving


@pytest.fixture
def slack_api(receiver) -> SlackApi:
    return SlackApi(receiver)
