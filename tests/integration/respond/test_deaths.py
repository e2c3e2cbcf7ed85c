"""A process that dies at any call leaves something that can be gone on with, and something that can be undone."""

import json
from itertools import count

import pytest

from trailwatch.errors import StoreError, UsageError
from trailwatch.model.response import EntryKind, Target, TargetKind
from trailwatch.respond.apply import apply
from trailwatch.respond.progress import read_progress
from trailwatch.respond.undo import undo

from .conftest import ACCOUNT, Dying, Refusing

BOB = Target(TargetKind.USER, ACCOUNT, "bob")
OPS = Target(TargetKind.ROLE, ACCOUNT, "ops")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
SOMETHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
CHANGES = 4
"""Deny to bob, his two keys, deny to the sessions of ops."""


@pytest.fixture
def before(account):
    account.user("bob")
    account.admin.create_access_key(UserName="bob")
    account.admin.create_role(RoleName="ops", AssumeRolePolicyDocument=TRUST)
    return account.picture()


def plan_of(account):
    return account.plan(("lock-user", BOB), ("revoke-sessions", OPS))


def die(account, plan, at, *, arrives):
    """Applies a plan with a process that dies at its n-th change; whether it got so far."""
    try:
        apply(plan, account.tools(cloud=Dying(account.cloud, at, arrives=arrives)), "tester")
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("arrives", [False, True], ids=["before the call went out", "before the answer came"])
@pytest.mark.usefixtures("before")
def test_after_a_death_at_any_call_it_goes_on_to_the_same_end(account, arrives):
    reference = plan_of(account)
    apply(reference, account.tools(), "tester")
    end = _without_times(account.picture(), reference.id)
    undo(reference.id, account.tools(), "tester")

    for at in count(1):
        account.clock.sleep(1)
        plan = plan_of(account)
        died = die(account, plan, at, arrives=arrives)
        assert read_progress(account.store.responses, plan.id).standing == ("cut off" if died else "applied")
        apply(plan, account.tools(), "tester")
        assert _without_times(account.picture(), plan.id) == end
        undo(plan.id, account.tools(), "tester")
        if not died:
            break

    assert at == CHANGES + 1


@pytest.mark.parametrize("arrives", [False, True], ids=["before the call went out", "before the answer came"])
def test_after_a_death_at_any_call_it_can_be_undone(account, before, arrives):
    for at in range(1, CHANGES + 1):
        account.clock.sleep(1)
        plan = plan_of(account)
        assert die(account, plan, at, arrives=arrives)
        assert account.picture() != before or (at == 1 and not arrives)

        undone = undo(plan.id, account.tools(), "tester")

        assert (undone.conflicts, undone.failed) == ((), ())
        assert account.picture() == before


@pytest.mark.parametrize("arrives", [False, True], ids=["before the call went out", "before the answer came"])
def test_undoing_goes_on_after_a_death_at_any_call(account, before, arrives):
    for at in range(1, CHANGES + 1):
        account.clock.sleep(1)
        plan = plan_of(account)
        apply(plan, account.tools(), "tester")
        with pytest.raises(KeyboardInterrupt):
            undo(plan.id, account.tools(cloud=Dying(account.cloud, at, arrives=arrives)), "tester")
        assert read_progress(account.store.responses, plan.id).standing == "undone in part"

        undo(plan.id, account.tools(), "tester")

        assert account.picture() == before
        assert read_progress(account.store.responses, plan.id).standing == "undone"


@pytest.mark.usefixtures("before")
def test_the_state_before_is_in_the_journal_before_each_call(account):
    plan = plan_of(account)
    seen = []

    class Watching:
        identity = account.cloud.identity

        def call(self, call):
            if not call.operation.startswith(("Get", "List")):
                last = account.store.responses.entries(plan.id)[-1]
                seen.append((call.operation, last.kind, call.operation in str(last.content["calls"])))
            return account.cloud.call(call)

    apply(plan, account.tools(cloud=Watching()), "tester")

    assert [name for name, _, _ in seen] == ["PutUserPolicy", "UpdateAccessKey", "UpdateAccessKey", "PutRolePolicy"]
    assert {(kind, named) for _, kind, named in seen} == {(EntryKind.BEGUN, True)}


@pytest.mark.usefixtures("before")
def test_a_step_that_fails_keeps_no_other_from_being_taken_and_is_taken_when_it_can(account):
    plan = plan_of(account)

    first = apply(plan, account.tools(cloud=Refusing(account.cloud, "UpdateAccessKey")), "tester")
    second = apply(plan, account.tools(), "tester")

    assert (len(first.failed), first.calls) == (2, 2)
    assert (second.failed, second.calls) == ((), 2)


def test_undo_refuses_where_somebody_changed_something_since_and_says_what(account, before):
    plan = plan_of(account)
    apply(plan, account.tools(), "tester")
    policy = plan.steps[1].thing["policy"]
    account.admin.put_user_policy(UserName="bob", PolicyName=policy, PolicyDocument=json.dumps(SOMETHING))
    changed = account.picture()

    refused = undo(plan.id, account.tools(), "tester")
    assert [one.does for one in refused.conflicts] == [plan.steps[1].does]
    assert account.picture() == changed
    forced = undo(plan.id, account.tools(), "tester", force=True)

    assert forced.failed == ()
    assert account.picture() == before


def test_undo_leaves_alone_what_stood_as_wanted_before_the_plan(account):
    account.user("bob")
    spare = account.admin.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    account.admin.update_access_key(UserName="bob", AccessKeyId=spare, Status="Inactive")
    plan = account.plan(("lock-user", BOB))
    apply(plan, account.tools(), "tester")
    account.admin.update_access_key(UserName="bob", AccessKeyId=spare, Status="Active")

    undone = undo(plan.id, account.tools(), "tester")

    assert undone.conflicts == ()
    statuses = account.admin.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert {one["Status"] for one in statuses} == {"Active"}


@pytest.mark.usefixtures("before")
def test_what_an_intruder_takes_back_while_it_is_looked_at_is_set_again(account):
    plan = plan_of(account)
    clock = account.clock

    class Fighting:
        """Every pause gives the intruder time to delete the deny once."""

        now, monotonic = clock.now, clock.monotonic
        done = False

        def sleep(self, seconds):
            clock.sleep(seconds)
            if not self.done:
                account.admin.delete_user_policy(UserName="bob", PolicyName=plan.steps[1].thing["policy"])
                self.done = True

    tools = account.tools(recheck_seconds=15.0)
    outcome = apply(plan, _with_clock(tools, Fighting()), "tester")

    assert outcome.again == 1
    assert account.admin.list_user_policies(UserName="bob")["PolicyNames"] == [plan.steps[1].thing["policy"]]


@pytest.mark.usefixtures("before")
def test_the_freeze_stops_it_between_two_steps_and_it_goes_on_when_it_is_lifted(account):
    plan = plan_of(account)
    asked = iter(["", "", "", "frozen by omar"])
    with pytest.raises(UsageError, match="frozen by omar"):
        apply(plan, account.tools(stopped=lambda: next(asked)), "tester")
    assert read_progress(account.store.responses, plan.id).standing == "cut off"

    assert apply(plan, account.tools(), "tester").calls == CHANGES - 1


@pytest.mark.usefixtures("before")
def test_a_plan_that_was_undone_is_not_applied_again(account):
    plan = plan_of(account)
    apply(plan, account.tools(), "tester")
    undo(plan.id, account.tools(), "tester")

    with pytest.raises(UsageError, match="it was undone"):
        apply(plan, account.tools(), "tester")


@pytest.mark.usefixtures("before")
def test_of_two_processes_at_one_plan_the_second_stops(account):
    plan = plan_of(account)

    class Racing:
        """Another process takes the plan between this one's look at the journal and its first entry."""

        def __init__(self, journal):
            self._journal, self._raced = journal, False

        def entries(self, plan_id):
            return self._journal.entries(plan_id)

        def append(self, entry):
            if not self._raced:
                self._raced = True
                apply(plan, account.tools(), "another")
            self._journal.append(entry)

    with pytest.raises(StoreError, match="another process works on it"):
        apply(plan, account.tools(journal=Racing(account.store.responses)), "tester")


def _with_clock(tools, clock):
    import msgspec

    return msgspec.structs.replace(tools, clock=clock)


def _without_times(picture, plan_id):
    """The picture without what differs from plan to plan: its id, and the moment at which sessions were cut."""
    text = json.dumps(picture).replace(plan_id, "PLAN")
    for role in picture["RoleDetailList"]:
        for policy in role["RolePolicyList"]:
            moment = policy["PolicyDocument"]["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
            text = text.replace(moment, "MOMENT")
    return json.loads(text)
