"""Partial evaluation: what can still match once the classes of an event's plain values are known.

Every plain field maps a value to its class: the set of leaf tests that the value passes. An event's classes together
are the key of a plan, which holds the rules that match whatever else the record has, and the few that must still look
at it. A new event name or user agent that passes the same tests has the same class, so a flood of new values finds
the old plans. All tables are bounded: a full one is emptied and fills again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from trailwatch.detect.compile import Node, Test, compile_tree, remainder
from trailwatch.detect.derived import is_aws_service
from trailwatch.detect.leaf import REFERENCES, ValueTest, value_test
from trailwatch.detect.schema import PLAIN_FIELDS, build
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, fields_of
from trailwatch.rules.rule import Rule

VALUES_KEPT = 8192
LONGEST_KEPT = 1024
CLASSES_KEPT = 8192
PLANS_KEPT = 16_384
_INSIGHT = (
    Field("eventCategory", Op.EQ, ("Insight",), cased=True),
    Field("eventType", Op.EQ, ("AwsCloudTrailInsight",), cased=True),
)
_ABSENCE = {Op.NULL: (UNSET, None), Op.ABSENT: (UNSET,), Op.IS_NULL: (None,)}
_CONCLUDED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "derived.ip.is_aws_service": ("sourceIPAddress", is_aws_service),
}
"""Derived fields that follow from one plain value, so that they cost nothing more than it."""


class CompiledRule(NamedTuple):
    """A rule with its condition's compiled tree."""

    rule: Rule
    tree: Node


class Plan(NamedTuple):
    """What can match an event whose classes are known."""

    insight: bool
    """It is no event but an insight."""
    certain: tuple[CompiledRule, ...] = ()
    open: tuple[tuple[CompiledRule, Test], ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.insight or self.certain or self.open)


class Classes(dict[Any, int]):
    """Value to class for one field; an unknown value is classified when it is looked up.

    The number of a class stands for the mask of the tests that its values pass.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        self.masks: list[int] = []
        self._numbers: dict[int, int] = {}
        self._equal: dict[str, int] = {}
        self._equal_cased: dict[str, int] = {}
        self._tests: list[tuple[int, ValueTest]] = []
        self._without: dict[Any, int] = {None: 0, UNSET: 0}
        for bit, field in enumerate(fields):
            self._add(field, 1 << bit)

    def _add(self, field: Field, bit: int) -> None:
        if field.op in _ABSENCE:
            for lack in _ABSENCE[field.op]:
                self._without[lack] |= bit
        elif field.path in _CONCLUDED:
            self._tests.append((bit, _concluded(field)))
        elif field.op is Op.EQ and all(isinstance(value, str) for value in field.values):
            cased = field.cased or field.strict
            table = self._equal_cased if cased else self._equal
            for value in field.values:
                text = str(value) if cased else str(value).lower()
                table[text] = table.get(text, 0) | bit
        else:
            self._tests.append((bit, value_test(field)))

    def __missing__(self, value: Any) -> int:
        mask = self._without[value] if value is None or value is UNSET else self._mask(value)
        number = self._numbers.get(mask)
        if number is None:
            number = self._numbers[mask] = len(self.masks)
            self.masks.append(mask)
        if type(value) is not str or len(value) <= LONGEST_KEPT:
            if len(self) >= VALUES_KEPT:
                self.clear()
            self[value] = number
        return number

    def forget(self) -> None:
        """Drops every value and every class."""
        self.clear()
        self.masks.clear()
        self._numbers.clear()

    def _mask(self, value: str | bool) -> int:
        text = value if isinstance(value, str) else "true" if value else "false"
        mask = self._equal.get(text.lower(), 0) | self._equal_cased.get(text, 0)
        for bit, test in self._tests:
            if test(value):
                mask |= bit
        return mask


def _concluded(field: Field) -> ValueTest:
    conclude = _CONCLUDED[field.path][1]
    if field.op is Op.EXISTS:
        return lambda _value: True
    test = value_test(field)
    return lambda value: test(conclude(value))


class PlanTable:
    """The plans of a set of rules.

    Args:
        rules: the rules, in the order in which their matches are told.

    Raises:
        ValueError: a field's value does not fit its operator; its rule is `failed`.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        by_path: dict[str, list[Field]] = {}
        for field in (*_INSIGHT, *(field for rule in rules for field in fields_of(rule.condition))):
            path = _plain_path(field)
            if path and field not in by_path.setdefault(path, []):
                by_path[path].append(field)
        self._paths = list(by_path)
        self._name_slot = self._paths.index("eventName") if "eventName" in by_path else -1
        places = {
            field: (slot, bit) for slot, path in enumerate(self._paths) for bit, field in enumerate(by_path[path])
        }
        self.compiled = [CompiledRule(rule, compile_tree(rule.condition, places.get)) for rule in rules]
        self._classes = [Classes(by_path[path]) for path in self._paths]
        self._insight = [places[field] for field in _INSIGHT]
        self._by_name: dict[str, list[int]] = {}
        self._any_name: list[int] = []
        for number, rule in enumerate(rules):
            names = names_of(rule.condition)
            if names is None:
                self._any_name.append(number)
            for name in names or ():
                self._by_name.setdefault(name, []).append(number)
        self._plans: dict[tuple[int, ...], Plan] = {}
        decoder, self._values = build(self._paths)
        self.decode: Callable[[Any], Any] = decoder.decode

    def plan(self, event: Any) -> Plan:
        """The plan for a decoded event."""
        values = self._values(event)
        key = tuple(map(operator.getitem, self._classes, values))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(key, event.eventName)
        return plan

    def candidates(self, name: str) -> list[CompiledRule]:
        """The rules that an event of this name could match, in their order."""
        numbers = sorted([*self._by_name.get(name.lower(), ()), *self._any_name])
        return [self.compiled[number] for number in numbers]

    def _make(self, key: tuple[int, ...], name: str) -> Plan:
        masks = [classes.masks[number] for classes, number in zip(self._classes, key, strict=True)]
        if any(masks[slot] >> bit & 1 for slot, bit in self._insight):
            plan = Plan(insight=True)
        else:
            certain: list[CompiledRule] = []
            still_open: list[tuple[CompiledRule, Test]] = []
            for compiled in self.candidates(name):
                rest = remainder(compiled.tree, masks)
                if rest is True:
                    certain.append(compiled)
                elif rest is not False:
                    still_open.append((compiled, rest))
            plan = Plan(insight=False, certain=tuple(certain), open=tuple(still_open))
        if len(self._plans) >= PLANS_KEPT or any(len(classes.masks) >= CLASSES_KEPT for classes in self._classes):
            self._forget()
        else:
            self._plans[key] = plan
        return plan

    def _forget(self) -> None:
        """Empties every table together, because plans are kept by numbers of classes."""
        self._plans.clear()
        for classes in self._classes:
            classes.forget()


def _plain_path(field: Field) -> str | None:
    """The plain field that decides the test, if one does."""
    if field.path in _CONCLUDED and not field.strict and field.op not in REFERENCES:
        return _CONCLUDED[field.path][0]
    return field.path if field.path in PLAIN_FIELDS and field.op not in REFERENCES else None


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
