"""Signals whose key names the actor: stage 1 wrote the principal there, lineage puts in who it began with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from trailwatch.detect.signals import paths_of
from trailwatch.model.signal import ACTOR, Signal
from trailwatch.rules.rule import Correlation


class ActorKeys:
    """Knows where in the keys of signals the actor stands.

    Args:
        correlations: all that run.
    """

    def __init__(self, correlations: Iterable[Correlation]) -> None:
        self._places: dict[tuple[str, str], tuple[int, ...]] = {}
        for one in correlations:
            for base in one.rules:
                places = tuple(at for at, path in enumerate(paths_of(one, base)) if path == ACTOR)
                if places:
                    self._places[one.info.id, base] = places

    def __bool__(self) -> bool:
        return bool(self._places)

    def places(self, rule_id: str, base_id: str) -> tuple[int, ...]:
        """Where the actor stands in the keys of this correlation's signals that come from this rule."""
        return self._places.get((rule_id, base_id), ())

    def divided(self, signals: Iterable[Signal]) -> tuple[list[Signal], list[Signal]]:
        """Signals whose key names the actor, and the others."""
        naming: list[Signal] = []
        others: list[Signal] = []
        for one in signals:
            (naming if (one.rule_id, one.base_id) in self._places else others).append(one)
        return naming, others

    def keyed(self, signals: Sequence[Signal], actor_at: Callable[[str, int], str]) -> list[Signal]:
        """Signals from `divided` with the actor's key where it belongs.

        Args:
            signals: those whose key names the actor.
            actor_at: the actor's key, of an identity and a time.
        """
        return [
            self.under(one, actor_at(one.brief.identity or one.brief.principal, one.brief.time)) for one in signals
        ]

    def under(self, signal: Signal, actor: str) -> Signal:
        """A signal from `divided` with this actor's key where it belongs."""
        key = list(signal.key)
        for at in self._places[signal.rule_id, signal.base_id]:
            key[at] = actor
        return msgspec.structs.replace(signal, key=tuple(key))
