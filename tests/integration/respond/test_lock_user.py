import pytest
from botocore.exceptions import ClientError

from trailwatch.model.response import EntryKind, Target, TargetKind
from trailwatch.respond.apply import apply
from trailwatch.respond.policies import DENY_EVERYTHING
from trailwatch.respond.undo import undo

from .conftest import ACCOUNT, key_of

BOB = Target(TargetKind.USER, ACCOUNT, "bob")
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
