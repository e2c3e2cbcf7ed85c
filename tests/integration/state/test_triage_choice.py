"""Choosing and printing alerts and incidents; what can be suppressed and what cannot."""

import json

import msgspec
import pytest
import yaml

from trailwatch.detect.engine import Engine
from trailwatch.errors import UsageError
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Delivery
from trailwatch.rules.rule import RuleSet
from trailwatch.service.gaps import GAP
from trailwatch.service.own_alerts import Complaint, raise_alerts
from trailwatch.store.database import Database
from trailwatch.store.store import Store

from .parts import START, NameEngine, delivery, record

FINDING = {
    "schemaVersion": "2.0",
    "accountId": "111122223333",
    "region": "eu-west-1",
    "partition": "aws",
    "id": "f" * 32,
    "type": "Recon:IAMUser/TorIPCaller",
    "resource": {
        "accessKeyDetails": {"accessKeyId": "AKIA0000000000000077", "userType": "IAMUser", "userName": "eve"}
    },
    "service": {
        "serviceName": "guardduty",
        "eventFirstSeen": "2025-10-09T09:00:00Z",
        "eventLastSeen": "2025-10-09T09:00:00Z",
        "action": {"awsApiCallAction": {"api": "ListUsers", "remoteIpDetails": {"ipAddressV4": "203.0.113.9"}}},
    },
    "severity": 8.0,
    "updatedAt": "2025-10-09T09:05:00Z",
    "title": "Somebody looks around from Tor.",
}


@pytest.fixture
def place(tmp_path, clock):
    """A state file with two incidents of rules and one of a finding, and an alert of trailwatch's own."""
    path = tmp_path / "trailwatch.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n[rules]\nshipped = false\n')
    with Store(Database(tmp_path / "state.sqlite3")) as store:
        engine = NameEngine(StopLogging=Severity.HIGH, CreateAccessKey=Severity.LOW)
        clock.seconds = START
        pipeline = Pipeline(engine, store, None, clock, {})
        pipeline.process(delivery([record(1), record(3, name="CreateAccessKey", principal="bob")]))
        findings = Pipeline(Engine(RuleSet()), store, None, clock, {})
        findings.process(Delivery("there", [msgspec.Raw(msgspec.json.encode(FINDING))], range(1)))
        complaint = Complaint("111122223333", "us-east-1", "late", "it is", {"unread since": "yesterday"})
        raise_alerts(store, GAP, [complaint], START)
    return path


@pytest.fixture
def run(place, command):
    return lambda *words: command("--config", place, *words, environment={"USER": "dora"}).stdout


def found(run, what, *words):
    return json.loads(run(what, "list", "--format", "json", *words))


def alert_of(run, rule):
    return found(run, "alerts", "--rule", rule)[0]["alert_id"]


def test_a_json_array_holds_what_the_lines_hold(run):
    for what in ("alerts", "incidents"):
        lines = [json.loads(line) for line in run(what, "list", "--format", "jsonl").splitlines()]
        assert found(run, what) == lines
        assert lines
    assert json.loads(run("noise", "--since", "3650d", "--format", "json"))[0]["alerts"] == 1
    alert_id = found(run, "alerts")[0]["alert_id"]
    [shown] = json.loads(run("alerts", "show", alert_id, "--format", "json"))
    assert shown["alert_id"] == alert_id


def test_nothing_is_an_empty_array(run):
    assert found(run, "alerts", "--account", "999999999999") == []
    assert found(run, "incidents", "--account", "999999999999") == []


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 3),
        (["--severity", "high"], 2),
        (["--severity", "critical"], 0),
        (["--account", "111122223333"], 3),
        (["--account", "999999999999"], 0),
        (["--region", "eu-west-1"], 1),
        (["--rule", "rule-StopLogging"], 1),
        (["--rule", "guardduty:Recon:IAMUser/TorIPCaller"], 1),
        (["--who", "BOB"], 1),
        (["--who", "nobody"], 0),
        (["--until", "2020-01-01T00:00:00Z"], 0),
        (["--since", "2025-10-09T00:00:00Z", "--until", "2099-01-01T00:00:00Z"], 3),
        (["--limit", "1"], 1),
    ],
)
def test_each_filter_of_incidents_filters(run, words, count):
    assert len(found(run, "incidents", *words)) == count


def test_alerts_are_chosen_by_region(run):
    assert [row["rule"] for row in found(run, "alerts", "--region", "eu-west-1")] == [
        "guardduty:Recon:IAMUser/TorIPCaller"
    ]


def test_a_reason_is_a_note(run):
    alert_id = alert_of(run, "rule-StopLogging")
    run("alerts", "close", alert_id, "--verdict", "false-positive", "--reason", "a drill")
    [closed] = found(run, "alerts", "--state", "closed")
    assert (closed["verdict"], closed["note"]) == ("false-positive", "a drill")
    [incident] = found(run, "incidents", "--who", "bob")
    run("incidents", "close", incident["incident"], "--verdict", "true-positive", "--reason", "it was bob")
    assert found(run, "alerts", "--verdict", "true-positive")[0]["note"] == "it was bob"


def test_what_is_about_trailwatch_itself_is_no_incident_no_noise_and_cannot_be_suppressed(run):
    own = alert_of(run, "trailwatch_gap")
    assert all("trailwatch_gap" not in one["rules"] for one in found(run, "incidents"))
    assert "trailwatch_gap" not in run("noise", "--since", "3650d")
    with pytest.raises(UsageError, match="about trailwatch itself"):
        run("alerts", "suppress", own, "--reason", "x", "--dry-run")
    run("alerts", "ack", own)
    run("alerts", "snooze", own, "--for", "1h")


def test_a_finding_is_suppressed_like_any_other_alert(run, command, tmp_path):
    alert_id = alert_of(run, "guardduty:Recon:IAMUser/TorIPCaller")
    run("alerts", "suppress", alert_id, "--reason", "our scanner", "--by", "network", "--no-archive", "--yes")
    (path,) = (tmp_path / "suppressions.d").iterdir()
    content = yaml.safe_load(path.read_text())
    assert content["rules"] == ["guardduty:Recon:IAMUser/TorIPCaller"]
    assert content["networks"] == ["203.0.113.9/32"]
    run("suppressions", "check")
    file = tmp_path / "finding.json"
    file.write_text(json.dumps({"detail-type": "GuardDuty Finding", "detail": FINDING}))
    scanned = command("--config", tmp_path / "trailwatch.toml", "scan", file, "--format", "jsonl")
    assert scanned.stdout == ""
    assert "1 match" in scanned.stderr
