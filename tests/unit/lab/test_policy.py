from __future__ import annotations

import json

import pytest

from trailwatch.lab.policy import Verdict, Wish, conditions_hold, judge, matches, statements

NEW_YEAR = "2026-01-01T00:00:00Z"
ALICE = "arn:aws:iam::123456789012:user/alice"


def document(*found: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(found)})


def allow(action="*", resource="*", **more) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action="*", resource="*", **more) -> dict:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def ask(action="iam:CreateUser", resource="*", **context: str | list[str]) -> Wish:
    values = {key.replace("_", ":").lower(): [v] if isinstance(v, str) else v for key, v in context.items()}
    return Wish(action, resource, values)


@pytest.mark.parametrize(
    ("found", "wish", "verdict"),
    [
        ([], ask(), Verdict.SILENT),
        ([allow()], ask(), Verdict.ALLOW),
        ([allow("iam:*")], ask(), Verdict.ALLOW),
        ([allow("IAM:createuser")], ask(), Verdict.ALLOW),
        ([allow("iam:Create?ser")], ask(), Verdict.ALLOW),
        ([allow("iam:Get*")], ask(), Verdict.SILENT),
        ([allow(["s3:*", "iam:CreateUser"])], ask(), Verdict.ALLOW),
        ([allow("iam:*"), deny("iam:CreateUser")], ask(), Verdict.DENY),
        ([deny("iam:CreateUser"), allow("iam:*")], ask(), Verdict.DENY),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], ask(), Verdict.SILENT),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], ask("s3:GetObject"), Verdict.ALLOW),
        ([allow(resource=ALICE)], ask(resource=ALICE), Verdict.ALLOW),
        ([allow(resource=ALICE)], ask(resource=ALICE.upper()), Verdict.SILENT),
        ([allow(resource="arn:aws:iam::*:user/al*")], ask(resource=ALICE), Verdict.ALLOW),
        ([allow(resource=ALICE)], ask(resource="*"), Verdict.SILENT),
        ([{"Effect": "Allow", "Action": "*", "NotResource": ALICE}], ask(resource=ALICE), Verdict.SILENT),
        ([{"Effect": "Allow", "Action": "*", "NotResource": ALICE}], ask(resource="arn:x"), Verdict.ALLOW),
        (
            [allow(resource="arn:aws:iam::1:user/${aws:username}")],
            ask(resource="arn:aws:iam::1:user/alice", aws_username="alice"),
            Verdict.ALLOW,
        ),
        (
            [allow(resource="arn:aws:iam::1:user/${aws:username}")],
            ask(resource="arn:aws:iam::1:user/bob", aws_username="alice"),
            Verdict.SILENT,
        ),
        ([allow(resource="a${*}b")], ask(resource="a*b"), Verdict.ALLOW),
    ],
)
def test_statements_decide(found, wish, verdict):
    assert judge([document(*found)], wish) is verdict


def test_a_deny_in_another_document_wins():
    assert judge([document(allow()), document(deny("iam:*"))], ask()) is Verdict.DENY


def test_a_single_statement_needs_no_list():
    assert judge([json.dumps({"Statement": allow()})], ask()) is Verdict.ALLOW


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"Statement": ["x"]}', "null"])
def test_what_is_no_policy_says_nothing(text):
    assert statements(text) == ()
    assert judge([text], ask()) is Verdict.SILENT


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"aws:username": "alice"}}, {"aws_username": "alice"}, True),
        ({"StringEquals": {"aws:username": ["bob", "alice"]}}, {"aws_username": "alice"}, True),
        ({"StringEquals": {"aws:username": "Alice"}}, {"aws_username": "alice"}, False),
        ({"StringEqualsIgnoreCase": {"aws:username": "Alice"}}, {"aws_username": "alice"}, True),
        ({"StringEquals": {"aws:username": "alice"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:username": "alice"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:username": "alice"}}, {"aws_username": "bob"}, False),
        ({"StringNotEquals": {"aws:username": ["alice", "bob"]}}, {"aws_username": "bob"}, False),
        ({"StringNotEquals": {"aws:username": ["alice", "bob"]}}, {"aws_username": "eve"}, True),
        ({"StringNotEquals": {"aws:username": "alice"}}, {}, True),
        ({"StringLike": {"aws:PrincipalArn": "arn:*:role/ops*"}}, {"aws_principalarn": "arn:1:role/ops-1"}, True),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:*:role/ops"}}, {"aws_principalarn": "arn:1:role/ops"}, False),
        ({"DateLessThan": {"aws:TokenIssueTime": NEW_YEAR}}, {"aws_tokenissuetime": "2025-12-31T23:59:59Z"}, True),
        ({"DateLessThan": {"aws:TokenIssueTime": NEW_YEAR}}, {"aws_tokenissuetime": NEW_YEAR}, False),
        ({"DateLessThan": {"aws:TokenIssueTime": NEW_YEAR}}, {}, False),
        ({"DateGreaterThan": {"aws:EpochTime": "5"}}, {"aws_epochtime": "6"}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3_max-keys": "10"}, True),
        ({"NumericLessThan": {"s3:max-keys": "ten"}}, {"s3_max-keys": "9"}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"aws_multifactorauthpresent": "true"}, True),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, {}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, {}, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
        ({"Null": {"aws:TokenIssueTime": "false"}}, {}, False),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws_sourceip": "203.0.113.9"}, True),
        ({"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}}, {"aws_sourceip": "10.1.1.1"}, False),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws_sourceip": "not-an-address"}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_tagkeys": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_tagkeys": ["c", "b"]}, True),
        ({"StringEquals": {"a:x": "1"}, "StringLike": {"a:y": "2"}}, {"a_x": "1", "a_y": "3"}, False),
        ({"StringSounds": {"aws:username": "alice"}}, {"aws_username": "alice"}, False),
    ],
)  # fmt: skip
def test_conditions_decide(condition, context, holds):
    assert conditions_hold({"Condition": condition}, ask(**context).context) is holds


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [("*", "", True), ("a*c", "abc", True), ("a?c", "ac", False), ("a.c", "abc", False), ("A", "a", False)],
)
def test_patterns_know_only_star_and_question_mark(pattern, text, fits):
    assert matches(pattern, text) is fits
