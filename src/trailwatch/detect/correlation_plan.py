"""What follows from a correlation before any signal came: who reads it, what it keeps, and how long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trailwatch.detect.correlate import LATENESS_SECONDS, is_monotone, positive_rules
from trailwatch.model.signal import Feed
from trailwatch.rules.rule import Correlation

SHORTEST_SLOT = 3600


class Plan(NamedTuple):
    """A correlation with what follows from it."""

    correlation: Correlation
    rules: frozenset[str]
    counted: frozenset[str]
    """Rules whose signals are evidence: all but those that must be absent."""
    uppers: tuple[Correlation, ...]
    feed: Feed
    places: Mapping[str, int]
    """For each rule over single events that it leans on, how many are named after it."""


def plans_of(correlations: Sequence[Correlation]) -> dict[str, Plan]:
    """By id, those whose conclusions somebody hears, others before those that read them."""
    by_id = {one.info.id: one for one in correlations}
    heard: dict[str, Plan] = {}
    for one in reversed(correlations):
        uppers = tuple(plan.correlation for plan in heard.values() if one.info.id in plan.rules)
        if uppers or one.info.alerting:
            above = max((heard[upper.info.id].feed.keep for upper in uppers), default=0)
            rules = frozenset(one.rules)
            counted = positive_rules(one)
            feed, order = _feed(one, by_id, above), _leaves(one, by_id)
            places = {rule_id: at for at, rule_id in enumerate(dict.fromkeys(reversed(order)))}
            heard[one.info.id] = Plan(one, rules, counted, uppers, feed, places)
    return dict(reversed(heard.items()))


def _leaves(one: Correlation, by_id: Mapping[str, Correlation]) -> list[str]:
    """The rules over single events below a correlation, in the order in which they are named."""
    return [leaf for name in one.rules for leaf in (_leaves(by_id[name], by_id) if name in by_id else (name,))]


def _feed(one: Correlation, by_id: Mapping[str, Correlation], above: int) -> Feed:
    needed, several = _least(one)
    monotone = is_monotone(one)
    return Feed(
        rule_id=one.info.id,
        bases=tuple(dict.fromkeys(one.rules)),
        span=one.timespan_seconds,
        slot=max(SHORTEST_SLOT, one.timespan_seconds, one.info.dedup.period_seconds),
        keep=2 * one.timespan_seconds + settling_seconds(one, by_id) + above,
        settles=0 if monotone else settling_seconds(one, by_id),
        needed=needed,
        several=several,
    )


def settling_seconds(one: Correlation, by_id: Mapping[str, Correlation]) -> int:
    """How long after a moment nothing can change any more whether a correlation holds at it."""
    below = [settling_seconds(by_id[name], by_id) for name in one.rules if name in by_id]
    ahead = one.timespan_seconds if one.expression is not None else 0
    return ahead + max(below, default=LATENESS_SECONDS)


def _least(one: Correlation) -> tuple[int, bool]:
    """So many signals, and whether of more than one rule, are in any window in which a monotone one holds."""
    every = len(set(one.rules))
    if one.expression is not None or one.type == "value_sum":
        return 1, False
    if one.limit is None:
        return every, every > 1
    number = math.floor(one.limit.value) + 1 if one.limit.op == "gt" else math.ceil(one.limit.value)
    return max(1, number), one.type.startswith("temporal") and number > 1
