"""Where an event stands on its way to a plan: what can still match, and where to look next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trailwatch.detect.compile import Node, reduce
from trailwatch.detect.compiled_rule import CompiledRule, Plan

Left = tuple[tuple[CompiledRule, Node | None], ...]
"""The rules that can still match, with what is left of their conditions; None where that is nothing."""


class PlanNode:
    """What is known of an event after some looks at it: its plan, or where to look next."""

    __slots__ = ("issues", "left", "look", "plan", "slots", "then")

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan
        self.look: Callable[[Any], tuple[int, ...]] = tuple
        """What takes the classes of some further fields."""
        self.slots: tuple[int, ...] = ()
        """The numbers of these fields; of members, where there is a plan that a glance may find smaller by them."""
        self.then: dict[tuple[int, ...], PlanNode] = {}
        """By their classes, the next node."""
        self.left: Left = ()
        self.issues = False


class Then(dict[Any, PlanNode]):
    """The nodes after a look, made when an event first comes that way."""

    def __init__(self, make: Callable[[Any], PlanNode]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> PlanNode:
        return self._make(key)


def left_of(rules: Iterable[tuple[CompiledRule, Node | None]], masks: Mapping[int, int]) -> Left:
    """The rules that can still match, with what is left of their conditions."""
    left: list[tuple[CompiledRule, Node | None]] = []
    for compiled, node in rules:
        if node is not None and _lacks(compiled, masks):
            continue  # most rules, in a fraction of the time that it takes to reduce their trees
        rest = True if node is None else reduce(node, masks)
        if rest is not False:
            left.append((compiled, None if rest is True else rest))
    return tuple(left)


def _lacks(compiled: CompiledRule, masks: Mapping[int, int]) -> bool:
    """Whether a test failed without which the rule cannot match."""
    for slot, bit in compiled.required:
        mask = masks.get(slot)
        if mask is not None and not mask >> bit & 1:
            return True
    return False
