from __future__ import annotations

import random
import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from trailwatch.clock import SystemClock
from trailwatch.errors import UsageError
from trailwatch.lab.answers import Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.faults import Aim, Cut, Deny, Die, Faults, Late, Latency, ServerError, Throttle
from trailwatch.lab.words import read_duration, read_fault


def call(operation: str = "LookupEvents", region: str = "us-east-1") -> Call:
    return Call(
        key_id="AKIA",
        region=region,
        signing_name="cloudtrail",
        operation=operation,
        protocol="json",
        source_address="",
        user_agent="",
        host="",
        query_string="",
        body=b"",
    )


def outcomes(faults: Faults, number: int) -> list[str]:
    found = []
    for _ in range(number):
        try:
            faults.strike(call())
            found.append("")
        except Refusal as error:
            found.append(error.code)
    return found


def test_a_share_of_calls_is_throttled_and_another_fails(client, lab):
    lab.faults.add(Throttle(0.2))
    lab.faults.add(ServerError(0.2))
    trail = client("cloudtrail")
    seen = []
    for _ in range(60):
        try:
            trail.lookup_events()
            seen.append(200)
        except ClientError as error:
            seen.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

    assert set(seen) == {200, 400, 500}
    assert [one.status for one in lab.calls] == seen


def test_the_same_seed_makes_the_same_trouble():
    faults = []
    for seed in (1, 1, 2):
        faults.append(Faults(seed, SystemClock()))
        faults[-1].add(Throttle(0.3))
        faults[-1].add(ServerError(0.3))
    first, second, third = (outcomes(one, 100) for one in faults)

    assert first == second != third
    assert {"", "ThrottlingException", "InternalFailure"} == set(first)


def test_standard_retries_get_through_throttles(client, lab):
    lab.faults.add(Throttle(0.4))
    trail = client("cloudtrail", retries={"total_max_attempts": 10, "mode": "standard"})

    assert trail.lookup_events()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_one_region_is_denied_and_the_others_work(client, lab):
    lab.faults.add(Deny(Aim(region="eu-west-1")))

    with pytest.raises(ClientError, match="AccessDeniedException"):
        client("cloudtrail", region="eu-west-1").lookup_events()
    client("cloudtrail", region="eu-west-2").lookup_events()


def test_one_operation_is_denied_and_the_others_work(client, lab):
    lab.faults.add(Deny(Aim(operation="DescribeRegions")))

    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        client("ec2").describe_regions()
    client("ec2").describe_vpcs()


def test_the_connection_dies_at_the_chosen_call_only(client, lab):
    lab.faults.add(Die(2))
    trail = client("cloudtrail")
    trail.lookup_events()

    with pytest.raises(ConnectionClosedError):
        trail.lookup_events()
    trail.lookup_events()
    assert [one.status for one in lab.calls] == [200, 0, 200]


def test_dead_stays_dead(client, lab):
    fault = lab.faults.add(Die(1, forever=True))
    trail = client("cloudtrail")
    for _ in range(3):
        with pytest.raises(ConnectionClosedError):
            trail.lookup_events()
    lab.faults.remove(fault)

    trail.lookup_events()


def test_latency_makes_a_call_wait(client, lab):
    trail = client("cloudtrail")
    trail.lookup_events()
    lab.faults.add(Latency(0.2))
    begun = time.monotonic()
    trail.lookup_events()

    assert time.monotonic() - begun >= 0.2


def test_late_events_show_up_later(client, lab):
    lab.faults.add(Late(0.5, 3600))
    for number in range(40):
        client("iam").create_user(UserName=f"user-{number}")
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    shown = client("cloudtrail").lookup_events(LookupAttributes=attribute)["Events"]

    assert 0 < len(shown) < 40
    assert sum(record["eventName"] == "CreateUser" for record in lab.recorder.records()) == 40


def test_a_cut_call_is_not_carried_out(client, lab):
    lab.faults.add(Die(1))
    with pytest.raises(ConnectionClosedError):
        client("iam").create_user(UserName="alice")

    assert lab.recorder.records() == []


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("throttle=0.2", Throttle(0.2)),
        ("error=1", ServerError(1)),
        ("latency=50ms", Latency(0.05)),
        ("deny=eu-west-1", Deny(Aim(region="eu-west-1"))),
        ("deny=DescribeRegions", Deny(Aim(operation="DescribeRegions"))),
        ("late=0.5:10m", Late(0.5, 600)),
    ],
)
def test_a_fault_can_be_written_as_a_word(word, fault):
    assert read_fault(word) == fault


def test_cut_and_dead_name_the_call():
    fault = read_fault("dead=2")
    chance, clock = random.Random(0), SystemClock()
    fault.strike(call(), chance, clock)
    for _ in range(2):
        with pytest.raises(Cut):
            fault.strike(call(), chance, clock)


@pytest.mark.parametrize("word", ["", "throttle", "throttle=2", "throttle=x", "deny=", "cut=0", "late=1", "boom=1"])
def test_what_is_no_fault_is_refused_with_what_was_seen(word):
    with pytest.raises(UsageError) as caught:
        read_fault(word)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("word", "seconds"), [("5", 5), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("50ms", 0.05)])
def test_durations_are_read_with_their_unit(word, seconds):
    assert read_duration(word) == pytest.approx(seconds)
