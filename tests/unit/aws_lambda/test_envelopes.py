import json

import msgspec
import pytest

from trailwatch.aws_lambda.envelopes import Passed, Record, Tick, parcels_of
from trailwatch.model.provenance import Provenance
from trailwatch.sources.stored_logs import StoredLog
from trailwatch.testing import event


def bus(record, kind="AWS API Call via CloudTrail", source="aws.iam"):
    return {"version": "0", "id": "e1", "detail-type": kind, "source": source, "account": "1", "detail": record}


def queued(*bodies):
    return {
        "Records": [
            {
                "messageId": f"m{n}",
                "eventSource": "aws:sqs",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for n, body in enumerate(bodies)
        ]
    }


def of_bucket(bucket="trail", key="AWSLogs/1/a.json.gz", name="ObjectCreated:Put"):
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }


def only(event):
    (parcel,) = parcels_of(event)
    assert parcel.error == ""
    (piece,) = parcel.pieces
    return piece


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("AWS API Call via CloudTrail", "aws.iam"),
        ("AWS Console Sign In via CloudTrail", "aws.signin"),
        ("AWS Service Event via CloudTrail", "aws.kms"),
        ("GuardDuty Finding", "aws.guardduty"),
    ],
)
def test_an_event_of_the_bus_is_one_record_in_its_envelope(kind, source):
    piece = only(bus(event("CreateUser"), kind, source))

    assert isinstance(piece, Record)
    assert piece.provenance is Provenance.EVENT_BUS
    assert msgspec.json.decode(piece.body)["detail"]["eventName"] == "CreateUser"


def test_an_event_that_only_claims_to_be_of_aws_is_an_error():
    (parcel,) = parcels_of(bus(event("CreateUser"), source="my.application"))

    assert parcel.pieces == []
    assert "'my.application', which is not AWS" in parcel.error


def test_a_message_of_a_queue_may_hold_an_event_and_is_easier_to_forge():
    piece = only(queued(bus(event("CreateUser"))))

    assert isinstance(piece, Record)
    assert piece.provenance is Provenance.QUEUE


@pytest.mark.parametrize(
    "wrapped",
    [
        {"Records": [of_bucket(key="AWSLogs/1/a+b%3D%2Fc.json.gz")]},
        queued({"Records": [of_bucket(key="AWSLogs/1/a+b%3D%2Fc.json.gz")]}),
        queued(
            {
                "Type": "Notification",
                "Message": json.dumps({"Records": [of_bucket(key="AWSLogs/1/a+b%3D/c.json.gz")]}),
            }
        ),
        {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "Sns": {"Message": json.dumps({"Records": [of_bucket(key="AWSLogs/1/a+b%3D/c.json.gz")]})},
                }
            ]
        },
        queued({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1/a b=/c.json.gz"]}),
        bus({"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/1/a b=/c.json.gz"}}, "Object Created", "aws.s3"),
    ],
    ids=["bucket", "queue", "topic in a queue", "topic", "CloudTrail's own", "bus"],
)
def test_every_notification_of_a_log_names_the_same_log(wrapped):
    assert only(wrapped) == StoredLog("trail", "AWSLogs/1/a b=/c.json.gz")


def test_a_schedule_is_a_tick():
    assert only(bus({}, "Scheduled Event", "aws.events")) == Tick()


@pytest.mark.parametrize(
    ("what", "passed"),
    [
        (queued({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"}), "test event"),
        (bus({}, "AWS Insight via CloudTrail", "aws.cloudtrail"), "insight"),
        ({"Records": [of_bucket(name="ObjectRemoved:Delete")]}, "removed object"),
        (bus({}, "EC2 Instance State-change Notification", "aws.ec2"), "EC2 Instance State-change Notification"),
    ],
)
def test_what_needs_no_work_is_named(what, passed):
    assert only(what) == Passed(passed)


def test_each_message_of_a_queue_is_taken_apart_on_its_own():
    good, bad = parcels_of(queued(bus(event("CreateUser")), "no json \x1b[31m"))

    assert (good.message_id, len(good.pieces), good.error) == ("m0", 1, "")
    assert (bad.message_id, bad.pieces) == ("m1", [])
    assert bad.error.startswith("queue message m1: expected JSON, got 'no json \\x1b[31m'")


def nested(depth):
    message = {"Type": "Notification", "Message": "{}"}
    for _ in range(depth):
        message = {"Type": "Notification", "Message": json.dumps(message)}
    return message


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        [],
        "text",
        7,
        {},
        {"Records": []},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": [of_bucket(bucket=None)]},
        {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": "x"}}]},
        {"detail-type": "x", "detail": []},
        nested(8),
    ],
)
def test_nonsense_is_an_error_or_nothing_and_raises_nothing(nonsense):
    for parcel in parcels_of(nonsense):
        assert parcel.error or not parcel.pieces
