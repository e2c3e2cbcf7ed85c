"""The fast engine says what the slow evaluator says: on recorded events, and on whatever hypothesis thinks up."""

import functools
import gzip
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailwatch.decode.containers import Unpacked
from trailwatch.detect.engine import Engine
from trailwatch.detect.explain import explain
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or
from trailwatch.rules.rule import Rule, RuleSet

from ..oracle import holds  # noqa: TID252 test folders are no packages that could be named from the top

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NAMES = ["ConsoleLogin", "consolelogin", "DeleteTrail", "Delete*", "", "ü", "İ", "true", "5", "5.0", "0x5"]
PATHS = [
    "eventName", "eventSource", "errorCode", "userAgent", "sourceIPAddress", "readOnly", "recipientAccountId",
    "userIdentity.type", "userIdentity.arn", "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.sessionIssuer.userName", "userIdentity", "requestParameters", "requestParameters.a",
    "requestParameters.a.b", "requestParameters.list[0]", "requestParameters['a.b']", "responseElements.a",
    "eventTime", "eventID", "derived.ip.is_aws_service", "derived.principal", "derived.target.is_other_user",
    "missing.field", "derived.country", "derived.ip.is_aws", "derived.ip.list",
]  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([*NAMES, "192.0.2.7", "2001:db8::1", "ec2.amazonaws.com", "2026-03-02T09:14:07Z"]),
    st.text(alphabet="abC*?\\.\"'é\n", max_size=6),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "list"]), inner),
    max_leaves=6,
)
texts = st.one_of(st.none(), st.sampled_from(NAMES), st.text(max_size=5))


@st.composite
def records(draw):
    record = {"eventName": draw(st.sampled_from(NAMES[:4])), "eventTime": "2026-03-02T09:14:07Z", "eventID": "e-1"}
    issuer = {"userName": draw(texts)} if draw(st.booleans()) else draw(values)
    attributes = {"mfaAuthenticated": draw(st.sampled_from(["true", "false", True, False, None]))}
    session = {"sessionIssuer": issuer, "attributes": attributes} if draw(st.booleans()) else draw(values)
    identity = {"type": draw(texts), "arn": draw(scalars), "sessionContext": session, "userName": draw(texts)}
    options = {
        "eventSource": texts, "errorCode": texts, "userAgent": scalars, "readOnly": st.booleans() | values,
        "sourceIPAddress": st.sampled_from(["192.0.2.7", "iam.amazonaws.com", "2001:db8::1", None, "x"]),
        "recipientAccountId": st.sampled_from(["111122223333", None]), "requestParameters": values,
        "responseElements": values, "userIdentity": st.just(identity) | values,
    }  # fmt: skip
    for name, strategy in options.items():
        if draw(st.booleans()):
            record[name] = draw(strategy)
    return record


text_values = st.sampled_from([*NAMES, "a", "b", "*o*", "c?n*", "\\*", "arn", "192.0.2.7"]) | st.text(max_size=3)
numbers = st.integers(-3, 10) | st.sampled_from([5.0, 0.5, 10**20])


@st.composite
def fields(draw):
    op = draw(st.sampled_from(list(Op)))
    path = draw(st.sampled_from(PATHS))
    wanted = {
        **dict.fromkeys((Op.EXISTS, Op.NULL, Op.IS_NULL, Op.ABSENT), st.just([])),
        **dict.fromkeys((Op.LT, Op.LTE, Op.GT, Op.GTE), st.lists(numbers, min_size=1, max_size=2)),
        **dict.fromkeys(
            (Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR),
            st.lists(st.sampled_from([2, 3, 9, 10, 14, 2026])),
        ),
        **dict.fromkeys([op for op in Op if op.value.startswith("fieldref")], st.lists(st.sampled_from(PATHS))),
        Op.CIDR: st.lists(st.sampled_from(["192.0.2.0/24", "2001:db8::/32", "10.0.0.1/8"])),
        Op.RE: st.lists(st.sampled_from(["^Con", "(?i)login$", "[0-9]+", "a|b", "."])),
        Op.EQ: st.lists(text_values | numbers | st.booleans(), max_size=3),
    }.get(op, st.lists(text_values, min_size=1, max_size=3))
    strict = draw(st.booleans()) if not path.startswith("derived.") else False
    return Field(path, op, tuple(draw(wanted)), cased=draw(st.booleans()), strict=strict)


predicates = st.recursive(
    fields() | st.builds(Const, value=st.booleans()),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(lambda items: And(tuple(items)), st.lists(inner, max_size=3))
        | st.builds(lambda items: Or(tuple(items)), st.lists(inner, max_size=3))
    ),
    max_leaves=6,
)


def rule_of(condition, name="r"):
    return Rule(RuleInfo(name, name, name, Severity.LOW, "test:1"), condition)


def found_by_engine(rules, raws):
    engine = Engine(RuleSet(rules=tuple(rules)))
    found = engine.evaluate(Delivery("test", raws, range(len(raws))))
    assert found.tally.reconciles()
    assert not found.rejects
    file = Unpacked("test", b'{"Records":[' + b",".join(map(bytes, raws)) + b"]}")
    for whole in (
        engine.evaluate_whole(file),
        Engine(RuleSet(rules=tuple(rules)), glance=False).evaluate_whole(file),
    ):
        assert whole is None or msgspec.to_builtins(whole) == msgspec.to_builtins(found)
    return {(match.position, match.rule.id) for match in found.matches}


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(predicates, min_size=1, max_size=4), st.lists(records(), min_size=1, max_size=4))
def test_engine_and_explanation_say_what_the_oracle_says(conditions, events):
    raws = [
        msgspec.Raw(json.dumps(event | {"eventID": f"e-{at}"}, separators=(",", ":")).encode())
        for at, event in enumerate(events)
    ]
    rules = [rule_of(condition, f"r{at}") for at, condition in enumerate(conditions)]
    decoded = [json.loads(bytes(raw)) for raw in raws]
    expected = {
        (position, rule.info.id)
        for position, record in enumerate(decoded)
        for rule in rules
        if holds(rule.condition, record)
    }
    assert found_by_engine(rules, raws) == expected
    explained = {
        (position, rule.info.id)
        for position, raw in enumerate(raws)
        for rule in rules
        if explain(rule, bytes(raw)).matches
    }
    assert explained == expected


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded events are not beside the project")
def test_every_rule_on_every_recorded_event_says_what_the_oracle_says():
    ruleset = load_rules()
    rules = [msgspec.structs.replace(rule, script=None) for rule in (*ruleset.rules, *ruleset.first_seen)]
    assert not [problem for problem in ruleset.problems if problem.error]
    files = sorted(path for path in DATA.rglob("*.jsonl.gz") if "envelope" not in path.name)
    assert files
    events = 0

    @functools.cache
    def possible(name):
        return [rule for rule in rules if may_hold(rule.condition, {"eventName": name})]

    for path in files:
        lines = {
            json.loads(line).get("eventID", line): line for line in gzip.decompress(path.read_bytes()).splitlines()
        }
        raws = [msgspec.Raw(line) for line in lines.values()]
        events += len(raws)
        decoded = [json.loads(bytes(raw)) for raw in raws]
        expected = {
            (position, rule.info.id)
            for position, record in enumerate(decoded)
            for rule in possible(record["eventName"])
            if holds(rule.condition, record)
        }
        assert found_by_engine(rules, raws) == expected, path
    assert events > 3000


def may_hold(condition, record):
    """A conjunction that wants another event name is false; saying so here keeps the oracle's minutes to seconds."""
    if not isinstance(condition, And):
        return True
    names = [item for item in condition.items if isinstance(item, Field) and item.path == "eventName"]
    return all(holds(item, record) for item in names)
