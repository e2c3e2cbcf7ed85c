"""Which signals of a complete set can make a correlation hold at all: most never can, and need not be kept for it.

A window of a correlation lies within two neighbouring stretches of time of its own length. Where these two together
have too few signals of a group, too few different values or too few different rules, it holds at none of their
moments, and what is dropped there changes nothing elsewhere: more signals only help those correlations that are
sifted here. A correlation that only feeds others matters only where one of these can hold. Signals of all other
correlations pass, such as those that need the absence of something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trailwatch.detect.correlate import number_of
from trailwatch.detect.correlation_plan import Plan, plans_of
from trailwatch.rules.rule import Correlation

PLACES_KEPT = 300_000
STRETCHES_SEARCHED = 64
ROUNDING = 1e-6
"""Sums that are taken in another order may differ by less than this part."""
_ADDED = ("signal", "sum")

_Place = tuple[str, tuple[str, ...], int]


class _Least(NamedTuple):
    span: int
    needed: float
    """So many signals, values or rules are in every window in which it holds, or they sum up to so much."""
    what: str
    """`signal`, `value`, `rule` or `sum`."""


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
        self._numbers: dict[_Place, int] = {}
        self._amounts: list[Any] = [None]
        """For each place what was counted there; the first stands for what is not counted."""
        self._passing: list[bool] = []

    def count(self, rule_id: str, base_id: str, key: tuple[str, ...], time: int, value: str) -> int:
        """Takes note of a signal; what comes back is the number of its place for `may_pass`.

        Args:
            rule_id: the correlation that eats it.
            base_id: the rule that it comes from.
            key: values of the group-by fields.
            time: in seconds since 1970.
            value: what is counted or summed.
        """
        least = self._least.get(rule_id)
        if least is None:
            return 0
        span, needed, what = least
        place = rule_id, key, time // span
        amounts, number = self._amounts, self._numbers.get(place)
        if number is None:
            if len(amounts) > self._places_kept:
                self._give_up()
                return 0
            number = self._numbers[place] = len(amounts)
            amounts.append(0 if what in _ADDED else [])
        if what == "signal":
            amounts[number] += 1
        elif what == "sum":
            amounts[number] += max(number_of(value) or 0.0, 0.0)
        else:
            different, text = amounts[number], value if what == "value" else base_id
            if len(different) < needed and text not in different:
                different.append(text)
        return number

    def may_pass(self, number: int) -> bool:
        """Whether `passes` may be true for signals of this place, when all were counted."""
        if not self._passing:
            self._conclude()
        return self._passing[number]

    def passes(self, rule_id: str, key: tuple[str, ...], time: int) -> bool:
        """Whether a signal may be part of what makes its correlation hold, when all were counted."""
        least = self._least.get(rule_id)
        if least is not None and not self._passes((rule_id, key, time // least.span)):
            return False
        above = self._above.get(rule_id)
        return above is None or any(self._may_hold(one, key, time) for one in above)

    def _passes(self, place: _Place) -> bool:
        number = self._numbers.get(place)
        return number is not None and self.may_pass(number)

    def _give_up(self) -> None:
        """Lets everything pass from now on, also what was counted."""
        for table in (self._least, self._above, self._numbers):
            table.clear()
        self._passing = [True] * len(self._amounts)
        self._amounts = self._amounts[:1]

    def _may_hold(self, above: _Above, key: tuple[str, ...], time: int) -> bool:
        upper_key = tuple([key[at] for at in above.key])
        # of the two stretches of a window, the lower one's moment may be in the first and all else in the second
        first, last = time // above.span, (time + above.reach) // above.span + 1
        if last - first > STRETCHES_SEARCHED:
            return True
        # the other way round, too: where all else is in the first, the place of the second may have no number
        return any(self._passes((above.rule_id, upper_key, stretch)) for stretch in range(first - 1, last + 1))

    def _conclude(self) -> None:
        amounts = self._amounts
        self._passing = passing = [False] * len(amounts)
        passing[0] = True
        for (rule_id, key, stretch), number in self._numbers.items():
            needed, what = self._least[rule_id].needed, self._least[rule_id].what
            after = self._numbers.get((rule_id, key, stretch + 1), 0)
            if what in _ADDED:
                enough = amounts[number] + (amounts[after] or 0) >= needed
            else:
                enough = len({*amounts[number], *(amounts[after] or ())}) >= needed
            if enough:
                passing[number] = passing[after] = True


def _least(plan: Plan, plans: Mapping[str, Plan]) -> _Least | None:
    """What events alone must show; None where they may show nothing."""
    one, feed = plan.correlation, plan.feed
    lower = len({name for name in one.rules if name in plans})
    if feed.settles or (lower and not feed.several):
        return None
    if one.type == "value_sum" and one.limit is not None and one.limit.value > 0:
        return _Least(feed.span, one.limit.value * (1 - ROUNDING), "sum")
    if feed.needed == 1 or feed.needed - lower < 1:
        return None
    what = "rule" if feed.several else "value" if one.type == "value_count" else "signal"
    return _Least(feed.span, feed.needed - lower, what)


def _above(plan: Plan, upper: Plan) -> _Above:
    lower, above = plan.correlation, upper.correlation
    names = [above.aliases.get(name, {}).get(lower.info.id, name) for name in above.group_by]
    key = tuple(lower.group_by.index(name) for name in names)
    return _Above(above.info.id, key, upper.feed.span, plan.feed.span - 1)
