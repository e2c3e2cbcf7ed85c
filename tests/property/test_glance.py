"""A glance at the bytes of a file finds what decoding its events finds, or nothing at all."""

import calendar
import json
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from trailwatch.decode.unfold import LIMIT_RECORD_BYTES, trail_decoder
from trailwatch.detect.callers import PATHS
from trailwatch.detect.classes import Masks
from trailwatch.detect.glance import COMPILED, COMPILED_MASKS, Rows, Taking, parts_of
from trailwatch.detect.leaf import text_of
from trailwatch.detect.plans import PlanTable
from trailwatch.detect.record import Record
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
    fresh, whole = table(glance=False), json.loads(text)["Records"]
    found = [
        (number, said(event, plan, json.dumps(whole[number]).encode()))
        for number, event, plan in fresh.promising(events)
    ]
    return {number: one for number, one in found if matters(one)}, len(events)


def by_glancing(text, of=TABLE):
    found = of.glanced(text)
    if found is None:
        return None
    told = {}
    for number, event, plan in found.promising:
        begin, end = found.places[number]
        assert of.decode(text[begin:end]) == event
        told[number] = said(event, plan, text[begin:end])
    return {number: one for number, one in told.items() if matters(one)}, found.events


def said(event, plan, text):
    record = Record(text, event)
    held = {*plan.certain, *(compiled for compiled, test in plan.open if test(record))}
    return event.eventID, plan.insight, plan.issues, {compiled.rule.info.id for compiled in held}


def matters(told):
    """Whether anything comes of an event: a glance tells more of what cannot match from the rest."""
    _, insight, issues, held = told
    return insight or issues or bool(held)


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


AGENTS = {"aws-cli": "a program", UNSET: UNSET, "two": ["one", "another"]}
ROWS = Rows(
    ("awsRegion", "recipientAccountId", "readOnly"),
    lambda values: dict(zip(PATHS, values, strict=True)),
    lambda _: Taking((("requestParameters", "a", None), ("userAgent", None, AGENTS)), placed=True),
)


def row_of(event, origin, number):
    """What is to be taken of an event; None where it has to be decoded."""
    value = (event.get("requestParameters") or {}).get("a")
    if isinstance(value, dict | list) or event.get("userAgent", UNSET) not in ("aws-cli", UNSET):
        return None
    paths = {path: msgspec_value(event, path) for path in PATHS}
    seconds = calendar.timegm(time.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ"))
    plain = [event.get(path, UNSET) for path in ROWS.plain]
    agent = "a program" if "userAgent" in event else UNSET
    return (
        *(paths, seconds, event["eventID"], *plain),
        *(UNSET if value is None else text_of(value), agent, origin, number),
    )


def msgspec_value(event, path):
    for name in path.split("."):
        event = event.get(name, UNSET) if isinstance(event, dict) else UNSET
    return event


@st.composite
def noted(draw, number):
    moment = draw(st.datetimes())
    event = ordinary(
        number,
        eventName="DeleteTrail",
        eventSource="cloudtrail.amazonaws.com",
        eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0"),
        userAgent=draw(st.sampled_from(["aws-cli", "two", "none"])),
        requestParameters=draw(
            st.none() | st.dictionaries(st.sampled_from(["a", "b", "aa", ""]), odd.filter(is_told), max_size=3)
        ),
    )
    for name in draw(st.lists(st.sampled_from(["userAgent", "requestParameters", "readOnly", "recipientAccountId"]))):
        event.pop(name, None)
    return event


def is_told(value):
    """Whether JSON can say it, and a file with it is not unusual."""
    try:
        return bool(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        return False


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 4).flatmap(lambda count: st.tuples(*[noted(number) for number in range(count)])))
def test_a_row_holds_what_the_event_holds(happened):
    of = table(rows=ROWS)
    for _ in range(2):  # what is remembered from the first time makes no difference
        found = of.glanced(file_of(happened), "logs")
        expected = [row_of(event, "logs", number) for number, event in enumerate(happened)]
        taken = sorted((row for _, rows in found.rows for row in rows), key=lambda row: row[-1])
        assert taken == [row for row in expected if row is not None]
        assert [number for number, _, _ in found.promising] == [at for at, row in enumerate(expected) if row is None]


def test_a_member_whose_name_is_written_in_another_way_is_left_to_those_who_decode():
    text = file_of([ordinary(1, eventName="DeleteTrail", userAgent="aws-cli", requestParameters={"a": "x"})])
    of = table(rows=ROWS)

    assert len(of.glanced(text).rows) == 1
    found = of.glanced(text.replace(b'{"a":', rb'{"\u0061":'))
    assert not found.rows
    assert len(found.promising) == 1


@pytest.mark.parametrize("count", [5, 40, 600])
def test_however_many_members_rules_ask_for_the_same_events_match(count):
    rules = [
        Rule(
            RuleInfo(f"r{at}", f"r{at}", "T", Severity.LOW, "test:1"),
            Field(f"requestParameters.p{at}", Op.EQ, ("x",)),
        )
        for at in range(count)
    ]
    of, plain = PlanTable(rules), PlanTable(rules, glance=False)
    happened = [ordinary(at, requestParameters={f"p{at}": "x", "p0": 5}) for at in range(count + 5)]
    text = file_of(happened)
    expected = {
        number: one
        for number, event in enumerate(happened)
        if matters(one := said(decoded := plain.decode(raw := json.dumps(event).encode()), plain.plan(decoded), raw))
    }

    assert len(expected) == count - 1
    assert by_glancing(text, of) == (expected, count + 5)


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


MASKS = (
    *(1, {"abc": 2, "true": 4}, {"aBc": 8}, lambda lower: 16 * ("b" in lower)),
    *([(32, ("ab", "é")), (64, ("a",))], [(128, ("c",))]),
    *([(256, ("a", "c"), lambda value: "BC" in str(value))], [(512, lambda value: value == 5)]),
)


@given(st.text("aAbBcCé", max_size=5) | st.sampled_from([5, 5.0, 7, True, False]))
def test_a_value_passes_the_same_tests_whether_these_were_compiled_or_not(value):
    assert COMPILED_MASKS(*MASKS)(value) == Masks(*MASKS)(value)
    assert COMPILED_MASKS(0, {}, {}, None, [], [], [], [])(value) == 0
