"""Findings of GuardDuty in files, beside events: one incident for the machine, key or session that both speak of."""

import json

import pytest

ACCOUNT = "111122223333"
MACHINE = "i-0123456789abcdef0"
FINDING = {
    "schemaVersion": "2.0",
    "accountId": ACCOUNT,
    "region": "eu-west-1",
    "partition": "aws",
    "id": "a" * 32,
    "type": "Backdoor:EC2/C&CActivity.B!DNS",
    "resource": {
        "resourceType": "Instance",
        "instanceDetails": {"instanceId": MACHINE, "tags": [{"key": "Name", "value": "\x1b[31m<b>=cmd()"}]},
    },
    "service": {
        "serviceName": "guardduty",
        "count": 3,
        "eventFirstSeen": "2026-03-01T10:00:00Z",
        "eventLastSeen": "2026-03-01T11:00:00Z",
        "action": {"actionType": "DNS_REQUEST", "dnsRequestAction": {"domain": "evil.example"}},
    },
    "severity": 8,
    "updatedAt": "2026-03-01T11:06:00Z",
    "title": "A machine asks for a bad name \x1b[31m\u202e.",
    "description": "It does.",
}
EVENT = {
    "eventVersion": "1.11",
    "eventTime": "2026-03-01T10:30:00Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "awsRegion": "us-east-1",
    "eventID": "6f0a2f0e-0000-4000-8000-000000000001",
    "readOnly": False,
    "recipientAccountId": ACCOUNT,
    "sourceIPAddress": "198.51.100.1",
    "requestParameters": {"userName": "x"},
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": f"AROA1:{MACHINE}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Web/{MACHINE}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE000000009",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/app/Web", "userName": "Web"},
            "ec2RoleDelivery": "2.0",
        },
    },
}


@pytest.fixture
def scan(tmp_path, command):
    file = tmp_path / "events.jsonl"

    def run(*bodies, words=()):
        file.write_text("\n".join(json.dumps(one) for one in bodies))
        return command("scan", file, *words, environment={"XDG_CACHE_HOME": str(tmp_path)}).stdout

    return run


def envelope(finding):
    return {"detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": finding}


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_what_a_machine_did_and_what_guardduty_says_of_it_is_one_incident(scan):
    [incident] = rows(scan(envelope(FINDING), EVENT, words=("--show", "incidents", "--format", "jsonl")))
    assert incident["actor_key"] == f"machine:{MACHINE}@{ACCOUNT}"
    assert "guardduty:Backdoor:EC2/C&CActivity.B!DNS" in incident["rules"]
    assert "iam_user_created" in incident["rules"]


def test_a_machine_that_only_guardduty_speaks_of_is_to_be_isolated(scan):
    [incident] = rows(scan(envelope(FINDING), words=("--show", "incidents", "--format", "jsonl")))
    assert [one["target"] for one in incident["measures"]] == [f"machine {MACHINE} in {ACCOUNT}"]


def test_an_export_of_guardduty_gives_the_same_alert_as_eventbridge(scan):
    words = ("--format", "jsonl")
    assert rows(scan(FINDING, words=words)) == rows(scan(envelope(FINDING), words=words))


def test_the_same_finding_twice_is_one(scan):
    [alert] = rows(scan(envelope(FINDING), envelope(FINDING), words=("--format", "jsonl")))
    assert alert["event_count"] == 1


@pytest.mark.parametrize("form", ["table", "csv"])
@pytest.mark.parametrize("show", ["alerts", "matches", "incidents"])
def test_nothing_that_a_finding_holds_acts_on_a_terminal(scan, form, show):
    out = scan(envelope(FINDING), words=("--show", show, "--format", form))
    assert "\x1b" not in out
    assert "\u202e" not in out
