"""Which signals of a complete set can make a correlation hold at all: most never can, and need not be kept for it.

A window of a correlation lies within two neighbouring stretches of time of its own length. Where these two together
have too few signals of a group, too few different values or too few different rules, it holds at none of their
moments, and what is dropped there changes nothing elsewhere: more signals only help those correlations that are
sifted here. Signals of the others all pass: of those that need the absence of something, that read correlations, or
that sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trailwatch.detect.correlation_plan import plans_of
from trailwatch.rules.rule import Correlation

PLACES_KEPT = 300_000

_Place = tuple[str, tuple[str, ...], int]


class _Least(NamedTuple):
    span: int
    needed: int
    """So many signals, values or rules are in every window in which it holds."""
    what: str
    """`signal`, `value` or `rule`."""


class Sieve:
    """Is shown every signal once by `count`, and then knows which ones pass.

    Args:
        correlations: all that run.
        places_kept: so many stretches of groups are counted; where there are more, all signals pass.
    """

    def __init__(self, correlations: Sequence[Correlation], places_kept: int = PLACES_KEPT) -> None:
        self._places_kept = places_kept
        self._least = _all_least(correlations)
        self._counts: dict[_Place, int] = {}
        self._different: dict[_Place, set[str]] = {}
        self._passing: set[_Place] | None = None

    def count(self, rule_id: str, base_id: str, key: tuple[str, ...], time: int, value: str) -> None:
        """Takes note of a signal.

        Args:
            rule_id: the correlation that eats it.
            base_id: the rule that it comes from.
            key: values of the group-by fields.
            time: in seconds since 1970.
            value: what is counted.
        """
        least = self._least.get(rule_id)
        if least is None:
            return
        span, needed, what = least
        place = rule_id, key, time // span
        if len(self._counts) + len(self._different) >= self._places_kept:
            self._least = {}
            self._counts.clear()
            self._different.clear()
            return
        if what == "signal":
            self._counts[place] = self._counts.get(place, 0) + 1
            return
        different = self._different.get(place)
        if different is None:
            self._different[place] = {value if what == "value" else base_id}
        elif len(different) < needed:
            different.add(value if what == "value" else base_id)

    def passes(self, rule_id: str, key: tuple[str, ...], time: int) -> bool:
        """Whether a signal may be part of what makes its correlation hold, when all were counted."""
        least = self._least.get(rule_id)
        if least is None:
            return True
        if self._passing is None:
            self._passing = self._found()
        return (rule_id, key, time // least.span) in self._passing

    def _found(self) -> set[_Place]:
        passing: set[_Place] = set()
        for place, number in self._counts.items():
            rule_id, key, stretch = place
            after = rule_id, key, stretch + 1
            if number + self._counts.get(after, 0) >= self._least[rule_id].needed:
                passing.update((place, after))
        for place, different in self._different.items():
            rule_id, key, stretch = place
            after = rule_id, key, stretch + 1
            if len(different | self._different.get(after, set())) >= self._least[rule_id].needed:
                passing.update((place, after))
        return passing


def _all_least(correlations: Sequence[Correlation]) -> dict[str, _Least]:
    plans = plans_of(correlations)
    found = {}
    for rule_id, plan in plans.items():
        one, feed = plan.correlation, plan.feed
        reads_events = not any(name in plans for name in one.rules)
        if not feed.settles and feed.needed > 1 and reads_events:
            what = "rule" if feed.several else "value" if one.type == "value_count" else "signal"
            found[rule_id] = _Least(feed.span, feed.needed, what)
    return found
