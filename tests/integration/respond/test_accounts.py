"""Several accounts: each has a responder of its own, and roles are followed from one account into another."""

import json

import pytest
from botocore.exceptions import ClientError

from trailwatch.config.schema import Config, Responder, RespondSettings
from trailwatch.detect.links import links_of
from trailwatch.errors import ActionError, ConfigError
from trailwatch.model.event import parse_time
from trailwatch.model.response import Call, Target, TargetKind
from trailwatch.respond.apply import apply
from trailwatch.respond.assembly import Refusal, cloud_of
from trailwatch.respond.cloud import AwsCloud
from trailwatch.respond.request import wish_for_target

from .conftest import ACCOUNT, LabAccess, key_of

OTHER = "222233334444"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def trust(account):
    allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


@pytest.fixture
def both(account):
    """The account's cloud with a way into another account, where the role `deploy` lets the first one in."""
    key = account.lab.open_account(OTHER)
    iam = account.make("iam", key)
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust(ACCOUNT))
    iam.attach_role_policy(RoleName="deploy", PolicyArn=ADMIN)
    account.cloud = AwsCloud(
        {OTHER: LabAccess(account.make, key)}, LabAccess(account.make, account.responder), account.clock
    )
    return account


def test_a_role_that_was_taken_in_another_account_is_revoked_there(both):
    bob = both.user("bob")
    arn = f"arn:aws:iam::{OTHER}:role/deploy"
    held = key_of(both.make("sts", bob).assume_role(RoleArn=arn, RoleSessionName="shift")["Credentials"])
    links = [
        link
        for record in both.lab.recorder.records()
        for link in links_of(record, int(parse_time(record["eventTime"]).timestamp()), record["eventID"])
    ]

    target = Target(TargetKind.USER, ACCOUNT, "bob")
    wish = wish_for_target(target, lambda node: [link for link in links if link.parent == node], both.cloud)
    plan = both.plan(*((order.action, order.target) for order in wish.chosen.orders))
    outcome = apply(plan, both.tools(), "tester")

    assert outcome.failed == ()
    assert {(call.account, call.operation) for step in plan.steps for call in step.calls} == {
        (ACCOUNT, "PutUserPolicy"),
        (ACCOUNT, "UpdateAccessKey"),
        (OTHER, "PutRolePolicy"),
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        both.make("iam", held).list_users()


def test_without_a_way_into_an_account_the_rest_is_done_all_the_same(both):
    both.user("bob")

    plan = both.plan(
        ("lock-user", Target(TargetKind.USER, ACCOUNT, "bob")),
        ("revoke-sessions", Target(TargetKind.ROLE, "999988887777", "deploy")),
    )

    assert apply(plan, both.tools(), "tester").failed == ()
    assert any("999988887777" in one for one in plan.problems)


def test_of_several_responders_somebody_must_say_which_is_meant(both):
    several = AwsCloud({ACCOUNT: None, OTHER: None}, None, both.clock)

    with pytest.raises(ActionError, match="--account"):
        several.own_account()
    assert AwsCloud({OTHER: None}, None, both.clock).own_account() == OTHER
    assert both.cloud.own_account() == OTHER


def test_what_is_busy_is_asked_again_and_what_is_denied_is_not(both):
    class Busy:
        def __init__(self, code, times):
            self.code, self.left, self.asked = code, times, 0

        def client(self, service, region):
            return both.make(service, both.responder, region) if service == "sts" else self

        default_region = "us-east-1"

        def list_access_keys(self, **_):
            self.asked += 1
            if self.asked <= self.left:
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "ListAccessKeys")
            return {"AccessKeyMetadata": []}

    call = Call(ACCOUNT, "iam", "ListAccessKeys", {"UserName": "bob"})
    busy = Busy("EntityTemporarilyUnmodifiable", 3)
    assert AwsCloud({}, busy, both.clock).call(call)["AccessKeyMetadata"] == []
    for access, asked in ((Busy("ConcurrentModification", 9), 4), (Busy("AccessDenied", 9), 1)):
        with pytest.raises(ActionError):
            AwsCloud({}, access, both.clock).call(call)
        assert access.asked == asked


def test_an_account_that_stands_twice_is_refused(both):
    settings = RespondSettings(account=(Responder(id=OTHER), Responder(id=OTHER)))

    with pytest.raises(ConfigError, match="stands twice"):
        cloud_of(Config(respond=settings), both.clock)


def test_whom_trailwatch_reads_as_is_never_touched(both):
    both.user("reader", path="/tools/")
    arn = f"arn:aws:iam::{ACCOUNT}:user/tools/reader"

    refusal = Refusal(Config(), both.cloud, [arn])

    assert "trailwatch itself" in refusal(Target(TargetKind.USER, ACCOUNT, "reader"))
    both.user("bob")
    assert refusal(Target(TargetKind.USER, ACCOUNT, "bob")) == ""


def test_who_has_the_tag_is_never_touched(both):
    both.user("alarm")
    both.admin.tag_user(UserName="alarm", Tags=[{"Key": "trailwatch:protected", "Value": ""}])

    assert "trailwatch:protected" in Refusal(Config(), both.cloud)(Target(TargetKind.USER, ACCOUNT, "alarm"))
