"""Lint finds what is wrong or weak in rule files, says where, and never keeps a sound rule from running."""

import pytest

from trailwatch.rules.api_names import api_names
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.derived_names import DERIVED_NAMES
from trailwatch.rules.lint import lint, split_origin
from trailwatch.rules.lint_conditions import doubts
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or
from trailwatch.rules.record_fields import unknown_field
from trailwatch.translate.fields import ROWS

SOUND = """\
title: {title}
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: [CreateUser, DeleteUser]
  condition: selection
level: medium
tags: [attack.persistence, attack.t1136.003]
trailwatch:
  examples:
  - {{name: yes, matches: true, event: {{eventSource: iam.amazonaws.com, eventName: CreateUser}}}}
  - {{name: no, matches: false, event: {{eventSource: iam.amazonaws.com, eventName: ListUsers}}}}
"""


def findings(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    found = lint(load_rules([folder], shipped=False))
    return [(problem.origin.removeprefix(f"{folder}/"), problem.text, problem.error) for problem in found]


def sound(title="A", number=1):
    return SOUND.format(title=title, id=f"00000000-0000-4000-8000-{number:012}")


def test_a_sound_rule_has_no_findings(tmp_path):
    assert findings(tmp_path, a__yml=sound()) == []


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("eventSource: iam.amazonaws.com", "eventSuorce: iam.amazonaws.com", "6:5", 'did you mean "eventSource"?'),
        (
            "eventName: [CreateUser, DeleteUser]",
            "userIdentity.tpye: Root",
            "7:5",
            'did you mean "userIdentity.type"?',
        ),
        (
            "[CreateUser, DeleteUser]",
            "[CreateUser, PassRole]",
            "7:29",
            'no AWS service logs the event name "PassRole"',
        ),
        ("[CreateUser, DeleteUser]", "[CreateUser, DeleteUsr]", "7:29", 'did you mean "DeleteUser"?'),
        ("[CreateUser, DeleteUser]", "[ListBuckets]", "7:17", 'iam.amazonaws.com never logs "ListBuckets"'),
        ("iam.amazonaws.com", "route_53.amazonaws.com", "6:18", 'did you mean "route53.amazonaws.com"?'),
        ("[CreateUser, DeleteUser]", "CreateUser\n    errorCode: Success", "8:16", "success has no errorCode"),
        ("[CreateUser, DeleteUser]", "CreateUser\n    userIdentity.type: Rot", "8:24", 'did you mean "Root"?'),
        (
            "condition: selection\n",
            "condition: selection\n  unused: {eventType: AwsApiCall}\n",
            "9:3",
            'no condition names the selection "unused"',
        ),
        (
            "eventName: [",
            "eventName|startswith: [CreateUserX, ",
            "7:28",
            'no event name of an AWS service fits "CreateUserX"',
        ),
        ("tags: [attack.persistence, attack.t1136.003]\n", "", "1:1", "no ATT&CK tag"),
        ("attack.t1136.003", "attack.t9999", "10:28", "T9999 is no cloud technique"),
        ("attack.persistence", "attack.impact", "10:23", "belongs to persistence"),
        ("level: medium\n", "level: medium\nowner: me\n", "10:1", 'unknown key "owner"'),
        ("trailwatch:\n", "trailwatch:\n  slgu: x\n", "12:3", 'did you mean "slug"?'),
    ],
)
def test_a_finding_has_its_place(tmp_path, before, after, place, words):
    found = findings(tmp_path, a__yml=sound().replace(before, after, 1))

    assert any(origin == f"a.yml:{place}" and words in said for origin, said, _ in found), found


def test_dated_names_of_lambda_are_known_and_bare_ones_are_not(tmp_path):
    text = sound().replace("iam.amazonaws.com\n", "lambda.amazonaws.com\n", 1)
    text = text.replace("[CreateUser, DeleteUser]", "[UpdateFunctionCode20150331v2, UpdateFunctionCode]")

    [(origin, said, error)] = findings(tmp_path, a__yml=text)

    assert (origin, error) == ("a.yml:7:47", False)
    assert 'did you mean "UpdateFunctionCode20150331"?' in said


def test_examples_are_missed_and_so_is_a_near_miss(tmp_path):
    text = sound()
    without = text[: text.index("trailwatch:")]
    only_one = text[: text.index("  - {name: no")]

    found = findings(tmp_path, a__yml=without, b__yml=only_one.replace("0001", "0002"))

    assert [(origin, said[:22]) for origin, said, _ in found] == [
        ("a.yml:1:1", "there are no examples;"),
        ("b.yml:12:3", "all examples are of on"),
    ]


def test_duplicate_ids_and_slugs_are_told(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yml").write_text(sound("B", 2))

    found = findings(tmp_path, a__yml=sound(), c__yml=sound("C", 1))

    assert [(origin.split(":")[0], error) for origin, _, error in found] == [("c.yml", True), ("sub/a.yml", False)]
    assert 'the slug "a" is taken' in found[1][1]


def test_a_warning_keeps_no_rule_out(tmp_path):
    (tmp_path / "a.yml").write_text(sound().replace("CreateUser, ", "PassRole, ", 1))

    loaded = load_rules([tmp_path], shipped=False)

    assert len(loaded.rules) == 1
    assert [problem.error for problem in lint(loaded)] == [False]


def test_filter_patterns_are_linted_in_place(tmp_path):
    text = 'title: p\npattern: |\n  { ($.eventName = "CreateUsr") &&\n    ($.userIdentity.typ = "Root") }\n'

    found = {origin: said for origin, said, _ in findings(tmp_path, p__pattern__yml=text)}

    assert 'did you mean "CreateUser"?' in found["p.pattern.yml:3:21"]
    assert 'did you mean "userIdentity.type"?' in found["p.pattern.yml:4:6"]


def test_a_python_rule_without_when_is_told(tmp_path):
    found = findings(tmp_path, r__py='TITLE = "x"\n\n\ndef rule(event):\n    return False\n')

    assert any("there is no WHEN" in said and origin.startswith("r.py:4") for origin, said, _ in found)


def test_a_broken_file_is_an_error_with_its_place(tmp_path):
    found = findings(tmp_path, p__pattern__yml="title: p\npattern: '{ $.a == 1 }'\n", a__yml=sound())

    assert [(origin, error) for origin, _, error in found] == [("p.pattern.yml:2:17", True)]


name = Field("eventName", Op.EQ, ("CreateUser",))
root, user = Field("userIdentity.type", Op.EQ, ("Root",)), Field("userIdentity.type", Op.EQ, ("IAMUser",))
failed = Field("errorCode", Op.EXISTS)


def test_a_condition_in_a_shared_document_names_selections_of_the_others(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(
        "action: global\ntitle: T\nlogsource: {product: aws, service: cloudtrail}\ndetection: {condition: s}\n---\n"
        "detection: {s: {eventName: CreateUser}, other: {eventName: DeleteUser}}\n"
    )
    told = [problem.text for problem in lint(load_rules([path], shipped=False))]
    assert [text for text in told if "no condition names" in text] == ['no condition names the selection "other"']


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (And((root, user)), "never holds"),
        (And((root, Not(root))), "never holds"),
        (And((root, Not(Or((root, user))))), "never holds"),
        (And((Field("errorCode", Op.EQ, ("AccessDenied",)), Not(failed))), "there and missing"),
        (And((failed, Field("errorCode", Op.NULL))), "there and missing"),
        (Const(value=False), "never holds"),
        (Const(value=True), "every event"),
        (And((name, Or((root, And((root, user)))))), "never holds"),
        (Field("eventName", Op.EQ, ("createuser",), cased=True), 'spelled "CreateUser"'),
        (Field("eventName", Op.LIKE, ("*NoSuchThing*",)), "no event name"),
        (Field("eventTime", Op.HOUR, (9, 25)), "no time has the hour 25"),
        (Field("requestParameters.items{}.cidrIp", Op.EQ, ("x",)), "write it without {}"),
    ],
)
def test_what_never_holds_is_found(condition, words):
    assert any(words in doubt.text for doubt in doubts(condition, api_names()))


@pytest.mark.parametrize(
    "condition",
    [
        And((root, Not(user))),
        Or((root, user)),
        And((Field("requestParameters.a", Op.EQ, ("x",)), Field("requestParameters.a", Op.EQ, ("y",)))),
        And((Field("eventName", Op.STARTSWITH, ("Create",)), Not(name))),
        Field("eventName", Op.EQ, ("createuser",)),
        And((Field("eventSource", Op.EQ, ("signin.amazonaws.com",)), Field("eventName", Op.EQ, ("ConsoleLogin",)))),
        And((Field("eventSource", Op.EQ, ("s3.amazonaws.com",)), Field("eventName", Op.EQ, ("PutBucketCors",)))),
        Field("readOnly", Op.EQ, (False,)),
        Field("", Op.CONTAINS, ("word",)),
        Not(failed),
    ],
)  # fmt: skip
def test_what_can_hold_is_left_alone(condition):
    assert list(doubts(condition, api_names())) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_every_field_of_the_translation_table_is_a_known_field(row):
    assert unknown_field(row.path) is None


def test_derived_fields_are_known():
    assert not any(doubt for row in DERIVED_NAMES for doubt in doubts(Field(row.path, Op.EXISTS), api_names()))


@pytest.mark.parametrize(
    ("event_source", "event_name"),
    [
        ("lambda.amazonaws.com", "CreateFunction20150331"),
        ("lambda.amazonaws.com", "AddPermission20150331v2"),
        ("lambda.amazonaws.com", "Invoke"),
        ("s3.amazonaws.com", "GetBucketPublicAccessBlock"),
        ("s3.amazonaws.com", "GetAccelerateConfiguration"),
        ("signin.amazonaws.com", "CheckMfa"),
        ("cloudfront.amazonaws.com", "CreateFunction2020_05_31"),
        ("ses.amazonaws.com", "SendEmail"),
        ("monitoring.amazonaws.com", "DeleteAlarms"),
        ("route53domains.amazonaws.com", "TransferDomainToAnotherAwsAccount"),
    ],
)
def test_names_as_logs_spell_them_are_in_the_table(event_source, event_name):
    assert event_name in api_names().names[event_source]


@pytest.mark.parametrize(
    "event_name", ["PassRole", "ListAllMyBuckets", "CreateFunction20150332", "PutAccountPasswordPolicy"]
)
def test_names_that_no_log_has_are_not(event_name):
    assert api_names().spellings(event_name) == ()


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        ("a:1:2", ("a", 1, 2)),
        ("c:\\a.yml:3:4", ("c:\\a.yml", 3, 4)),
        ("a:7", ("a", 7, 0)),
        ("profile", ("profile", 0, 0)),
    ],
)
def test_an_origin_is_taken_apart(origin, parts):
    assert split_origin(origin) == parts
