"""Levers: which calls lead from one state to another, whatever these are."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.errors import ActionError
from trailwatch.model.response import APPLY_TIME, Step
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.lever import at_time
from trailwatch.respond.levers.function import as_parameters
from trailwatch.respond.levers.inline_policy import InlinePolicy
from trailwatch.respond.levers.status import ACCESS_KEY
from trailwatch.respond.levers.trail import TrailSettings, selectors
from trailwatch.respond.policies import (
    DENY_EVERYTHING,
    ROLE_ROOM,
    USER_ROOM,
    deny_older_sessions,
    room,
    untouchable,
)

LEVERS = {lever.name: lever for action in ACTIONS.values() for lever in action.levers}
STEP = Step(
    "a",
    "l",
    "1",
    {"user": "u", "role": "r", "group": "g", "policy": "p", "id": "i", "trail": "t", "function": "f"},
    "",
)
documents = st.one_of(st.none(), st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1, max_size=3))
trails = st.fixed_dictionaries(
    {"S3BucketName": st.sampled_from(["one", "two"]), "IsMultiRegionTrail": st.booleans()},
    optional={"S3KeyPrefix": st.sampled_from(["a", "b"]), "KmsKeyId": st.just("k"), "SnsTopicName": st.just("topic")},
)


@pytest.mark.parametrize("name", sorted(LEVERS))
def test_nothing_is_called_where_it_stands_as_wanted(name):
    lever = LEVERS[name]
    state = {"S3BucketName": "b"} if name == "trail-settings" else None

    assert list(lever.calls(STEP, state, state)) == []


@settings(deadline=None)
@given(found=documents, wanted=documents)
def test_a_policy_is_put_or_deleted_in_one_call(found, wanted):
    calls = list(InlinePolicy("user").calls(STEP, found, wanted))

    if found == wanted:
        assert calls == []
    elif wanted is None:
        assert [call.operation for call in calls] == ["DeleteUserPolicy"]
    else:
        assert [call.operation for call in calls] == ["PutUserPolicy"]
        assert json.loads(calls[0].parameters["PolicyDocument"]) == wanted


@settings(deadline=None)
@given(found=trails, wanted=trails)
def test_settings_of_a_trail_are_brought_from_any_to_any_in_one_call(found, wanted):
    calls = list(TrailSettings().calls(STEP, found, wanted))

    assert len(calls) == (found != wanted)
    for call in calls:
        changed = {key: value for key, value in call.parameters.items() if key != "Name"}
        after = {**found, **changed}
        assert {key: value for key, value in after.items() if value != ""} == wanted


def test_a_key_that_is_gone_cannot_be_switched():
    with pytest.raises(ActionError, match="not there any more"):
        ACCESS_KEY.calls(STEP, None, "Active")


@pytest.mark.parametrize(
    "statement",
    [
        {"Sid": "s", "Effect": "Deny", "Action": "lambda:InvokeFunction", "Principal": "*"},
        {"Sid": "s", "Effect": "Allow", "Action": ["a", "b"], "Principal": "*"},
        {"Sid": "s", "Effect": "Allow", "Action": "a", "Principal": {"AWS": ["1", "2"]}},
        {"Sid": "s", "Effect": "Allow", "Action": "a", "Principal": {"CanonicalUser": "x"}},
        {"Sid": "s", "Effect": "Allow", "Action": "a", "Principal": "*", "Condition": {"Bool": {"x": "true"}}},
    ],
)
def test_a_statement_that_could_not_be_made_again_is_not_taken_away(statement):
    with pytest.raises(ActionError, match="again"):
        as_parameters(statement)


def test_selectors_in_a_request_equal_those_that_aws_shows_later():
    assert selectors({"EventSelectors": [{"ReadWriteType": "All"}]}) == selectors(
        {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]}
    )


def test_the_time_of_the_change_is_put_in_wherever_it_stands():
    document = at_time(deny_older_sessions(), "2026-01-31T00:00:00Z")

    assert APPLY_TIME not in json.dumps(document)
    assert document["Statement"][0]["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-01-31T00:00:00Z"}}


@pytest.mark.parametrize("quota", [USER_ROOM, ROLE_ROOM])
def test_room_for_a_policy_is_counted_without_blanks(quota):
    length = len(json.dumps(DENY_EVERYTHING, separators=(",", ":")))
    full = "x" * (quota - length)

    assert room([full, "  \n\t"], DENY_EVERYTHING, quota)
    assert not room([full, "x"], DENY_EVERYTHING, quota)


@pytest.mark.parametrize(
    ("name", "path", "left_alone"),
    [
        ("AWSReservedSSO_Admin_1", "", True),
        ("x", "/aws-reserved/sso.amazonaws.com/eu-west-1/", True),
        ("AWSServiceRoleForSupport", "", True),
        ("x", "/aws-service-role/support.amazonaws.com/", True),
        ("ops", "/service-role/", False),
    ],
)
def test_roles_of_aws_are_known_by_name_or_path(name, path, left_alone):
    assert bool(untouchable(name, path)) == left_alone
