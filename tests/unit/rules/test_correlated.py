"""Which correlations can work, what they keep running, and who speaks by itself."""

import pytest

from trailwatch.rules.catalog import load_rules

BASE = """title: {name}
name: {name}
logsource: {{product: aws, service: cloudtrail}}
detection:
  s: {{eventName: {name}}}
  condition: s
{more}
---
"""
COUNT = """title: {name}
name: {name}
level: high
correlation:
  type: event_count
  rules: {rules}
  group-by: {by}
  timespan: 10m
  condition: {{gte: 2}}
  generate: {generate}
{more}
---
"""


def base(name, more=""):
    return BASE.format(name=name, more=more)


def count(name, rules, *, by="[userIdentity.arn]", generate="false", more=""):
    return COUNT.format(name=name, rules=rules, by=by, generate=generate, more=more)


def load(folder, *texts, **options):
    (folder / "rules.yml").write_text("".join(texts).removesuffix("---\n"))
    return load_rules([folder], shipped=options.pop("shipped", False), **options)


def speaking(ruleset):
    infos = [rule.info for rule in ruleset.rules] + [one.info for one in ruleset.correlations]
    return {info.title for info in infos if info.alerting}


def test_what_a_correlation_reads_is_silent_by_itself(tmp_path):
    ruleset = load(tmp_path, base("a"), base("b"), count("many", "[a]"))

    assert speaking(ruleset) == {"b", "many"}


def test_generate_lets_it_speak_also_where_another_correlation_does_not_say_so(tmp_path):
    ruleset = load(tmp_path, base("a"), count("many", "[a]", generate="true"), count("more", "[a]"))

    assert speaking(ruleset) == {"a", "many", "more"}


def test_a_file_that_says_so_itself_decides(tmp_path):
    texts = (
        base("a", "trailwatch: {alerting: true}"),
        base("b", "trailwatch: {alerting: false}"),
        count("many", "[a, b]", generate="true"),
    )

    assert speaking(load(tmp_path, *texts)) == {"a", "many"}


def test_shipped_rules_keep_their_voice(tmp_path):
    trail_stopped = next(rule for rule in load_rules([]).rules if rule.info.slug == "trail_stopped")
    ruleset = load(tmp_path, count("many", f"[{trail_stopped.info.id}]"), shipped=True)

    assert {"many", trail_stopped.info.title} <= speaking(ruleset)
    # by slug as well
    assert "many" in speaking(load(tmp_path, count("many", "[trail_stopped]"), shipped=True))


def test_a_correlation_read_by_another_is_silent_too(tmp_path):
    ruleset = load(tmp_path, base("a"), count("many", "[a]"), count("again", "[many]"))

    assert [one.info.title for one in ruleset.correlations] == ["many", "again"]
    assert speaking(ruleset) == {"again"}


def test_lower_correlations_come_before_those_that_read_them(tmp_path):
    ruleset = load(tmp_path, count("top", "[middle]"), count("middle", "[low]"), count("low", "[a]"), base("a"))

    assert [one.info.title for one in ruleset.correlations] == ["low", "middle", "top"]


@pytest.mark.parametrize("options", [{"only": ["again"]}, {"disabled": ["a", "many"]}])
def test_what_a_wanted_correlation_needs_runs_in_silence(tmp_path, options):
    ruleset = load(tmp_path, base("a"), base("b"), count("many", "[a]"), count("again", "[many]"), **options)

    assert {rule.info.title for rule in ruleset.rules} >= {"a"}
    assert {one.info.title for one in ruleset.correlations} == {"many", "again"}
    assert speaking(ruleset) - {"b"} == {"again"}


def test_a_rule_alone_speaks_when_its_correlation_is_not_wanted(tmp_path):
    ruleset = load(tmp_path, base("a"), count("many", "[a]"), disabled=["many"])

    assert speaking(ruleset) == {"a"}
    assert not ruleset.correlations


def test_python_rules_and_patterns_can_be_read(tmp_path):
    (tmp_path / "made.py").write_text(
        'TITLE = "Made"\nWHEN = {"eventName": "CreateUser"}\n\n\ndef rule(event):\n    return True\n'
    )
    (tmp_path / "seen.pattern.yml").write_text("title: Seen\npattern: '{ $.eventName = \"GetUser\" }'\n")
    ruleset = load(tmp_path, count("many", "[made, seen]"))

    assert not ruleset.problems
    assert speaking(ruleset) == {"many"}


BROKEN = {
    "it reads itself": (count("one", "[two]"), count("two", "[one]")),
    "no value of 'many', which groups by userIdentity.arn": (
        base("a"),
        count("many", "[a]"),
        count("again", "[many]", by="[awsRegion]"),
    ),
    "a rule about travel": (
        base("a", "trailwatch: {travel: {by: [userIdentity.arn]}}"),
        count("many", "[a]"),
    ),
    "is taken by": (
        base("a"),
        count("many", "[a]", more="id: 11111111-2222-4333-8444-555555555555"),
        count("again", "[a]", more="id: 11111111-2222-4333-8444-555555555555"),
    ),
}


@pytest.mark.parametrize("words", BROKEN)
def test_what_cannot_work_is_told_and_left_out(tmp_path, words):
    ruleset = load(tmp_path, *BROKEN[words])

    errors = [problem.text for problem in ruleset.problems if problem.error]
    assert errors
    assert all(words in text for text in errors)


def test_one_that_reads_a_broken_one_is_left_out_as_well(tmp_path):
    texts = base("a"), count("many", "[a]", by="[awsRegion]"), count("bad", "[many]"), count("worse", "[bad]")
    ruleset = load(tmp_path, *texts)

    assert [one.info.title for one in ruleset.correlations] == ["many"]
    assert len(ruleset.problems) == 2


def test_an_alias_gives_a_lower_key_another_name(tmp_path):
    upper = count("again", "[many]", by="[who]").replace(
        "  timespan", "  aliases: {who: {many: userIdentity.arn}}\n  timespan"
    )
    ruleset = load(tmp_path, base("a"), count("many", "[a]"), upper)

    assert not ruleset.problems
    assert len(ruleset.correlations) == 2
