"""Rules that hypothesis thinks up, over events with odd values in every field: all languages agree or say why not."""

import json
import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trailwatch.rules.filter_pattern import parse
from trailwatch.rules.predicate import And, Field, Not, Op, Or
from trailwatch.translate.cloudwatch import to_pattern
from trailwatch.translate.derived import spelled_out
from trailwatch.translate.duckdb import to_sql
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.eventbridge import to_event_pattern

from ...oracle import holds  # noqa: TID252 test folders are no packages that could be named from the top
from .conftest import recorded

TEXTS = ["", "a", "A", "ab", "aB*c", "a?c", "a.c", "100%", "a_b", "back\\slash", 'q"uote', "it's", "true", "TRUE",
         "5", "5.0", "1e2", "-3", "two words", "line\nbreak", "10.1.2.3", "10.200.2.3", "10.1.2.300", "2001:db8::1",
         "iam.amazonaws.com", "(x)", "{}", "[a]", "a/b~c"]  # fmt: skip
PATHS = {
    "eventName": ["CreateUser", "ConsoleLogin", "CreateApiKey", "DescribeInstances"],
    "eventSource": ["iam.amazonaws.com", "s3.amazonaws.com"],
    "errorCode": ["AccessDenied", "Client.UnauthorizedOperation"],
    "userIdentity.type": ["Root", "IAMUser", "AssumedRole"],
    "userIdentity.sessionContext.attributes.mfaAuthenticated": ["true", "false"],
    "readOnly": [True, False],
    "userAgent": TEXTS,
    "sourceIPAddress": TEXTS,
    "userIdentity.arn": TEXTS,
    "userIdentity.userName": TEXTS,
    "requestParameters.userName": TEXTS,
    "requestParameters.odd name": [*TEXTS, 5, 5.5, True],
    "requestParameters.publiclyAccessible": [True, False, None],
}
NESTED = [None, "a", "A", "5", 5, 5.0, 2**40, True, [], ["a", "b"], [["a"], ["x"]], {"b": "a"},
          [{"b": "a"}, {"b": 5}], [{"b": ["a", None]}], {"b": {"c": "a"}}, [None], {"b": None}]  # fmt: skip


def invented(number):
    dice = random.Random(number)
    record = {"eventTime": f"2026-03-{1 + number % 28:02}T{number % 24:02}:14:07Z", "eventVersion": "1.11"}
    for path, values in PATHS.items():
        always = path in {"eventName", "eventSource", "userIdentity.type"}
        if not always and dice.random() < 0.3:
            continue
        *way, last = path.split(".")
        node = record
        for name in way:
            node = node.setdefault(name, {})
        node[last] = dice.choice(values)
    if dice.random() < 0.2:
        record["requestParameters"] = None
    else:
        record.setdefault("requestParameters", {})["a"] = dice.choice(NESTED)
        record["requestParameters"]["a/b~c"] = dice.choice(TEXTS)
    record["resources"] = [{"ARN": dice.choice(TEXTS)} for _ in range(dice.randrange(3))]
    return json.loads(json.dumps(record))


@pytest.fixture(scope="module")
def invented_events(tmp_path_factory):
    return recorded([invented(number) for number in range(250)], tmp_path_factory.mktemp("invented"))


paths = st.sampled_from(
    [*PATHS, "requestParameters", "requestParameters.a", "requestParameters.a.b", "requestParameters.a.b.c",
     "requestParameters.a[0]", "requestParameters.a[0].b", "requestParameters['a/b~c']", "resources.ARN", "requestID",
     "derived.target.is_other_user", "derived.ip.is_aws_service"]
)  # fmt: skip
texts = st.sampled_from([*TEXTS, "createuser", "CreateUser", "Console", "root", "IAMUser", "accessdenied", "Create*",
                         "*b*", "?", "a*", "\\*", "amazonaws.com", "tRuE"])  # fmt: skip


@st.composite
def fields(draw):  # noqa: PLR0911 one return for each kind of test
    path, cased = draw(paths), draw(st.booleans())
    if path.startswith("derived."):
        return Field(path, Op.EQ, (draw(st.booleans()),))
    kind = draw(
        st.sampled_from(["text", "text", "text", "number", "presence", "regex", "network", "time", "reference"])
    )
    if kind == "text":
        op = draw(st.sampled_from([Op.EQ, Op.EQ, Op.CONTAINS, Op.STARTSWITH, Op.ENDSWITH, Op.LIKE]))
        values = draw(st.lists(texts, min_size=1, max_size=3))
        if op is Op.EQ:
            values += draw(st.lists(st.sampled_from([True, False, 5, 5.5, -3]), max_size=1))
        return Field(path, op, tuple(values), cased)
    if kind == "number":
        return Field(path, draw(st.sampled_from([Op.LT, Op.LTE, Op.GT, Op.GTE])), (draw(st.integers(-5, 200)),))
    if kind == "presence":
        return Field(path, draw(st.sampled_from([Op.EXISTS, Op.NULL])))
    if kind == "regex":
        return Field(
            path, Op.RE, (draw(st.sampled_from(["^a", "b$", "[a-c]+", "(?i)A.C", "a.b", r"\d\s", "x|a b"])),)
        )
    if kind == "network":
        networks = ["10.0.0.0/8", "10.1.0.0/12", "10.1.2.3/32", "0.0.0.0/0"]
        return Field("sourceIPAddress", Op.CIDR, (draw(st.sampled_from(networks)),))
    if kind == "time":
        return Field(
            "eventTime", draw(st.sampled_from([Op.HOUR, Op.DAY, Op.WEEK, Op.YEAR])), (draw(st.integers(1, 12)),)
        )
    other = draw(st.sampled_from(["userIdentity.userName", "requestParameters.userName", "requestParameters.a"]))
    return Field(
        path, draw(st.sampled_from([Op.FIELDREF, Op.FIELDREF_CONTAINS, Op.FIELDREF_ENDSWITH])), (other,), cased
    )


predicates = st.recursive(
    fields(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    ),
    max_leaves=5,
)
patient = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def expected(predicate, records):
    return [at for at, record in enumerate(records) if holds(predicate, record)]


@patient
@given(predicates)
def test_sql_agrees(invented_events, predicate):
    try:
        sql = to_sql(spelled_out(predicate))
    except Inexpressible:
        return

    assert invented_events.rows(sql) == expected(predicate, invented_events.records)


@patient
@given(predicates)
def test_filter_patterns_agree(invented_events, predicate):
    try:
        text = to_pattern(spelled_out(predicate))
    except Inexpressible:
        return

    assert expected(parse(text), invented_events.records) == expected(predicate, invented_events.records)


@patient
@given(predicates)
@example(Field("userAgent", Op.CONTAINS, ("",)))
@example(Field("userAgent", Op.LIKE, ("*b*",), cased=True))
def test_event_patterns_agree(invented_events, predicate):
    try:
        text = to_event_pattern(spelled_out(predicate))
    except Inexpressible:
        return

    assert invented_events.matched_by_event_bus(text) == expected(predicate, invented_events.records)


strict_paths = st.sampled_from(
    ["$.requestParameters.a", "$.requestParameters.a[0]", "$.requestParameters.a.b", "$.userAgent",
     "$.requestParameters.a[*].b", "$.requestParameters.a.*", "$.readOnly"]
)  # fmt: skip
conditions = st.tuples(
    strict_paths,
    st.sampled_from(["= a", "!= a", "= 5", "= a*", "> 4", "IS NULL", "NOT EXISTS", "IS TRUE", "= %^a%", '!= "A"']),
).map(" ".join)


@patient
@given(st.lists(conditions, min_size=1, max_size=2).map(" || ".join))
def test_filter_patterns_as_sql_agree(invented_events, text):
    predicate = parse(f"{{ {text} }}")
    try:
        sql = to_sql(predicate)
    except Inexpressible:
        return

    assert invented_events.rows(sql) == expected(predicate, invented_events.records)
