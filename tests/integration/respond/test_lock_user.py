import json

import pytest
from botocore.exceptions import ClientError

from trailwatch.model.response import Call, EntryKind, Target, TargetKind
from trailwatch.respond.apply import apply
from trailwatch.respond.levers.pages import items
from trailwatch.respond.policies import DENY_EVERYTHING
from trailwatch.respond.progress import read_progress
from trailwatch.respond.undo import relied_on, undo

from .conftest import ACCOUNT, Refusing, key_of

BOB = Target(TargetKind.USER, ACCOUNT, "bob")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)
SSH = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCq bob"


@pytest.fixture
def bob(account):
    key = account.user("bob", path="/ops/")
    account.admin.create_access_key(UserName="bob")
    account.admin.create_login_profile(UserName="bob", Password="Invented-1234567")
    account.admin.upload_ssh_public_key(UserName="bob", SSHPublicKeyBody=SSH)
    account.admin.create_service_specific_credential(UserName="bob", ServiceName="codecommit.amazonaws.com")
    return key


def refused(client, operation, **parameters):
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**parameters)
    return caught.value.response["Error"]["Code"]


def test_a_locked_user_is_refused_with_its_key_and_with_sessions_that_it_took_before(account, bob):
    token = key_of(account.make("sts", bob).get_session_token()["Credentials"])
    federated = key_of(
        account.make("sts", bob).get_federation_token(
            Name="guest",
            Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        )["Credentials"]
    )
    plan = account.plan(("lock-user", BOB))

    outcome = apply(plan, account.tools(), "tester", "a test")

    assert outcome.failed == ()
    assert refused(account.make("iam", bob), "list_users") == "InvalidClientTokenId"
    assert refused(account.make("iam", token), "list_users") == "AccessDenied"
    assert refused(account.make("iam", federated), "list_users") == "AccessDenied"
    assert account.admin.get_login_profile(UserName="bob")


ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def test_the_deny_holds_whatever_a_boundary_and_groups_allow(account):
    boundary = account.admin.create_policy(PolicyName="all", PolicyDocument=ANYTHING)["Policy"]["Arn"]
    account.admin.create_user(UserName="bob", PermissionsBoundary=boundary)
    account.admin.create_group(GroupName="admins")
    account.admin.put_group_policy(GroupName="admins", PolicyName="all", PolicyDocument=ANYTHING)
    account.admin.add_user_to_group(GroupName="admins", UserName="bob")
    key = key_of(account.admin.create_access_key(UserName="bob")["AccessKey"])
    token = key_of(account.make("sts", key).get_session_token()["Credentials"])
    assert account.make("iam", token).list_users()

    apply(account.plan(("lock-user", BOB)), account.tools(), "tester")

    assert refused(account.make("iam", token), "list_users") == "AccessDenied"


def test_who_is_locked_cannot_take_it_back(account, bob):
    made = account.admin.create_role(RoleName="ops", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    account.admin.put_role_policy(RoleName="ops", PolicyName="all", PolicyDocument=ANYTHING)
    sts = account.make("sts", bob)
    held = {
        "key": bob,
        "token": key_of(sts.get_session_token()["Credentials"]),
        "role": key_of(sts.assume_role(RoleArn=made, RoleSessionName="shift")["Credentials"]),
    }
    plan = account.plan(("lock-user", BOB), ("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, "ops")))
    apply(plan, account.tools(), "tester")

    ways = {
        "delete_user_policy": {"UserName": "bob", "PolicyName": f"trailwatch-lock-{plan.id}"},
        "delete_role_policy": {"RoleName": "ops", "PolicyName": f"trailwatch-revoke-{plan.id}"},
        "update_access_key": {"UserName": "bob", "AccessKeyId": bob.access_key_id, "Status": "Active"},
        "create_access_key": {"UserName": "bob"},
    }
    for name, key in held.items():
        expected = "InvalidClientTokenId" if name == "key" else "AccessDenied"
        codes = {refused(account.make("iam", key), way, **asked) for way, asked in ways.items()}
        assert codes == {expected}, name
    assert refused(account.make("sts", held["token"]), "assume_role", RoleArn=made, RoleSessionName="more") == (
        "AccessDenied"
    )


def test_undo_restores_exactly_what_was_there(account, bob):
    before = account.picture()
    plan = account.plan(("lock-user", BOB))
    apply(plan, account.tools(), "tester", "a test")

    assert account.picture() != before
    undone = undo(plan.id, account.tools(), "tester")

    assert undone.conflicts == ()
    assert undone.failed == ()
    assert account.picture() == before
    assert account.make("iam", bob).list_users()


@pytest.mark.usefixtures("bob")
def test_applying_again_changes_nothing(account):
    plan = account.plan(("lock-user", BOB))
    first = apply(plan, account.tools(), "tester")
    picture, entries = account.picture(), account.store.responses.entries(plan.id)

    again = apply(plan, account.tools(), "tester")

    assert (first.calls, again.calls) == (5, 0)
    assert account.picture() == picture
    assert account.store.responses.entries(plan.id) == entries


@pytest.mark.usefixtures("bob")
def test_a_second_plan_finds_the_first_ones_lock_and_calls_nothing(account):
    apply(account.plan(("lock-user", BOB)), account.tools(), "tester")
    account.clock.sleep(60)

    second = account.plan(("lock-user", BOB))

    assert [step.calls for step in second.steps] == [()] * len(second.steps)


@pytest.mark.usefixtures("bob")
def test_evidence_is_in_the_journal_before_anything_changes(account):
    plan = account.plan(("lock-user", BOB))
    apply(plan, account.tools(), "tester")

    kinds = [entry.kind for entry in account.store.responses.entries(plan.id)]
    evidence = account.store.responses.entries(plan.id)[kinds.index(EntryKind.EVIDENCE)].content["state"]
    assert kinds[:3] == [EntryKind.PLANNED, EntryKind.EVIDENCE, EntryKind.BEGUN]
    assert evidence["User"]["Path"] == "/ops/"
    assert {one["Status"] for one in evidence["AccessKeyMetadata"]} == {"Active"}
    assert plan.steps[1].wanted == DENY_EVERYTHING


LONG = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{'x' * 50}{n}" for n in range(28)]}
    ],
}


@pytest.mark.usefixtures("bob")
def test_where_the_deny_does_not_fit_awss_own_is_attached_and_where_that_does_not_it_is_said(account):
    iam = account.admin
    iam.put_user_policy(UserName="bob", PolicyName="long", PolicyDocument=json.dumps(LONG))

    attached = account.plan(("lock-user", BOB))
    for number in range(9):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(LONG))["Policy"]["Arn"]
        iam.attach_user_policy(UserName="bob", PolicyArn=arn)
    nothing = account.plan(("lock-user", BOB))

    assert attached.steps[1].calls[0].operation == "AttachUserPolicy"
    assert attached.steps[1].thing["policy"] == "arn:aws:iam::aws:policy/AWSDenyAll"
    assert {call.operation for step in nothing.steps for call in step.calls} == {
        "UpdateAccessKey",
        "UpdateSSHPublicKey",
        "UpdateServiceSpecificCredential",
    }
    assert any("its policies leave no room" in one for one in nothing.cannot)


@pytest.mark.usefixtures("bob")
def test_evidence_that_cannot_be_had_keeps_nobody_from_being_locked(account):
    account.cloud = Refusing(account.cloud, "ListMFADevices", "GetAccessKeyLastUsed", "ListGroupsForUser")
    plan = account.plan(("lock-user", BOB))

    outcome = apply(plan, account.tools(), "tester")

    assert outcome.failed == ()
    assert len(plan.problems) == 3
    assert all("AccessDenied" in one for one in plan.problems)


def test_long_lists_are_read_to_their_end(account):
    asked = []

    class Paged:
        identity = account.cloud.identity

        def call(self, call):
            asked.append(call.parameters.get("Marker"))
            pages = {None: ("a", "1"), "1": ("b", "2"), "2": ("c", None)}
            item, marker = pages[call.parameters.get("Marker")]
            more = {"IsTruncated": True, "Marker": marker} if marker else {"IsTruncated": False}
            return {"PolicyNames": [item], **more}

    found = list(items(Call(ACCOUNT, "iam", "ListUserPolicies", {"UserName": "bob"}), "PolicyNames", Paged()))

    assert (found, asked) == (["a", "b", "c"], [None, "1", "2"])


@pytest.mark.usefixtures("bob")
def test_plans_that_overlap_are_undone_one_after_the_other_to_what_was_there_first(account):
    before = account.picture()
    key = account.admin.list_access_keys(UserName="bob")["AccessKeyMetadata"][0]["AccessKeyId"]
    first = account.plan(("deactivate-key", Target(TargetKind.KEY, ACCOUNT, key, of=(("user", "bob"),))))
    apply(first, account.tools(), "tester")
    second = account.plan(("lock-user", BOB))
    apply(second, account.tools(), "tester")

    assert relied_on(read_progress(account.store.responses, first.id), account.store.responses)
    for plan in (second, first):
        assert undo(plan.id, account.tools(), "tester").conflicts == ()

    assert account.picture() == before
