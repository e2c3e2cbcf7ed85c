"""Every shipped rule that another language can say matches there exactly what the slow evaluator matches here."""

import functools
import json

import pytest

from trailwatch.detect.compile import compile_predicate
from trailwatch.detect.record import Record
from trailwatch.rules.filter_pattern import parse
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.targets import TARGETS, convert

from ...oracle import holds  # noqa: TID252 test folders are no packages that could be named from the top


def converted(rules, target):
    for rule in rules:
        try:
            yield rule, convert(rule, target)
        except Inexpressible:
            continue


@pytest.fixture(scope="module")
def matched(events):
    @functools.cache
    def numbers(slug, condition):
        assert slug
        return [at for at, record in enumerate(events.records) if holds(condition, record)]

    return numbers


def test_nine_of_ten_shipped_rules_are_sql(shipped):
    assert len(list(converted(shipped, "sql-duckdb"))) >= 0.9 * len(shipped)


def test_sql_gives_the_rows_that_the_rule_matches(events, shipped, matched):
    for rule, sql in converted(shipped, "sql-duckdb"):
        assert events.rows(sql) == matched(rule.info.slug, rule.condition), rule.info.slug


def test_filter_patterns_match_what_the_rule_matches(events, shipped, matched):
    seen = 0
    for rule, text in converted(shipped, "cloudwatch"):
        pattern = parse(text)
        found = [at for at, record in enumerate(events.records) if holds(pattern, record)]
        assert found == matched(rule.info.slug, rule.condition), rule.info.slug
        seen += 1
    assert seen > len(shipped) / 2


def test_event_patterns_match_what_the_rule_matches(events, shipped, matched):
    seen = 0
    for rule, text in converted(shipped, "eventbridge"):
        assert events.matched_by_event_bus(text) == matched(rule.info.slug, rule.condition), rule.info.slug
        seen += 1
    assert seen > len(shipped) / 6


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_every_recorded_event_is_matched_alike(all_events, shipped, target):
    records = [Record(json.dumps(record).encode()) for record in all_events.records]
    for rule, text in converted(shipped, target):
        test = compile_predicate(rule.condition)
        expected = [at for at, record in enumerate(records) if test(record)]
        if target == "cloudwatch":
            again = compile_predicate(parse(text))
            assert [at for at, record in enumerate(records) if again(record)] == expected, rule.info.slug
        else:
            found = all_events.rows(text) if target == "sql-duckdb" else all_events.matched_by_event_bus(text)
            assert found == expected, rule.info.slug


@pytest.mark.parametrize("target", TARGETS)
def test_what_cannot_be_said_comes_with_the_rule_and_the_reason(shipped, target):
    for rule in shipped:
        refused = refusal(rule, target)
        if refused:
            assert refused.origin == rule.info.origin
            assert target in refused.what
            assert rule.info.slug in refused.what


def test_examples_of_shipped_rules_agree_in_every_language(shipped, tmp_path):
    from .conftest import recorded

    pairs = [(rule, example) for rule in shipped for example in rule.examples]
    found = recorded([json.loads(json.dumps(example.record)) for _, example in pairs], tmp_path)
    mine = {}
    for at, (rule, _) in enumerate(pairs):
        mine.setdefault(rule.info.slug, set()).add(at)
    for rule in shipped:
        own = sorted(mine.get(rule.info.slug, ()))
        expected = [at for at in own if holds(rule.condition, found.records[at])]
        for target in TARGETS:
            for _, text in converted([rule], target):
                assert [at for at in matches(found, target, text, own) if at in own] == expected, rule.info.slug


def refusal(rule, target):
    try:
        convert(rule, target)
    except Inexpressible as refused:
        return refused
    return None


def matches(found, target, text, own):
    if target == "sql-duckdb":
        return found.rows(text)
    if target == "eventbridge":
        return found.matched_by_event_bus(text)
    pattern = parse(text)
    return [at for at in own if holds(pattern, found.records[at])]
