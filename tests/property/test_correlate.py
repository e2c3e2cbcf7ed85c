"""Sliding windows against the plain reading of the definition: look at every window from scratch."""

from __future__ import annotations

import itertools
import math
import operator
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailwatch.detect.correlate import Point, holds_at, is_monotone
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.rule import AndTerm, Correlation, CorrelationLimit, NotTerm, OrTerm, RuleTerm

SPAN = 10
OPS = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}
INFO = RuleInfo(id="c", slug="c", title="c", severity=Severity.HIGH, origin="c.yml:1")

points = st.lists(
    st.builds(
        Point,
        time=st.integers(0, 40),
        base=st.sampled_from("abc"),
        value=st.sampled_from(["1", "2", "2.5", "-4", "x", ""]),
        number=st.integers(1, 3),
    ),
    max_size=25,
)
limits = st.builds(
    CorrelationLimit, op=st.sampled_from(sorted(OPS)), value=st.integers(0, 6), percentile=st.integers(0, 100)
)


def correlation(kind, *, rules=("a", "b", "c"), limit=None, expression=None):
    return Correlation(info=INFO, type=kind, rules=rules, timespan_seconds=SPAN, limit=limit, expression=expression)


def inside(given_points, moment):
    return [p for p in given_points if moment - SPAN < p.time <= moment]


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def plainly(rule, given_points, moment):
    window = inside(given_points, moment)
    if rule.type == "temporal" and rule.limit is None:
        return {p.base for p in window} >= set(rule.rules)
    numbers = [number(p.value) for p in window for _ in range(p.number) if number(p.value) is not None]
    if rule.type == "temporal":
        measured = len({p.base for p in window})
    elif rule.type == "event_count":
        measured = sum(p.number for p in window)
    elif rule.type == "value_count":
        measured = len({p.value for p in window})
    elif rule.type == "value_sum":
        measured = math.fsum(n for n in numbers if n > 0)
    elif not numbers:
        return False
    elif rule.type == "value_avg":
        measured = math.fsum(numbers) / len(numbers)
    elif rule.type == "value_median":
        measured = statistics.median(numbers)
    else:
        ordered, at = sorted(numbers), (len(numbers) - 1) * rule.limit.percentile / 100
        low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
        measured = low + (high - low) * (at - math.floor(at))
    return OPS[rule.limit.op](measured, rule.limit.value)


@pytest.mark.parametrize(
    "kind", ["event_count", "value_count", "value_sum", "value_avg", "value_median", "value_percentile", "temporal"]
)
@given(given_points=points, limit=limits)
def test_a_sliding_window_says_what_each_window_says_alone(kind, given_points, limit):
    rule = correlation(kind, limit=limit)

    expected = [m for m in sorted({p.time for p in given_points}) if plainly(rule, given_points, m)]
    assert holds_at(rule, given_points) == expected


@given(given_points=points)
def test_without_a_limit_temporal_wants_every_rule(given_points):
    rule = correlation("temporal")

    expected = [m for m in sorted({p.time for p in given_points}) if plainly(rule, given_points, m)]
    assert holds_at(rule, given_points) == expected


@given(given_points=points)
def test_ordered_rules_hold_where_a_chain_of_events_exists(given_points):
    rule = correlation("temporal_ordered")

    def chained(moment):
        by_rule = [[p.time for p in inside(given_points, moment) if p.base == base] for base in rule.rules]
        return any(list(chain) == sorted(chain) for chain in itertools.product(*by_rule))

    assert holds_at(rule, given_points) == [m for m in sorted({p.time for p in given_points}) if chained(m)]


@given(given_points=points)
def test_a_rule_under_not_must_be_absent_before_and_after(given_points):
    rule = correlation("temporal", expression=AndTerm((RuleTerm("a"), NotTerm(RuleTerm("b")))))

    def plain(moment):
        return any(p.base == "a" for p in inside(given_points, moment)) and not any(
            p.base == "b" and abs(p.time - moment) < SPAN for p in given_points
        )

    expected = [m for m in sorted({p.time for p in given_points if p.base == "a"}) if plain(m)]
    assert holds_at(rule, given_points) == expected


@given(given_points=points, seed=st.randoms(use_true_random=False))
def test_the_order_of_signals_changes_nothing(given_points, seed):
    shuffled = list(given_points)
    seed.shuffle(shuffled)
    for rule in (
        correlation("temporal_ordered"),
        correlation("value_sum", limit=CorrelationLimit("gte", 3)),
        correlation("temporal", expression=OrTerm((RuleTerm("a"), AndTerm((RuleTerm("b"), NotTerm(RuleTerm("c"))))))),
    ):
        assert holds_at(rule, shuffled) == holds_at(rule, given_points)


@given(given_points=points, more=points, kind=st.sampled_from(["event_count", "value_count", "value_sum"]))
def test_more_signals_never_take_a_monotone_moment_away(given_points, more, kind):
    rule = correlation(kind, limit=CorrelationLimit("gte", 3))

    assert is_monotone(rule)
    assert set(holds_at(rule, given_points)) <= set(holds_at(rule, given_points + more))


def test_conditions_that_more_signals_can_break_are_not_monotone():
    assert not is_monotone(correlation("event_count", limit=CorrelationLimit("lt", 3)))
    assert not is_monotone(correlation("value_avg", limit=CorrelationLimit("gte", 3)))
    assert not is_monotone(correlation("temporal", expression=AndTerm((RuleTerm("a"), NotTerm(RuleTerm("b"))))))
    assert is_monotone(correlation("temporal", expression=AndTerm((RuleTerm("a"), RuleTerm("b")))))
