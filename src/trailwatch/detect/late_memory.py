"""Signals of rules with a memory that depend on who the actor is: a link that comes late makes them another's."""

from __future__ import annotations

from collections.abc import Iterable

from trailwatch.detect.signals import paths_of
from trailwatch.model.signal import ACTOR, Signal
from trailwatch.rules.rule import RuleSet


class ActorsInMemory:
    """Knows which of these signals name the actor.

    Args:
        rules: all that run.
    """

    def __init__(self, rules: RuleSet) -> None:
        fields = {rule.info.id: rule.first_seen.fields for rule in rules.first_seen if rule.first_seen is not None}
        by = {rule.info.id: rule.travel.by for rule in rules.first_seen if rule.travel is not None}
        self._daily = {(rule_id, rule_id) for rule_id, paths in fields.items() if ACTOR in paths}
        self._each = {(rule_id, rule_id) for rule_id, paths in by.items() if ACTOR in paths}
        self._lengths = {
            (one.info.id, base): len(one.group_by)
            for one in rules.correlations
            for base in one.rules
            if base in fields and ACTOR in (*fields[base], *paths_of(one, base))
        }

    def __bool__(self) -> bool:
        return bool(self._daily or self._each or self._lengths)

    def divided(self, signals: Iterable[Signal]) -> tuple[list[Signal], list[Signal]]:
        """Signals of which one a day tells it all, and those of which each counts; others are left out."""
        daily: list[Signal] = []
        each: list[Signal] = []
        for one in signals:
            place = one.rule_id, one.base_id
            if place in self._daily:
                daily.append(one)
            elif place in self._each or len(one.key) > self._lengths.get(place, len(one.key)):
                each.append(one)
        return daily, each

    def names(self, signal: Signal) -> bool:
        """Whether it is one of these."""
        daily, each = self.divided((signal,))
        return bool(daily or each)
