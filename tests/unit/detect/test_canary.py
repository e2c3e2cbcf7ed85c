import json
from types import SimpleNamespace

import pytest

from trailwatch.detect.canary import markers_at

MARKER = "trailwatch-canary-" + "5" * 32
CALLED = 1_772_359_200  # 2026-03-01T10:00:00Z
EXPECTED = SimpleNamespace(
    marker=MARKER, account="111122223333", region="eu-west-1", access_key="AKIAEXAMPLE000000001", called=CALLED
)


def record(**changes):
    return {
        "eventTime": "2026-03-01T10:00:02Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "RemoveTags",
        "awsRegion": "eu-west-1",
        "errorCode": "AccessDenied",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "accessKeyId": "AKIAEXAMPLE000000001"},
        "userAgent": f"trailwatch/1 {MARKER}",
        "requestParameters": {"resourceId": f"arn:aws:cloudtrail:eu-west-1:111122223333:trail/{MARKER}"},
        **changes,
    }


def found(*records):
    return markers_at({at: json.dumps(one).encode() for at, one in enumerate(records)}, {MARKER: EXPECTED})


def test_the_event_of_an_awaited_call_is_known():
    assert found(record()) == {0: MARKER}


@pytest.mark.parametrize("lacks", ["requestParameters", "userAgent"])
def test_one_of_its_two_markers_is_enough(lacks):
    assert found(record(**{lacks: None})) == {0: MARKER}


@pytest.mark.parametrize(
    "imitation",
    [
        {"eventName": "DeleteTrail"},
        {"eventName": "StopLogging"},
        {"eventSource": "iam.amazonaws.com"},
        {"errorCode": None},
        {"recipientAccountId": "444455556666"},
        {"awsRegion": "us-east-1"},
        {"userIdentity": {"type": "IAMUser", "accessKeyId": "AKIAEXAMPLE000000666"}},
        {"userIdentity": "AKIAEXAMPLE000000001"},
        {"requestParameters": {"resourceId": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/production"}},
        {"requestParameters": {"resourceId": [MARKER]}},
        {"userAgent": "curl", "requestParameters": {"resourceId": "trailwatch-canary-6"}},
        {"eventTime": "2026-03-01T11:00:02Z"},
        {"eventTime": "2026-03-01T09:00:02Z"},
        {"eventTime": "never"},
    ],
)
def test_an_intruder_who_knows_the_marker_hides_nothing(imitation):
    assert found(record(**imitation)) == {}


def test_a_marker_stands_for_one_event():
    assert found(record(), record()) == {0: MARKER}
