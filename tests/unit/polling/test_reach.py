import pytest

from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or
from trailwatch.rules.rule import (
    AndTerm,
    Correlation,
    CorrelationLimit,
    Example,
    NotTerm,
    OrTerm,
    Rule,
    RuleSet,
    RuleTerm,
    Travel,
)
from trailwatch.service.reach import Sources, unreachable

EVERYWHERE = Sources(names=frozenset({"GetSecretValue"}), regions=frozenset({"us-east-1", "eu-west-1"}))


def info(name, severity="high", *, alerting=True):
    return RuleInfo(name, name, name, Severity(severity), "there:1", alerting=alerting)


def named(*names):
    return Field("eventName", Op.EQ, names)


def rule(condition, name="one", examples=(), **more):
    return Rule(
        info(name, **more), condition, examples=tuple(Example("e", matches=True, record=one) for one in examples)
    )


def why(condition, sources=EVERYWHERE, examples=()):
    found = unreachable(RuleSet(rules=(rule(condition, examples=examples),)), sources)
    return found[0].why if found else ""


@pytest.mark.parametrize(
    "condition",
    [
        named("CreateUser"),
        named("GetSecretValue"),
        named("GetObject", "CreateUser"),
        Not(named("GetObject")),
        Or((named("GetObject"), named("CreateUser"))),
        Field("eventName", Op.STARTSWITH, ("Get",)),
        Field("eventCategory", Op.EQ, ("Management",)),
        Field("awsRegion", Op.EQ, ("eu-west-1", "ap-south-1")),
        Field("derived.country", Op.NULL),
        Field("derived.ip.is_aws", Op.EQ, (False,)),
        Field("managementEvent", Op.EQ, (True,)),
        And((Field("eventSource", Op.EQ, ("iam.amazonaws.com",)), named("CreateUser"))),
    ],
)
def test_what_may_come_is_not_refused(condition):
    assert why(condition) == ""


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (named("GetObject"), "data events, which event history never has (GetObject)"),
        (named("GetObject", "ListBuckets"), "; or needs the read-only call ListBuckets"),
        (
            named("ListBuckets"),
            "needs the read-only call ListBuckets, which is not looked up; check.all_events polls it",
        ),
        (named("ListBuckets", "DescribeVpcs"), "read-only calls (DescribeVpcs, ListBuckets) that are not looked up"),
        (And((named("CreateUser"), Field("eventCategory", Op.EQ, ("Data",)))), "data events"),
        (Field("eventCategory", Op.EQ, ("Insight",)), "Insights"),
        (Field("eventCategory", Op.EQ, ("NetworkActivity",)), "network activity"),
        (Field("managementEvent", Op.EQ, (False,)), "data events"),
        (Field("awsRegion", Op.EQ, ("ap-south-1",)), "regions that are not read: ap-south-1"),
        (Field("derived.country", Op.EQ, ("KP",)), "addresses.mmdb that tells country"),
        (Field("derived.ip.is_aws", Op.EQ, (True,)), "addresses.aws_ranges"),
        (Field("derived.ip.list", Op.EQ, ("office",)), "[[addresses.list]] called office"),
        (Field("derived.ip.kind", Op.EQ, ("tor", "threat")), "of the kind threat, tor"),
        (Const(value=False), "never holds"),
    ],
)
def test_what_cannot_come_is_refused_with_the_reason(condition, said):
    assert said in why(condition)


def test_polling_everything_brings_read_only_calls():
    assert why(named("ListBuckets"), Sources(all_events=True)) == ""


def test_tables_that_tell_it_make_it_possible():
    sources = Sources(facts=frozenset({"derived.country"}), lists=frozenset({"office"}), kinds=frozenset({"tor"}))
    assert why(Field("derived.country", Op.EQ, ("KP",)), sources) == ""
    assert why(Field("derived.ip.list", Op.EQ, ("office",)), sources) == ""
    assert why(Field("derived.ip.kind", Op.EQ, ("threat", "tor")), sources) == ""


def test_a_global_service_needs_its_region():
    condition = And((Field("eventSource", Op.EQ, ("iam.amazonaws.com",)), named("CreateUser")))
    assert "needs a region that is not read: us-east-1" in why(condition, Sources(regions=frozenset({"eu-west-1"})))


def test_examples_tell_what_a_condition_leaves_open():
    condition = Field("requestParameters.bucketName", Op.EXISTS)
    data = {"eventName": "PutObject", "eventCategory": "Data"}
    read = {"eventName": "GetBucketAcl", "readOnly": True}
    assert "data events" in why(condition, examples=[data])
    assert "GetBucketAcl" in why(condition, examples=[read])
    assert why(condition, examples=[data, {"eventName": "PutBucketPolicy", "readOnly": False}]) == ""
    assert why(condition, examples=[{"eventName": "GetSecretValue", "readOnly": True}]) == ""


def test_travel_needs_locations():
    travelling = Rule(info("far"), named("ConsoleLogin"), travel=Travel(by=("userIdentity.arn",)))
    [found] = unreachable(RuleSet(first_seen=(travelling,)), EVERYWHERE)
    assert "tells locations" in found.why


DEAD = rule(named("GetObject"), "dead", alerting=False)
ALIVE = rule(named("CreateUser"), "alive", alerting=False)


def correlated(kind, rules=("dead", "alive"), expression=None):
    limit = CorrelationLimit("gte", 2) if kind == "event_count" else None
    one = Correlation(info("together"), kind, rules, 3600, limit=limit, expression=expression)
    found = unreachable(RuleSet(rules=(DEAD, ALIVE), correlations=(one,)), EVERYWHERE)
    return found[0].why if found else ""


def test_a_count_lives_while_one_of_its_rules_does():
    assert correlated("event_count") == ""
    assert correlated("event_count", ("dead",)).startswith("reads dead, which needs data events")


def test_a_sequence_needs_all_of_its_rules():
    assert correlated("temporal_ordered").startswith("reads dead, which")


@pytest.mark.parametrize(
    ("expression", "possible"),
    [
        (AndTerm((RuleTerm("alive"), NotTerm(RuleTerm("dead")))), True),
        (AndTerm((RuleTerm("alive"), RuleTerm("dead"))), False),
        (OrTerm((RuleTerm("alive"), RuleTerm("dead"))), True),
    ],
)
def test_an_expression_is_asked(expression, possible):
    assert (correlated("temporal", expression=expression) == "") is possible


def test_the_most_severe_come_first_and_rules_that_only_feed_do_not():
    rules = (rule(named("GetObject"), "b", severity="low"), rule(named("GetObject"), "a", severity="critical"), DEAD)
    assert [one.slug for one in unreachable(RuleSet(rules=rules), EVERYWHERE)] == ["a", "b"]
