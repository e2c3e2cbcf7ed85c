"""What rules need of an event, read off their conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trailwatch.detect.leaf import REFERENCES
from trailwatch.detect.schema import FREE_FIELDS
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate
from trailwatch.rules.rule import Rule


def by_name(rules: Sequence[Rule]) -> tuple[dict[str, list[int]], list[int]]:
    """The numbers of the rules by the lower-cased event names that they need, and of those that need none."""
    by_name: dict[str, list[int]] = {}
    any_name: list[int] = []
    for number, rule in enumerate(rules):
        names = names_of(rule.condition)
        if names is None:
            any_name.append(number)
        for name in names or ():
            by_name.setdefault(name, []).append(number)
    return by_name, any_name


def roots_of(field: Field) -> Iterator[str]:
    """The free-form fields that a test reads."""
    if field.path.startswith("derived."):
        yield "requestParameters"
    yield from (root for path in paths_of(field) if (root := path.partition(".")[0]) in FREE_FIELDS)


def paths_of(field: Field) -> Iterator[str]:
    """The fields that a test reads."""
    yield field.path
    yield from map(str, field.values if field.op in REFERENCES else ())


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
