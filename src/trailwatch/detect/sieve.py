"""Which signals of a complete set can make a correlation hold at all: most never can, and need not be kept for it.

A window of a correlation lies within two neighbouring stretches of time of its own length. Where these two together
have too few signals of a group, too few different values or too few different rules, it holds at none of their
moments, and what is dropped there changes nothing elsewhere: more signals only help those correlations that are
sifted here. A correlation that only feeds others matters only where one of these can hold. Signals of all other
correlations pass: of those that need the absence of something, or that sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trailwatch.detect.correlation_plan import Plan, plans_of
from trailwatch.rules.rule import Correlation

PLACES_KEPT = 300_000
STRETCHES_SEARCHED = 64

_Place = tuple[str, tuple[str, ...], int]


class _Least(NamedTuple):
    span: int
    needed: int
    """So many signals, values or rules are in every window in which it holds."""
    what: str
    """`signal`, `value` or `rule`."""


class _Above(NamedTuple):
    """A correlation that reads one that only feeds."""

    rule_id: str
    key: tuple[int, ...]
    """Which parts of the lower one's key make the key of this one."""
    span: int
    reach: int
    """How long after a signal of the lower one this may still hold at its moments."""


class Sieve:
    """Is shown every signal once by `count`, and then knows which ones pass.

    Args:
        correlations: all that run.
        places_kept: so many stretches of groups are counted; where there are more, all signals pass.
    """

    def __init__(self, correlations: Sequence[Correlation], places_kept: int = PLACES_KEPT) -> None:
        plans = plans_of(correlations)
        self._places_kept = places_kept
        self._least = {
            rule_id: least for rule_id, plan in plans.items() if (least := _least(plan, plans)) is not None
        }
        self._above = {
            rule_id: tuple(_above(plan, plans[upper.info.id]) for upper in plan.uppers)
            for rule_id, plan in plans.items()
            if not plan.correlation.info.alerting and all(upper.info.id in self._least for upper in plan.uppers)
        }
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
        if what == "signal":
            self._counts[place] = self._counts.get(place, 0) + 1
        else:
            different = self._different.get(place)
            if different is None:
                self._different[place] = {value if what == "value" else base_id}
            elif len(different) < needed:
                different.add(value if what == "value" else base_id)
        if len(self._counts) + len(self._different) > self._places_kept:
            for table in (self._least, self._above, self._counts, self._different):
                table.clear()

    def passes(self, rule_id: str, key: tuple[str, ...], time: int) -> bool:
        """Whether a signal may be part of what makes its correlation hold, when all were counted."""
        if self._passing is None:
            self._passing = self._found()
        least = self._least.get(rule_id)
        if least is not None and (rule_id, key, time // least.span) not in self._passing:
            return False
        above = self._above.get(rule_id)
        return above is None or any(self._may_hold(one, key, time) for one in above)

    def _may_hold(self, above: _Above, key: tuple[str, ...], time: int) -> bool:
        passing, upper_key = self._passing or (), tuple([key[at] for at in above.key])
        # of the two stretches of a window, the lower one's moment may be in the first and all else in the second
        first, last = time // above.span, (time + above.reach) // above.span + 1
        if last - first > STRETCHES_SEARCHED:
            return True
        return any((above.rule_id, upper_key, stretch) in passing for stretch in range(first, last + 1))

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


def _least(plan: Plan, plans: Mapping[str, Plan]) -> _Least | None:
    """What events alone must show; None where they may show nothing."""
    one, feed = plan.correlation, plan.feed
    lower = len({name for name in one.rules if name in plans})
    needed = feed.needed - lower
    if feed.settles or needed < 1 or (lower and not feed.several) or feed.needed == 1:
        return None
    return _Least(feed.span, needed, "rule" if feed.several else "value" if one.type == "value_count" else "signal")


def _above(plan: Plan, upper: Plan) -> _Above:
    lower, above = plan.correlation, upper.correlation
    names = [above.aliases.get(name, {}).get(lower.info.id, name) for name in above.group_by]
    key = tuple(lower.group_by.index(name) for name in names)
    return _Above(above.info.id, key, upper.feed.span, plan.feed.span - 1)
