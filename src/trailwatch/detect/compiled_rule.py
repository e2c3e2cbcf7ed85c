"""A rule with what was made of it, and the plan of rules that an event follows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from trailwatch.detect.compile import Node, Place, Test, compile_tree, required
from trailwatch.detect.reason import Teller, teller
from trailwatch.detect.record import Record, getter
from trailwatch.rules.rule import Rule


class CompiledRule:
    """A rule with what was made of it once.

    Args:
        rule: the rule.
        place: see `compile_tree`.
    """

    __slots__ = ("_dedup", "_place", "_required", "_tell", "_tree", "deciding", "rule")

    def __init__(self, rule: Rule, place: Place) -> None:
        self.rule = rule
        self._place = place
        self._tree: Node | None = None
        self._required: tuple[tuple[int, int], ...] | None = None
        self.deciding: Collection[int] | None = None
        """Kept by the table for itself."""
        self._tell: Teller | None = None
        self._dedup: tuple[Callable[[Record], list[Any]], ...] | None = None

    @property
    def tree(self) -> Node:
        """Its condition, compiled when the first event comes that it could be about."""
        if self._tree is None:
            self._tree = compile_tree(self.rule.condition, self._place)
        return self._tree

    @property
    def required(self) -> tuple[tuple[int, int], ...]:
        """Tests of known fields without which it cannot match, see `trailwatch.detect.compile.required`."""
        if self._required is None:
            self._required = tuple(required(self.tree))
        return self._required

    @property
    def tell(self) -> Teller:
        """Writes the reason of a match."""
        if self._tell is None:
            self._tell = teller(self.tree)
        return self._tell

    @property
    def dedup(self) -> tuple[Callable[[Record], list[Any]], ...]:
        """What finds the values at each path of the rule's dedup."""
        if self._dedup is None:
            self._dedup = tuple(getter(path) for path in self.rule.info.dedup.by)
        return self._dedup


class Plan(NamedTuple):
    """What can match an event whose classes are known."""

    insight: bool
    """It is no event but an insight."""
    issues: bool = False
    """Its name is one of those whose links are wanted."""
    certain: tuple[CompiledRule, ...] = ()
    open: tuple[tuple[CompiledRule, Test], ...] = ()


NOTHING = Plan(insight=False)
"""No rule can match."""
