"""`trailwatch rules convert` and `trailwatch rules lint` as people call them."""

import json

import pytest

from trailwatch.cli.main import run

RULE = """\
title: {title}
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{{selection}}}
  condition: selection
level: medium
"""


@pytest.fixture
def rules(tmp_path, monkeypatch):
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    folder = tmp_path / "rules"
    folder.mkdir()
    fields = {"plain": "eventName: CreateUser, userIdentity.type: Root", "odd": "derived.policy.public: true"}
    for number, (name, selection) in enumerate(fields.items()):
        text = RULE.format(title=name, id=f"00000000-0000-4000-8000-{number:012}", selection=selection)
        (folder / f"{name}.yml").write_text(text)
    return folder


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        run([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return left.value.code or 0, printed.out, printed.err


def test_convert_prints_the_rule_in_the_language_asked_for(capsys, rules):
    printed = {
        target: call(capsys, "rules", "convert", "plain", "--rules", rules, "--to", target)
        for target in ("sql-duckdb", "cloudwatch", "eventbridge")
    }

    assert [code for code, _, _ in printed.values()] == [0, 0, 0]
    assert "eventname = 'CreateUser' AND useridentity.type = 'Root'" in printed["sql-duckdb"][1]
    assert printed["cloudwatch"][1] == '{ $.eventName = "CreateUser" && $.userIdentity.type = "Root" }\n'
    detail = json.loads(printed["eventbridge"][1])["detail"]
    assert detail == {"eventName": ["CreateUser"], "userIdentity": {"type": ["Root"]}}


@pytest.mark.parametrize("target", ["sql-duckdb", "cloudwatch", "eventbridge"])
def test_convert_says_why_not_and_leaves_with_three(capsys, rules, target):
    code, out, err = call(capsys, "rules", "convert", "odd", "--rules", rules, "--to", target)

    assert (code, out) == (3, "")
    assert f"{rules}/odd.yml:1: {target} cannot say odd exactly: derived.policy.public: " in err


def test_convert_of_a_rule_that_is_not_there_is_a_usage_error(capsys, rules):
    code, _, err = call(capsys, "rules", "convert", "plian", "--rules", rules, "--to", "cloudwatch")

    assert code == 2
    assert 'did you mean "plain"?' in err


def test_lint_prints_a_line_for_each_finding(capsys, rules):
    code, out, err = call(capsys, "rules", "lint", rules)

    assert code == 0
    assert f"{rules}/odd.yml:1:1: warning: there is no ATT&CK tag" in out
    assert "2 rules, 0 errors, 4 warnings" in err


def test_lint_as_json_has_file_line_and_column(capsys, rules):
    (rules / "bad.pattern.yml").write_text("title: x\npattern: '{ $.a == 1 }'\n")

    code, out, _ = call(capsys, "rules", "lint", rules, "--format", "json")

    assert code == 1
    [error] = [row for row in json.loads(out) if row["level"] == "error"]
    assert (error["file"], error["line"], error["column"]) == (f"{rules}/bad.pattern.yml", 2, 17)


def test_strict_lint_fails_for_warnings_too(capsys, rules):
    assert call(capsys, "rules", "lint", rules, "--strict")[0] == 1


def test_lint_of_the_shipped_rules_finds_no_error(capsys, rules):
    assert rules.exists()

    code, out, _ = call(capsys, "rules", "lint")

    assert code == 0
    assert "error:" not in out


def test_names_in_rule_files_cannot_act_on_the_terminal(capsys, rules):
    (rules / "evil.yml").write_text((rules / "plain.yml").read_text().replace("CreateUser", '"\\e[2Jx"'))

    _, out, _ = call(capsys, "rules", "lint", rules)

    assert "\x1b" not in out


PIPELINE = """\
name: names
priority: 10
transformations:
- id: names
  type: field_name_mapping
  mapping: {event_name: eventName}
"""


@pytest.mark.usefixtures("rules")
def test_a_pipeline_applies_to_what_is_converted_and_checked(capsys, tmp_path):
    pipeline = tmp_path / "names.yml"
    pipeline.write_text(PIPELINE)
    renamed = tmp_path / "renamed.yml"
    identity = "00000000-0000-4000-8000-000000000009"
    renamed.write_text(RULE.format(title="renamed", id=identity, selection="event_name: CreateUser"))

    named = ("rules", "convert", "renamed", "--rules", renamed, "--to", "cloudwatch")
    assert call(capsys, *named, "--pipeline", pipeline)[1] == '{ $.eventName = "CreateUser" }\n'
    code, out, err = call(capsys, *named)
    assert (code, out) == (3, "")
    assert "event_name" in err

    assert "event_name" in call(capsys, "rules", "lint", renamed)[1]
    assert "event_name" not in call(capsys, "rules", "lint", renamed, "--pipeline", pipeline)[1]
