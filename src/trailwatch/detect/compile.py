"""Predicates as trees of compiled tests: asked whole, in part, or clause by clause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trailwatch.detect.leaf import REFERENCES, reference_test, value_test
from trailwatch.detect.record import Record, getter, is_absent, strict_getter
from trailwatch.detect.schema import is_member
from trailwatch.model.fieldpath import Wild, find_strict, parse_path
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate

Test = Callable[[Record], bool]
Place = Callable[[Field], tuple[int, int] | None]
"""Where the outcome of a field test is known before a record is looked at: (number of the field, bit)."""


_ABSENCE = frozenset({Op.NULL, Op.ABSENT, Op.IS_NULL})
_FREE = re.compile(r"(requestParameters|responseElements|additionalEventData)(\.[A-Za-z0-9_:-]+)+")
"""Paths of plain names, which JSON can spell in another way only with a `\\u` escape."""
_IN_VAIN = 200


class Node(NamedTuple):
    """One node of a predicate with its test."""

    predicate: Predicate
    test: Test
    items: tuple[Node, ...] = ()
    place: tuple[int, int] | None = None
    """For a field test whose outcome follows from the class of one value: (number of the field, bit)."""


def compile_predicate(predicate: Predicate) -> Test:
    """A function that says whether a record satisfies the predicate.

    Raises:
        ValueError: a field's value does not fit its operator.
    """
    return compile_tree(predicate).test


def compile_tree(predicate: Predicate, place: Place = lambda _field: None) -> Node:
    """The predicate with a test at every node.

    Raises:
        ValueError: a field's value does not fit its operator.
    """
    if isinstance(predicate, Field):
        where = place(predicate)
        return Node(predicate, _test_of(predicate) if where is None else _later(predicate), (), where)
    if isinstance(predicate, Const):
        return Node(predicate, _always if predicate.value else _never)
    if isinstance(predicate, Not):
        item = compile_tree(predicate.item, place)
        return Node(predicate, _not(item.test), (item,))
    items = tuple(compile_tree(item, place) for item in predicate.items)
    join = _all if isinstance(predicate, And) else _any
    return Node(predicate, join([item.test for item in items]), items)


def reduce(node: Node, masks: Mapping[int, int]) -> bool | Node:
    """What is left to ask when the classes of some values are known: nothing, or a smaller tree.

    Args:
        node: the compiled predicate.
        masks: for each field whose value is known, by its number, the bits of the tests that the value passes.
    """
    if node.place is not None and node.place[0] in masks:
        slot, bit = node.place
        return bool(masks[slot] >> bit & 1)
    predicate = node.predicate
    if isinstance(predicate, Field):
        return node
    if isinstance(predicate, Const):
        return predicate.value
    if isinstance(predicate, Not):
        rest = reduce(node.items[0], masks)
        return not rest if isinstance(rest, bool) else Node(predicate, _not(rest.test), (rest,))
    return _joined(node, masks, deciding=not isinstance(predicate, And))


def _joined(node: Node, masks: Mapping[int, int], *, deciding: bool) -> bool | Node:
    """What is left of an Or, which one true item decides, or of an And, which one false item decides."""
    left: list[Node] = []
    for item in node.items:
        rest = reduce(item, masks)
        if not isinstance(rest, bool):
            left.append(rest)
        elif rest is deciding:
            return deciding
    if not left:
        return not deciding
    if len(left) == 1:
        return left[0]
    join = _any if deciding else _all
    return Node(node.predicate, join([item.test for item in left]), tuple(left))


def required(node: Node) -> Iterator[tuple[int, int]]:
    """The tests of known fields, by (number of the field, bit), each of which has to hold for the node to hold."""
    if node.place is not None:
        yield node.place
    elif isinstance(node.predicate, And):
        for item in node.items:
            yield from required(item)


def slots_of(node: Node) -> Iterator[int]:
    """The numbers of the fields whose class would decide a test in the tree."""
    if node.place is not None:
        yield node.place[0]
    for item in node.items:
        yield from slots_of(item)


def guarded(node: Node) -> Test:
    """The node's test behind a look at the raw text: where a name that it needs is missing, nothing is decoded.

    Some names are in every event that gets here. After `_IN_VAIN` looks that kept nothing from being decoded more
    than others did, nobody looks again.
    """
    needed = tuple(dict.fromkeys(_needed(node)))
    if not needed:
        return node.test
    inner, left = node.test, _IN_VAIN

    def test(record: Record) -> bool:
        nonlocal left
        if not left:
            return inner(record)
        for root, names in needed:
            text = record.text_of(root)
            for name in names:
                if name in text:
                    break
            else:
                if b"\\u" not in text:
                    left += 1
                    return False
        left -= 1
        return inner(record)

    return test


def _needed(node: Node) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """(top-level field, quoted names): without one of the names inside that field, the node cannot hold."""
    predicate = node.predicate
    if isinstance(predicate, And):
        for item in node.items:
            yield from _needed(item)
    elif isinstance(predicate, Field) and predicate.op not in _ABSENCE and _FREE.fullmatch(predicate.path):
        root, *_, last = predicate.path.split(".")
        yield root, (f'"{last}"'.encode(),)
    elif isinstance(predicate, Or):
        firsts = [next(_needed(item), None) for item in node.items]
        needs = [first for first in firsts if first is not None]
        if len(needs) == len(firsts) and len({root for root, _ in needs}) == 1:
            yield needs[0][0], tuple(dict.fromkeys(name for _, names in needs for name in names))


def _test_of(field: Field) -> Test:
    return _strict_field(field) if field.strict else _field(field)


def _later(field: Field) -> Test:
    """A test that is made when it is first asked: where classes decide, few ever are."""
    made: list[Test] = []

    def test(record: Record) -> bool:
        if not made:
            made.append(_test_of(field))
        return made[0](record)

    return test


def _always(_record: Record) -> bool:
    return True


def _never(_record: Record) -> bool:
    return False


def _not(inner: Test) -> Test:
    return lambda record: not inner(record)


def _all(tests: Sequence[Test]) -> Test:
    def test(record: Record) -> bool:
        for one in tests:  # noqa: SIM110 a plain loop: all() with a generator takes twice as long
            if not one(record):
                return False
        return True

    return test


def _any(tests: Sequence[Test]) -> Test:
    def test(record: Record) -> bool:
        for one in tests:  # noqa: SIM110 a plain loop: any() with a generator takes twice as long
            if one(record):
                return True
        return False

    return test


def _field(field: Field) -> Test:
    if field.op in {Op.ABSENT, Op.IS_NULL}:
        return _strict_field(field)
    values = getter(field.path)
    if field.op is Op.NULL:
        return lambda record: not values(record)
    if field.op is Op.EXISTS:
        return lambda record: bool(values(record))
    if field.op in REFERENCES:
        pair = reference_test(field)
        others = [getter(str(path)) for path in field.values]
        return lambda record: pair(values(record), [value for other in others for value in other(record)])
    one = value_test(field)

    def test(record: Record) -> bool:
        for value in values(record):  # noqa: SIM110 a plain loop: any() with a generator takes twice as long
            if one(value):
                return True
        return False

    return _of_member(field.path, one, test) if is_member(field.path) else test


def _of_member(path: str, one: Callable[[Any], bool], other: Test) -> Test:
    """The same in half the time for a member that is one text or number, which nearly every one is."""
    root, name = path.split(".")

    def test(record: Record) -> bool:
        part = record.get(root)
        if type(part) is dict:
            value = part.get(name)
            if type(value) is str or type(value) is int:
                return one(value)
        return other(record)

    return test


def _strict_field(field: Field) -> Test:  # noqa: PLR0911 one return for each operator
    if any(isinstance(segment, Wild) for segment in parse_path(field.path)):
        return _wild_field(field)
    value_at = strict_getter(field.path)
    if field.op is Op.ABSENT:
        return lambda record: is_absent(value_at(record))
    if field.op is Op.IS_NULL:
        return lambda record: value_at(record) is None
    if field.op is Op.NULL:
        return lambda record: (value := value_at(record)) is None or is_absent(value)
    if field.op is Op.EXISTS:
        return lambda record: not ((value := value_at(record)) is None or is_absent(value))
    if field.op in REFERENCES:
        pair = reference_test(field)
        others = [strict_getter(str(path)) for path in field.values]
        return lambda record: pair(_scalars(value_at(record)), [v for o in others for v in _scalars(o(record))])
    one = value_test(field)
    return lambda record: any(one(value) for value in _scalars(value_at(record)))


def _wild_field(field: Field) -> Test:
    """A strict test on a path with a wildcard: any of the places it leads to may satisfy it."""
    path = field.path
    if field.op is Op.ABSENT:
        return lambda record: not find_strict(record.full, path)
    if field.op is Op.IS_NULL:
        return lambda record: any(value is None for value in find_strict(record.full, path))
    if field.op in {Op.NULL, Op.EXISTS}:
        wanted = field.op is Op.EXISTS
        return lambda record: any(value is not None for value in find_strict(record.full, path)) is wanted
    one = value_test(field)
    return lambda record: any(one(v) for value in find_strict(record.full, path) for v in _scalars(value))


def _scalars(value: Any) -> list[Any]:
    return [] if value is None or is_absent(value) or isinstance(value, dict | list) else [value]
