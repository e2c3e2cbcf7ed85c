import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from trailwatch.store.trials import Trial

REGIONS = "pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['us-east-1']"
WEEK = 7


@pytest.fixture
def trying(machine):
    """A machine with one rule that is known and live."""
    machine.add_rule("user_made", "high", "CreateUser")
    folder = machine.folder / "rules"
    machine.configure(REGIONS, f"[rules]\ndirs = ['{folder}']\nshipped = false\nstaging_days = {WEEK}\n")
    machine.run("check")
    return machine


def happens(machine, name):
    machine.lab.recorder.add(
        {
            "eventVersion": "1.11",
            "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "iam.amazonaws.com",
            "eventName": name,
            "awsRegion": "us-east-1",
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "recipientAccountId": machine.lab.account,
            "sourceIPAddress": "198.51.100.9",
            "userIdentity": {
                "type": "IAMUser",
                "arn": f"arn:aws:iam::{machine.lab.account}:user/ann",
                "accountId": machine.lab.account,
                "userName": "ann",
                "accessKeyId": "AKIAEXAMPLE000000042",
            },
        }
    )


def listed(machine, *words):
    out = machine.run("alerts", "list", "--format", "jsonl", *words).stdout
    return [json.loads(line) for line in out.splitlines()]


def set_back(machine, slug, days):
    """Makes the trial of a rule so old."""
    with machine.store() as store:
        [trial] = [one for one in store.trials.all().values() if one.slug == slug]
        since = trial.since - int(timedelta(days=days).total_seconds())
        store.trials.keep([Trial(trial.rule_id, trial.slug, trial.condition, since, trial.live)])


def test_rules_that_are_there_when_it_begins_are_live(trying):
    happens(trying, "CreateUser")
    assert "1 alert (1 high)" in trying.run("check").stdout


def test_a_new_rule_runs_in_silence_and_is_listed(trying):
    trying.add_rule("key_made", "critical", "CreateAccessKey")
    happens(trying, "CreateAccessKey")
    done = trying.run("check")
    assert "0 alerts" in done.stdout
    assert done.stderr == ""
    assert listed(trying) == []
    [row] = listed(trying, "--staged")
    assert (row["state"], row["rule"], row["incident"]) == ("staged", "key_made", "")
    assert "staged" in trying.run("alerts", "show", row["alert_id"]).stdout
    assert "key_made" in trying.run("noise", "--staged").stdout
    assert trying.run("incidents", "list").stdout == ""


def test_its_alerts_do_not_leave_later_either(trying):
    trying.add_rule("key_made", "critical", "CreateAccessKey")
    happens(trying, "CreateAccessKey")
    trying.run("check")
    trying.run("check")
    with trying.store() as store:
        assert store.outbox.entries() == []


def test_after_its_days_it_is_told_once_what_it_would_have_told_and_is_live(trying):
    trying.add_rule("key_made", "critical", "CreateAccessKey")
    happens(trying, "CreateAccessKey")
    trying.run("check")
    with trying.store() as store:
        assert [one.slug for one in store.trials.on_trial()] == ["key_made"]
    set_back(trying, "key_made", WEEK)
    done = trying.run("check")
    assert "1 rule was on trial and tells from now on" in done.stderr
    assert "key_made: 1 alert in 7 days, 0.1 a day, of 1 principal" in done.stderr
    assert f"arn:aws:iam::{trying.lab.account}:user/ann" in done.stderr
    assert "on trial" not in trying.run("check").stderr
    happens(trying, "CreateAccessKey")
    assert "1 alert (1 critical)" in trying.run("check").stdout


def test_a_changed_condition_goes_back_on_trial_a_changed_text_does_not(trying):
    path = trying.folder / "rules" / "user_made.yml"
    path.write_text(path.read_text().replace("level: high", "level: medium"))
    happens(trying, "CreateUser")
    assert "1 alert (1 medium)" in trying.run("check").stdout
    path.write_text(path.read_text().replace("eventName: CreateUser", "eventName: DeleteUser"))
    happens(trying, "DeleteUser")
    assert "0 alerts" in trying.run("check").stdout
    assert [row["rule"] for row in listed(trying, "--staged")] == ["user_made"]


def test_a_changed_script_goes_back_on_trial(trying):
    path = trying.folder / "rules" / "scripted.py"
    heading = 'TITLE = "A group"\nSEVERITY = "high"\nWHEN = {"eventName": "CreateGroup"}\n'
    text = heading + "\n\ndef rule(event):\n    return %s\n"
    path.write_text(text % "False")
    trying.run("check")
    set_back(trying, "scripted", WEEK)
    assert "on trial" in trying.run("check").stderr
    path.write_text(text % "True")
    happens(trying, "CreateGroup")
    assert "0 alerts" in trying.run("check").stdout
    assert [row["rule"] for row in listed(trying, "--staged")] == ["scripted"]


def test_a_rule_that_is_gone_for_a_while_is_not_new_again(trying):
    path = trying.folder / "rules" / "user_made.yml"
    text = path.read_text()
    trying.add_rule("another", "low", "CreateRole")
    path.unlink()
    trying.run("check")
    path.write_text(text)
    happens(trying, "CreateUser")
    assert "1 alert (1 high)" in trying.run("check").stdout


def test_without_days_every_rule_is_live_at_once(trying):
    trying.add_rule("key_made", "critical", "CreateAccessKey")
    trying.configure(REGIONS, f"[rules]\ndirs = ['{trying.folder / 'rules'}']\nshipped = false\n")
    happens(trying, "CreateAccessKey")
    assert "1 alert (1 critical)" in trying.run("check").stdout


def test_what_was_silent_is_told_when_it_comes_again_after_the_trial(trying):
    trying.add_rule("key_made", "critical", "CreateAccessKey")
    happens(trying, "CreateAccessKey")
    trying.run("check")
    trying.configure(REGIONS, f"[rules]\ndirs = ['{trying.folder / 'rules'}']\nshipped = false\n")
    happens(trying, "CreateAccessKey")
    assert "1 alert (1 critical)" in trying.run("check").stdout
    [row] = listed(trying)
    [silent] = listed(trying, "--staged")
    assert (row["state"], row["event_count"], silent["event_count"]) == ("open", 1, 1)


def test_a_rule_over_time_is_tried_like_any_other(trying):
    (trying.folder / "rules" / "many.yml").write_text(
        "title: Many users\nid: 0b0d7b7e-8a51-4f5e-9a53-1f1c5b8a0a11\nstatus: test\nlevel: critical\n"
        "correlation:\n  type: event_count\n  rules: [user_made]\n  generate: true\n"
        "  group-by: [recipientAccountId]\n  timespan: 1h\n  condition:\n    gte: 2\n"
    )
    happens(trying, "CreateUser")
    happens(trying, "CreateUser")
    assert "1 alert (1 high)" in trying.run("check").stdout
    assert [(row["rule"], row["event_count"]) for row in listed(trying, "--staged")] == [("many", 2)]
