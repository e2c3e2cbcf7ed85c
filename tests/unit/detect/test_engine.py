"""What a delivery gives: matches, rejects, duplicates and counters that reconcile."""

import itertools
import json
import time

import msgspec
import pytest

from trailwatch.decode.containers import split_text, unpack
from trailwatch.detect.classes import VALUES_KEPT
from trailwatch.detect.engine import Engine
from trailwatch.detect.links import STATING, may_issue
from trailwatch.detect.plans import PlanTable
from trailwatch.errors import RuleError
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Reject
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.predicate import And, Field, Not, Op, Or
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.testing import event

DELETE = And((Field("eventName", Op.EQ, ("DeleteTrail",)), Not(Field("errorCode", Op.EXISTS))))


BY_EC2 = Field("userIdentity.invokedBy", Op.EQ, ("ec2.amazonaws.com",))
SERVICES = (None, "", "ec2.amazonaws.com", "EC2.amazonaws.com", "ecs.amazonaws.com")


def rule(condition=DELETE, name="r", **info):
    return Rule(RuleInfo(name, name, "Title " + name, Severity.HIGH, "test:1", **info), condition)


def evaluate(rules, *records, **options):
    raws = [msgspec.Raw(one if isinstance(one, bytes) else json.dumps(one).encode()) for one in records]
    return Engine(RuleSet(rules=tuple(rules))).evaluate(Delivery("here", raws, range(len(raws)), **options))


def test_a_match_carries_what_a_person_needs():
    record = event("DeleteTrail", requestParameters={"name": "main"})
    fields = ("userIdentity.arn", "requestParameters.name")
    (match,) = evaluate([rule(dedup=Dedup(fields, 3600))], record).matches
    assert (match.event_id, match.account, match.region) == (record["eventID"], "111122223333", "us-east-1")
    assert (match.principal, match.actor) == ("arn:aws:iam::111122223333:user/dora", "user dora in 111122223333")
    assert match.alert_id == alert_id("r", ["arn:aws:iam::111122223333:user/dora", "main"], match.time, 3600)
    assert match.reason == "eventName = DeleteTrail; errorCode is absent"
    assert json.loads(match.record) == record
    assert (match.origin, match.position) == ("here", 0)


def test_matches_come_by_position_and_rule_id():
    found = evaluate(
        [rule(name="b"), rule(name="a")], event("DeleteTrail", eventID="1"), event("DeleteTrail", eventID="2")
    )
    assert [(match.position, match.rule.id) for match in found.matches] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]


def test_duplicates_within_a_delivery_are_counted_and_match_once():
    one, other_account = event("DeleteTrail", eventID="1"), event("DeleteTrail", eventID="1", recipientAccountId="9")
    found = evaluate([rule()], one, one, other_account, other_account, one)
    assert (len(found.matches), found.tally.duplicates, found.tally.matched) == (2, 3, 2)
    assert found.tally.reconciles()


def test_records_without_an_event_id_are_duplicates_when_their_bytes_are_equal():
    old = event("DeleteTrail")
    del old["eventID"]
    other = old | {"awsRegion": "eu-west-1"}
    found = evaluate([rule()], old, old, other)
    assert (len(found.matches), found.tally.duplicates) == (2, 1)
    assert all(match.event_id.startswith("sha256:") for match in found.matches)


def test_what_is_no_event_is_a_reject_with_its_place():
    bad = [b"[1]", b'"x"', b'{"eventName":"DeleteTrail"}', b'{"eventName":"","eventTime":"2026-03-02T09:00:00Z"}']
    bad += [
        b'{"eventName":5,"eventTime":"2026-03-02T09:00:00Z"}',
        b'{"eventName":"A","eventTime":"yesterday","eventID":"1"}',
    ]
    bad += [
        b"{" + b'"a":{' * 5000 + b"}" * 5001,
    ]
    found = evaluate([rule()], *bad, event("DeleteTrail"))
    assert (found.tally.rejects, found.tally.matched) == (len(bad), 1)
    assert [reject.position for reject in found.rejects] == list(range(len(bad)))
    assert "eventTime" in found.rejects[2].reason
    assert found.tally.reconciles()


def test_an_insight_is_left_out_by_either_of_its_marks():
    insights = [
        event("RunInstances", eventCategory="Insight"),
        event("RunInstances", eventType="AwsCloudTrailInsight"),
    ]
    old = event("RunInstances", eventCategory="Insight")
    del old["eventID"]
    found = evaluate([rule(Field("eventName", Op.EXISTS))], *insights, old)
    assert (found.tally.left_out["insight"], found.matches) == (3, [])
    assert found.tally.reconciles()


def test_the_deliverys_own_rejects_and_left_outs_are_in_the_tally():
    rejects = (Reject("here", 1, "torn", b"{"),)
    found = evaluate([], event("A"), rejects=rejects, left_out=(("digest", 2), ("not a log file", 4)), mended=3)
    assert found.tally.records == 4
    assert (found.tally.rejects, found.tally.mended, found.rejects) == (1, 3, list(rejects))
    assert found.tally.reconciles()


def test_text_that_is_no_unicode_is_mended_before_rules_see_it():
    raw = json.dumps(event("DeleteTrail", userAgent="x")).encode().replace(b'"x"', b'"\\ud800\xff"')
    (match,) = evaluate([rule(Field("userAgent", Op.RE, ("\ufffd",)))], raw).matches
    assert match.user_agent.startswith("\ufffd")


def test_a_plain_field_of_an_unusual_type_still_matches():
    records = [event("A", eventID="1", userAgent=["x", "y"]), event("A", eventID="2", errorCode=403)]
    records += [event("A", eventID="3", userIdentity=None), event("A", eventID="4", readOnly="TRUE")]
    wanted = [Field("userAgent", Op.EQ, ("Y",)), Field("errorCode", Op.EQ, (403,))]
    wanted += [Field("userIdentity", Op.NULL), Field("readOnly", Op.EQ, (True,))]
    found = evaluate([rule(condition, str(at)) for at, condition in enumerate(wanted)], *records)
    assert [(match.position, match.rule.id) for match in found.matches] == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]


def test_names_spelt_with_escapes_are_found_behind_the_raw_guard():
    raw = json.dumps(event("A", requestParameters={"secret": "x"})).encode().replace(b'"secret"', b'"\\u0073ecret"')
    assert evaluate([rule(Field("requestParameters.secret", Op.EQ, ("x",)))], raw).matches


def test_a_reason_is_bounded_whatever_the_record_holds():
    condition = And(tuple(Field(f"requestParameters.f{n}", Op.EXISTS) for n in range(50)))
    record = event("A", requestParameters={f"f{n}": ["x" * 1000] * 50 for n in range(50)})
    (match,) = evaluate([rule(condition)], record).matches
    assert len(match.reason) <= 600


def test_a_pattern_that_would_explode_elsewhere_returns_at_once():
    started = time.process_time()
    agent = "a" * 100_000 + "!"
    assert not evaluate([rule(Field("userAgent", Op.RE, ("(a+)+$",)))], event("A", userAgent=agent)).matches
    assert time.process_time() - started < 1


def test_a_flood_of_new_values_makes_no_new_plans_and_no_endless_tables():
    rules = [
        rule(),
        rule(Or((Field("userAgent", Op.CONTAINS, ("curl",)), Field("errorCode", Op.EQ, ("Denied",)))), "u"),
    ]
    table = PlanTable(rules)
    for number in range(VALUES_KEPT + 500):
        name = f"Name{number}"
        made = event("A", eventID=name, eventName=name, userAgent=f"agent {number}", errorCode=f"E{number}")
        table.plan(table.decode(json.dumps(made).encode()))
    assert table.size() < 10
    assert table.values() <= VALUES_KEPT * 12


def test_rules_of_which_none_asks_for_a_name_match_also_where_no_links_are_wanted():
    engine = Engine(RuleSet(rules=(rule(Field("awsRegion", Op.EXISTS)),)), links=False)
    record = msgspec.Raw(json.dumps(event("ListUsers")).encode())

    assert len(engine.evaluate(Delivery("here", [record], [0])).matches) == 1


def test_the_tables_start_again_when_they_are_full():
    rules = [rule(Field("eventName", Op.EQ, (f"N{n}",)), f"r{n}") for n in range(40)]
    table = PlanTable(rules, plans_kept=5)
    for number in range(200):
        plan = table.plan(table.decode(json.dumps(event(f"N{number % 40}")).encode()))
        assert [compiled.rule.info.id for compiled in plan.certain] == [f"r{number % 40}"]
        assert table.size() <= 5


@pytest.mark.parametrize("rules", [[], [rule(Field("userIdentity.type", Op.EQ, ("Root",))), rule(BY_EC2, "b")]])
def test_no_event_that_can_state_links_is_without_a_plan_and_hardly_another_has_one(rules):
    table = PlanTable(rules, issuing=STATING)
    callers = [{"type": kind, "invokedBy": by} for kind in ("AWSService", "IAMUser") for by in SERVICES]
    for name, caller, error in itertools.product(("AssumeRole", "CreateUser", "x"), callers, (None, "", "E")):
        record = event(name, userIdentity=caller, errorCode=error)
        decoded = table.decode(json.dumps(record).encode())
        can = name != "x" and may_issue(decoded)
        issues = table.plan(decoded).issues
        assert issues >= can
        assert issues == can or not rules


def test_a_value_that_does_not_fit_its_operator_is_an_error_of_its_rule():
    for bad in (Field("userAgent", Op.RE, ("(?=x)",)), Field("requestParameters.x", Op.LT, ("many",))):
        with pytest.raises(RuleError, match="test:1: "):
            evaluate([rule(), rule(bad, "bad")], event("A"))


def record_of(number, **fields):
    return {
        "eventName": "DeleteTrail",
        "eventTime": "2026-03-02T09:14:07Z",
        "eventID": f"e-{number}",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/dora", "userName": "dora"},
        "requestParameters": {"name": "main"},
        **fields,
    }


BODIES = {
    "clean": [record_of(number) for number in range(5)],
    "duplicates": [record_of(1), record_of(1), record_of(1, recipientAccountId="444455556666")],
    "one event in two accounts": [record_of(1), record_of(1, recipientAccountId="444455556666"), record_of(2)],
    "an insight": [record_of(1), record_of(2, eventCategory="Insight")],
    "an unusual type": [record_of(1), record_of(2, eventType=["AwsApiCall"])],
    "no session": [record_of(1), record_of(2, userIdentity=None)],
    "no event": [record_of(1), {"eventName": "DeleteTrail"}, 7],
    "credentials issued": [
        record_of(
            1, eventName="AssumeRole", responseElements={"credentials": {"accessKeyId": "ASIA0000000000000001"}}
        )
    ],
    "nothing": [],
}


IN_ONE_PASS = {"clean", "one event in two accounts", "an insight", "credentials issued", "nothing"}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_read_in_one_pass_gives_what_its_records_give(name, separators):
    engine = Engine(RuleSet(rules=(rule(),)))
    body = unpack(json.dumps({"Records": BODIES[name]}, separators=separators).encode(), "test")
    parts = split_text(body)
    slowly = engine.evaluate(Delivery("test", parts.records, parts.positions, parts.rejects))

    whole = engine.evaluate_whole(body)

    assert (whole is not None) == (name in IN_ONE_PASS)
    assert whole is None or msgspec.to_builtins(whole) == msgspec.to_builtins(slowly)


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"Records":', b"\xff", b'{"Records":[{"eventName":"\xff"}]}', b""])
def test_what_is_no_clean_trail_file_is_not_read_in_one_pass(text):
    assert Engine(RuleSet(rules=(rule(),))).evaluate_whole(unpack(text, "test")) is None
