"""Own accounts and what trailwatch leans on, as derived fields."""

from __future__ import annotations

import json

import pytest

from trailwatch.config.schema import Account, Config, OrganizationSettings, SelfSettings
from trailwatch.detect.derived import derive
from trailwatch.detect.surroundings import Surroundings
from trailwatch.testing import event
from trailwatch.wiring import addresses_of

BUCKET = Surroundings(things={"bucket": ["arn:aws:s3:::audit-logs"], "role": ["watcher"]})


def shared_with(account: str, source: str = "kms", action: object = "*") -> dict[str, object]:
    document = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": "*"}]}
    return event(
        "PutPolicy", eventSource=f"{source}.amazonaws.com", requestParameters={"policy": json.dumps(document)}
    )


def test_ones_own_accounts_in_a_policy_are_not_external() -> None:
    around = Surroundings(accounts=["444455556666"])
    assert derive("derived.policy.external_accounts", shared_with("444455556666"), around) == []
    assert derive("derived.policy.external_accounts", shared_with("777788889999"), around) == ["777788889999"]


@pytest.mark.parametrize(
    ("source", "action", "external"),
    [
        ("s3", ["s3:PutObject", "s3:GetBucketAcl"], []),
        ("s3", "s3:GetObject", ["127311923021"]),
        ("s3", ["s3:PutObject", "s3:*"], ["127311923021"]),
        ("iam", "s3:PutObject", ["127311923021"]),
    ],
)
def test_accounts_that_aws_logs_from_may_write_logs_into_buckets_and_nothing_else(
    source: str, action: object, external: list[str]
) -> None:
    assert derive("derived.policy.external_accounts", shared_with("127311923021", source, action)) == external


def test_an_inline_policy_of_a_permission_set_is_read() -> None:
    document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    record = event("PutInlinePolicyToPermissionSet", requestParameters={"inlinePolicy": json.dumps(document)})
    assert derive("derived.policy.admin", record) == [True]


@pytest.mark.parametrize("name", ["audit-logs", "AUDIT-LOGS", "arn:aws:s3:::audit-logs"])
def test_a_thing_is_known_by_name_and_arn(name: str) -> None:
    record = event("DeleteBucket", eventSource="s3.amazonaws.com", requestParameters={"bucketName": name})
    assert derive("derived.self", record, BUCKET) == [True]
    assert derive("derived.self", record) == [False]


def test_the_same_name_of_another_kind_of_thing_is_something_else() -> None:
    record = event("DeleteRole", requestParameters={"roleName": "audit-logs"})
    assert derive("derived.self", record, BUCKET) == [False]


@pytest.mark.parametrize(("name", "own"), [("trailwatch", True), ("trailwatch-read", True), ("trailwatcher", False)])
def test_what_is_called_like_trailwatch_is_its_own_without_settings(name: str, own: bool) -> None:
    assert derive("derived.self", event("DeleteRole", requestParameters={"roleName": name})) == [own]


@pytest.mark.parametrize(("topic", "own"), [("alerts", True), ("orders", False)])
def test_a_subscription_is_of_its_topic(topic: str, own: bool) -> None:
    around = addresses_of(Config(self=SelfSettings(topic=("arn:aws:sns:eu-west-1:111122223333:alerts",))))
    arn = f"arn:aws:sns:eu-west-1:111122223333:{topic}:1a2b3c4d-0000-4000-8000-0123456789ab"
    gone = event("Unsubscribe", eventSource="sns.amazonaws.com", requestParameters={"subscriptionArn": arn})
    assert derive("derived.self", gone, around) == [own]


def test_the_configuration_says_what_is_ones_own() -> None:
    config = Config(
        self=SelfSettings(queue=("https://sqs.eu-west-1.amazonaws.com/111122223333/new-logs",)),
        organization=OrganizationSettings(accounts=("444455556666",)),
        account=(Account(name="main", role_arn="arn:aws:iam::111122223333:role/audit/reader"),),
    )
    around = addresses_of(config)
    gone = event(
        "DeleteQueue",
        eventSource="sqs.amazonaws.com",
        requestParameters={"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/new-logs"},
    )
    assert derive("derived.self", gone, around) == [True]
    assert derive("derived.self", event("DeleteRole", requestParameters={"roleName": "reader"}), around) == [True]
    assert derive("derived.policy.external_accounts", shared_with("444455556666"), around) == []


def in_organization(organization: str, account: str = "*", key: str = "aws:PrincipalOrgID") -> dict[str, object]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": account},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {key: organization}},
    }
    document = json.dumps({"Statement": [statement]})
    return event("PutKeyPolicy", eventSource="kms.amazonaws.com", requestParameters={"policy": document})


@pytest.mark.parametrize("account", ["*", "777788889999"])
def test_a_policy_for_members_of_ones_own_organisation_lets_in_nobody_from_outside(account: str) -> None:
    around = Surroundings(organizations=["o-ours123456"])
    record = in_organization("o-ours123456", account)
    assert derive("derived.policy.public", record, around) == [False]
    assert derive("derived.policy.external_accounts", record, around) == []


def test_a_policy_for_members_of_another_organisation_names_it() -> None:
    around = Surroundings(organizations=["o-ours123456"])
    record = in_organization("o-them123456/r-ab12/*", key="aws:PrincipalOrgPaths")
    assert derive("derived.policy.external_accounts", record, around) == ["o-them123456"]


def test_without_known_organisations_the_accounts_alone_tell() -> None:
    record = in_organization("o-ours123456", "777788889999")
    assert derive("derived.policy.external_accounts", record) == ["777788889999"]


CALLERS = Surroundings(
    callers=[
        "arn:aws:iam::111122223333:user/tools/watcher",
        "arn:aws:sts::111122223333:assumed-role/Reader/trailwatch-session",
        "arn:aws:iam::111122223333:root",
    ]
)


@pytest.mark.parametrize(
    ("request_parameters", "own"),
    [
        ({"userName": "watcher"}, True),
        ({"roleName": "reader"}, True),
        ({"userName": "reader"}, False),
        ({"roleName": "trailwatch_session"}, False),
        ({"groupName": "watcher"}, False),
        ({"userName": "root"}, False),
    ],
)
def test_the_user_and_the_role_that_trailwatch_works_as_are_its_own(
    request_parameters: dict[str, str], own: bool
) -> None:
    record = event("DeleteUser", requestParameters=request_parameters)
    assert derive("derived.self", record, CALLERS) == [own]
    assert derive("derived.self", record) == [False]
