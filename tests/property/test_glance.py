"""A glance at the bytes of a file finds what decoding its events finds, or nothing at all."""

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailwatch.decode.unfold import LIMIT_RECORD_BYTES, trail_decoder
from trailwatch.detect.glance import COMPILED, parts_of
from trailwatch.detect.plans import PlanTable
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import And, Field, Not, Op
from trailwatch.rules.rule import Rule

pytestmark = pytest.mark.skipif(not COMPILED, reason="trailwatch was built without a C compiler")

CONDITIONS = (
    Field("eventName", Op.EQ, ("DeleteTrail", "ü")),
    And((Field("eventSource", Op.EQ, ("iam.amazonaws.com",)), Not(Field("errorCode", Op.EXISTS)))),
    And((Field("userAgent", Op.CONTAINS, ("kali", "b\\c", "é")), Not(Field("errorCode", Op.NULL)))),
    And((Field("userIdentity.arn", Op.RE, (":assumed-role/.+/i-[0-9a-f]{3}$",)), Field("readOnly", Op.EQ, (True,)))),
    Field("userIdentity.sessionContext.sessionIssuer.userName", Op.STARTSWITH, ("Admin",)),
    Field("sourceIPAddress", Op.CIDR, ("192.0.2.0/24",)),
    And((Field("awsRegion", Op.EQ, ("eu-west-3",)), Field("requestParameters.a", Op.EQ, ("5",)))),
)


def table(**options):
    rules = [
        Rule(RuleInfo(f"r{at}", f"r{at}", "T", Severity.LOW, "test:1"), condition)
        for at, condition in enumerate(CONDITIONS)
    ]
    return PlanTable(rules, issuing=Field("eventName", Op.EQ, ("AssumeRole",), cased=True), **options)


TABLE = table()
DECODE = trail_decoder(TABLE.struct).decode


def by_decoding(text):
    """What the file holds: the rules that each event could match; None where it is no good file."""
    try:
        events = DECODE(text).records
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(events, list):
        return None
    fresh = table(glance=False)
    return {number: said(event, plan) for number, event, plan in fresh.promising(events)}, len(events)


def by_glancing(text, of=TABLE):
    found = of.glanced(text)
    if found is None:
        return None
    for number, event, _ in found.promising:
        begin, end = found.places[number]
        assert of.decode(text[begin:end]) == event
    return {number: said(event, plan) for number, event, plan in found.promising}, found.events


def said(event, plan):
    certain = [compiled.rule.info.id for compiled in plan.certain]
    return event.eventID, plan.insight, plan.issues, certain, [compiled.rule.info.id for compiled, _ in plan.open]


def file_of(events):
    return json.dumps({"Records": events}, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def ordinary(number=0, **fields):
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/Admin/i-0ab",
            "sessionContext": {"sessionIssuer": {"userName": "Admin"}, "attributes": {"mfaAuthenticated": "false"}},
        },
        "eventTime": "2026-02-28T23:59:59Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": "eu-west-3",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": 'aws-cli "b\\c" \u00e9 \n',
        "requestParameters": {"a": [1, -2.5e3, None, {"b": "}]"}], "c": {}},
        "responseElements": None,
        "requestID": "x",
        "eventID": f"e-{number}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        **fields,
    }


def test_an_ordinary_file_is_judged_at_a_glance():
    text = file_of([ordinary(1), ordinary(2, eventName="ListUsers", eventSource="x"), ordinary(3, errorCode="E")])

    assert by_glancing(text) == by_decoding(text)
    assert by_glancing(text)[1] == 3
    assert by_glancing(b'{"Records":[]}') == ({}, 0)


WHOLE = file_of([ordinary(1), ordinary(2)])


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (b'"e-2"', b'"e-1"'),
        (b'"e-2"', b'""'),
        (b'"e-2"', b'"e-\\u0032"'),
        (b'"e-2"', b"2"),
        (b'"eventID":"e-2"', b'"eventID":"e-2","eventID":"e-3"'),
        (b'"eventID":"e-2",', b""),
        (b'"CreateUser"', b'""'),
        (b'"CreateUser"', b"null"),
        (b'"eventName":"CreateUser"', b'"eventName":"CreateUser","eventName":"DeleteTrail"'),
        (b'"eventName"', b'"event\\u004eame"'),
        (b'"2026-02-28T23:59:59Z"', b'"2026-02-29T23:59:59Z"'),
        (b'"2026-02-28T23:59:59Z"', b'"2026-02-28T24:00:00Z"'),
        (b'"2026-02-28T23:59:59Z"', b'"2026-02-28T23:60:00Z"'),
        (b'"2026-02-28T23:59:59Z"', b'"0000-02-28T23:59:59Z"'),
        (b'"2026-02-28T23:59:59Z"', b'"2026-13-28T23:59:59Z"'),
        (b'"2026-02-28T23:59:59Z"', b"1772323199"),
        (b'"eventTime":"2026-02-28T23:59:59Z",', b""),
        (b'"iam.amazonaws.com"', b"5"),
        (b'"iam.amazonaws.com"', b'["iam.amazonaws.com"]'),
        (b'"readOnly":true', b'"readOnly":1'),
        (b'"readOnly":true', b'"readOnly":tru'),
        (b'"sessionIssuer":{"userName":"Admin"}', b'"sessionIssuer":null'),
        (b'"sessionIssuer":{"userName":"Admin"}', b'"sessionIssuer":{"userName":"A","userName":"B"}'),
        (b'"sessionContext":{', b'"sessionContext":{},"sessionContext":{'),
        (b"-2500.0", b"-2.5e"),
        (b"-2500.0", b"01"),
        (b"-2500.0", b"NaN"),
        (b"-2500.0", b"-"),
        (b"-2500.0", b"[" * 70 + b"]" * 70),
        (b'"c":{}', b'"c":{]'),
        (b'"c":{}', b'"c":{"d"}'),
        (b'"c":{}', b'"c":{"d":1,}'),
        (b'"c":{}', b'"c":[1,]'),
        (b'"x"', b'"\\ud800"'),
        (b'"x"', b'"\\x"'),
        (b'"x"', b'"\\u12g4"'),
        (b'"x"', b'"\x01"'),
        (b'"x"', b'"\xff"'),
        (b'"x"', b'"\xed\xa0\x80"'),
        (b'"Records":[', b'"Records": ['),
        (b'"Records":[', b'"records":['),
        (b"]}", b'],"Records":[]}'),
        (b"]}", b"]"),
        (b"]}", b",]}"),
    ],
)
def test_what_is_unusual_is_left_to_those_who_decode(what, instead):
    at = WHOLE.rindex(what)

    assert by_glancing(WHOLE[:at] + instead + WHOLE[at + len(what) :]) is None


def test_a_record_that_is_longer_than_any_of_cloudtrail_is_left_to_those_who_decode():
    assert by_glancing(file_of([ordinary(userAgent="x" * LIMIT_RECORD_BYTES)])) is None


texts = st.sampled_from(
    ["DeleteTrail", "kali", "ü", "iam.amazonaws.com", "Admin", "\\", '"', "\x7f\x00", "\ud800"]
) | (st.text(max_size=4))
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def events(draw, number):
    event = ordinary(number)
    for path in draw(st.lists(st.sampled_from([*event, "errorCode", "eventCategory", "new"]), max_size=4)):
        event[path] = draw(texts if draw(st.booleans()) else odd)
    if draw(st.booleans()):
        del event[draw(st.sampled_from(list(event)))]
    if isinstance(event.get("userIdentity"), dict) and draw(st.booleans()):
        event["userIdentity"] = {
            **event["userIdentity"],
            draw(st.sampled_from(["type", "arn", "invokedBy"])): draw(odd),
        }
    return event


@st.composite
def files(draw):
    text = bytearray(file_of([draw(events(number)) for number in range(draw(st.integers(0, 3)))]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text) - 1))
        kept = draw(st.integers(0, 2))
        text[at : at + kept] = draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"[", b",", b" ", b"0", b"\xc3", b"u"])
        )
    return bytes(text)


@settings(max_examples=1500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(files())
def test_whatever_a_file_holds_a_glance_says_nothing_else_than_decoding(text):
    glanced = by_glancing(text)

    assert glanced is None or glanced == by_decoding(text)


def test_tables_that_are_full_start_again_without_a_difference():
    small = table(plans_kept=3)
    for number in range(60):
        text = file_of([ordinary(at, eventName=f"N{number % 7}", errorCode=f"E{number % 5}") for at in range(3)])
        assert by_glancing(text, small) == by_decoding(text)


@given(st.lists(st.text("abc", min_size=2, max_size=4), max_size=6), st.text("abcdü", max_size=20))
def test_of_a_text_the_parts_are_told_that_stand_in_it(parts, text):
    told = parts_of(parts)(text)

    assert told == (sum(1 << at for at, part in enumerate(parts) if part in text) if text.isascii() else -1)


@pytest.mark.parametrize("parts", [["ab", "c"], ["ü" * 2], ["ab"] * 63])
def test_parts_for_which_there_is_no_room_are_looked_for_one_by_one(parts):
    assert parts_of(parts) is None
