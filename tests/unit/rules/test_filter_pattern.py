"""Filter patterns of CloudWatch Logs: what they mean, what is refused and where, and rule files made of them."""

import pytest

from trailwatch.errors import RuleError
from trailwatch.model.severity import Severity
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.filter_pattern import load_file, load_text, parse, to_text
from trailwatch.rules.predicate import Field, Op

from ...oracle import holds  # noqa: TID252 test folders are no packages that could be named from the top


def any_name(source, *names):
    text = " || ".join(f"($.eventName={name})" for name in names)
    return f"{{($.eventSource={source}) && ({text})}}" if source else f"{{{text}}}"


CIS = {
    "root use": '{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS &&'
    ' $.eventType !="AwsServiceEvent"}',
    "unauthorized": '{($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")}',
    "unauthorized, CIS 5": '{ (($.errorCode ="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")) &&'
    ' ($.sourceIPAddress!="delivery.logs.amazonaws.com") && ($.eventName!="HeadBucket") }',
    "login without MFA": '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") &&'
    ' ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }',
    "IAM policy": any_name(
        "iam.amazonaws.com", "DeleteGroupPolicy", "DeleteRolePolicy", "DeleteUserPolicy", "PutGroupPolicy",
        "PutRolePolicy", "PutUserPolicy", "CreatePolicy", "DeletePolicy", "CreatePolicyVersion",
        "DeletePolicyVersion",
        "AttachRolePolicy", "DetachRolePolicy", "AttachUserPolicy", "DetachUserPolicy", "AttachGroupPolicy",
        "DetachGroupPolicy",
    ),
    "trail changes": any_name("", "CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"),
    "login failure": '{($.eventName=ConsoleLogin) && ($.errorMessage="Failed authentication")}',
    "KMS": any_name("kms.amazonaws.com", "DisableKey", "ScheduleKeyDeletion"),
    "S3 policy": any_name(
        "s3.amazonaws.com", "PutBucketAcl", "PutBucketPolicy", "PutBucketCors", "PutBucketLifecycle",
        "PutBucketReplication", "DeleteBucketPolicy", "DeleteBucketCors", "DeleteBucketLifecycle",
        "DeleteBucketReplication",
    ),
    "Config": any_name(
        "config.amazonaws.com", "StopConfigurationRecorder", "DeleteDeliveryChannel", "PutDeliveryChannel",
        "PutConfigurationRecorder",
    ),
    "security groups": any_name(
        "", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress", "CreateSecurityGroup", "DeleteSecurityGroup",
    ),
    "NACL": any_name(
        "", "CreateNetworkAcl", "CreateNetworkAclEntry", "DeleteNetworkAcl", "DeleteNetworkAclEntry",
        "ReplaceNetworkAclEntry", "ReplaceNetworkAclAssociation",
    ),
    "gateways": any_name(
        "", "CreateCustomerGateway", "DeleteCustomerGateway", "AttachInternetGateway", "CreateInternetGateway",
        "DeleteInternetGateway", "DetachInternetGateway",
    ),
    "routes": any_name(
        "ec2.amazonaws.com", "CreateRoute", "CreateRouteTable", "ReplaceRoute", "ReplaceRouteTableAssociation",
        "DeleteRouteTable", "DeleteRoute", "DisassociateRouteTable",
    ),
    "VPC": any_name(
        "", "CreateVpc", "DeleteVpc", "ModifyVpcAttribute", "AcceptVpcPeeringConnection",
        "CreateVpcPeeringConnection",
        "DeleteVpcPeeringConnection", "RejectVpcPeeringConnection", "AttachClassicLinkVpc", "DetachClassicLinkVpc",
        "DisableVpcClassicLink", "EnableVpcClassicLink",
    ),
    "Organizations": any_name(
        "organizations.amazonaws.com", "AcceptHandshake", "AttachPolicy", "CreateAccount", "CreateOrganizationalUnit",
        "CreatePolicy", "DeclineHandshake", "DeleteOrganization", "DeleteOrganizationalUnit", "DeletePolicy",
        "DetachPolicy", "DisablePolicyType", "EnablePolicyType", "InviteAccountToOrganization", "LeaveOrganization",
        "MoveAccount", "RemoveAccountFromOrganization", "UpdatePolicy", "UpdateOrganizationalUnit",
    ),
}  # fmt: skip
ROOT = {"eventType": "AwsApiCall", "userIdentity": {"type": "Root"}}
LOGIN = {
    "eventName": "ConsoleLogin",
    "userIdentity": {"type": "IAMUser"},
    "additionalEventData": {"MFAUsed": "No"},
    "responseElements": {"ConsoleLogin": "Success"},
}


@pytest.mark.parametrize("name", CIS)
def test_every_cis_pattern_is_read_and_survives_being_written(name):
    predicate = parse(CIS[name])

    assert parse(to_text(predicate)) == predicate


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("root use", ROOT, True),
        ("root use", {**ROOT, "userIdentity": {"type": "Root", "invokedBy": "ec2.amazonaws.com"}}, False),
        ("root use", {**ROOT, "eventType": "AwsServiceEvent"}, False),
        ("root use", {"userIdentity": {"type": "Root"}}, False),
        ("unauthorized", {"errorCode": "Client.UnauthorizedOperation"}, True),
        ("unauthorized", {"errorCode": "AccessDeniedException"}, True),
        ("unauthorized", {"errorCode": "NoSuchKey"}, False),
        (
            "unauthorized, CIS 5",
            {"errorCode": "AccessDenied", "eventName": "HeadBucket", "sourceIPAddress": "x"},
            False,
        ),
        ("login without MFA", LOGIN, True),
        ("login without MFA", {**LOGIN, "additionalEventData": {"MFAUsed": "Yes"}}, False),
        ("login without MFA", {**LOGIN, "additionalEventData": None}, False),
        ("login failure", {"eventName": "ConsoleLogin", "errorMessage": "Failed authentication"}, True),
        ("KMS", {"eventSource": "kms.amazonaws.com", "eventName": "DisableKey"}, True),
        ("KMS", {"eventSource": "kms.amazonaws.com", "eventName": "disablekey"}, False),
        ("Organizations", {"eventSource": "organizations.amazonaws.com", "eventName": "LeaveOrganization"}, True),
    ],
)
def test_cis_patterns_mean_what_their_authors_wanted(name, record, expected):
    assert holds(parse(CIS[name]), record) is expected


@pytest.mark.parametrize(
    ("pattern", "record", "expected"),
    [
        ("{ $.ip = 123.123.* }", {"ip": "123.123.4.5"}, True),
        ("{ $.a = iam.amazonaws.com }", {"a": "iam.amazonaws.com"}, True),
        ("{ $.a = *UnauthorizedOperation }", {"a": "Client.UnauthorizedOperation"}, True),
        ('{ $.a != "x" }', {}, False),
        ('{ $.a != "x" }', {"a": None}, False),
        ('{ $.a != "x" }', {"a": ["y"]}, False),
        ('{ $.a != "x" }', {"a": {"b": "y"}}, False),
        ('{ $.a != "x" }', {"a": ""}, True),
        ('{ $.a != "x" }', {"a": False}, True),
        ("{ $.a IS NULL }", {"a": None}, True),
        ("{ $.a IS NULL }", {}, False),
        ("{ $.a NOT EXISTS }", {}, True),
        ("{ $.a NOT EXISTS }", {"a": None}, False),
        ("{ $.a IS TRUE }", {"a": True}, True),
        ("{ $.a IS FALSE }", {"a": True}, False),
        ("{ $.a = true }", {"a": True}, True),
        ("{ $.a = 5 }", {"a": 5}, True),
        ("{ $.a = 5 }", {"a": "5"}, True),
        ('{ $.a = "5" }', {"a": 5}, True),
        ("{ $.a = 012345678901 }", {"a": "012345678901"}, True),
        ("{ $.a = 4* }", {"a": 404}, True),
        ("{ $.a >= -1.5e1 }", {"a": -15}, True),
        ("{ $.a < 3 }", {"a": "x"}, False),
        ("{ $.a[1].b = x }", {"a": [0, {"b": "x"}]}, True),
        ("{ $.a.b = x }", {"a": [{"b": "x"}]}, False),
        ("{ $.a[*].b = x }", {"a": [{"b": "y"}, {"b": "x"}]}, True),
        ("{ $.a[*].b = x }", {"a": {"c": {"b": "x"}}}, False),
        ("{ $.a.*.b = x }", {"a": {"c": {"b": "x"}}}, True),
        ('{ $.a[*].b != "x" }', {"a": [{"b": "y"}, {"b": "x"}]}, False),
        ("{ $.['a.b'] = x }", {"a.b": "x"}, True),
        ("{ $['a'] = x }", {"a": "x"}, True),
        (r'{ $.a = "say \"hi\\" }', {"a": 'say "hi\\'}, True),
        (r'{ $.a = "c:\dir" }', {"a": r"c:\dir"}, True),
        ('{ $.a = "what?" }', {"a": "whats"}, False),
        ('{ $.a = "wh*?" }', {"a": "what?"}, True),
        ('{ $.a = "wh*?" }', {"a": "whats"}, False),
        (r"{ $.a = %4[0-9]{2}% }", {"a": "status 404"}, True),
        (r"{ $.a != %^x% }", {"a": "yx"}, True),
        ("{ $.a = 1 || $.b = 1 && $.c = 1 }", {"a": 1}, True),
        ("{ ($.a = 1 || $.b = 1) && $.c = 1 }", {"a": 1}, False),
    ],
)
def test_a_pattern_holds(pattern, record, expected):
    predicate = parse(pattern)

    assert holds(predicate, record) is expected
    assert parse(to_text(predicate)) == predicate


@pytest.mark.parametrize(
    ("pattern", "place", "words"),
    [
        ("{ $.errorMessage = Failed authentication }", "1:27", "needs double quotes"),
        ("{ $.a == 1 }", "1:7", 'write a single "="'),
        ("{ $.a = 1 and $.b = 2 }", "1:11", 'write "&&"'),
        ("[ip, user]", "1:1", "space-delimited"),
        ("ERROR -warn", "1:1", "JSON form"),
        ("{ }", "1:3", "no condition"),
        ("{ $.a = ", "1:9", "end of the pattern"),
        ('{ $.a = "x }', "1:9", "does not end"),
        ("{ $.a = 'x' }", "1:9", "double quotes"),
        ("{ $.a IS NOT NULL }", "1:10", "IS NOT is not supported"),
        ("{ $.a EXISTS }", "1:7", "there is no EXISTS"),
        ("{ $.a is null }", "1:7", "upper case"),
        ("{ !($.a = 1) }", "1:3", "no negation"),
        ("{ $.a > x }", "1:9", "only be compared with = and !="),
        ("{ $.a = 1e999 }", "1:9", "too large"),
        ("{ $ = 1 }", "1:4", "name a field"),
        ("{ $.a b = 1 }", "1:7", "expected an operator"),
        ("{ $.a[x] = 1 }", "1:6", "['name']"),
        ("{ $.a = %(x|y)% }", "1:10", "regular expression"),
        ("{ $.a = %[% }", "1:10", "refused"),
        ("{ $.a = 1 } x", "1:13", "after the closing"),
        ("{ ($.a = 1 }", "1:12", "expected && or || or )"),
        ("{ $.a = 1 &&\n  $.b ~ 2 }", "2:7", "expected an operator"),
        ("{ $.a[*][*] = 1 }", "1:3", "more than one wildcard"),
        ("{ " + " || ".join(f"$.a[*].b{n} = 1" for n in range(4)) + " }", "1:54", "more than 3 wildcard"),
        ("{ " + " || ".join(f"$.a{n} = %x%" for n in range(3)) + " }", "1:38", "more than 2 regular"),
        ("{ " + "(" * 60 + "$.a = 1" + ")" * 60 + " }", "1:53", "50 deep"),
        ('{ $.a = "' + "x" * 1100 + '" }', "1:1025", "1024"),
    ],
)
def test_a_wrong_pattern_is_refused_at_the_exact_place(pattern, place, words):
    with pytest.raises(RuleError) as refused:
        parse(pattern, "rule")

    assert refused.value.origin == f"rule:{place}"
    assert words in str(refused.value)


RULE = """\
title: Root account used
id: 0f5d8e3a-5b1f-4b0e-9d5c-1f1f9a1a7b11
level: high
tags: [attack.initial-access, attack.t1078.004]
description: Somebody uses the root account.
pattern: >-
  { $.userIdentity.type = "Root" &&
    $.userIdentity.invokedBy NOT EXISTS }
trailwatch:
  dedup: {by: [recipientAccountId], period: 2h}
  examples:
  - {name: used, matches: true, event: {eventName: CreateUser, userIdentity: {type: Root}}}
"""


def test_a_pattern_file_makes_a_rule_like_any_other(tmp_path):
    path = tmp_path / "root_used.pattern.yml"
    path.write_text(RULE)

    [rule] = load_file(path)

    assert (rule.info.slug, rule.info.severity) == ("root_used", Severity.HIGH)
    assert rule.info.techniques == ("T1078.004",)
    assert rule.info.dedup.period_seconds == 7200
    assert rule.info.origin == f"{path}:1"
    assert all(holds(rule.condition, example.record) is example.matches for example in rule.examples)


def test_several_documents_are_several_rules():
    rules = load_text(f"{RULE}---\ntitle: b\npattern: '{{ $.a = 1 }}'\n", "f.pattern.yml", "f")

    assert [rule.info.slug for rule in rules] == ["f", "f-2"]
    assert rules[1].info.id == "f-2"
    assert rules[1].condition == Field("a", Op.EQ, (1,), cased=True, strict=True)


def test_one_wrong_document_or_retired_one_leaves_the_others_of_its_file(tmp_path):
    retired = "title: old\nstatus: deprecated\npattern: '{ $.a = 2 }'\n"
    (tmp_path / "f.pattern.yml").write_text(
        f"{RULE}---\ntitle: b\npattern: '{{ $.a ~ 1 }}'\n---\n{retired}---\n{RULE}".replace(
            "title: Root", "title: R", 1
        ).replace("7b11", "7b12", 1)
    )
    ruleset = load_rules([tmp_path], shipped=False)
    assert [rule.info.slug for rule in ruleset.rules] == ["f", "f-4"]
    assert ruleset.skipped == {"deprecated or unsupported": 1}
    (problem,) = ruleset.problems
    assert problem.origin.startswith(f"{tmp_path}/f.pattern.yml:15:17")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("title: a\npattern: '{ $.a ~ 1 }'\n", "2:17", "expected an operator"),
        ("title: a\npattern: '{ $.a = ''x'' }'\n", "2:19", "expected a value"),
        ('title: a\npattern: "{ $.a = \\"x\\" ~ }"\n', "2:25", "expected &&"),
        ('title: a\npattern: "{ $.a = \\\n    1 ~ }"\n', "3:7", "expected &&"),
        ("title: a\npattern: |\n\n  { $.a = 1 &&\n    $.b ~ 1 }\n", "5:9", "expected an operator"),
        ("title: a\npattern: >\n  { $.a = 1 &&\n    $.b\n    ~ 1 }\n", "5:5", "expected an operator"),
        ("title: a\npattern: |\n  { $.a = 1\n", "3:12", "end of the pattern"),
        ("title: a\npattern: { $.a }\n", "2:1", "YAML reads a bare {"),
        ("title: a\n", "1:1", "needs pattern"),
        ("pattern: '{ $.a = 1 }'\n", "1:1", "needs title"),
        ("title: a\ntitle: b\npattern: '{ $.a = 1 }'\n", "2:1", "twice"),
        ("title: a\nlevle: high\npattern: '{ $.a = 1 }'\n", "2:1", 'did you mean "level"?'),
        ("title: a\nlevel: hot\npattern: '{ $.a = 1 }'\n", "2:1", "hot"),
        ("title: a\npattern: '{ $.a = 1 }'\ntrailwatch: {slgu: x}\n", "3:14", 'did you mean "slug"?'),
        ("title: a\npattern: '{ $.a = 1 }'\ntrailwatch:\n  examples: [{name: x}]\n", "4:14", "matches"),
        ("- a\n", "1:1", "expected a mapping"),
        ("title: [\n", "2:1", "no YAML"),
    ],
)
def test_a_wrong_file_is_refused_at_the_exact_place(text, place, words):
    with pytest.raises(RuleError) as refused:
        load_text(text, "f.pattern.yml", "f")

    assert refused.value.origin == f"f.pattern.yml:{place}"
    assert words in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "x.pattern.yml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(RuleError, match="cannot be read"):
        load_file(path)
