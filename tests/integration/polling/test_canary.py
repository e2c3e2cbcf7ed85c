import json
from datetime import UTC, datetime

import pytest

from trailwatch.lab.faults import Aim, Deny, Die
from trailwatch.store.canaries import Canary
from trailwatch.testing import FixedClock

REGIONS = "pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['eu-west-1', 'us-east-1']"
EVERY = "[canary]\nevery = '1h'\nwithin = '30m'\n"


@pytest.fixture
def flying(machine):
    machine.configure(REGIONS, EVERY)
    return machine


def canaries(machine):
    with machine.store() as store:
        return store.canaries.flights(0)


def set_back(machine, seconds):
    """Makes every canary so much older."""
    with machine.store() as store, store.transaction():
        store.database.execute("UPDATE canary SET called = called - ?", (seconds,))


def test_a_call_in_every_region_comes_back_without_an_alert(flying):
    first = flying.run("check")
    assert first.returncode == 0, first.stderr
    second = flying.run("check")
    assert [(one.region, one.made, len(one.seconds)) for one in canaries(flying)] == [
        ("eu-west-1", 1, 1),
        ("us-east-1", 1, 1),
    ]
    assert "0 alerts" in first.stdout
    assert "0 alerts" in second.stdout
    assert "0 new events" in second.stdout


def test_the_call_is_refused_and_marked_twice(flying):
    flying.run("check")
    [record, _] = [one for one in flying.lab.recorder.records() if one["eventName"] == "RemoveTags"]
    marker = record["requestParameters"]["resourceId"].rpartition("/")[2]
    assert marker.startswith("trailwatch-canary-")
    assert marker in record["userAgent"]
    assert record["errorCode"] == "ResourceNotFoundException"
    assert record["readOnly"] is False


def test_it_needs_no_permission(flying):
    flying.lab.faults.add(Deny(Aim(operation="RemoveTags")))
    flying.run("check")
    flying.run("check")
    assert [len(one.seconds) for one in canaries(flying)] == [1, 1]


def test_it_is_sent_only_when_it_is_due(flying):
    flying.run("check")
    flying.run("check")
    assert [one.made for one in canaries(flying)] == [1, 1]
    set_back(flying, 3700)
    flying.run("check")
    assert [one.made for one in canaries(flying)] == [2, 2]


def test_one_that_does_not_come_back_is_an_alert_told_once_and_closed_by_a_later_one(flying):
    flying.lab.limits.visibility_delay = 7200.0
    flying.run("check")
    set_back(flying, 1900)
    late = flying.run("check")
    assert "2 alerts (2 high)" in late.stdout
    assert "no event came back from" in late.stderr
    again = flying.run("check")
    assert "0 alerts" in again.stdout
    assert "came back" not in again.stderr
    flying.lab.limits.visibility_delay = 0.0
    set_back(flying, 3700)
    flying.run("check")
    flying.run("check")
    rows = [
        json.loads(line)
        for line in flying.run("alerts", "list", "--state", "all", "--format", "jsonl").stdout.splitlines()
    ]
    assert {(row["rule"], row["state"], row["note"]) for row in rows} == {
        ("trailwatch_canary", "closed", "a later canary came back")
    }


def test_a_call_that_could_not_be_made_is_said_and_is_not_lost(flying):
    flying.lab.faults.add(Die(1, forever=True, aim=Aim(region="eu-west-1", operation="RemoveTags")))
    done = flying.run("check")
    assert "canary not sent" in done.stdout
    assert {one.region: (one.failed, one.awaited) for one in canaries(flying)}["eu-west-1"] == (1, 0)


def test_a_call_whose_answer_was_lost_is_known_when_it_comes_back(flying):
    flying.run("check")
    with flying.store() as store, store.transaction():
        store.database.execute("UPDATE canary SET failure = 'no answer in time'")
    assert "0 new events" in flying.run("check").stdout
    assert [len(one.seconds) for one in canaries(flying)] == [1, 1]


def test_an_imitation_of_a_canary_is_judged_like_any_other_event(flying):
    flying.run("check")
    marker = next(
        one["requestParameters"]["resourceId"].rpartition("/")[2]
        for one in flying.lab.recorder.records()
        if one["eventName"] == "RemoveTags"
    )
    flying.add_rule("stopped", "critical", "StopLogging")
    flying.configure(REGIONS, EVERY + f"[rules]\ndirs = ['{flying.folder / 'rules'}']\nshipped = false\n")
    flying.lab.recorder.add(
        {
            "eventVersion": "1.11",
            "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": "StopLogging",
            "awsRegion": "us-east-1",
            "eventID": "11111111-2222-4333-8444-555555555555",
            "readOnly": False,
            "errorCode": "AccessDenied",
            "recipientAccountId": flying.lab.account,
            "userAgent": marker,
            "requestParameters": {"resourceId": f"arn:aws:cloudtrail:us-east-1:{flying.lab.account}:trail/{marker}"},
            "userIdentity": {
                "type": "IAMUser",
                "arn": "arn:aws:iam::1:user/eve",
                "accessKeyId": "AKIAEVE00000000001",
            },
        }
    )
    assert "1 critical" in flying.run("check").stdout


def test_by_hand_it_is_sent_everywhere_and_shown_with_percentiles(machine):
    machine.configure(REGIONS)
    sent = machine.run("canary", "send")
    assert sent.returncode == 0, sent.stderr
    assert [line.partition("/")[2] for line in sent.stdout.splitlines()] == ["eu-west-1: sent", "us-east-1: sent"]
    machine.run("check")
    shown = machine.run("canary", "--format", "json")
    rows = json.loads(shown.stdout)
    assert [(row["region"], row["sent"], row["back"], row["lost"]) for row in rows] == [
        ("eu-west-1", 1, 1, 0),
        ("us-east-1", 1, 1, 0),
    ]
    assert all(0 <= row["p50_seconds"] <= row["p95_seconds"] <= row["slowest_seconds"] for row in rows)
    assert "eu-west-1" in machine.run("canary").stdout


def test_one_region_by_hand(machine):
    machine.configure(REGIONS)
    assert machine.run("canary", "send", "--region", "us-east-1").stdout == f"{machine.lab.account}/us-east-1: sent\n"


def test_a_lost_one_shows_and_is_the_exit_code(machine):
    machine.configure(REGIONS)
    machine.lab.limits.visibility_delay = 7200.0
    machine.run("canary", "send", "--region", "us-east-1")
    assert machine.run("canary").returncode == 0
    set_back(machine, 1900)
    shown = machine.run("canary", "--format", "json")
    assert shown.returncode == 3
    assert json.loads(shown.stdout)[0]["lost"] == 1


def test_one_that_was_sent_by_hand_and_is_lost_is_an_alert_too(machine):
    machine.configure(REGIONS)
    machine.lab.limits.visibility_delay = 7200.0
    machine.run("canary", "send", "--region", "us-east-1")
    set_back(machine, 1900)
    assert "no event came back from" in machine.run("check").stderr


def test_before_the_first_it_says_how(machine):
    machine.configure(REGIONS)
    assert "trailwatch canary send" in machine.run("canary").stderr


def test_percentiles_are_of_what_came_back(machine):
    begun = int(FixedClock().now().timestamp())
    with machine.store() as store:
        store.canaries.add([Canary(f"m{n}", "1", "r", "k", begun) for n in range(20)])
        with store.transaction():
            for n in range(1, 20):
                store.canaries.returned(f"m{n}", begun + n * 10)
            store.canaries.returned("m1", begun + 9999)
        [flights] = store.canaries.flights(0)
    from trailwatch.service.canary import percentile

    assert flights.seconds == tuple(range(10, 200, 10))
    assert (percentile(flights.seconds, 50), percentile(flights.seconds, 95)) == (100, 190)
    assert flights.awaited == 1


def test_without_the_setting_none_is_sent(machine):
    machine.configure(REGIONS)
    machine.run("check")
    assert not [call for call in machine.lab.calls if call.operation == "RemoveTags"]
