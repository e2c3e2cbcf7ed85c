import json
from datetime import UTC, datetime

import msgspec
import pytest

from trailwatch.decode.containers import split
from trailwatch.detect.engine import Engine
from trailwatch.detect.findings import event_id_of, is_finding, links_in, match_of, severity_of
from trailwatch.detect.triage import group
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.rule import RuleSet

ACCOUNT = "111122223333"


def finding(**changes):
    return {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": "eu-west-1",
        "partition": "aws",
        "id": "1ab2c3d4e5f60718293a4b5c6d7e8f90",
        "arn": f"arn:aws:guardduty:eu-west-1:{ACCOUNT}:detector/12ab/finding/1ab2",
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": "ASIAEXAMPLE000000001",
                "principalId": "AROAEXAMPLE:build",
                "userType": "AssumedRole",
                "userName": "Deploy",
            },
        },
        "service": {
            "serviceName": "guardduty",
            "detectorId": "12ab",
            "action": {
                "actionType": "AWS_API_CALL",
                "awsApiCallAction": {
                    "api": "ListBuckets",
                    "serviceName": "s3.amazonaws.com",
                    "remoteIpDetails": {"ipAddressV4": "198.51.100.7"},
                    "userAgent": "curl/8",
                },
            },
            "count": 1,
            "eventFirstSeen": "2026-03-01T10:00:00.000Z",
            "eventLastSeen": "2026-03-01T10:00:00.000Z",
            "archived": False,
        },
        "severity": 5.5,
        "createdAt": "2026-03-01T10:06:00.000Z",
        "updatedAt": "2026-03-01T10:06:00.000Z",
        "title": "API ListBuckets was invoked from a known malicious IP address.",
        "description": "API ListBuckets, commonly used in discovery, was invoked from 198.51.100.7.",
        **changes,
    }


def on(resource, **changes):
    service = {**finding()["service"], "action": {}}
    return finding(resource=resource, service=service, **changes)


def evaluated(*findings):
    records = [msgspec.Raw(json.dumps(one).encode()) for one in findings]
    return Engine(RuleSet()).evaluate(Delivery("there", records, range(len(records))))


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        (0, "informational"),
        (0.9, "informational"),
        (1, "low"),
        (3.9, "low"),
        (4, "medium"),
        (6.9, "medium"),
        (7.0, "high"),
        (8.9, "high"),
        (9, "critical"),
        (10, "critical"),
        (None, "medium"),
        (True, "medium"),
        ("8", "medium"),
    ],
)
def test_a_number_becomes_the_severity_of_the_aws_table(number, severity):
    assert severity_of(number) is Severity(severity)


def test_a_finding_says_who_where_and_what():
    match = match_of(finding(), "there", 0)
    assert match.rule.id == "guardduty:UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom"
    assert match.rule.severity is Severity.MEDIUM
    assert (match.account, match.region, match.source_ip, match.user_agent) == (
        ACCOUNT,
        "eu-west-1",
        "198.51.100.7",
        "curl/8",
    )
    assert match.identity == "key:ASIAEXAMPLE000000001"
    assert match.principal == f"arn:aws:iam::{ACCOUNT}:role/Deploy"
    assert match.time == int(datetime(2026, 3, 1, 10, tzinfo=UTC).timestamp())
    assert match.context["action"] == "s3.amazonaws.com ListBuckets"


def test_its_record_holds_the_finding_and_reads_like_one_of_cloudtrail():
    record = json.loads(match_of(finding(), "there", 0).record)
    assert record["finding"] == finding()
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "Deploy"


def test_an_update_is_another_event_of_the_same_alert():
    service = {**finding()["service"], "count": 4, "eventLastSeen": "2026-03-01T12:00:00.000Z"}
    later = finding(updatedAt="2026-03-01T12:05:00.000Z", severity=8, service=service)
    found = evaluated(finding(), later, finding())
    [alert] = group(found.matches)
    assert alert.event_count == 2
    assert alert.severity is Severity.HIGH
    assert found.tally.duplicates == 1
    assert found.tally.reconciles()


def test_two_regions_that_say_the_same_make_one_alert():
    other = finding(id="ffffffffffffffffffffffffffffffff", region="us-east-1")
    assert len(group(evaluated(finding(), other).matches)) == 1


def test_another_key_another_type_and_another_day_are_other_alerts():
    key = finding(resource={"accessKeyDetails": {"accessKeyId": "AKIAEXAMPLE000000002", "userType": "IAMUser"}})
    service = {**finding()["service"], "eventFirstSeen": "2026-03-03T10:00:00.000Z"}
    found = evaluated(
        finding(),
        {**key, "id": "b"},
        finding(id="c", type="Recon:IAMUser/TorIPCaller"),
        finding(id="d", service=service),
    )
    assert len(group(found.matches)) == 4


@pytest.mark.parametrize(
    ("resource", "identity"),
    [
        (
            {"instanceDetails": {"instanceId": "i-0123456789abcdef0"}},
            f"machine:i-0123456789abcdef0@{ACCOUNT}",
        ),
        (
            {"lambdaDetails": {"functionArn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay"}},
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay",
        ),
        (
            {"accessKeyDetails": {"userType": "IAMUser", "userName": "ann", "accessKeyId": "AKIAEXAMPLE000000001"}},
            "key:AKIAEXAMPLE000000001",
        ),
        ({"accessKeyDetails": {"userType": "Root", "principalId": ACCOUNT}}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"s3BucketDetails": [{"arn": "arn:aws:s3:::plans"}]}, "arn:aws:s3:::plans"),
        ({}, f"guardduty@{ACCOUNT}"),
    ],
)
def test_it_is_about_a_key_a_machine_a_function_or_a_resource(resource, identity):
    assert match_of(on(resource), "there", 0).identity == identity


def test_a_stolen_machine_session_leads_to_the_machine():
    resource = {
        "instanceDetails": {"instanceId": "i-0123456789abcdef0"},
        "accessKeyDetails": {
            "accessKeyId": "ASIAEXAMPLE000000009",
            "principalId": "AROAEXAMPLE:i-0123456789abcdef0",
            "userType": "AssumedRole",
            "userName": "Web",
        },
    }
    links = links_in(match_of(on(resource), "there", 0))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Web/i-0123456789abcdef0"
    assert {(link.parent, link.child) for link in links} == {
        (session, "key:ASIAEXAMPLE000000009"),
        (f"machine:i-0123456789abcdef0@{ACCOUNT}", session),
    }


def test_a_session_that_only_calls_itself_like_a_machine_leads_to_none():
    resource = {
        "accessKeyDetails": {
            "accessKeyId": "ASIAEXAMPLE000000009",
            "principalId": "AROAEXAMPLE:i-0123456789abcdef0",
            "userType": "AssumedRole",
            "userName": "Web",
        },
    }
    links = links_in(match_of(on(resource), "there", 0))
    assert not any(link.parent.startswith("machine:") for link in links)


def test_an_attack_sequence_is_about_its_first_actor():
    service = {
        **finding()["service"],
        "action": {},
        "detection": {
            "sequence": {
                "uid": "s-1",
                "actors": [
                    {"id": "a", "user": {"type": "IAMUser", "name": "ann", "credentialUid": "AKIAEXAMPLE000000001"}}
                ],
                "endpoints": [{"id": "e", "ip": "203.0.113.9"}],
            }
        },
    }
    match = match_of(
        finding(type="AttackSequence:IAM/CompromisedCredentials", resource={}, service=service, severity=9), "", 0
    )
    assert match.identity == "key:AKIAEXAMPLE000000001"
    assert match.source_ip == "203.0.113.9"
    assert match.rule.severity is Severity.CRITICAL


def test_event_bridge_brings_findings_beside_events():
    envelope = {
        "version": "0",
        "id": "e",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "time": "2026-03-01T10:06:10Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": finding(),
    }
    found = split(json.dumps([envelope]).encode(), "there")
    assert not found.rejects
    [match] = Engine(RuleSet()).evaluate(Delivery("there", found.records, found.positions)).matches
    assert match.event_id == event_id_of(finding())


def test_a_sample_is_called_one():
    service = {**finding()["service"], "additionalInfo": {"sample": True}}
    assert "sample" in match_of(finding(service=service), "", 0).context
    service = {**finding()["service"], "additionalInfo": {"value": '{"sample": true}', "type": "default"}}
    assert "sample" in match_of(finding(service=service), "", 0).context
    assert "sample" not in match_of(finding(), "", 0).context


def test_a_finding_without_a_time_is_a_reject_that_says_so():
    service = {name: value for name, value in finding()["service"].items() if name != "eventLastSeen"}
    found = evaluated(finding(updatedAt="soon", service=service), finding())
    assert len(found.matches) == 1
    assert "expected a time" in found.rejects[0].reason
    assert found.tally.reconciles()


@pytest.mark.parametrize("broken", [{"service": []}, {"resource": [1]}, {"severity": {}}, {"accountId": 7}])
def test_odd_values_break_nothing(broken):
    assert evaluated({**finding(), **broken}).tally.reconciles()


def test_what_lacks_its_marks_is_no_finding():
    assert not is_finding({"eventName": "CreateUser", "service": {"serviceName": "guardduty"}})
    assert not is_finding({"id": "a", "type": "b", "updatedAt": "c", "service": {"serviceName": "inspector"}})
