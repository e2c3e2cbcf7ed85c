"""Stage 2: what rules with a memory say, as signals for the correlations that read them.

Stage 1 does not know what is new. So the key of such a signal has the values of the memory's fields after those of
the correlation's group-by, and stage 2 lets those signals through whose values are new on their day. Every event of
a new combination is a signal, not only the one that was told: like the memory's verdict that depends on the set of
events alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trailwatch.detect.first_seen import ActorOf, Memory
from trailwatch.model.signal import Signal
from trailwatch.rules.rule import RuleSet


class NewOnly:
    """Knows which signals count only where a memory calls them new.

    Args:
        rules: all that run.
    """

    def __init__(self, rules: RuleSet) -> None:
        memories = {rule.info.id for rule in rules.first_seen if rule.first_seen is not None}
        self._grouped = {
            (one.info.id, base): len(one.group_by)
            for one in rules.correlations
            for base in one.rules
            if base in memories
        }
        self._correlations = {correlation for correlation, _ in self._grouped}

    def __bool__(self) -> bool:
        return bool(self._grouped)

    def divided(self, signals: list[Signal]) -> tuple[list[Signal], list[Signal]]:
        """Signals that ask a memory, and the others, also those that it has answered."""
        concerned = self._correlations
        asking = [one for one in signals if one.rule_id in concerned and self._asks(one)]
        if not asking:  # as nearly always
            return [], signals
        return asking, [one for one in signals if one.rule_id not in concerned or not self._asks(one)]

    def _asks(self, signal: Signal) -> bool:
        return len(signal.key) > self._grouped.get((signal.rule_id, signal.base_id), len(signal.key))

    def answered(self, asking: Sequence[Signal], memory: Memory, actor_of: ActorOf | None = None) -> list[Signal]:
        """Of signals from `divided` those that are new, as the correlation wants them."""
        questions = [
            msgspec.structs.replace(one, rule_id=one.base_id, key=one.key[self._place(one) :], value="")
            for one in asking
        ]
        new = memory.are_new(questions, actor_of)
        return [one for one, is_new in zip(self.plain(asking), new, strict=True) if is_new]

    def plain(self, asking: Iterable[Signal]) -> list[Signal]:
        """Signals from `divided` as the correlation wants them, new or not."""
        return [msgspec.structs.replace(one, key=one.key[: self._place(one)]) for one in asking]

    def _place(self, signal: Signal) -> int:
        return self._grouped[signal.rule_id, signal.base_id]
