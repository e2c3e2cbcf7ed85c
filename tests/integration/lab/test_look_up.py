from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from trailwatch.lab.limits import Limits
from trailwatch.testing import FixedClock

NOW = datetime.now(UTC).replace(microsecond=0)


def record(number: int, at: datetime, account: str = "123456789012", region: str = "us-east-1", **more: Any) -> dict:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accessKeyId": "AKIAALICE"},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": region,
        "eventID": f"event-{number}",
        "readOnly": False,
        "requestParameters": {"userName": f"user-{number}"},
        "recipientAccountId": account,
    } | more


def ids(answer: dict[str, Any]) -> list[str]:
    return [event["EventId"] for event in answer["Events"]]


def refused(call, **parameters) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def by(key: str, value: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_an_event_is_answered_with_its_record(client, lab):
    lab.recorder.add(record(1, NOW))

    [event] = client("cloudtrail").lookup_events()["Events"]
    assert json.loads(event.pop("CloudTrailEvent")) == record(1, NOW)
    assert event == {
        "EventId": "event-1",
        "EventName": "CreateUser",
        "ReadOnly": "false",
        "AccessKeyId": "AKIAALICE",
        "EventTime": NOW,
        "EventSource": "iam.amazonaws.com",
        "Username": "alice",
        "Resources": [{"ResourceType": "AWS::IAM::User", "ResourceName": "user-1"}],
    }


def test_pages_come_newest_first_and_miss_nothing(client, lab):
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n // 3)) for n in range(120))

    pages = list(client("cloudtrail").get_paginator("lookup_events").paginate(EndTime=NOW))
    events = [event for page in pages for event in page["Events"]]
    assert [len(page["Events"]) for page in pages] == [50, 50, 20]
    assert len({event["EventId"] for event in events}) == 120
    assert [event["EventTime"] for event in events] == sorted((e["EventTime"] for e in events), reverse=True)


def test_events_that_arrive_while_pages_are_read_neither_repeat_nor_hide_any(client, lab):
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n)) for n in range(6))
    trail = client("cloudtrail")
    first = trail.lookup_events(MaxResults=3, EndTime=NOW)
    lab.recorder.add(record(99, NOW))
    second = trail.lookup_events(MaxResults=3, EndTime=NOW, NextToken=first["NextToken"])

    assert ids(first) + ids(second) == [f"event-{n}" for n in range(6)]


def test_both_ends_of_the_range_belong_to_it(client, lab):
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n)) for n in range(5))

    answer = client("cloudtrail").lookup_events(
        StartTime=NOW - timedelta(seconds=3), EndTime=NOW - timedelta(seconds=1)
    )
    assert ids(answer) == ["event-1", "event-2", "event-3"]


def test_each_account_and_region_has_a_history_of_its_own(client, lab):
    other = lab.open_account("210987654321")
    lab.recorder.add(record(1, NOW))
    lab.recorder.add(record(2, NOW, region="eu-west-1"))
    lab.recorder.add(record(3, NOW, account="210987654321"))

    assert ids(client("cloudtrail").lookup_events()) == ["event-1"]
    assert ids(client("cloudtrail", region="eu-west-1").lookup_events()) == ["event-2"]
    assert "event-3" in ids(client("cloudtrail", other).lookup_events())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventId", "event-7"),
        ("EventName", "StopLogging"),
        ("ReadOnly", "true"),
        ("Username", "bob"),
        ("ResourceType", "AWS::CloudTrail::Trail"),
        ("ResourceName", "main"),
        ("EventSource", "cloudtrail.amazonaws.com"),
        ("AccessKeyId", "ASIABOB"),
    ],
)
def test_each_attribute_finds_its_event_and_minds_case(client, lab, key, value):
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n)) for n in range(5))
    lab.recorder.add(
        record(
            7,
            NOW,
            eventName="StopLogging",
            eventSource="cloudtrail.amazonaws.com",
            readOnly=True,
            requestParameters={"name": "main"},
            userIdentity={"type": "AssumedRole", "principalId": "AROAX:bob", "accessKeyId": "ASIABOB"},
        )
    )
    trail = client("cloudtrail")

    assert ids(trail.lookup_events(**by(key, value))) == ["event-7"]
    assert ids(trail.lookup_events(**by(key, value.swapcase()))) == []


def test_an_index_knows_events_that_come_after_it_was_made(client, lab):
    trail = client("cloudtrail")
    assert ids(trail.lookup_events(**by("Username", "alice"))) == []
    lab.recorder.add(record(2, NOW))
    lab.recorder.add(record(1, NOW - timedelta(seconds=9)))

    assert ids(trail.lookup_events(**by("Username", "alice"))) == ["event-2", "event-1"]


def test_wrong_parameters_are_refused_as_aws_does(client, lab):
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n)) for n in range(3))
    trail = client("cloudtrail", parameter_validation=False)
    token = trail.lookup_events(MaxResults=1)["NextToken"]
    two = by("EventName", "A")["LookupAttributes"] * 2

    assert refused(trail.lookup_events, MaxResults=51) == "InvalidMaxResultsException"
    assert refused(trail.lookup_events, MaxResults=0) == "InvalidMaxResultsException"
    assert refused(trail.lookup_events, LookupAttributes=two) == "InvalidLookupAttributesException"
    assert refused(trail.lookup_events, **by("eventName", "A")) == "InvalidLookupAttributesException"
    assert refused(trail.lookup_events, StartTime=NOW, EndTime=NOW - timedelta(1)) == "InvalidTimeRangeException"
    assert refused(trail.lookup_events, NextToken="made-up") == "InvalidNextTokenException"
    assert refused(trail.lookup_events, MaxResults=2, NextToken=token) == "InvalidNextTokenException"
    assert refused(trail.lookup_events, EventCategory="data") == "InvalidEventCategoryException"
    assert trail.lookup_events(MaxResults=1, NextToken=token)["Events"]


def test_more_than_two_a_second_are_throttled_in_that_region_only(client, lab):
    lab.limits.lookup_rate = 2
    trail, elsewhere = client("cloudtrail"), client("cloudtrail", region="eu-west-1")
    answers = []
    for _ in range(8):
        try:
            answers.append(trail.lookup_events()["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as error:
            answers.append((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))

    assert answers[:2] == [200, 200]
    assert ("ThrottlingException", 400) in answers
    assert elsewhere.lookup_events()["ResponseMetadata"]["HTTPStatusCode"] == 200
    lab.limits.lookup_rate = None
    assert trail.lookup_events()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_gate_admits_an_even_pace_for_ever_and_a_burst_only_once():
    from trailwatch.lab.limits import LookupGate

    clock = FixedClock()
    gate = LookupGate(Limits(lookup_rate=2), clock)
    burst = [gate.admits("a", "r") for _ in range(4)]
    clock.advance(10)
    even = []
    for _ in range(50):
        clock.advance(0.55)
        even.append(gate.admits("a", "r"))

    assert burst == [True, True, False, False]
    assert all(even)


def test_events_older_than_ninety_days_are_gone(client, lab):
    lab.recorder.add(record(1, NOW - timedelta(days=89)))
    lab.recorder.add(record(2, NOW - timedelta(days=91)))

    answer = client("cloudtrail").lookup_events(StartTime=NOW - timedelta(days=400), EndTime=NOW)
    assert ids(answer) == ["event-1"]


def test_an_event_shows_up_only_after_the_visibility_delay(client, lab):
    lab.limits.visibility_delay = 3600
    client("iam").create_user(UserName="alice")
    hidden = client("cloudtrail").lookup_events(**by("EventName", "CreateUser"))
    lab.recorder.add(record(1, NOW), visible_at=time.time() + 3600)
    lab.recorder.add(record(2, NOW), visible_at=time.time() - 1)

    assert ids(hidden) == []
    assert ids(client("cloudtrail").lookup_events(**by("EventName", "CreateUser"))) == ["event-2"]


def test_the_username_of_a_role_session_is_the_session_name_and_of_root_is_root(client, lab, role_key):
    client("ec2", role_key("ops", "bob")).create_key_pair(KeyName="k")
    client("ec2", lab.root_key()).create_key_pair(KeyName="l")

    found = client("cloudtrail").lookup_events(**by("EventName", "CreateKeyPair"))["Events"]
    assert sorted(event["Username"] for event in found) == ["bob", "root"]


def test_looking_up_is_itself_recorded(client, lab):
    client("cloudtrail").lookup_events(**by("EventName", "StopLogging"))

    [seen] = lab.recorder.records()
    assert (seen["eventName"], seen["readOnly"]) == ("LookupEvents", True)
    assert seen["requestParameters"] == {
        "lookupAttributes": [{"attributeKey": "EventName", "attributeValue": "StopLogging"}]
    }


def test_a_hundred_thousand_records_can_be_put_in_and_read_fast(client, lab):
    begun = time.process_time()
    lab.recorder.add_many(record(n, NOW - timedelta(seconds=n % 80_000)) for n in range(100_000))
    added = time.process_time() - begun
    trail = client("cloudtrail")
    begun = time.process_time()
    pages = 0
    for page in trail.get_paginator("lookup_events").paginate(PaginationConfig={"MaxItems": 1000}):
        pages += bool(page["Events"])
    read = (time.process_time() - begun) / pages

    assert added < 6  # about 1.5 s alone on a slow core
    assert read < 0.05  # about 5 ms, half of it boto3's
