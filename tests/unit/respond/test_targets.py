"""Whom an event makes an action act on; and what an attacker can write into an event without anybody being hit."""

import pytest

from trailwatch.model.response import Target, TargetKind
from trailwatch.respond.actions.catalog import ACTIONS, BY_HAND
from trailwatch.testing import ACCOUNT, USER, event

DORA = Target(TargetKind.USER, ACCOUNT, USER)
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/team/ops"
ISSUER = {"type": "Role", "arn": ROLE_ARN, "userName": "ops", "accountId": ACCOUNT}


def by_role(name, session="dora", **more):
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/{session}",
        "accountId": ACCOUNT,
        "principalId": f"AROA:{session}",
        "accessKeyId": "ASIA0000000000000001",
        "sessionContext": {"sessionIssuer": ISSUER},
    }
    return event(name, userIdentity=identity, **more)


def targets(action, record):
    return list(ACTIONS[action].targets(record))


def test_an_iam_user_who_calls_is_locked_and_its_key_deactivated():
    record = event("RunInstances")
    key = record["userIdentity"]["accessKeyId"]

    assert targets("lock-user", record) == [DORA]
    assert targets("deactivate-key", record) == [Target(TargetKind.KEY, ACCOUNT, key, of=(("user", USER),))]
    assert targets("revoke-sessions", record) == []


def test_behind_a_federated_session_is_the_user_who_made_it():
    issuer = {"type": "IAMUser", "userName": USER, "accountId": ACCOUNT}
    identity = {"type": "FederatedUser", "accountId": ACCOUNT, "sessionContext": {"sessionIssuer": issuer}}

    assert targets("lock-user", event("RunInstances", userIdentity=identity)) == [DORA]


def test_a_session_name_that_is_a_users_name_hits_no_user():
    record = by_role("RunInstances", session=USER)

    assert targets("lock-user", record) == []
    assert targets("deactivate-key", record) == []
    assert targets("revoke-sessions", record) == [Target(TargetKind.ROLE, ACCOUNT, "ops", of=(("path", "/team/"),))]


@pytest.mark.parametrize(
    "record",
    [
        event("ConsoleLogin", errorMessage="Failed authentication", responseElements={"ConsoleLogin": "Failure"}),
        event("ConsoleLogin", userIdentity={"type": "IAMUser", "userName": "dora"}, errorCode="Failed"),
        event("RunInstances", userIdentity={"type": "AWSAccount", "accountId": ACCOUNT, "userName": USER}),
        event("RunInstances", userIdentity={"type": "SAMLUser", "userName": USER, "accountId": ACCOUNT}),
        event("RunInstances", userIdentity={"type": "Root", "accountId": ACCOUNT, "userName": USER}),
        event("RunInstances", userIdentity={}),
        event("RunInstances", userIdentity=None),
    ],
    ids=["wrong password", "wrong password, forged", "another account", "SAML", "root", "nobody", "nothing"],
)
def test_nobody_is_hit_by_what_anybody_can_write_into_a_record(record):
    assert [name for name in ACTIONS if targets(name, record)] == []


def test_a_role_that_was_taken_is_revoked_together_with_the_one_that_took_it():
    asked = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": "x1"}

    found = targets("revoke-sessions", by_role("AssumeRole", requestParameters=asked))

    assert [one.name for one in found] == ["ops", "deploy"]


def test_a_role_that_was_not_let_in_is_left_alone():
    asked = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": "x1"}

    found = targets("revoke-sessions", event("AssumeRole", requestParameters=asked, errorCode="AccessDenied"))

    assert found == []


@pytest.mark.parametrize("name", ["CreateUser", "CreateLoginProfile", "UpdateLoginProfile"])
def test_a_user_who_was_made_or_given_a_password_is_disabled(name):
    record = event(name, requestParameters={"userName": "sync"})

    assert targets("disable-user", record) == [Target(TargetKind.USER, ACCOUNT, "sync")]
    assert targets("disable-user", {**record, "errorCode": "AccessDenied"}) == []


def test_a_user_who_changes_its_own_password_made_nobody():
    assert targets("disable-user", event("UpdateLoginProfile", requestParameters={"userName": USER})) == []


def test_a_key_that_was_made_is_disabled_for_whomever_it_was_made():
    made = {"accessKey": {"accessKeyId": "AKIA0000000000000009", "userName": "sync", "status": "Active"}}

    (found,) = targets("disable-key", event("CreateAccessKey", responseElements=made))

    assert found == Target(TargetKind.KEY, ACCOUNT, "AKIA0000000000000009", of=(("user", "sync"),))


@pytest.mark.parametrize(
    ("name", "member", "identity", "lever"),
    [
        ("UploadSSHPublicKey", "sSHPublicKey", "sSHPublicKeyId", "ssh-key"),
        ("UploadSigningCertificate", "certificate", "certificateId", "signing-certificate"),
        (
            "CreateServiceSpecificCredential",
            "serviceSpecificCredential",
            "serviceSpecificCredentialId",
            "service-credential",
        ),
    ],
)
def test_whatever_else_signs_for_a_user_is_switched_off(name, member, identity, lever):
    made = {member: {identity: "APKA1", "userName": "sync"}}

    (found,) = targets("disable-credential", event(name, responseElements=made))

    assert (found.name, found.detail("user"), found.detail("credential")) == ("APKA1", "sync", lever)
    assert targets("disable-credential", event(name, responseElements=made, errorCode="LimitExceeded")) == []


@pytest.mark.parametrize(
    ("trail", "region"),
    [("main", "us-east-1"), (f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/main", "eu-west-1")],
)
def test_a_trail_is_restored_in_its_home_region(trail, region):
    (found,) = targets("restore-logging", event("StopLogging", requestParameters={"name": trail}))

    assert (found.name, found.region, found.of) == ("main", region, (("what", "logging"),))


def test_lambda_puts_a_version_behind_its_names():
    asked = {"functionName": "orders", "statementId": "sync", "principal": "*"}

    (found,) = targets("disable-function", event("AddPermission20150331v2", requestParameters=asked))

    assert (found.name, found.detail("statement")) == ("orders", "sync")


def test_a_function_url_that_asks_for_a_signature_is_no_back_door():
    asked = {"functionName": "orders", "authType": "AWS_IAM"}

    assert targets("disable-function", event("CreateFunctionUrlConfig", requestParameters=asked)) == []


@pytest.mark.parametrize("name", BY_HAND)
def test_no_event_is_reason_enough_for_what_cannot_be_taken_back(name):
    assert targets(name, event("EnableMFADevice", requestParameters={"userName": "dora", "serialNumber": "x"})) == []
