"""Sigma rules mean what the Sigma specification says."""

import json

import msgspec
import pytest

from trailwatch.detect.engine import Engine
from trailwatch.errors import RuleError
from trailwatch.model.rule import Dedup
from trailwatch.model.severity import Severity
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.predicate import Field, Op
from trailwatch.testing import delivery, event

HEAD = """title: A rule
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0001
status: test
logsource: {product: aws, service: cloudtrail}
level: high
"""


def load(tmp_path, text, **options):
    (tmp_path / "rule.yml").write_text(text, encoding="utf-8")
    return load_rules([tmp_path], shipped=False, **options)


def matched(tmp_path, detection, *records, **options):
    """Which of the records the detection matches, by number."""
    ruleset = load(tmp_path, HEAD + "detection:\n" + detection, **options)
    assert not ruleset.problems, ruleset.problems
    numbered = [record | {"eventID": f"e{at}"} for at, record in enumerate(records)]
    found = Engine(ruleset).evaluate(delivery(numbered))
    assert found.tally.reconciles()
    assert not found.rejects
    return [match.position for match in found.matches]


def with_agent(*agents):
    return [event("ListUsers", userAgent=agent) for agent in agents]


AGENTS = ["aws-cli/2", "Boto3/1.34", "my aws-cli", "AWS-CLI", "", "a*b", "a?b", "a\\b", "axb"]
TEXT_CASES = {
    "plain values ignore case": ("userAgent: AWS-cli/2", [0]),
    "a list is alternatives": ("userAgent: [aws-cli/2, boto3/1.34]", [0, 1]),
    "contains": ("userAgent|contains: aws-cli", [0, 2, 3]),
    "startswith": ("userAgent|startswith: aws-cli", [0, 3]),
    "endswith": ("userAgent|endswith: -cli", [2, 3]),
    "all of a list": ("userAgent|contains|all: [aws, my]", [2]),
    "neq": ("userAgent|neq: aws-cli/2", [1, 2, 3, 4, 5, 6, 7, 8]),
    "cased": ("userAgent|contains|cased: AWS", [3]),
    "star is any run": ("userAgent: a*b", [5, 6, 7, 8]),
    "question mark is one character": ("userAgent: 'a?b'", [5, 6, 7, 8]),
    "an escaped star is a star": (r"userAgent: 'a\*b'", [5]),
    "an escaped question mark is one": (r"userAgent: 'a\?b'", [6]),
    "a backslash is a backslash": (r"userAgent: 'a\b'", [7]),
    "an inner star with contains": ("userAgent|contains: 'aws*/'", [0]),
    "the empty text": ("userAgent: ''", [4]),
    "a lone star is any value": ("userAgent: '*'", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    "re is searched and minds case": ("userAgent|re: 'aws-cli(/|$)'", [0, 2]),
    "re with the flag i": ("userAgent|re|i: '^aws-cli$'", [3]),
    "re with ignorease in long": ("userAgent|re|ignorecase: '^aws-CLI$'", [3]),
    "re with several alternatives": ("userAgent|re: ['^Boto', 'my']", [1, 2]),
    "exists": ("userAgent|exists: true", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    "exists false": ("userAgent|exists: false", []),
    "an escaped backslash before a star": (r"userAgent: 'a\\*'", [7]),
    "an escaped backslash before an escaped star": (r"userAgent: 'a\\\*'", []),
    "a regex keeps its escapes": (r"userAgent|re: '^a\*b$'", [5]),
    "a regex keeps an escaped backslash": (r"userAgent|re: '^a\\.?b$'", [7]),
    "a regex that is written as a number": ("userAgent|re: 2", [0]),
    "an expression with a wildcard alternative": ("userAgent|re|contains: '^Boto|my'", [1, 2]),
    "neq of contains and all": ("userAgent|contains|all|neq: [aws, cli]", [1, 4, 5, 6, 7, 8]),
}


@pytest.mark.parametrize("name", TEXT_CASES)
def test_text(tmp_path, name):
    item, expected = TEXT_CASES[name]
    assert matched(tmp_path, f"  s:\n    {item}\n  condition: s\n", *with_agent(*AGENTS)) == expected


def parameters(*given):
    return [event("ListUsers", requestParameters=one) for one in given]


VALUES = [
    {"n": 5},
    {"n": "5"},
    {"n": 5.0},
    {"n": 7},
    {"n": "x"},
    {"n": True},
    {"n": "True"},
    {"n": None},
    {},
    None,
    {"n": [1, 5]},
]
VALUE_CASES = {
    "a number equals texts that spell it": ("requestParameters.n: 5", [0, 1, 2, 10]),
    "a text is compared with the text": ("requestParameters.n: '5'", [0, 1, 10]),
    "lt": ("requestParameters.n|lt: 6", [0, 1, 2, 10]),
    "lte": ("requestParameters.n|lte: 5", [0, 1, 2, 10]),
    "gt": ("requestParameters.n|gt: 5", [3]),
    "gte": ("requestParameters.n|gte: 7", [3]),
    "a boolean equals its text": ("requestParameters.n: true", [5, 6]),
    "null is null and absent": ("requestParameters.n: null", [7, 8, 9]),
    "a list of values with null": ("requestParameters.n: [null, 7]", [3, 7, 8, 9]),
    "no number is near a boolean": ("requestParameters.n: 1", [10]),
    "neq of lt": ("requestParameters.n|lt|neq: 6", [3, 4, 5, 6, 7, 8, 9]),
    "all over a list in the record": ("requestParameters.n|all: [1, 5]", [10]),
    "exists is not null": ("requestParameters.n|exists: true", [0, 1, 2, 3, 4, 5, 6, 10]),
    "neq holds where the field is absent": ("requestParameters.n|neq: 5", [3, 4, 5, 6, 7, 8, 9]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUE_CASES)
def test_values(tmp_path, name):
    item, expected = VALUE_CASES[name]
    assert matched(tmp_path, f"  s:\n    {item}\n  condition: s\n", *parameters(*VALUES)) == expected


def test_lists_in_records_match_by_any_element_and_all_may_use_different_ones(tmp_path):
    items = {"items": [{"cidr": "0.0.0.0/0", "port": 22}, {"cidr": "10.0.0.0/8"}]}
    any_one = "  s:\n    requestParameters.items.cidr: 10.0.0.0/8\n  condition: s\n"
    both = "  s:\n    requestParameters.items.cidr|contains|all: ['0.0.0', '10.']\n  condition: s\n"
    none = "  s:\n    requestParameters.items.cidr|contains|all: ['0.0.0', '11.']\n  condition: s\n"
    assert [matched(tmp_path, text, *parameters(items)) for text in (any_one, both, none)] == [[0], [0], []]


def test_cidr_takes_both_families_and_no_host_names(tmp_path):
    hosts = ["192.0.2.7", "192.0.3.1", "2001:db8::5", "ec2.amazonaws.com"]
    records = [event("ListUsers", sourceIPAddress=host) for host in hosts]
    text = "  s:\n    sourceIPAddress|cidr: [192.0.2.0/24, '2001:db8::/32']\n  condition: s\n"
    assert matched(tmp_path, text, *records) == [0, 2]


def test_fieldref_compares_two_fields_of_one_record(tmp_path):
    records = parameters({"userName": "DORA"}, {"userName": "eve"}, {}, {"userName": "dora2"})
    assert matched(
        tmp_path, "  s: {requestParameters.userName|fieldref: userIdentity.userName}\n  condition: s\n", *records
    ) == [0]
    starts = "  s: {requestParameters.userName|fieldref|startswith: userIdentity.userName}\n  condition: s\n"
    assert matched(tmp_path, starts, *records) == [0, 3]


@pytest.mark.parametrize(
    ("part", "value"), [("minute", 14), ("hour", 9), ("day", 2), ("week", 10), ("month", 3), ("year", 2026)]
)
def test_parts_of_a_time_are_utc(tmp_path, part, value):
    times = ["2026-03-02T09:14:07Z", "2026-03-02T10:14:07+01:00", "2025-12-31T23:59:59Z", "no time"]
    text = f"  s:\n    requestParameters.at|{part}: {value}\n  condition: s\n"
    assert matched(tmp_path, text, *parameters(*({"at": time} for time in times))) == [0, 1]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("hour|gte: 9", [0, 2]),
        ("hour|gt: 9", [2]),
        ("hour|lt: 9", [1]),
        ("hour|lte: 9", [0, 1]),
        ("hour|gte: 24", []),
        ("month|gt: 2", [0, 2]),
        ("year|lt: 2026", [1]),
    ],
)
def test_parts_of_a_time_can_be_compared(tmp_path, item, expected):
    times = parameters(
        *({"at": time} for time in ("2026-03-02T09:14:07Z", "2025-01-31T08:59:59Z", "2026-12-02T22:00Z"))
    )
    assert (
        matched(tmp_path, f"  s:\n    requestParameters.at|{item}\n  condition: s\n", *times, *parameters({"at": 10}))
        == expected
    )


def test_encodings_of_user_data(tmp_path):
    encoded = {"userData": "IyEvYmluL3No"}
    wide = {"userData": "cABpAG4AZwA="}
    cases = {
        "requestParameters.userData|base64: '#!/bin/sh'": [0],
        "requestParameters.userData|base64offset|contains: '/bin'": [0],
        "requestParameters.userData|wide|base64: ping": [1],
    }
    for item, expected in cases.items():
        assert matched(tmp_path, f"  s:\n    {item}\n  condition: s\n", *parameters(encoded, wide)) == expected


def test_utf16_values_are_encoded_with_their_byte_order_mark(tmp_path):
    import base64

    mark = {"data": base64.b64encode(b"\xff\xfe" + "hi".encode("utf-16le")).decode()}
    big = {"data": base64.b64encode("hi".encode("utf-16be")).decode()}
    little = "  s:\n    requestParameters.data|utf16|base64: hi\n  condition: s\n"
    large = "  s:\n    requestParameters.data|utf16be|base64: hi\n  condition: s\n"
    assert matched(tmp_path, little, *parameters(mark, big)) == [0]
    assert matched(tmp_path, large, *parameters(mark, big)) == [1]


def test_windash_takes_every_kind_of_dash(tmp_path):
    commands = parameters({"c": "net /all"}, {"c": "net -all"}, {"c": "net –all"}, {"c": "net all"})  # noqa: RUF001 the dash is the case
    assert matched(
        tmp_path, "  s:\n    requestParameters.c|windash|contains: ' -all'\n  condition: s\n", *commands
    ) == [0, 1, 2]


def test_placeholders_are_filled_from_the_table(tmp_path):
    text = "  s:\n    userAgent|expand: '%tools%*'\n  condition: s\n"
    tools = {"tools": ["aws-cli", "boto3"]}
    assert matched(tmp_path, text, *with_agent("aws-cli/2", "Boto3", "curl"), placeholders=tools) == [0, 1]


def test_a_placeholder_without_values_leaves_the_rule_out_and_says_so(tmp_path):
    ruleset = load(tmp_path, HEAD + "detection:\n  s:\n    userAgent|expand: '%tools%'\n  condition: s\n")
    assert ruleset.rules == ()
    assert ruleset.skipped == {"placeholder without values": 1}
    assert "%tools%" in ruleset.problems[0].text
    assert not ruleset.problems[0].error


CONDITIONS = {
    "a and b": [2],
    "a or b": [0, 1, 2],
    "a and not b": [0],
    "1 of s_*": [0, 1, 2],
    "all of s_*": [2],
    "1 of them": [0, 1, 2],
    "any of s_*": [0, 1, 2],
    "all of them": [2],
    "not (a or b)": [3],
    "not 1 of s_*": [3],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(tmp_path, condition):
    condition_text = condition.replace("a ", "s_a ").replace(" b", " s_b").replace("(a", "(s_a")
    text = f"  s_a:\n    requestParameters.x: 1\n  s_b:\n    requestParameters.y: 1\n  condition: {condition_text}\n"
    records = parameters({"x": 1}, {"y": 1}, {"x": 1, "y": 1}, {})
    assert matched(tmp_path, text, *records) == CONDITIONS[condition]


def test_keywords_look_at_the_whole_record(tmp_path):
    records = parameters({"deep": [{"er": "Find-Me"}]}, {"find-me": 1}, {"other": 1}, {"a": "find", "b": "me"})
    assert matched(tmp_path, "  keywords: [find-me]\n  condition: keywords\n", *records) == [0, 1]
    assert matched(tmp_path, "  keywords:\n    '|all': [find, me]\n  condition: keywords\n", *records) == [0, 1, 3]
    assert matched(tmp_path, "  keywords: ['find*me']\n  condition: keywords\n", *records) == [0, 1, 3]
    assert matched(tmp_path, "  keywords:\n    '|re': 'Find.Me'\n  condition: keywords\n", *records) == [0]


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("'say \"hi\"'", [0]),
        (r"'c:\Windows\x'", [1]),
        (r"'c:\\*\x'", [1]),
        ('"new\\nline"', [2]),
        ("""'"ua":"say'""", [0]),
        ("'grüß'", [3]),
    ],
)
def test_keywords_find_what_json_writes_with_escapes(tmp_path, keyword, expected):
    records = parameters({"ua": 'say "hi"'}, {"ua": "C:\\Windows\\x"}, {"ua": "new\nline"}, {"ua": "Grüße"})
    assert matched(tmp_path, f"  k: [{keyword}]\n  condition: k\n", *records) == expected


@pytest.mark.parametrize("keyword", [r"C:\\\\Temp", r"say \\\"no", r"end\\\\n", r"end\\nnext", "größe"])
def test_a_keyword_that_is_an_expression_sees_the_json_of_the_record(tmp_path, keyword):
    record = event("A", userAgent='C:\\Temp says "no"; say "no"; end\nnext; größe')
    expected = [] if keyword == r"end\\\\n" else [0]
    assert matched(tmp_path, f"  keywords:\n    '|re': '{keyword}'\n  condition: keywords\n", record) == expected


def test_selections_that_begin_with_an_underscore_and_timeframes_are_not_them(tmp_path):
    text = "  s: {requestParameters.x: 1}\n  _t: {requestParameters.y: 1}\n  timeframe: 5m\n  condition: %s of them\n"
    for quantity in ("1", "all"):
        ruleset = load(tmp_path, HEAD + "detection:\n" + text % quantity)
        assert [rule.condition for rule in ruleset.rules] == [Field("requestParameters.x", Op.EQ, (1,))]
        (problem,) = ruleset.problems
        assert (problem.error, problem.origin) == (False, f"{tmp_path}/rule.yml:9:3")


def test_a_list_of_mappings_is_alternatives(tmp_path):
    text = (
        "  s:\n    - {requestParameters.x: 1, requestParameters.y: 1}\n    - requestParameters.z: 1\n  condition: s\n"
    )
    assert matched(tmp_path, text, *parameters({"x": 1}, {"x": 1, "y": 1}, {"z": 1})) == [1, 2]


def test_several_conditions_are_alternatives(tmp_path):
    text = "  a: {requestParameters.x: 1}\n  b: {requestParameters.y: 1}\n  condition: [a, b]\n"
    assert matched(tmp_path, text, *parameters({"x": 1}, {"y": 1}, {})) == [0, 1]


def test_a_filter_narrows_the_rules_it_names(tmp_path):
    (tmp_path / "filter.yml").write_text(
        "title: Not the pipeline\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n  rules: [0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0001]\n  pipeline: {userIdentity.userName: ci}\n"
        "  condition: not pipeline\n"
    )
    ci = event("CreateUser", change={"userIdentity.userName": "ci"})
    text = "  s: {eventName: CreateUser}\n  condition: s\n"
    assert matched(tmp_path, text, event("CreateUser"), ci) == [0]


def test_a_filter_for_all_of_aws_holds_for_every_cloudtrail_rule(tmp_path):
    (tmp_path / "filter.yml").write_text(
        "title: Not the pipeline\nlogsource: {product: aws}\n"
        "filter:\n  rules: any\n  pipeline: {userIdentity.userName: ci}\n  condition: not pipeline\n"
    )
    ci = event("CreateUser", change={"userIdentity.userName": "ci"})
    text = "  s: {eventName: CreateUser}\n  condition: s\n"
    assert matched(tmp_path, text, event("CreateUser"), ci) == [0]


def test_a_filter_that_names_no_rule_is_told(tmp_path):
    (tmp_path / "filter.yml").write_text(
        "title: F\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n  rules: [nonesuch]\n  pipeline: {userIdentity.userName: ci}\n  condition: not pipeline\n"
    )
    (problem,) = load(tmp_path, HEAD + "detection:\n  s: {eventName: CreateUser}\n  condition: s\n").problems
    assert (problem.error, problem.origin) == (False, f"{tmp_path}/filter.yml:4:3")
    assert "'nonesuch'" in problem.text


def test_a_processing_pipeline_renames_fields(tmp_path):
    pipeline = tmp_path / "pipeline.yaml"
    folder = tmp_path / "rules"
    folder.mkdir()
    pipeline.write_text(
        "name: p\npriority: 10\ntransformations:\n"
        "- {id: m, type: field_name_mapping, mapping: {user: userIdentity.userName}}\n"
    )
    text = "  s: {user: dora}\n  condition: s\n"
    assert matched(folder, text, event("ListUsers"), pipelines=[pipeline]) == [0]


def test_a_processing_pipeline_renames_the_fields_of_filters_too(tmp_path):
    pipeline = tmp_path / "pipeline.txt"
    pipeline.write_text(
        "name: p\npriority: 10\ntransformations:\n"
        "- {id: m, type: field_name_mapping, mapping: {user: userIdentity.userName, name: eventName}}\n"
    )
    (tmp_path / "filter.yml").write_text(
        "title: F\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n  rules: any\n  pipeline: {user: ci}\n  condition: not pipeline\n"
    )
    ci = event("CreateUser", change={"userIdentity.userName": "ci"})
    text = "  s: {name: CreateUser}\n  condition: s\n"
    assert matched(tmp_path, text, event("CreateUser"), ci, pipelines=[pipeline]) == [0]


@pytest.mark.parametrize("content", ["just text", "x: [", "title: x", "transformations:\n- {id: m, type: nope}"])
def test_what_is_no_processing_pipeline_is_told_with_its_file(tmp_path, content):
    path = tmp_path / "pipeline.txt"
    path.write_text(content)
    with pytest.raises(RuleError, match=r"pipeline\.txt: no processing pipeline"):
        load(tmp_path, HEAD + "detection:\n  s: {eventName: CreateUser}\n  condition: s\n", pipelines=[path])


def test_what_people_read_of_a_rule_is_kept(tmp_path):
    text = HEAD + (
        "description: What it is\ntags: [attack.defense_evasion, attack.t1562.008, cve.2020-1]\n"
        "references: [https://example.com]\nfalsepositives: [Upgrades]\n"
        "detection:\n  s: {eventName: DeleteTrail}\n  condition: s\n"
        "trailwatch:\n  slug: trail_gone\n  profiles: [core]\n  alerting: false\n"
        "  dedup: {by: [awsRegion], period: 2h}\n"
        "  fields: [requestParameters.name]\n  triage: [Look]\n  respond: restore-logging\n"
    )
    (rule,) = load(tmp_path, text).rules
    info = rule.info
    assert (info.slug, info.severity, info.alerting, info.respond) == (
        "trail_gone",
        Severity.HIGH,
        False,
        "restore-logging",
    )
    assert (info.tactics, info.techniques) == (("defense-evasion",), ("T1562.008",))
    assert info.dedup == Dedup(("awsRegion",), 7200)
    assert (info.profiles, info.fields, info.triage) == (("core",), ("requestParameters.name",), ("Look",))
    assert info.origin == f"{tmp_path}/rule.yml:1"
    assert rule.condition == Field("eventName", Op.EQ, ("DeleteTrail",))


def test_first_seen_rules_are_kept_apart_because_they_need_a_memory(tmp_path):
    text = HEAD + (
        "detection:\n  s: {eventName: AssumeRole}\n  condition: s\n"
        "trailwatch:\n  first_seen: {fields: [userIdentity.arn, awsRegion], history: 14d}\n"
    )
    ruleset = load(tmp_path, text)
    assert ruleset.rules == ()
    assert ruleset.first_seen[0].first_seen.fields == ("userIdentity.arn", "awsRegion")
    assert ruleset.first_seen[0].first_seen.history_seconds == 14 * 86400


def test_action_global_is_shared_by_the_documents_after_it(tmp_path):
    text = (
        "action: global\ntitle: Shared\nlogsource: {product: aws, service: cloudtrail}\n---\n"
        "detection:\n  s: {eventName: CreateUser}\n  condition: s\n---\n"
        "detection:\n  s: {eventName: DeleteUser}\n  condition: s\n"
    )
    ruleset = load(tmp_path, text)
    assert [rule.info.slug for rule in ruleset.rules] == ["rule", "rule-2"]
    assert {rule.info.title for rule in ruleset.rules} == {"Shared"}


def test_rules_under_one_global_document_have_ids_of_their_own(tmp_path):
    text = (
        "action: global\ntitle: Shared\nid: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0009\n"
        "logsource: {product: aws, service: cloudtrail}\n---\n"
        "detection:\n  s: {eventName: CreateUser}\n  condition: s\n---\n"
        "detection:\n  s: {eventName: DeleteUser}\n  condition: s\n---\n"
        "id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0010\ndetection:\n  s: {eventName: GetUser}\n  condition: s\n"
    )
    first, again = load(tmp_path, text), load(tmp_path, text)
    assert not first.problems
    assert [rule.info.id[-4:] for rule in first.rules][::2] == ["0009", "0010"]
    assert len({rule.info.id for rule in first.rules}) == 3
    assert first.rules == again.rules


def test_a_date_in_a_value_stays_the_text_that_was_written(tmp_path):
    text = "  s: {requestParameters.version: 2012-10-17}\n  condition: s\n"
    assert matched(tmp_path, text, *parameters({"version": "2012-10-17"})) == [0]


def test_examples_of_a_rule_build_on_each_other(tmp_path):
    text = HEAD + (
        "detection:\n  s: {eventName: DeleteTrail}\n  condition: s\ntrailwatch:\n  examples:\n"
        "  - {name: one, matches: true, event: {eventName: DeleteTrail, a: {b: 1}}}\n"
        "  - {name: two, matches: false, base: one, change: {eventName: StopLogging, a.b: null, c.d: 2}}\n"
    )
    (rule,) = load(tmp_path, text).rules
    assert [(example.name, example.matches, example.record) for example in rule.examples] == [
        ("one", True, {"eventName": "DeleteTrail", "a": {"b": 1}}),
        ("two", False, {"eventName": "StopLogging", "a": {}, "c": {"d": 2}}),
    ]


def test_the_rule_set_is_the_same_from_the_cache(tmp_path):
    rules, cache = tmp_path / "rules", tmp_path / "cache"
    rules.mkdir()
    text = HEAD + "detection:\n  s: {requestParameters.n|gt: 1.5, readOnly: false}\n  condition: s\n"
    first = load(rules, text, cache_dir=cache)
    second = load(rules, text, cache_dir=cache)
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert second == first
    assert [json.loads(path.read_bytes())["problems"] for path in cache.glob("rules-*.json")] == [[]]
    changed = load(rules, text.replace("1.5", "2.5"), cache_dir=cache)
    assert changed.digest != first.digest
    assert changed.rules != first.rules
