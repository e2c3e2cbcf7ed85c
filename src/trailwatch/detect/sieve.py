"""Which signals of a complete set can make a correlation hold at all: most never can, and need not be kept for it.

A window of a correlation lies within two neighbouring stretches of time of its own length. Where these two together
have too few signals of a group, too few different values or too few of its rules, it holds at none of their
moments, and what is dropped there changes nothing elsewhere: more signals only help what is asked here. Of a
correlation that needs the absence of something it is asked whether it would hold if nothing disturbed it. One that
only feeds others matters only where one of these can hold. Signals of all other correlations pass.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trailwatch.detect.columns import note_text, note_texts, places_of
from trailwatch.detect.correlate import number_of
from trailwatch.detect.correlation_plan import Plan, plans_of
from trailwatch.rules.rule import AndTerm, Correlation, NotTerm, RuleTerm, Term

PLACES_KEPT = 300_000
STRETCHES_SEARCHED = 64
ROUNDING = 1e-6
"""Sums that are taken in another order may differ by less than this part."""
_STRETCHES = (1 << 40) + 2_654_435_769
"""A place is the number of a key times this, and a stretch of time: the next stretch is the next place. Odd, so that
places of the same stretch differ in their lower bits, by which dictionaries look."""
_ADDED = ("signal", "sum")
_BY_ONES = 2
"""So many different texts may be at two places of which each has one."""

Key = tuple[str, ...]


class _Below(NamedTuple):
    """A correlation that another one reads."""

    rule_id: str
    span: int
    key: tuple[int, ...]
    """Which parts of its key make the key of the other one."""


class _Least(NamedTuple):
    span: int
    needed: float
    """So many signals, values or rules are in every window in which it holds, or they sum up to so much."""
    what: str
    """`signal`, `value`, `rule`, `sum`, or `term` where the rules have to satisfy a condition."""
    condition: Term | None
    given: frozenset[str]
    """Correlations that it reads of which nothing is known here: they may hold at any time."""
    below: tuple[_Below, ...]
    """The others that it reads."""


class _Above(NamedTuple):
    """A correlation that reads one that only feeds."""

    rule_id: str
    key: tuple[int, ...]
    """Which parts of the lower one's key make the key of this one."""
    span: int
    reach: int
    """How long after a signal of the lower one this may still hold at its moments."""


class Keyed:
    """Signals of some events, by the values of the group-by fields; many correlations ask for the same ones.

    Args:
        keys: the values of each.
        groups: numbers for these, see `Sieve.keyed`.
        times: in seconds since 1970.
    """

    __slots__ = ("_different", "_groups", "_places", "keys", "times")

    def __init__(self, keys: Sequence[Key], groups: list[int], times: list[int]) -> None:
        self.keys = keys
        self.times = times
        self._groups = groups
        self._places: dict[int, list[int]] = {}
        self._different: dict[int, frozenset[int]] = {}

    def places(self, span: int) -> list[int]:
        """The place of each among stretches of this length."""
        found = self._places.get(span)
        if found is None:
            found = self._places[span] = places_of(self._groups, self.times, span)
        return found

    def different(self, span: int) -> frozenset[int]:
        """The same places, each once."""
        found = self._different.get(span)
        if found is None:
            found = self._different[span] = frozenset(self.places(span))
        return found


class Sieve:
    """Is shown every signal once by `count`, and then knows which ones pass.

    Args:
        correlations: all that run.
        places_kept: so many stretches of groups are counted; where there are more, all signals pass.
    """

    def __init__(self, correlations: Sequence[Correlation], places_kept: int = PLACES_KEPT) -> None:
        plans = plans_of(correlations)
        self._places_kept = places_kept
        self._least: dict[str, _Least] = {}
        for rule_id, plan in plans.items():  # those that others read come first
            least = _least(plan, plans, self._least)
            if least is not None:
                self._least[rule_id] = least
        self._above = {
            rule_id: tuple(_above(plan, plans[upper.info.id]) for upper in plan.uppers)
            for rule_id, plan in plans.items()
            if not plan.correlation.info.alerting and all(upper.info.id in self._least for upper in plan.uppers)
        }
        self._groups = _Groups()
        self._cells: dict[str, Any] = {
            rule_id: Counter() if least.what == "signal" else {} for rule_id, least in self._least.items()
        }
        """For each correlation what was counted by place."""
        self._kept = 0
        self._passing: dict[str, set[int]] = {}

    def keyed(self, keys: Sequence[Key], times: list[int]) -> Keyed:
        """Signals for `count` and `passing`.

        Args:
            keys: of each the values of the group-by fields.
            times: in seconds since 1970.
        """
        return Keyed(keys, list(map(self._groups.__getitem__, keys)), times)

    def asks(self, rule_id: str) -> bool:
        """Whether not all signals of a correlation pass."""
        return rule_id in self._least or rule_id in self._above

    def count(self, rule_id: str, base_id: str, keyed: Keyed, values: list[str] | None) -> None:
        """Takes note of signals.

        Args:
            rule_id: the correlation that eats them.
            base_id: the rule that they come from.
            keyed: from `keyed`.
            values: what is counted or summed; None for nothing.
        """
        least = self._least.get(rule_id)
        if least is None or not keyed.times:
            return
        span, needed, what, *_ = least
        cells = self._cells[rule_id]
        before = len(cells)
        if what == "signal":
            cells.update(keyed.places(span))
        elif what == "sum":
            for place, value in zip(keyed.places(span), values or (), strict=values is not None):
                cells[place] = cells.get(place, 0.0) + max(number_of(value) or 0.0, 0.0)
        elif what == "value" and values is not None:
            note_texts(cells, keyed.places(span), values, needed)
        else:
            for place in keyed.different(span):
                note_text(cells, place, "" if what == "value" else base_id, needed)
        self._kept += len(cells) - before
        if self._kept > self._places_kept:
            self._give_up()

    def may_pass(self, rule_id: str) -> bool:
        """Whether any signal of a correlation may pass, when all were counted."""
        above = self._above.get(rule_id)
        if rule_id in self._least and not self._places(rule_id):
            return False
        return above is None or any(self._places(one.rule_id) for one in above)

    def passing(self, rule_id: str, keyed: Keyed) -> Collection[int]:
        """Numbers of the signals that may be part of what makes their correlation hold, when all were counted.

        Args:
            rule_id: the correlation that eats them.
            keyed: from `keyed`.
        """
        least, above = self._least.get(rule_id), self._above.get(rule_id)
        keys, times = keyed.keys, keyed.times
        passing: Collection[int] = range(len(times))
        if least is not None:
            places = self._places(rule_id)
            if places.isdisjoint(keyed.different(least.span)):
                return ()
            passing = [at for at, place in enumerate(keyed.places(least.span)) if place in places]
        if above is not None:
            passing = [at for at in passing if any(self._may_hold(one, keys[at], times[at]) for one in above)]
        return passing

    def _places(self, rule_id: str) -> set[int]:
        """The places of a correlation at which it can hold."""
        found = self._passing.get(rule_id)
        if found is None:
            found = self._passing[rule_id] = set()
            least, cells = self._least[rule_id], self._cells[rule_id]
            for below in least.below:
                self._add_moments(cells, least.span, below)
            for place in _likely(least, cells):
                if _enough(least, cells[place], cells.get(place + 1)):
                    found.add(place)
                    found.add(place + 1)
                    if least.what == "term":
                        # what must be absent may come before and after
                        found.add(place - 1)
                        found.add(place + 2)
        return found

    def _add_moments(self, cells: dict[int, Any], span: int, below: _Below) -> None:
        """Notes at which places of a correlation one that it reads may hold."""
        places = self._places(below.rule_id)
        keys = list(self._groups) if places else []
        for place in places:
            number = (place + _STRETCHES // 2) // _STRETCHES
            stretch, key = place - number * _STRETCHES, keys[number]
            group = self._groups[tuple([key[at] for at in below.key])]
            first, last = stretch * below.span // span, ((stretch + 1) * below.span - 1) // span
            for one in range(first, last + 1):
                note_text(cells, group + one, below.rule_id, math.inf)

    def _give_up(self) -> None:
        """Lets everything pass from now on, also what was counted."""
        for table in (self._least, self._above, self._groups, self._cells):
            table.clear()

    def _may_hold(self, above: _Above, key: Key, time: int) -> bool:
        places = self._places(above.rule_id)
        group = self._groups.get(tuple([key[at] for at in above.key])) if places else None
        if group is None:
            return False
        # of the two stretches of a window, the lower one's moment may be in the first and all else in the second
        first, last = time // above.span, (time + above.reach) // above.span + 1
        if last - first > STRETCHES_SEARCHED:
            return True
        # the other way round, too: where all else is in the first, the place of the second may have no number
        return any(group + stretch in places for stretch in range(first - 1, last + 1))


class _Groups(dict[Key, int]):
    """The first place of each key."""

    def __missing__(self, key: Key) -> int:
        group = self[key] = len(self) * _STRETCHES
        return group


def _likely(least: _Least, cells: Mapping[int, Any]) -> Iterable[int]:
    """The places at which there may be enough, together with the next one."""
    if least.what in _ADDED or least.condition is not None or least.needed <= _BY_ONES:
        return cells
    # of two places one must have more than a single text
    many = [place for place, amount in cells.items() if type(amount) is set]
    return {*many, *[place - 1 for place in many if place - 1 in cells]}


def _enough(least: _Least, amount: Any, after: Any) -> bool:
    """Whether what was counted at a place and the next one may make the correlation hold."""
    if least.what in _ADDED:
        return bool(amount + (after or 0) >= least.needed)
    different = {*_different(amount), *(() if after is None else _different(after))}
    if least.condition is not None:
        return _would_hold(least.condition, different | least.given)
    return len(different) >= least.needed


def _different(amount: str | set[str]) -> Collection[str]:
    return amount if isinstance(amount, set) else (amount,)


def _would_hold(term: Term, came: Collection[str]) -> bool:
    """Whether it would hold with these rules alone, if nothing that must be absent disturbed it."""
    if isinstance(term, RuleTerm):
        return term.rule in came
    if isinstance(term, NotTerm):
        return True
    some = (_would_hold(item, came) for item in term.items)
    return all(some) if isinstance(term, AndTerm) else any(some)


def _least(plan: Plan, plans: Mapping[str, Plan], sifted: Mapping[str, _Least]) -> _Least | None:
    """What there must be, as far as it can be told; None where it may be nothing.

    Args:
        plan: of the correlation.
        plans: all.
        sifted: what is known already, of all that it reads.
    """
    one, feed = plan.correlation, plan.feed
    lower = [name for name in dict.fromkeys(one.rules) if name in plans]
    below = tuple(
        _Below(name, plans[name].feed.span, _upper_key(plans[name].correlation, one))
        for name in lower
        if name in sifted and plans[name].feed.span <= STRETCHES_SEARCHED * feed.span
    )
    given = frozenset(lower).difference([other.rule_id for other in below])
    if one.expression is not None:
        if _would_hold(one.expression, given):
            return None
        return _Least(feed.span, math.inf, "term", one.expression, given, below)
    if feed.settles or (lower and not feed.several):
        return None
    if one.type == "value_sum" and one.limit is not None and one.limit.value > 0:
        return _Least(feed.span, one.limit.value * (1 - ROUNDING), "sum", None, given, below)
    if feed.needed == 1 or feed.needed - len(given) < 1:
        return None
    what = "rule" if feed.several else "value" if one.type == "value_count" else "signal"
    return _Least(feed.span, feed.needed - len(given), what, None, given, below)


def _upper_key(lower: Correlation, upper: Correlation) -> tuple[int, ...]:
    names = [upper.aliases.get(name, {}).get(lower.info.id, name) for name in upper.group_by]
    return tuple([lower.group_by.index(name) for name in names])


def _above(plan: Plan, upper: Plan) -> _Above:
    key = _upper_key(plan.correlation, upper.correlation)
    return _Above(upper.correlation.info.id, key, upper.feed.span, plan.feed.span - 1)
