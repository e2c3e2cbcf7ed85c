"""Actions made of levers: what apply, verify and revert are for every action that only sets states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.model.response import APPLY_TIME, Call, Draft, State, Step, StepKind, Target
from trailwatch.ports import Cloud, Lever, Scene


class LeverAction(ABC):
    """An action whose steps each set one lever; a subclass says whom it is about and what it wants.

    Its permissions are those of its levers, and `asks`: what its plan reads besides.
    """

    name: str = ""
    levers: tuple[Lever, ...] = ()
    asks: tuple[str, ...] = ()

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every IAM action that it needs."""
        needed = set(self.asks)
        for lever in self.levers:
            needed.update(lever.reads, lever.writes)
        return tuple(sorted(needed))

    @abstractmethod
    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        """Whom an event leads to."""

    @abstractmethod
    def plan(self, target: Target, scene: Scene) -> Draft:
        """The steps about a target, with how each thing stands now."""

    def apply(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        return self._lever(step).calls(step, found, wanted)

    def verify(self, step: Step, cloud: Cloud) -> State:
        return self._lever(step).read(step, cloud)

    def revert(self, step: Step, found: State, before: State) -> Sequence[Call]:
        return self._lever(step).calls(step, found, before)

    def step(self, lever: Lever, cloud: Cloud, step: Step) -> Step:
        """The step with how its thing stands now, and the calls that it would make.

        Raises:
            ActionError: that cannot be found out.
        """
        named = msgspec.structs.replace(step, action=self.name, lever=lever.name)
        found = lever.read(named, cloud)
        if named.kind is StepKind.EVIDENCE:
            return named
        return msgspec.structs.replace(named, found=found, calls=tuple(lever.calls(named, found, named.wanted)))

    def _lever(self, step: Step) -> Lever:
        return next(lever for lever in self.levers if lever.name == step.lever)


def at_time(wanted: State, moment: str) -> State:
    """The wanted state with a time wherever `APPLY_TIME` stands in it."""
    if isinstance(wanted, str):
        return wanted.replace(APPLY_TIME, moment)
    if isinstance(wanted, Mapping):
        return {key: at_time(value, moment) for key, value in wanted.items()}
    if isinstance(wanted, list | tuple):
        return [at_time(value, moment) for value in wanted]
    return wanted
