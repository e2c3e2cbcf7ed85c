"""What a response calls comes back as events: they alarm nobody, and nobody can hide behind them."""

import json
import uuid

import msgspec
import pytest

from trailwatch.archive import Archive
from trailwatch.detect.engine import Engine
from trailwatch.model.response import EntryKind, Target, TargetKind
from trailwatch.model.severity import Severity
from trailwatch.pipeline import OWN_RESPONSE, Pipeline
from trailwatch.ports import Delivery
from trailwatch.respond.apply import apply
from trailwatch.respond.undo import undo
from trailwatch.rules.catalog import load_rules
from trailwatch.store.store import DAY

from .conftest import ACCOUNT, RESPONDER

DANA = Target(TargetKind.USER, ACCOUNT, "dana")
WRITES = {"PutUserPolicy", "UpdateAccessKey", "StartLogging"}
RULE = """\
title: Something was changed
id: 6f0a7c54-9a52-4b8c-8d4c-0f5f5b3a9d11
name: changed
description: Any of the calls with which a response locks somebody out.
status: experimental
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: [PutUserPolicy, DeleteUserPolicy, UpdateAccessKey, StartLogging, StopLogging]
  condition: selection
level: high
"""


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    folder.joinpath("changed.yml").write_text(RULE)
    return load_rules([folder], shipped=False)


class Reader:
    """Reads the lab's event history through the pipeline, each event once, as the cycles of `check` do."""

    def __init__(self, account, rules, folder):
        self.account, self.archive = account, Archive(folder)
        self.pipeline = Pipeline(
            Engine(rules), account.store, self.archive, account.clock, {"mail": Severity.LOW}, rules
        )
        self.read()

    def read(self, *forged):
        """What was found in what is new."""
        for one in forged:
            self.account.lab.recorder.add(one)
        raw = [msgspec.Raw(json.dumps(one).encode()) for one in self.account.lab.recorder.records(ACCOUNT)]
        return self.pipeline.process(Delivery("history", raw, range(len(raw)), archive=True))


@pytest.fixture
def reader(account, rules, tmp_path):
    account.user("dana")
    account.make("s3").create_bucket(Bucket="trail")
    trails = account.make("cloudtrail")
    trails.create_trail(Name="main", S3BucketName="trail")
    trails.stop_logging(Name="main")
    return Reader(account, rules, tmp_path / "archive")


@pytest.fixture
def plan(reader):
    trail = Target(TargetKind.TRAIL, ACCOUNT, "main", "us-east-1")
    return reader.account.plan(("lock-user", DANA), ("restore-logging", trail))


def of_responder(account, names=WRITES):
    own = [one for one in account.lab.recorder.records(ACCOUNT) if one["userIdentity"].get("userName") == RESPONDER]
    return [one for one in own if one["eventName"] in names]


def again(record, **changes):
    return {**record, "eventID": str(uuid.uuid4()), **changes}


def names(found):
    return [one.event_name for one in found.matches]


def test_a_responses_calls_and_those_of_undoing_it_are_counted_archived_and_alarm_nobody(account, reader, plan):
    apply(plan, account.tools(), "tests")
    found = reader.read()

    made = of_responder(account)
    assert {one["eventName"] for one in made} == WRITES
    assert (names(found), found.tally.left_out[OWN_RESPONSE]) == ([], len(made))
    assert found.tally.reconciles()

    undo(plan.id, account.tools(), "tests")
    found = reader.read()

    back = of_responder(account, WRITES | {"DeleteUserPolicy", "StopLogging"})[len(made) :]
    assert len(back) == len(made)
    assert (names(found), found.tally.left_out[OWN_RESPONSE]) == ([], len(back))
    kept = {json.loads(bytes(raw))["eventID"] for one in reader.archive.read() for raw in one.records}
    assert {one["eventID"] for one in (*made, *back)} <= kept
    assert not account.store.responses.awaited()


def test_a_refused_call_is_known_too(account, reader, plan):
    account.admin.detach_user_policy(UserName=RESPONDER, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/respond")
    account.admin.attach_user_policy(UserName=RESPONDER, PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    reader.read()

    assert apply(plan, account.tools(), "tests").failed

    found = reader.read()
    refused = [one for one in of_responder(account) if "errorCode" in one]
    assert refused
    assert (names(found), found.tally.left_out[OWN_RESPONSE]) == ([], len(refused))


def test_the_journal_has_awss_id_of_each_call_and_who_made_it(account, plan):
    apply(plan, account.tools(), "tests")

    entries = [one for one in account.store.responses.entries(plan.id) if one.kind is EntryKind.CALLED]
    assert len(entries) >= len(WRITES)
    assert {one.content["request"] for one in entries} == {one["requestID"] for one in of_responder(account)}
    assert {one.content["caller"] for one in entries} == {f"arn:aws:iam::{ACCOUNT}:user/{RESPONDER}"}


def test_another_callers_event_with_the_same_request_id_is_judged(account, reader, plan):
    apply(plan, account.tools(), "tests")
    made = of_responder(account)
    eve = {**made[0]["userIdentity"], "userName": "eve", "arn": f"arn:aws:iam::{ACCOUNT}:user/eve"}

    found = reader.read(again(made[0], userIdentity=eve))

    assert [(one.event_name, one.principal) for one in found.matches] == [(made[0]["eventName"], eve["arn"])]
    assert found.tally.left_out[OWN_RESPONSE] == len(made)


def test_a_second_event_with_the_same_request_id_is_judged(account, reader, plan):
    apply(plan, account.tools(), "tests")
    made = of_responder(account)

    together = reader.read(again(made[0]))
    later = reader.read(again(made[0]))

    assert (names(together), names(later)) == ([made[0]["eventName"]], [made[0]["eventName"]])
    assert together.tally.left_out[OWN_RESPONSE] == len(made)


def test_what_else_the_responder_does_is_judged(account, reader, plan):
    apply(plan, account.tools(), "tests")
    account.make("iam", account.responder).delete_user_policy(
        UserName="dana", PolicyName=of_responder(account, {"PutUserPolicy"})[0]["requestParameters"]["policyName"]
    )

    assert names(reader.read()) == ["DeleteUserPolicy"]


def test_what_is_not_committed_is_still_awaited(account, reader, plan, rules):
    class Full:
        def append(self, *_):
            raise OSError(28, "No space left on device")

    apply(plan, account.tools(), "tests")
    awaited = account.store.responses.awaited()
    broken = Pipeline(Engine(rules), account.store, Full(), account.clock, {}, rules)
    raw = [msgspec.Raw(json.dumps(one).encode()) for one in account.lab.recorder.records(ACCOUNT)]
    with pytest.raises(OSError, match="No space"):
        broken.process(Delivery("history", raw, range(len(raw)), archive=True))

    assert account.store.responses.awaited() == awaited
    assert names(reader.read()) == []


def test_what_has_not_come_back_in_months_is_awaited_no_longer_and_the_journal_stays(account, plan):
    apply(plan, account.tools(), "tests")
    entries = account.store.responses.entries(plan.id)
    now = int(account.clock.now().timestamp())

    account.store.prune(now + 89 * DAY)
    assert len(account.store.responses.awaited()) == len(of_responder(account))
    account.store.prune(now + 91 * DAY)
    assert not account.store.responses.awaited()
    assert account.store.responses.entries(plan.id) == entries
