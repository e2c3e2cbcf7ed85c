import gzip
import json

import pytest
from click.testing import CliRunner

from trailwatch.archive import Archive
from trailwatch.cli.main import main
from trailwatch.detect.engine import Engine
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.errors import UsageError
from trailwatch.rules.catalog import load_rules
from trailwatch.testing import delivery, event
from trailwatch.translate.errors import Inexpressible

RULE = """title: Users made by hand
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0077
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateUser, requestParameters.password|startswith: s3c}
  failed: {errorCode|exists: true}
  condition: selection and not failed
level: critical
trailwatch:
  examples:
  - name: made
    matches: true
    event: {eventName: CreateUser, eventTime: '2026-03-02T09:00:00Z', requestParameters: {password: s3cret-word}}
  - {name: failed, matches: %s, base: made, change: {errorCode: AccessDenied}}
"""


@pytest.fixture
def trailwatch(tmp_path, command):
    config = tmp_path / "trailwatch.toml"
    config.write_text(f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n[rules]\nshipped = false\n')

    def run(*words, expect=0):
        environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        return command("--config", config, "rules", *words, code=expect, environment=environment)

    return run


@pytest.fixture
def rule_file(tmp_path):
    path = tmp_path / "made_by_hand.yml"
    path.write_text(RULE % "false")
    return path


def test_list_names_every_rule_and_what_did_not_load(trailwatch, rule_file):
    result = trailwatch("list", "--rules", rule_file)
    assert "critical      made_by_hand  Users made by hand" in result.stdout
    (rule_file.parent / "broken.yml").write_text("title: [")
    broken = trailwatch(
        "list", "--rules", rule_file, "--rules", rule_file.parent / "broken.yml", "--format", "json", expect=3
    )
    assert [row["slug"] for row in json.loads(broken.stdout)] == ["made_by_hand"]
    assert "broken.yml:2:1: no YAML" in broken.stderr


def test_show_prints_the_condition_in_words(trailwatch, rule_file):
    shown = trailwatch("show", "made_by_hand", "--rules", rule_file).stdout
    for words in (
        "critical",
        "eventName is CreateUser",
        "requestParameters.password starts with s3c",
        "not: errorCode is there",
    ):
        assert words in shown


def test_test_runs_the_examples_and_fails_with_them(trailwatch, rule_file):
    passed = trailwatch("test", "--rules", rule_file, "-v").stdout
    assert "passed made_by_hand: made" in passed
    assert "2 examples of 1 rules, 0 failed" in passed
    rule_file.write_text(RULE % "true")
    failed = trailwatch("test", "made_by_hand", "--rules", rule_file, expect=1).stdout
    assert "FAILED made_by_hand: failed: expected match, got no match" in failed


def test_explain_says_clause_by_clause_with_secrets_masked_and_controls_escaped(trailwatch, rule_file, tmp_path):
    records = [
        event("CreateUser", eventID="one", requestParameters={"password": "s3cret-word"}),
        event("CreateUser", eventID="two", requestParameters={"password": "s3cret-word"}, errorCode="No\x1b[2J"),
    ]
    log = tmp_path / "log.json.gz"
    log.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    told = trailwatch("explain", "made_by_hand", "--rules", rule_file, "--event", log).stdout
    assert "made_by_hand matches CreateUser 2026-03-02T09:00:00Z one" in told
    assert "made_by_hand does not match CreateUser 2026-03-02T09:00:00Z two" in told
    assert "+ eventName is CreateUser   [CreateUser]" in told
    assert "+ errorCode is there   [No\\x1b[2J]" in told
    assert "s3cret-word" not in told
    one = trailwatch("explain", "made_by_hand", "--rules", rule_file, "--event", log, "--event-id", "two").stdout
    assert "does not match" in one
    assert " one" not in one


def test_explain_finds_an_event_in_the_archive(trailwatch, rule_file, tmp_path):
    record = event("CreateUser", eventID="kept")
    archive = Archive(tmp_path / "archive")
    archive.append("111122223333", "us-east-1", [(1772442000, json.dumps(record).encode())])
    assert (
        "does not match" in trailwatch("explain", "made_by_hand", "--rules", rule_file, "--event-id", "kept").stdout
    )
    with pytest.raises(UsageError, match="no event 'lost' in the archive"):
        trailwatch("explain", "made_by_hand", "--rules", rule_file, "--event-id", "lost")


CORRELATED = """title: Many made
name: many_made
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0031
correlation:
  type: event_count
  rules: [made]
  group-by: [userIdentity.arn]
  timespan: 15m
  condition: {gte: 5}
---
title: Made
name: made
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0030
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: CreateUser}
  denied: {errorCode: '*'}
  condition: s and not denied
---
title: One after the other
name: in_order
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0032
correlation:
  type: temporal
  timespan: 1h
  condition: made and not made_twice
---
title: Made twice
name: made_twice
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0033
correlation:
  type: temporal_ordered
  rules: [made, made]
  group-by: [who]
  aliases: {who: {made: userIdentity.arn}}
  timespan: 1d
"""


@pytest.fixture
def correlated(tmp_path):
    (tmp_path / "several.yml").write_text(CORRELATED)
    return tmp_path / "several.yml"


def test_show_tells_a_correlation_in_words_and_not_a_rule_that_it_reads(trailwatch, correlated):
    told = trailwatch("show", "many_made", "--rules", correlated).stdout
    assert "title:           Many made" in told
    assert "  their number is at least 5, within 15 minutes, for each userIdentity.arn, over the matches of:" in told
    assert told.endswith("    several-2\n")
    both = trailwatch("show", "in_order", "--rules", correlated).stdout
    assert both.endswith("within 1 hour:\n    all of:\n      several-2\n      and no:\n        several-4\n")
    ordered = trailwatch("show", "made_twice", "--rules", correlated).stdout
    assert "one of each, in this order, within 1 day, for each who, over the matches of:" in ordered
    assert ordered.endswith("  where who is userIdentity.arn of several-2\n")


def test_explain_tells_a_correlation_and_explains_what_it_reads(trailwatch, correlated, tmp_path):
    log = tmp_path / "log.json"
    log.write_text(json.dumps(event("CreateUser", errorCode="AccessDenied")))
    told = trailwatch("explain", "many_made", "--rules", correlated, "--event", log).stdout.splitlines()
    assert told[0] == "several speaks of several events:"
    assert told[3].startswith("several-2 does not match CreateUser")
    assert "      + errorCode is there   [AccessDenied]   <- this is why" in told
    assert sum("this is why" in line for line in told) == 1


def test_a_correlation_is_not_converted_as_a_rule_that_it_reads(trailwatch, correlated):
    with pytest.raises(Inexpressible, match="cannot count or order events over time, as several does"):
        trailwatch("convert", "many_made", "--to", "cloudwatch", "--rules", correlated)


def test_explain_asks_for_an_event(trailwatch, rule_file):
    with pytest.raises(UsageError, match="name the event"):
        trailwatch("explain", "made_by_hand", "--rules", rule_file)


def test_help_names_the_commands_that_live_elsewhere(trailwatch):
    shown = trailwatch("--help").stdout
    for name in ("list", "show", "test", "explain", "convert", "lint"):
        assert f"  {name} " in shown


def test_every_example_of_every_shipped_rule_says_the_same_in_one_engine_of_all_rules():
    ruleset = load_rules()
    rules = [rule for rule in ruleset.rules if rule.examples]
    assert rules
    cases = [(rule, example) for rule in rules for example in rule.examples]
    records = [example.record | {"eventID": f"example-{at}"} for at, (_, example) in enumerate(cases)]
    found = Engine(ruleset, tables=ExampleAddresses()).evaluate(delivery(records))
    assert not found.rejects
    matched = {(match.position, match.rule.id) for match in found.matches}
    wrong = [
        (rule.info.slug, example.name)
        for at, (rule, example) in enumerate(cases)
        if ((at, rule.info.id) in matched) != example.matches
    ]
    assert wrong == []


EXPANDED = """title: What the table names
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0078
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {call|expand: '%calls%'}
  condition: selection
"""


def test_placeholders_and_pipelines_of_the_configuration_and_of_an_option_apply(tmp_path):
    (tmp_path / "expanded.yml").write_text(EXPANDED)
    pipeline = tmp_path / "names.pipeline"
    pipeline.write_text(
        "name: p\npriority: 10\ntransformations:\n- {id: m, type: field_name_mapping, mapping: {call: eventName}}\n"
    )
    config = tmp_path / "trailwatch.toml"
    rules = '[rules]\nshipped = false\n[rules.placeholders]\ncalls = ["CreateUser", "DeleteUser"]\n'
    log = tmp_path / "log.json"
    log.write_text(json.dumps(event("DeleteUser")))

    def scan(settings, *words):
        config.write_text(settings)
        command = ["--config", str(config), *words, "--rules", str(tmp_path / "expanded.yml")]
        return CliRunner(env={"XDG_CACHE_HOME": str(tmp_path / "cache")}).invoke(main, command)

    shown = scan(rules, "rules", "show", "expanded", "--pipeline", str(pipeline))
    assert "eventName" in shown.stdout
    assert "DeleteUser" in shown.stdout
    assert "1 alert" in scan(rules, "scan", str(log), "--pipeline", str(pipeline)).stderr
    assert (
        "1 alert" in scan(rules.replace("[rules]", f'[rules]\npipelines = ["{pipeline}"]'), "scan", str(log)).stderr
    )
    assert "0 alerts" in scan(rules, "scan", str(log)).stderr
    missing = scan(rules.replace("[rules]", '[rules]\npipelines = ["/nowhere.yml"]'), "scan", str(log))
    assert "/nowhere.yml" in str(missing.exception)


def test_profile_rules_tells_what_each_rule_cost(tmp_path, command):
    config, log = tmp_path / "trailwatch.toml", tmp_path / "log.json"
    config.write_text("[rules]\nshipped = false\n")
    (tmp_path / "made_by_hand.yml").write_text(RULE % "false")
    made = event("CreateUser", requestParameters={"password": "s3cret-word"})
    log.write_text(json.dumps({"Records": [made]}))

    words = ["--config", config, "scan", log, "--rules", tmp_path / "made_by_hand.yml", "--profile-rules"]
    result = command(*words, environment={"XDG_CACHE_HOME": str(tmp_path / "cache")})

    assert "decode records" in result.stderr
    row = next(line for line in result.stderr.splitlines() if line.startswith("made_by_hand"))
    assert row.split()[3:] == ["1", "1", "1"]
