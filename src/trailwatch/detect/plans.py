"""Partial evaluation: what can still match once the classes of an event's plain values are known.

Every plain field maps a value to its class: the set of leaf tests that the value passes. An event's classes together
are the key of a plan, which holds the rules that match whatever else the record has, and the few that must still look
at it. A new event name or user agent that passes the same tests has the same class, so a flood of new values finds
the old plans. All tables are bounded: a full one is emptied and fills again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import getitem
from typing import Any, NamedTuple

import msgspec

from trailwatch.decode.mend import is_utf8
from trailwatch.detect.classes import LONGEST_KEPT, VALUES_KEPT, Classes, member_path, plain_path
from trailwatch.detect.compile import compile_tree, guarded, reduce, slots_of
from trailwatch.detect.compiled_rule import NOTHING, CompiledRule, Plan
from trailwatch.detect.glance import COMPILED, Rows, glance_of
from trailwatch.detect.leaf import check
from trailwatch.detect.needs import by_name, worth_decoding
from trailwatch.detect.plan_nodes import Left, PlanNode, Then, left_of
from trailwatch.detect.profile import Profile
from trailwatch.detect.schema import FREE_FIELDS, build, classes_at, each_found
from trailwatch.rules.predicate import Const, Field, Op, Predicate, fields_of
from trailwatch.rules.rule import Rule

CLASSES_KEPT = 8192
PLANS_KEPT = 16_384
MEMBERS_AT_MOST = 512
"""So many members of free-form fields are told apart before an event is decoded: those that most rules test."""
MEMBERS_AT_ONCE = 32
"""So many are looked at in one event; where rules ask for more, it is decoded."""
_AT_ONCE = 512
"""Events that are taken through the tables before it is asked whether these are full."""
_ALWAYS_FIRST = frozenset({"eventName", "eventSource", "errorCode", "eventCategory", "eventType"})
"""Fields of few values that tell most events apart."""
_FEW_VALUES = frozenset(
    {
        *("readOnly", "userIdentity.type", "userIdentity.invokedBy", "userIdentity.inScopeOf.issuerType"),
        *("userIdentity.sessionContext.ec2RoleDelivery", "userIdentity.sessionContext.attributes.mfaAuthenticated"),
        *("vpcEndpointAccountId", "managementEvent", "sessionCredentialFromConsole", "tlsDetails.tlsVersion"),
    }
)
"""Further ones, looked at with them where a rule tests them in events of any name."""
_INSIGHT = (
    Field("eventCategory", Op.EQ, ("Insight",), cased=True),
    Field("eventType", Op.EQ, ("AwsCloudTrailInsight",), cased=True),
)


NEVER = Const(value=False)
_ISSUES = Plan(insight=False, issues=True)


class Glanced(NamedTuple):
    """What a glance at a trail's file found."""

    promising: list[tuple[int, Any, Plan]]
    """The decoded events that a rule could match, or whose links are wanted, each with its number and plan."""
    places: dict[int, tuple[int, int]]
    """By their numbers, where the records of these begin and end."""
    events: int
    """How many events the file has."""
    rows: list[tuple[Plan, list[tuple[Any, ...]]]]
    """Those of the events that are only noted, which are not among the promising; by plan."""


class PlanTable:
    """The plans of a set of rules.

    An event is looked at up to three times: first at the fields of few values, such as its name and error code, which
    leave most rules behind; then at the few fields that ordinary values leave the others behind at; then, where some
    remain, at all that those test.

    Args:
        rules: the rules, in the order in which their matches are told.
        further: plain and free-form fields that somebody else wants of the events, besides the rules' conditions.
        issuing: what holds for events that get a plan of their own even where no rule can match.
        plans_kept: how many plans are remembered before all tables are emptied.
        glance: whether files are looked at before they are decoded, where that is compiled.
        rows: how events that are only noted are taken out of a file then; None where none are.
        profile: told of everything that costs time.

    Raises:
        ValueError: a field's value does not fit its operator.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        further: Iterable[str] = (),
        *,
        issuing: Predicate = NEVER,
        plans_kept: int = PLANS_KEPT,
        glance: bool = True,
        rows: Rows | None = None,
        profile: Profile | None = None,
    ) -> None:
        glancing = glance and COMPILED
        self._profile = profile
        self._plans_kept = plans_kept
        self._by_name, self._any_name = by_name(rules)
        asked = [field for rule in rules for field in fields_of(rule.condition)]
        for field in dict.fromkeys(asked):
            check(field)
        by_path: dict[str, list[Field]] = {"eventName": []}
        by_member: dict[str, list[Field]] = {}
        worth = worth_decoding(rules, self._any_name) | _ALWAYS_FIRST
        for field in (*_INSIGHT, *fields_of(issuing), *asked):
            path = plain_path(field)
            if path in worth and field not in by_path.setdefault(path, []):
                by_path[path].append(field)
            member = member_path(field) if glancing and profile is None else None
            if member is not None and field not in by_member.setdefault(member, []):
                by_member[member].append(field)
        for_any = {plain_path(field) for number in self._any_name for field in fields_of(rules[number].condition)}
        first = _ALWAYS_FIRST | (_FEW_VALUES & for_any)
        self._paths = sorted(by_path, key=lambda path: (path not in first, path))
        members = sorted(by_member, key=lambda path: (-len(by_member[path]), path))[:MEMBERS_AT_MOST]
        self._plain_count = len(self._paths)
        """The fields with higher numbers are members of free-form ones, which only a glance looks at."""
        fields = [*[by_path[path] for path in self._paths], *[by_member[path] for path in members]]
        first_paths = [path for path in self._paths if path in first]
        places = {field: (slot, bit) for slot, some in enumerate(fields) for bit, field in enumerate(some)}
        self._classes = tuple(map(Classes, fields))
        self.compiled = [CompiledRule(rule, places.get) for rule in rules]
        self._insight = [places[field] for field in _INSIGHT]
        self._issuing = compile_tree(issuing, places.get)
        self._name_at = first_paths.index("eventName")
        self._first_classes = self._classes[: len(first_paths)]
        self._looks: dict[tuple[int, ...], Callable[[Any], Any]] = {}
        self._nodes: dict[tuple[int, ...], PlanNode] = {}
        """Nodes after the first look by classes."""
        self._by_values = Then(self._first_node)
        """The same nodes by values, so that those which come again are not even classified."""
        self._after_first = each_found(first_paths, self._by_values)
        self._plans = 0
        self._full = False
        self._same: dict[tuple[CompiledRule, ...], Plan] = {}
        """Plans by the rules that match for certain, where no other has to be asked."""
        decoded = worth.union(further)
        self.struct = build(sorted(decoded.difference(FREE_FIELDS)), sorted(decoded.intersection(FREE_FIELDS)))
        """What a record is decoded to."""
        self.decode: Callable[[Any], Any] = msgspec.json.Decoder(self.struct).decode
        taken, classify = decoded.difference(FREE_FIELDS), [classes.classify for classes in self._classes]
        self._glance = None
        if glancing:
            self._glance = glance_of(taken, self._paths, members, len(first_paths), classify, self._named, rows)

    def plan(self, event: Any) -> Plan:
        """The plan for a decoded event."""
        (node,) = self._after_first((event,))
        while (plan := node.plan) is None:
            node = node.then[node.look(event)]
        if self._full:
            self._forget()
        return plan

    def promising(self, events: Sequence[Any]) -> list[tuple[int, Any, Plan]]:
        """The decoded events that a rule could match, or whose links are wanted, each with its number and plan."""
        found: list[tuple[int, Any, Plan]] = []
        for start in range(0, len(events), _AT_ONCE):
            some = events[start : start + _AT_ONCE]
            for number, node in enumerate(self._after_first(some)):
                while (plan := node.plan) is None:
                    node = node.then[node.look(some[number])]  # noqa: PLW2901 down the tree
                if plan is not NOTHING:
                    found.append((start + number, some[number], plan))
            if self._full:
                self._forget()
        return found

    def glanced(self, text: bytes, origin: str = "") -> Glanced | None:
        """The same for a trail's file as it is, of which hardly anything is decoded then.

        None where the file has something unusual, or nothing was compiled that could look at it.

        Args:
            text: the file.
            origin: where it came from.
        """
        looked = None if self._glance is None else self._glance.promising(text, origin)
        if self._full:
            self._forget()
        if looked is None:
            return None
        places, rows, count, ascii_only = looked
        if not (ascii_only or is_utf8(text)):
            return None
        found: list[tuple[int, Any, Plan]] = []
        for number, begin, end, plan in places:
            found.append((number, self.decode(text[begin:end]), plan))
        return Glanced(found, {number: (begin, end) for number, begin, end, _ in places}, count, rows)

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

    def _first_node(self, values: tuple[Any, ...]) -> PlanNode:
        """The node for the values of the first look."""
        node = self._named(tuple(map(getitem, self._first_classes, values)), values[self._name_at])
        if sum([len(text) for text in values if type(text) is str]) < LONGEST_KEPT:
            if len(self._by_values) >= VALUES_KEPT:
                self._by_values.clear()
            self._by_values[values] = node
        return node

    def _named(self, key: tuple[int, ...], name: str) -> PlanNode:
        """The node for the classes of the first look."""
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = self._begin(key, name)
        return node

    def _begin(self, key: tuple[int, ...], name: str) -> PlanNode:
        masks = self._masks(range(len(key)), key)
        if any(masks[slot] >> bit & 1 for slot, bit in self._insight):
            return self._counted(PlanNode(Plan(insight=True)))
        issues = reduce(self._issuing, masks) is not False
        return self._node(left_of([(compiled, compiled.tree) for compiled in self.candidates(name)], masks), issues)

    def _node(self, left: Left, issues: bool, *, last: bool = False) -> PlanNode:
        """The node at which these rules are left."""
        asked = {slot for _, node in left if node for slot in slots_of(node)}
        tested = {slot for slot in asked if slot < self._plain_count}
        if not asked or (not tested and len(asked) > MEMBERS_AT_ONCE):
            return self._counted(PlanNode(self._plan_of(left, issues)))
        if tested:
            made = PlanNode()
            made.slots = tuple(sorted(tested if last else self._telling(left, tested)))
            made.look = self._look(made.slots)
        else:
            made = PlanNode(self._plan_of(left, issues))
            made.slots = tuple(sorted(asked))
        made.left, made.issues = left, issues
        made.then = Then(partial(self._follow, made))
        return self._counted(made)

    def _follow(self, node: PlanNode, key: tuple[int, ...]) -> PlanNode:
        """The node after a look from another."""
        left = left_of(node.left, self._masks(node.slots, key))
        made = node.then[key] = self._node(left, node.issues, last=True)
        return made

    def _masks(self, slots: Sequence[int], key: tuple[int, ...]) -> dict[int, int]:
        """For fields by their numbers the tests that values of these classes pass."""
        if max(key) >= CLASSES_KEPT:
            self._full = True
        return {slot: self._classes[slot].masks[number] for slot, number in zip(slots, key, strict=True)}

    def _telling(self, left: Left, tested: Collection[int]) -> Collection[int]:
        """A few of the tested fields, such that values which pass no test there leave none of the rules.

        All of them where a rule can only be left behind by more than one field.
        """
        undecided = [compiled for compiled, _ in left]
        chosen: list[int] = []
        while undecided:
            votes = Counter(slot for compiled in undecided for slot in self._deciding(compiled) if slot in tested)
            if not votes:
                return tested
            chosen.append(max(sorted(votes), key=votes.__getitem__))
            undecided = [compiled for compiled in undecided if chosen[-1] not in self._deciding(compiled)]
        return chosen

    def _deciding(self, compiled: CompiledRule) -> Collection[int]:
        """The fields each of which leaves the rule behind where its value passes no test."""
        if compiled.deciding is None:
            slots = [slot for slot in set(slots_of(compiled.tree)) if slot < self._plain_count]
            compiled.deciding = [slot for slot in slots if reduce(compiled.tree, {slot: 0}) is False]
        return compiled.deciding

    def _look(self, slots: tuple[int, ...]) -> Callable[[Any], tuple[int, ...]]:
        look = self._looks.get(slots)
        if look is None:
            paths, classes = [self._paths[slot] for slot in slots], [self._classes[slot] for slot in slots]
            look = self._looks[slots] = classes_at(paths, classes)
        return look

    def _plan_of(self, left: Left, issues: bool) -> Plan:
        if not left:
            return _ISSUES if issues else NOTHING
        certain = tuple([compiled for compiled, node in left if node is None])
        tests = [(compiled, guarded(node)) for compiled, node in left if node is not None]
        if self._profile is not None:
            for compiled, _ in left:
                self._profile.cost(compiled.rule).plans += 1
            tests = [(compiled, self._profile.timed(compiled.rule, test)) for compiled, test in tests]
        plan = Plan(insight=False, issues=issues, certain=certain, open=tuple(tests))
        return plan if tests or issues else self._same.setdefault(certain, plan)

    def _counted(self, node: PlanNode) -> PlanNode:
        self._plans += 1
        if self._plans > self._plans_kept:
            self._full = True
        return node

    def _forget(self) -> None:
        """Empties every table together: nodes know classes by number."""
        self._full = False
        self._plans = 0
        self._same.clear()
        self._nodes.clear()
        self._by_values.clear()
        if self._glance is not None:
            self._glance.forget()
        for classes in self._classes:
            classes.forget()
