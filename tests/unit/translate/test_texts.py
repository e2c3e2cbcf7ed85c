"""What each language says for small conditions, and the reasons it gives where it cannot."""

import json

import duckdb
import pytest

from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or
from trailwatch.translate.cloudwatch import to_pattern
from trailwatch.translate.derived import spelled_out
from trailwatch.translate.duckdb import to_sql
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.eventbridge import to_event_pattern
from trailwatch.translate.view import create_view

name = Field("eventName", Op.EQ, ("consolelogin",))
agent = Field("userAgent", Op.CONTAINS, ("Kali (x)",))
failed = Field("errorCode", Op.EXISTS)
user = Field("requestParameters.userName", Op.EQ, ("Bob",))
denied = Field("errorCode", Op.EQ, ("AccessDenied",))


def where(predicate):
    return " ".join(to_sql(predicate).partition("WHERE")[2].split())


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (name, "eventname = 'ConsoleLogin'"),
        (Field("userAgent", Op.EQ, ("it's",)), "lower(useragent) = 'it''s'"),
        (Field("userAgent", Op.EQ, ("A", "b"), cased=True), "useragent IN ('A', 'b')"),
        (Field("eventName", Op.STARTSWITH, ("Describe",)), "starts_with(eventname, 'Describe')"),
        (Field("eventName", Op.STARTSWITH, ("describe",)), "starts_with(lower(eventname), 'describe')"),
        (Field("userAgent", Op.LIKE, ("a*%?",)), "lower(useragent) LIKE 'a%\\%_' ESCAPE '\\'"),
        (Field("readOnly", Op.EQ, (False,)), "lower(readonly) = 'false'"),
        (failed, "NOT errorcode IS NULL"),
        (Not(failed), "errorcode IS NULL"),
        (Not(name), "NOT coalesce(eventname = 'ConsoleLogin', FALSE)"),
        (user, "lower(json_extract_string(requestparameters, '$.userName')) = 'bob'"),
        (Field("userIdentity.sessionContext.sessionIssuer.arn", Op.NULL),
         "useridentity.sessioncontext.sessionissuer.arn IS NULL"),
        (Field("sourceIPAddress", Op.CIDR, ("10.0.0.0/9",)),
         "regexp_full_match( sourceipaddress, '10\\.(?:" + "|".join(map(str, range(128))) + ")"
         + "\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" * 2 + "' )"),
    ],
)  # fmt: skip
def test_sql(predicate, expected):
    assert where(predicate) == expected


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (name, '{ $.eventName = "ConsoleLogin" }'),
        (agent, r"{ $.userAgent = %[kK][aA][lL][iI]\x20\x28[xX]\x29% }"),
        (Not(failed), "{ $.errorCode NOT EXISTS }"),
        (Not(name), '{ $.eventName != "ConsoleLogin" }'),
        (Not(denied), '{ $.errorCode NOT EXISTS || $.errorCode != "AccessDenied" }'),
        (Field("userAgent", Op.EQ, ("a", "b")), "{ $.userAgent = %^[aA]$|^[bB]$% }"),
        (Field("userAgent", Op.STARTSWITH, ("x*",), cased=True), r"{ $.userAgent = %^x\*% }"),
        (Field("readOnly", Op.EQ, (False,)), "{ $.readOnly IS FALSE }"),
        (And((name, Or((denied, Not(failed))))),
         '{ $.eventName = "ConsoleLogin" && ($.errorCode = "AccessDenied" || $.errorCode NOT EXISTS) }'),
    ],
)  # fmt: skip
def test_filter_patterns(predicate, expected):
    assert to_pattern(predicate) == expected


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (name, {"eventName": ["ConsoleLogin"]}),
        (user, {"requestParameters": {"userName": [{"equals-ignore-case": "Bob"}]}}),
        (Not(failed), {"errorCode": [{"exists": False}]}),
        (Not(name), {"eventName": [{"anything-but": ["ConsoleLogin"]}]}),
        (Not(denied), {"errorCode": [{"exists": False}, {"anything-but": ["AccessDenied"]}]}),
        (And((failed, Not(denied))), {"errorCode": [{"anything-but": ["AccessDenied"]}]}),
        (Field("userAgent", Op.ENDSWITH, ("x",)), {"userAgent": [{"suffix": {"equals-ignore-case": "x"}}]}),
        (Field("userAgent", Op.CONTAINS, ("a*",), cased=True), {"userAgent": [{"wildcard": "*a\\**"}]}),
        (Field("userAgent", Op.CONTAINS, ("",)), {"userAgent": [{"prefix": ""}]}),
        (Field("requestParameters.publiclyAccessible", Op.EXISTS),
         {"requestParameters": {"publiclyAccessible": [True, False, {"prefix": ""}]}}),
        (Field("sourceIPAddress", Op.CIDR, ("10.1.2.3/8",)), {"sourceIPAddress": [{"cidr": "10.0.0.0/8"}]}),
        (Or((name, denied)), {"$or": [{"eventName": ["ConsoleLogin"]}, {"errorCode": ["AccessDenied"]}]}),
        (And((Field("userIdentity.type", Op.EQ, ("Root", "IAMUser")),
              Not(Field("userIdentity.type", Op.EQ, ("root",))))),
         {"userIdentity": {"type": ["IAMUser"]}}),
    ],
)  # fmt: skip
def test_event_patterns(predicate, expected):
    assert json.loads(to_event_pattern(predicate))["detail"] == expected


@pytest.mark.parametrize(
    ("write", "predicate", "reason"),
    [
        (to_sql, Field("", Op.CONTAINS, ("word",)), "has no column with it"),
        (to_sql, Field("derived.policy.public", Op.EQ, (True,)), "computed while matching"),
        (to_sql, Field("userIdentity.sessionContext.sourceIdentity", Op.EXISTS), "has no such column"),
        (to_sql, Field("sourceIPAddress", Op.CIDR, ("2001:db8::/32",)), "IPv6"),
        (to_sql, Field("requestParameters.a", Op.GT, (2**60,)), "too large"),
        (to_sql, Field("requestParameters.a", Op.HOUR, (1,)), "only eventTime"),
        (to_pattern, Field("", Op.CONTAINS, ("word",)), "not the whole record"),
        (to_pattern, Field("requestParameters.a.b", Op.EQ, ("x",)), "list or an object"),
        (to_pattern, And(tuple(Field(path, Op.EQ, ("x",)) for path in ("userAgent", "errorMessage", "eventID"))),
         "it takes 3 regular expressions"),
        (to_pattern, Field("userAgent", Op.EQ, ("ü",)), "ASCII"),
        (to_pattern, Field("userAgent", Op.RE, ("(a|b)",)), "no parentheses"),
        (to_pattern, Field("userAgent", Op.EQ, tuple(f"{'y' * 30}{n}" for n in range(9))),
         "characters, CloudWatch takes 1024"),
        (to_pattern, Field("userAgent", Op.FIELDREF, ("eventName",)), "fieldref"),
        (to_pattern, Field("sourceIPAddress", Op.CIDR, ("10.0.0.0/8",)), "addresses in 10.0.0.0/8"),
        (to_pattern, Const(value=True), "always true"),
        (to_event_pattern, agent, "cannot ignore case in wildcards"),
        (to_event_pattern, Not(Field("userAgent", Op.STARTSWITH, ("x",))), "negated prefix"),
        (to_event_pattern, Field("userAgent", Op.RE, ("x",)), '"re"'),
        (to_event_pattern, Field("eventVersion", Op.GT, (1,)), "texts that spell one"),
        (to_event_pattern, And((failed, Not(failed))), "both there and missing"),
        (to_event_pattern, And((Field("userAgent", Op.STARTSWITH, ("x",)), Field("userAgent", Op.ENDSWITH, ("y",)))),
         "must pass at once"),
        (to_event_pattern, And(tuple(Or((name, denied, failed)) for _ in range(5))), "more than 64 alternatives"),
        (to_event_pattern, Field("userAgent", Op.EQ, tuple(f"{'y' * 60}{n}" for n in range(30))),
         "EventBridge takes 2048"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_exactly_is_refused_with_the_reason(write, predicate, reason):
    with pytest.raises(Inexpressible) as refused:
        write(predicate)

    assert reason in str(refused.value)
    assert refused.value.exit_code == 3


def test_derived_fields_become_tests_of_the_record():
    own = spelled_out(Field("derived.ip.is_aws_service", Op.EQ, (True,)))

    assert where(own).startswith("( suffix(lower(sourceipaddress), '.amazonaws.com')")


def test_the_view_reads_delivered_files_and_lines_alike(tmp_path):
    record = {"eventName": "X", "userIdentity": {"type": "Root"}, "requestParameters": None, "readOnly": True,
              "resources": [{"ARN": "arn:x"}], "responseElements": {"a": 1}}  # fmt: skip
    (tmp_path / "it's delivered.json").write_text(json.dumps({"Records": [record, record]}))
    (tmp_path / "lines.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n")
    connection = duckdb.connect()

    create_view(connection, sorted(tmp_path.iterdir()))

    rows = connection.execute(
        "SELECT eventname, useridentity.type, requestparameters, readonly, resources[1].arn, responseelements,"
        " errorcode FROM cloudtrail_logs"
    ).fetchall()
    assert rows == [("X", "Root", None, "true", "arn:x", '{"a":1}', None)] * 4
