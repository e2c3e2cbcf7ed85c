"""Correlations among the chosen rules: which of them can work, what they need, and who speaks alone.

A rule that a correlation reads alerts by itself only where the correlation says `generate: true`, where the rule's
own file says `trailwatch: alerting: true`, or where it ships with trailwatch and does not say otherwise.

Source: https://sigmahq.io/sigma-specification/specification/sigma-correlation-rules-specification.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from trailwatch.model.signal import ACTOR
from trailwatch.rules.rule import Correlation, Problem, Rule

_R = TypeVar("_R", Rule, Correlation)


class Selection(msgspec.Struct):
    """The rules and correlations that run."""

    rules: list[Rule]
    correlations: list[Correlation]


def sound(rules: Iterable[Rule], correlations: Sequence[Correlation], problems: list[Problem]) -> list[Correlation]:
    """The correlations that can work, those that others read first; why not is added to `problems`."""
    single = {rule.info.id: rule for rule in rules}
    waiting = {one.info.id: one for one in correlations}
    ready: dict[str, Correlation] = {}
    while waiting:
        able = [one for one in waiting.values() if all(name in ready or name not in waiting for name in one.rules)]
        for one in able or waiting.values():
            trouble = _trouble(one, single, ready) if able else "it reads itself, over others; take one out"
            if trouble:
                problems.append(Problem(one.info.origin, trouble, error=True))
            else:
                ready[one.info.id] = one
        waiting = {name: one for name, one in waiting.items() if able and one not in able}
    return list(ready.values())


def choose(
    rules: Sequence[Rule],
    correlations: Sequence[Correlation],
    keep: Callable[[Rule | Correlation], bool],
    shipped: Collection[str],
) -> Selection:
    """What is kept, with what kept correlations read; that is silent where nobody wants to hear it by itself.

    Args:
        rules: every rule.
        correlations: from `sound`.
        keep: whether something was asked for.
        shipped: names of the files that ship with trailwatch.
    """
    by_id = {one.info.id: one for one in correlations}
    needed = set(_needed((one for one in correlations if keep(one)), by_id))
    running = [one for one in correlations if keep(one) or one.info.id in needed]
    spoken = {name for one in running if one.generate for name in one.rules}

    def silent(one: Rule | Correlation) -> bool:
        if not keep(one):
            return True
        if one.info.id not in needed or one.alone is not None or one.info.id in spoken:
            return False
        return one.info.origin.rpartition(":")[0] not in shipped

    return Selection(
        rules=[_silenced(rule, silent=silent(rule)) for rule in rules if keep(rule) or rule.info.id in needed],
        correlations=[_silenced(one, silent=silent(one)) for one in running],
    )


def _trouble(one: Correlation, single: Mapping[str, Rule], ready: Mapping[str, Correlation]) -> str:
    for name in one.rules:
        rule, lower = single.get(name), ready.get(name)
        if rule is None and lower is None:
            return f"it reads {name!r}, which was not loaded"
        if rule is not None and rule.travel is not None:
            return f"it reads {_called(rule)!r}, a rule about travel: two places are not one event; leave it out"
        fields = (*one.group_by, *(one.limit.fields if one.limit is not None else ()))
        for field in fields if lower is not None else ():
            path = one.aliases.get(field, {}).get(name, field)
            if lower is not None and path not in lower.group_by:
                has = ", ".join(lower.group_by) or "nothing"
                return f"{field!r} is no value of {_called(lower)!r}, which groups by {has}; group that by it too"
    for alias in one.aliases:
        if alias == ACTOR:
            return "actor cannot be an alias; give it another name"
    return ""


def _called(one: Rule | Correlation) -> str:
    return one.name or one.info.slug


def _needed(kept: Iterable[Correlation], by_id: Mapping[str, Correlation]) -> Iterator[str]:
    for one in kept:
        yield from one.rules
        yield from _needed((by_id[name] for name in one.rules if name in by_id), by_id)


def _silenced(one: _R, *, silent: bool) -> _R:
    if not silent or not one.info.alerting:
        return one
    return msgspec.structs.replace(one, info=msgspec.structs.replace(one.info, alerting=False))
