"""Every shipped correlation concludes what its examples promise, and each of its parts is needed for that."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trailwatch.model.severity import Severity
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.own_lists import example_lists
from trailwatch.rules.rule import AndTerm, Correlation, NotTerm, OrTerm, Rule, RuleTerm, Story, Term
from trailwatch.rules.stories import by_any_name, records_of
from trailwatch.testing import fires

SHIPPED = load_rules(placeholders=example_lists())
each_correlation = pytest.mark.parametrize(
    "correlation",
    [one for one in SHIPPED.correlations if one.info.origin.startswith("rulepack/")],
    ids=lambda correlation: correlation.info.slug,
)


@functools.cache
def named() -> Mapping[str, Rule]:
    return by_any_name(SHIPPED.rules)


@functools.cache
def told(story: str, correlation: str) -> list[dict[str, Any]]:
    one = next(one for one in SHIPPED.correlations if one.info.id == correlation)
    return records_of(next(each for each in one.stories if each.name == story), named())


def concludes(correlation: Correlation, story: Story) -> bool:
    return fires(correlation, SHIPPED, told(story.name, correlation.info.id))


def mutants(one: Correlation) -> Iterator[tuple[str, Correlation]]:
    replace = msgspec.structs.replace
    if one.expression is not None:
        for what, expression in mutated(one.expression):
            yield what, replace(one, expression=expression)
    elif one.type.startswith("temporal"):
        for name in one.rules:
            yield f"without {name}", replace(one, rules=tuple(rule for rule in one.rules if rule != name), limit=None)
        if one.type == "temporal_ordered":
            yield "in the other order", replace(one, rules=one.rules[::-1])
    elif one.limit is not None:
        yield "one more", replace(one, limit=replace(one.limit, value=one.limit.value + 1))
        yield "one less", replace(one, limit=replace(one.limit, value=one.limit.value - 1))
        for name in one.rules if len(one.rules) > 1 else ():
            yield f"without {name}", replace(one, rules=tuple(rule for rule in one.rules if rule != name))
    yield "a longer time", replace(one, timespan_seconds=100 * one.timespan_seconds)


def mutated(term: Term) -> Iterator[tuple[str, Term]]:
    """The condition once for each rule in it, without that rule or as if it did not matter."""
    if isinstance(term, AndTerm | OrTerm):
        for at, item in enumerate(term.items):
            rest = (*term.items[:at], *term.items[at + 1 :])
            if isinstance(item, RuleTerm | NotTerm):
                yield f"without {item}", type(term)(rest) if len(rest) > 1 else rest[0]
            for what, changed in mutated(item):
                yield what, type(term)((*term.items[:at], changed, *term.items[at + 1 :]))


@each_correlation
def test_a_correlation_has_both_kinds_of_examples_and_keeps_them(correlation: Correlation) -> None:
    verdicts = {story.name: (story.matches, concludes(correlation, story)) for story in correlation.stories}
    assert {expected for expected, _ in verdicts.values()} == {True, False}
    assert len(verdicts) == len(correlation.stories), "two examples have the same name"
    assert {name: verdict for name, verdict in verdicts.items() if len(set(verdict)) > 1} == {}


@each_correlation
def test_the_examples_of_a_correlation_notice_each_change_of_it(correlation: Correlation) -> None:
    titles = {one.info.id: one.info.slug for one in (*SHIPPED.rules, *SHIPPED.correlations)}
    unnoticed = [
        what
        for what, mutant in mutants(correlation)
        if all(concludes(mutant, story) == story.matches for story in correlation.stories)
    ]
    for ident, slug in titles.items():
        unnoticed = [what.replace(ident, slug) for what in unnoticed]
    assert unnoticed == []


@each_correlation
def test_a_correlation_tells_a_person_what_happened_and_what_to_do(correlation: Correlation) -> None:
    info = correlation.info
    wanted = ("title", "description", "tactics", "techniques", "references", "false_positives", "triage")
    assert [name for name in wanted if not getattr(info, name)] == []
    assert len(info.title) <= 90
    assert Path(info.origin.rpartition(":")[0]).stem == info.slug


def test_every_critical_correlation_is_in_the_core_profile() -> None:
    critical = [one.info for one in SHIPPED.correlations if one.info.severity is Severity.CRITICAL]
    assert [info.slug for info in critical if "core" not in info.profiles] == []


def test_no_correlation_shares_an_id_or_a_title_with_another_rule() -> None:
    every = [one.info for one in (*SHIPPED.rules, *SHIPPED.first_seen, *SHIPPED.correlations)]
    for of in ("id", "title", "slug"):
        values = [getattr(info, of) for info in every]
        assert sorted(values) == sorted(set(values))
