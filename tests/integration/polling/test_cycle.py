"""One cycle against the lab: regions, pace, plan, faults."""

import time
from collections import Counter

import msgspec
import pytest

from trailwatch.archive import Archive
from trailwatch.lab.faults import Aim, Deny, ServerError, Throttle
from trailwatch.testing import event

ACCOUNT = "123456789012"
REGIONS = 17


def happened(seconds_ago, number=0, *, name="CreateUser", region="us-east-1", read_only=False, **more):
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))
    return event(
        name,
        eventTime=moment,
        awsRegion=region,
        recipientAccountId=ACCOUNT,
        readOnly=read_only,
        requestParameters={"number": number},
        **more,
    )


def test_a_quiet_cycle_reads_every_enabled_region_with_at_most_four_look_ups(machine):
    result = machine.run("check")

    assert result.returncode == 0, result.stderr
    asked = Counter(call.region for call in machine.lookups())
    assert len(asked) == REGIONS
    assert set(asked.values()) == {4}
    assert " good: 17 regions, 68 requests, 0 new events, 0 alerts" in result.stdout


def test_an_alert_is_told_once_and_its_event_is_archived_and_covered(machine):
    machine.lab.recorder.add(happened(60, name="StopLogging", eventSource="cloudtrail.amazonaws.com"))

    first, second = machine.run("check", "--format", "jsonl"), machine.run("check", "--format", "jsonl")

    assert [msgspec.json.decode(line)["severity"] for line in first.stdout.splitlines()]
    assert second.stdout == ""
    kept = [
        record["eventName"]
        for delivery in Archive(machine.archive).read(None, None, ACCOUNT, "us-east-1")
        for record in map(msgspec.json.decode, delivery.records)
    ]
    # trailwatch's own question who it is may be read as well, by its name's turn
    assert [name for name in kept if name != "GetCallerIdentity"] == ["StopLogging"]
    with machine.store() as store:
        assert store.seen.count() == len(kept)
        polled = [one for one in store.coverage.lookups().values() if one.key.lookup == "ReadOnly=false"]
        assert len(polled) == REGIONS
        assert all(one.asked and not one.gaps(0) for one in polled)


def test_who_is_asked_and_which_regions_are_enabled_is_remembered_for_an_hour(machine):
    machine.run("check")
    machine.run("check")

    asked = Counter(call.operation for call in machine.lab.calls)
    assert (asked["GetCallerIdentity"], asked["DescribeRegions"]) == (1, 1)


def spaced(calls, pace):
    """Whether so many calls took as long as their pace demands; the network may move each by less than a pace."""
    times = [call.at for call in calls]
    return times[-1] - times[0] > (len(times) - 2) * pace


def test_calls_to_one_region_are_a_pace_apart(machine):
    machine.configure("pace = '0.3s'\nregions = ['eu-west-1']\nplan_requests_per_region = 6")
    machine.run("check")

    assert len(machine.lookups()) == 7
    assert spaced(machine.lookups(), 0.3)


def test_retries_keep_the_pace_too(machine):
    machine.configure("pace = '0.3s'\nregions = ['eu-west-1']")
    machine.lab.faults.add(Throttle(0.5, Aim(operation="LookupEvents")))
    machine.run("check")

    assert any(call.status == 400 for call in machine.lookups())
    assert spaced(machine.lookups(), 0.3)


def test_the_aws_limit_of_two_a_second_is_never_met_by_the_default_pace(machine):
    machine.configure("regions = ['eu-west-1', 'us-east-1']")
    machine.lab.limits.lookup_rate = 2.0
    machine.run("check")
    machine.run("check")

    assert {call.status for call in machine.lookups()} == {200}


def test_with_faults_on_a_cycle_ends_complete_but_for_the_denied_region(machine):
    machine.lab.recorder.add_many(
        happened(300 - n, n, region=r) for r in ("us-east-1", "eu-west-1") for n in range(120)
    )
    machine.lab.faults.add(Throttle(0.20, Aim(operation="LookupEvents")))
    machine.lab.faults.add(ServerError(0.05, Aim(operation="LookupEvents")))
    machine.lab.faults.add(Deny(Aim(region="sa-east-1", operation="LookupEvents")))

    result = machine.run("check")

    assert result.returncode == 3
    assert " partial: 16 regions, " in result.stdout
    assert "not read: sa-east-1 denied" in result.stdout
    assert "240 new events" in result.stdout
    with machine.store() as store:
        behind = {
            one.key.region for one in store.coverage.lookups().values() if one.key.lookup[0] == "R" and not one.asked
        }
        assert behind == {"sa-east-1"}


def test_a_denied_region_is_told_once_and_told_again_when_it_is_read_again(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1', 'us-east-1']")
    fault = machine.lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))

    first, second = machine.run("check"), machine.run("check")
    machine.lab.faults.remove(fault)
    third = machine.run("check")

    assert (first.returncode, second.returncode, third.returncode) == (3, 3, 0)
    assert f"trailwatch cannot read {ACCOUNT}/eu-west-1" in first.stderr
    assert second.stderr == ""
    assert f"trailwatch reads again {ACCOUNT}/eu-west-1" in third.stderr


def test_without_credentials_the_run_fails_and_says_what_to_do(machine):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        machine.environment.pop(name)

    result = machine.run("check")

    assert result.returncode == 1
    assert "no AWS credentials were found" in result.stderr
    assert " failed: " in result.stdout


def test_the_theft_of_a_secret_is_found_although_it_is_a_read_only_call(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1']\nplan_requests_per_region = 40")
    machine.lab.recorder.add(
        happened(60, name="GetPasswordData", eventSource="ec2.amazonaws.com", region="eu-west-1", read_only=True)
    )

    result = machine.run("check", "--format", "jsonl")

    (alert,) = map(msgspec.json.decode, result.stdout.splitlines())
    assert "password" in alert["title"].lower()


def test_what_the_plan_did_not_reach_is_in_the_summary_and_comes_later(machine):
    machine.configure(
        "pace = '0.01s'\nregions = ['eu-west-1']\nplan_requests_per_region = 1",
        f"[rules]\nshipped = false\ndirs = ['{machine.folder}/rules']",
    )
    machine.add_rule("secret", "high", "GetSecretValue")
    machine.add_rule("buckets", "low", "ListBuckets")

    first, second = machine.run("check"), machine.run("check")

    assert "plan: up to 1 name a region left for later, oldest read 20m ago" in first.stdout
    assert "plan: up to 1 name a region left for later, oldest read " in second.stdout
    with machine.store() as store:
        assert all(one.asked for one in store.coverage.lookups().values())


def test_all_events_polls_everything_and_plans_nothing(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1']")
    machine.lab.recorder.add(happened(60, name="ListKeys", region="eu-west-1", read_only=True))

    result = machine.run("check", "--all-events")

    assert len(machine.lookups()) == 1
    assert "new event" in result.stdout
    assert "0 new events" not in result.stdout


def test_a_role_session_that_matched_is_looked_up_by_its_key_and_so_is_who_began_it(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1']\nplan_requests_per_region = 2")
    session = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/bob",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
    }
    source = {"region": "eu-west-1", "userIdentity": session}
    machine.lab.recorder.add(happened(60, name="StopLogging", eventSource="cloudtrail.amazonaws.com", **source))
    machine.lab.recorder.add(happened(3000, name="ListKeys", read_only=True, **source))
    began = happened(
        3600,
        name="AssumeRole",
        eventSource="sts.amazonaws.com",
        region="eu-west-1",
        read_only=True,
        responseElements={"credentials": {"accessKeyId": session["accessKeyId"]}},
    )
    machine.lab.recorder.add(began)

    first, second, third = (machine.run("check") for _ in range(3))

    assert "1 new event, " in first.stdout
    assert "2 new events, " in second.stdout, "what the session read, and the call that began it"
    assert "0 new events, " in third.stdout
    with machine.store() as store:
        assert store.coverage.sessions() == []


def test_the_sweep_finds_an_event_that_shows_up_hours_late_and_takes_the_place_of_a_planned_look_up(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1']")
    machine.run("check", "--lookback", "20h")
    before = len(machine.lookups())
    with machine.store() as store, store.transaction():
        store.database.execute("UPDATE lookup SET swept = swept - 3600")
    machine.lab.recorder.add(happened(5 * 3600, region="eu-west-1"))

    result = machine.run("check")

    assert "1 new event, " in result.stdout
    assert len(machine.lookups()) - before == 4


def test_only_the_regions_that_are_named_are_read(machine):
    machine.run("check", "--region", "eu-west-1", "--region", "us-east-2")

    assert {call.region for call in machine.lookups()} == {"eu-west-1", "us-east-2"}


@pytest.mark.parametrize("text", ["soon", "0"])
def test_a_lookback_that_is_no_duration_is_refused(machine, text):
    result = machine.run("check", "--lookback", text)

    assert result.returncode == 2
    assert result.stderr.startswith("error: --lookback: ")


def test_the_heartbeat_is_called_after_a_good_cycle_and_its_failure_is_reported(machine):
    url = f"{machine.lab.url}/heartbeat"
    machine.configure(f"pace = '0.01s'\nregions = ['eu-west-1']\nheartbeat_url = '{url}'")
    answered = machine.run("check")
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1']\nheartbeat_url = 'http://127.0.0.1:9/'")
    refused = machine.run("check")

    assert (answered.returncode, refused.returncode) == (0, 0)
    assert "heartbeat failed: " in refused.stdout


def test_the_plan_is_shown_with_its_measured_volume_and_cost(machine):
    machine.run("check")
    calls = len(machine.lab.calls)

    result = machine.run("check", "--plan")

    assert len(machine.lab.calls) == calls
    assert "GetSecretValue" in result.stdout
    assert "17 region(s): at most 68 look-ups in a quiet cycle." in result.stdout
    assert "Cost: nothing" in result.stdout


def test_status_says_that_it_is_well_after_a_cycle_and_not_before(machine):
    before, _, after = machine.run("status"), machine.run("check"), machine.run("status", "--format", "json")

    assert before.returncode == 1
    assert "last good cycle: never" in before.stdout
    assert after.returncode == 0, after.stderr
    status = msgspec.json.decode(after.stdout)
    assert status["healthy"]
    assert len(status["regions"]) == REGIONS
    assert {region["gaps"] for region in status["regions"]} == {0}
    assert max(region["lag_seconds"] for region in status["regions"]) < 120
