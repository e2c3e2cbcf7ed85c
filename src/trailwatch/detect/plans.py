"""Partial evaluation: what can still match once the classes of an event's plain values are known.

Every plain field maps a value to its class: the set of leaf tests that the value passes. An event's classes together
are the key of a plan, which holds the rules that match whatever else the record has, and the few that must still look
at it. A new event name or user agent that passes the same tests has the same class, so a flood of new values finds
the old plans. All tables are bounded: a full one is emptied and fills again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import getitem
from typing import Any, NamedTuple

import msgspec

from trailwatch.detect.classes import LONGEST_KEPT, VALUES_KEPT, Classes, plain_path
from trailwatch.detect.compile import Node, Test, compile_tree, guarded, reduce, slots_of
from trailwatch.detect.leaf import REFERENCES
from trailwatch.detect.profile import Profile
from trailwatch.detect.reason import Teller, teller
from trailwatch.detect.record import Record, getter
from trailwatch.detect.schema import FREE_FIELDS, build, classes_at, values_at
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, fields_of
from trailwatch.rules.rule import Rule

CLASSES_KEPT = 8192
PLANS_KEPT = 16_384
FIRST_LOOK = frozenset(
    {"eventName", "eventSource", "errorCode", "eventCategory", "eventType", "userIdentity.type", "readOnly"}
)
"""Fields of few values that most conditions test."""
_INSIGHT = (
    Field("eventCategory", Op.EQ, ("Insight",), cased=True),
    Field("eventType", Op.EQ, ("AwsCloudTrailInsight",), cased=True),
)


class CompiledRule:
    """A rule with what was made of it once.

    Args:
        rule: the rule.
        tree: its condition, compiled.
    """

    __slots__ = ("_dedup", "_tell", "rule", "tree")

    def __init__(self, rule: Rule, tree: Node) -> None:
        self.rule = rule
        self.tree = tree
        self._tell: Teller | None = None
        self._dedup: tuple[Callable[[Record], list[Any]], ...] | None = None

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
    certain: tuple[CompiledRule, ...] = ()
    open: tuple[tuple[CompiledRule, Test], ...] = ()


NOTHING = Plan(insight=False)
"""No rule can match."""


class _Branch:
    """What the fields of the first look leave open: a plan, or a second look at some more fields."""

    __slots__ = ("left", "look", "plan", "plans", "slots")

    def __init__(
        self,
        plan: Plan | None,
        look: Callable[[Any], tuple[int, ...]] = tuple,
        slots: tuple[int, ...] = (),
        left: tuple[tuple[CompiledRule, Node | None], ...] = (),
    ) -> None:
        self.plan = plan
        self.look = look
        """What takes the classes of the further fields."""
        self.slots = slots
        self.left = left
        """The rules that can still match, with what is left of their conditions; None where that is nothing."""
        self.plans: dict[tuple[int, ...], Plan] = {}


class _Branches(dict[tuple[Any, ...], _Branch]):
    """Branches by the values of the first look, so that values that come again are not even classified."""

    def __init__(self, find: Callable[[tuple[Any, ...]], _Branch]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, values: tuple[Any, ...]) -> _Branch:
        return self._find(values)


class PlanTable:
    """The plans of a set of rules.

    An event is looked at twice: first at the fields of few values, such as its name and error code, which leave most
    rules behind; then only at those fields that the remaining rules test.

    Args:
        rules: the rules, in the order in which their matches are told.
        further: plain fields that somebody else wants of the events, besides the rules' conditions.
        plans_kept: how many plans are remembered before all tables are emptied.
        profile: told of everything that costs time.

    Raises:
        ValueError: a field's value does not fit its operator.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        further: Iterable[str] = (),
        plans_kept: int = PLANS_KEPT,
        profile: Profile | None = None,
    ) -> None:
        self._profile = profile
        self._plans_kept = plans_kept
        by_path: dict[str, list[Field]] = {}
        every = [field for rule in rules for field in fields_of(rule.condition)]
        for field in (*_INSIGHT, *every):
            path = plain_path(field)
            if path and field not in by_path.setdefault(path, []):
                by_path[path].append(field)
        self._paths = sorted(by_path, key=lambda path: (path not in FIRST_LOOK, path))
        self._first = sum(path in FIRST_LOOK for path in self._paths)
        places = {
            field: (slot, bit) for slot, path in enumerate(self._paths) for bit, field in enumerate(by_path[path])
        }
        self._classes = tuple(Classes(by_path[path]) for path in self._paths)
        self.compiled = [CompiledRule(rule, compile_tree(rule.condition, places.get)) for rule in rules]
        self._insight = [places[field] for field in _INSIGHT]
        self._by_name: dict[str, list[int]] = {}
        self._any_name: list[int] = []
        for number, rule in enumerate(rules):
            names = names_of(rule.condition)
            if names is None:
                self._any_name.append(number)
            for name in names or ():
                self._by_name.setdefault(name, []).append(number)
        self._branches: dict[tuple[int, ...], _Branch] = {}
        self._plans = 0
        first = self._paths[: self._first]
        self._first_values = values_at(first)
        self._first_classes = self._classes[: self._first]
        self._name_at = first.index("eventName") if "eventName" in first else None
        self._by_values = _Branches(self._branch_of)
        free = {root for field in every for root in _roots_of(field)}
        self.struct = build(dict.fromkeys((*self._paths, *further)), sorted(free))
        """What a record is decoded to."""
        self.decode: Callable[[Any], Any] = msgspec.json.Decoder(self.struct).decode

    def plan(self, event: Any) -> Plan:
        """The plan for a decoded event."""
        branch = self._by_values[self._first_values(event)]
        if branch.plan is not None:
            return branch.plan
        key = branch.look(event)
        plan = branch.plans.get(key)
        return self._plan(branch, key) if plan is None else plan

    def promising(self, events: Iterable[Any], names: Collection[str]) -> list[tuple[int, Any, Plan]]:
        """The events that a rule could match, each with its number and plan.

        Args:
            events: decoded.
            names: events of these names come back in any case.
        """
        found: list[tuple[int, Any, Plan]] = []
        by_values, first_values = self._by_values, self._first_values
        for number, event in enumerate(events):
            branch = by_values[first_values(event)]
            plan = branch.plan
            if plan is None:
                key = branch.look(event)
                plan = branch.plans.get(key)
                if plan is None:
                    plan = self._plan(branch, key)
            if plan is not NOTHING or event.eventName in names:
                found.append((number, event, plan))
        return found

    def size(self) -> int:
        """How many plans are kept now."""
        return self._plans

    def values(self) -> int:
        """How many values are kept with their classes now."""
        return sum(len(classes) for classes in self._classes)

    def candidates(self, name: str) -> list[CompiledRule]:
        """The rules that an event of this name could match, in their order."""
        numbers = sorted([*self._by_name.get(name.lower(), ()), *self._any_name])
        return [self.compiled[number] for number in numbers]

    def _branch_of(self, values: tuple[Any, ...]) -> _Branch:
        """The branch for the values of the first look."""
        key = tuple(map(getitem, self._first_classes, values))
        branch = self._branches.get(key)
        if branch is None:
            branch = self._branch(key, "" if self._name_at is None else values[self._name_at])
        length = sum(len(text) for text in values if type(text) is str)
        if length < LONGEST_KEPT and self._branches.get(key) is branch:
            if len(self._by_values) >= VALUES_KEPT:
                self._by_values.clear()
            self._by_values[values] = branch
        return branch

    def _branch(self, key: tuple[int, ...], name: str) -> _Branch:
        masks = {slot: self._classes[slot].masks[number] for slot, number in enumerate(key)}
        if any(masks[slot] >> bit & 1 for slot, bit in self._insight):
            branch = _Branch(Plan(insight=True))
        else:
            left = _left([(compiled, compiled.tree) for compiled in self.candidates(name)], masks)
            slots = tuple(sorted({slot for _, node in left if node for slot in slots_of(node)}))
            if slots:
                look = classes_at([self._paths[slot] for slot in slots], [self._classes[slot] for slot in slots])
                branch = _Branch(None, look, slots, left)
            else:
                branch = _Branch(self._plan_of(left))
        self._keep(self._branches, key, branch)
        return branch

    def _plan(self, branch: _Branch, key: tuple[int, ...]) -> Plan:
        masks = {slot: self._classes[slot].masks[number] for slot, number in zip(branch.slots, key, strict=True)}
        plan = self._plan_of(_left(branch.left, masks))
        self._keep(branch.plans, key, plan)
        return plan

    def _plan_of(self, left: Sequence[tuple[CompiledRule, Node | None]]) -> Plan:
        if not left:
            return NOTHING
        tests = [(compiled, guarded(node)) for compiled, node in left if node is not None]
        if self._profile is not None:
            for compiled, _ in left:
                self._profile.cost(compiled.rule).plans += 1
            tests = [(compiled, self._profile.timed(compiled.rule, test)) for compiled, test in tests]
        return Plan(
            insight=False,
            certain=tuple(compiled for compiled, node in left if node is None),
            open=tuple(tests),
        )

    def _keep(self, table: dict[tuple[int, ...], Any], key: tuple[int, ...], what: Plan | _Branch) -> None:
        """Remembers a plan, or empties every table together when they are full: plans know classes by number."""
        self._plans += 1
        if self._plans > self._plans_kept or any(len(classes.masks) > CLASSES_KEPT for classes in self._classes):
            self._plans = 0
            self._branches.clear()
            self._by_values.clear()
            for classes in self._classes:
                classes.forget()
        else:
            table[key] = what


def _left(
    rules: Iterable[tuple[CompiledRule, Node | None]], masks: Mapping[int, int]
) -> tuple[tuple[CompiledRule, Node | None], ...]:
    """The rules that can still match, with what is left of their conditions."""
    left: list[tuple[CompiledRule, Node | None]] = []
    for compiled, node in rules:
        rest = True if node is None else reduce(node, masks)
        if rest is not False:
            left.append((compiled, None if rest is True else rest))
    return tuple(left)


def _roots_of(field: Field) -> Iterator[str]:
    """The free-form fields that a test reads."""
    if field.path.startswith("derived."):
        yield "requestParameters"
    paths = [field.path, *(map(str, field.values) if field.op in REFERENCES else ())]
    yield from (root for path in paths if (root := path.partition(".")[0]) in FREE_FIELDS)


def names_of(predicate: Predicate) -> frozenset[str] | None:
    """The lower-cased event names without which the predicate cannot hold; None where any could do."""
    if isinstance(predicate, Field):
        plain = predicate.path == "eventName" and predicate.op is Op.EQ
        texts = [value for value in predicate.values if isinstance(value, str)]
        return frozenset(text.lower() for text in texts) if plain and len(texts) == len(predicate.values) else None
    if isinstance(predicate, Const):
        return None if predicate.value else frozenset()
    if isinstance(predicate, Not):
        return None
    found = [names_of(item) for item in predicate.items]
    if isinstance(predicate, And):
        return min((names for names in found if names is not None), key=len, default=None)
    if isinstance(predicate, Or) and None in found:
        return None
    return frozenset().union(*(names for names in found if names is not None))
