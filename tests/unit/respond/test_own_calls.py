"""Which events are those of a response's own calls; what differs in anything is somebody else's."""

import json

import pytest

from trailwatch.model.response import Made
from trailwatch.respond.own_calls import requests_at
from trailwatch.testing import ACCOUNT, event

REQUEST = "5f1d0c2a-6b1e-4f5d-9d0e-0c7f3a2b1d4e"
RESPONDER = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/responder/trailwatch"}
MADE = Made(REQUEST, ACCOUNT, "iam", "PutUserPolicy", f"arn:aws:iam::{ACCOUNT}:role/responder")


def record(name="PutUserPolicy", **more):
    more = {"userIdentity": RESPONDER, **more}
    return json.dumps({**event(name, recipientAccountId=ACCOUNT), "requestID": REQUEST, **more}).encode()


def own(*records, made=MADE):
    return requests_at(dict(enumerate(records)), {made.request: made})


def test_the_event_of_a_call_is_known():
    assert own(record()) == {0: REQUEST}


def test_a_user_is_known_by_the_whole_arn_and_lambda_by_the_name_without_its_version():
    arn = f"arn:aws:iam::{ACCOUNT}:user/tools/responder"
    made = Made(REQUEST, ACCOUNT, "lambda", "RemovePermission", arn)
    raw = record(
        "RemovePermission20150331v2",
        eventSource="lambda.amazonaws.com",
        userIdentity={"type": "IAMUser", "arn": arn},
    )
    assert own(raw, made=made) == {0: REQUEST}


@pytest.mark.parametrize(
    "differs",
    [
        {"requestID": "another"},
        {"requestID": None},
        {"recipientAccountId": "999900001111"},
        {"eventSource": "sts.amazonaws.com"},
        {"userIdentity": {**RESPONDER, "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/responder"}},
        {"userIdentity": {**RESPONDER, "arn": f"arn:aws:iam::{ACCOUNT}:user/responder"}},
        {"userIdentity": {**RESPONDER, "arn": "arn:aws:sts::999900001111:assumed-role/responder/trailwatch"}},
        {"userIdentity": "responder"},
    ],
    ids=str,
)
def test_what_differs_in_anything_is_somebody_elses(differs):
    assert own(record(**differs)) == {}


def test_another_call_is_somebody_elses():
    assert own(record("DeleteUserPolicy")) == {}
    assert own(record("PutUserPolicyX20150331v2")) == {}


def test_of_two_events_for_one_call_one_is_its_own():
    assert own(record(eventID="a"), record(eventID="b")) == {0: REQUEST}


def test_a_record_that_came_twice_is_one_event():
    assert own(record(eventID="a"), record(eventID="a")) == {0: REQUEST, 1: REQUEST}
