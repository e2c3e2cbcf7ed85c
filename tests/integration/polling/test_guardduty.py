import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from trailwatch.lab.faults import Aim, Deny
from trailwatch.model.coverage import LookupKey

REGIONS = "pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['eu-west-1', 'us-east-1']"
ON = "[guardduty]\nenabled = true\nevery = '0s'\n"
KEY = "AKIAEXAMPLE000000042"


@pytest.fixture
def watching(machine):
    machine.configure(REGIONS, ON)
    for region in ("eu-west-1", "us-east-1"):
        machine.lab.guard_duty.enable(machine.lab.account, region)
    return machine


def finding(machine, **changes):
    now = datetime.now(UTC)
    seen = (now - timedelta(minutes=3)).isoformat()
    return {
        "schemaVersion": "2.0",
        "accountId": machine.lab.account,
        "region": "eu-west-1",
        "partition": "aws",
        "id": "a" * 32,
        "type": "Recon:IAMUser/TorIPCaller",
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {"accessKeyId": KEY, "userType": "IAMUser", "userName": "ann"},
        },
        "service": {
            "serviceName": "guardduty",
            "archived": False,
            "count": 1,
            "eventFirstSeen": seen,
            "eventLastSeen": seen,
        },
        "severity": 5.0,
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "title": "Reconnaissance API was invoked from a Tor exit node.",
        "description": "Somebody looks around from Tor.",
        **changes,
    }


def alerts_of(machine):
    with machine.store() as store:
        from trailwatch.store.alerts import AlertFilter

        return store.alerts.search(AlertFilter())


def sent_of(machine):
    with machine.store() as store:
        return [entry.message for entry in store.outbox.entries()]


def test_findings_of_every_region_become_alerts_and_are_told(watching):
    watching.lab.guard_duty.put(finding(watching))
    watching.lab.guard_duty.put(
        finding(watching, id="b" * 32, region="us-east-1", type="Impact:EC2/WinRMBruteForce", severity=8.2)
    )
    done = watching.run("check")
    assert done.returncode == 0, done.stderr
    assert "2 new events (2 findings), 2 alerts (1 high, 1 medium)" in done.stdout
    assert "Reconnaissance API was invoked from a Tor exit node." in done.stderr
    assert {alert.rule.id for alert in alerts_of(watching)} == {
        "guardduty:Recon:IAMUser/TorIPCaller",
        "guardduty:Impact:EC2/WinRMBruteForce",
    }


def test_what_was_told_is_not_told_twice_and_an_update_grows_the_alert(watching):
    watching.lab.guard_duty.put(finding(watching))
    watching.run("check")
    again = watching.run("check")
    assert "0 new events, 0 alerts" in again.stdout
    service = {**finding(watching)["service"], "count": 7, "eventLastSeen": datetime.now(UTC).isoformat()}
    watching.lab.guard_duty.put(finding(watching, service=service))
    watching.run("check")
    [alert] = alerts_of(watching)
    assert alert.event_count == 2
    assert "seen 7 times" in alert.evidence[-1].reason
    told = [found.id for message in sent_of(watching) for found in message.alerts if message.alerts]
    assert told.count(alert.id) == 1


def test_an_update_that_is_worse_is_told_again(watching):
    watching.lab.guard_duty.put(finding(watching))
    watching.run("check")
    watching.lab.guard_duty.put(finding(watching, severity=9.1))
    done = watching.run("check")
    assert "1 critical" in done.stdout


def test_more_findings_than_a_page_are_all_read(watching):
    begun = datetime.now(UTC) - timedelta(minutes=10)
    for number in range(130):
        watching.lab.guard_duty.put(
            finding(
                watching,
                id=f"{number:032}",
                resource={"instanceDetails": {"instanceId": f"i-{number:017x}"}},
                updatedAt=(begun + timedelta(seconds=number)).isoformat(),
            )
        )
    done = watching.run("check")
    assert "(130 findings)" in done.stdout, done.stdout + done.stderr
    calls = [call.operation for call in watching.lab.calls if call.region == "eu-west-1"]
    assert (calls.count("ListFindings"), calls.count("GetFindings")) == (3, 3)


def test_a_finding_and_the_events_of_the_same_key_are_one_incident(watching):
    watching.add_rule("user_made", "high", "CreateUser")
    watching.configure(REGIONS, ON + f"[rules]\ndirs = ['{watching.folder / 'rules'}']\nshipped = false\n")
    now = datetime.now(UTC)
    watching.lab.recorder.add(
        {
            "eventVersion": "1.11",
            "eventTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateUser",
            "awsRegion": "us-east-1",
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "recipientAccountId": watching.lab.account,
            "sourceIPAddress": "198.51.100.9",
            "userIdentity": {
                "type": "IAMUser",
                "arn": f"arn:aws:iam::{watching.lab.account}:user/ops/ann",
                "accountId": watching.lab.account,
                "userName": "ann",
                "accessKeyId": KEY,
            },
        }
    )
    watching.lab.guard_duty.put(finding(watching))
    done = watching.run("check")
    assert done.returncode == 0, done.stderr
    found = alerts_of(watching)
    assert len(found) == 2
    assert len({alert.incident for alert in found}) == 1
    listed = watching.run("incidents", "list", "--format", "jsonl")
    [incident] = [json.loads(line) for line in listed.stdout.splitlines()]
    shown = watching.run("incidents", "show", incident["incident"])
    assert "Reconnaissance API was invoked" in shown.stdout


def test_a_finding_in_a_file_and_from_the_api_are_one_alert(watching):
    watching.lab.guard_duty.put(finding(watching))
    watching.run("check")
    [alert] = alerts_of(watching)
    envelope = {"detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": finding(watching)}
    file = watching.folder / "events.json"
    file.write_text(json.dumps(envelope))
    scanned = watching.run("scan", str(file), "--format", "jsonl")
    [row] = [json.loads(line) for line in scanned.stdout.splitlines()]
    assert row["alert_id"] == alert.id
    assert row["severity"] == "medium"


def test_a_region_without_guardduty_is_no_error(machine):
    machine.configure(REGIONS, ON)
    machine.lab.guard_duty.enable(machine.lab.account, "us-east-1")
    done = machine.run("check")
    assert done.returncode == 0, done.stderr
    with machine.store() as store:
        states = {one.region: one.state for one in store.finding_sources.all()}
        covered = store.coverage.intervals(LookupKey(machine.lab.account, "us-east-1", "GuardDuty"))
    assert states == {"eu-west-1": "off", "us-east-1": "on"}
    assert covered.seconds > 0


def test_a_detector_that_is_suspended_is_known(machine):
    machine.configure(REGIONS, ON)
    from moto.guardduty.models import guardduty_backends

    detector = machine.lab.guard_duty.enable(machine.lab.account, "us-east-1")
    guardduty_backends[machine.lab.account]["us-east-1"].detectors[detector].enabled = False
    guardduty_backends[machine.lab.account]["us-east-1"].detectors[detector].status = "DISABLED"
    machine.run("check")
    with machine.store() as store:
        assert {one.region: one.state for one in store.finding_sources.all()}["us-east-1"] == "suspended"


def test_a_region_that_refuses_is_told_once_and_stops_nothing(watching):
    watching.lab.guard_duty.put(finding(watching))
    watching.lab.faults.add(Deny(Aim(region="us-east-1", operation="ListFindings")))
    done = watching.run("check")
    assert done.returncode == 3
    assert "us-east-1/GuardDuty denied" in done.stdout
    assert "allow guardduty:ListFindings there" in done.stderr
    assert "1 new event (1 finding)" in done.stdout
    again = watching.run("check")
    assert "allow guardduty:ListFindings" not in again.stderr


def test_archived_findings_are_left_out(watching):
    watching.lab.guard_duty.put(finding(watching, service={**finding(watching)["service"], "archived": True}))
    assert "0 new events" in watching.run("check").stdout


def test_samples_that_somebody_makes_are_marked(watching, lab):
    import boto3

    environment = lab.environment()
    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1"
    )
    client = session.client("guardduty", endpoint_url=lab.url)
    client.create_sample_findings(DetectorId=client.list_detectors()["DetectorIds"][0])
    client.close()
    watching.run("check")
    found = [alert for alert in alerts_of(watching) if alert.rule.id.startswith("guardduty:")]
    assert len(found) > 3
    assert all(alert.title.startswith("[SAMPLE]") and "sample" in alert.context for alert in found)


def test_without_the_setting_guardduty_is_not_asked(machine):
    machine.configure(REGIONS)
    machine.run("check")
    assert not [call for call in machine.lab.calls if call.service == "guardduty"]


def test_a_region_is_asked_again_only_when_it_is_due(watching):
    watching.configure(REGIONS, "[guardduty]\nenabled = true\nevery = '1h'\n")
    watching.run("check")
    asked = len([call for call in watching.lab.calls if call.service == "guardduty"])
    watching.run("check")
    assert len([call for call in watching.lab.calls if call.service == "guardduty"]) == asked


def test_suppressions_hide_findings_too(watching):
    watching.lab.guard_duty.put(finding(watching))
    folder = watching.folder / "suppressions.d"
    folder.mkdir()
    (folder / "tor.yml").write_text(
        "name: Tor research\nowner: sec@example.com\nreason: We do it.\nexpires: 2099-01-01\n"
        "rules: ['guardduty:Recon:IAMUser/TorIPCaller']\n"
        "selection:\n  finding.resource.accessKeyDetails.userName: ann\n"
    )
    watching.configure(REGIONS, ON + f"[suppressions]\nfolder = '{folder}'\n")
    assert "1 suppressed" in watching.run("check").stdout
    assert not alerts_of(watching)


def test_the_rights_that_the_printed_policy_gives_are_enough_and_a_canary_needs_none(watching):
    import boto3

    watching.configure(REGIONS, ON + "[canary]\nevery = '1h'\n")
    policy = watching.run("iam", "policy", "check").stdout
    assert "guardduty:GetFindings" in policy
    assert "RemoveTags" not in policy
    environment = watching.lab.environment()
    session = boto3.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    iam = session.client("iam", endpoint_url=watching.lab.url, region_name="us-east-1")
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="least", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    iam.close()
    watching.environment |= {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    watching.lab.guard_duty.put(finding(watching))
    done = watching.run("check")
    assert done.returncode == 0, done.stderr
    assert "(1 finding)" in done.stdout
    watching.run("check")
    with watching.store() as store:
        assert [len(one.seconds) for one in store.canaries.flights(0)] == [1, 1]
