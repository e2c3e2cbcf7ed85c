"""What rules need of an event, read off their conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from trailwatch.detect.leaf import REFERENCES
from trailwatch.detect.schema import FREE_FIELDS, PLAIN_FIELDS
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, fields_of
from trailwatch.rules.rule import Rule

_TELL_ABSENCE = frozenset({Op.ABSENT, Op.IS_NULL})
_RARE = 40
"""A field is rare where fewer than one of so many rules asks for it."""


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


def worth_decoding(rules: Sequence[Rule], any_name: Collection[int]) -> frozenset[str]:
    """The plain and the free-form fields that are worth decoding for every event.

    Not among them are those that few rules ask for, and only in events of certain names: to decode them all the time
    costs more than to read them from the text of such an event when it comes.

    Args:
        rules: all rules.
        any_name: the numbers of those that events of any name could match.
    """
    uses: Counter[str] = Counter()
    always: set[str] = set()
    for_any = frozenset(any_name)
    read_by = _Readers()
    for number, rule in enumerate(rules):
        read = {path for field in fields_of(rule.condition) for path in read_by.field(field)}
        uses.update(read)
        if number in for_any:
            always |= read
    return frozenset(always.union(path for path, count in uses.items() if count * _RARE >= len(rules)))


class _Readers:
    """The plain and the free-form fields that tests read; hundreds of rules test the same few dozen paths."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def field(self, field: Field) -> tuple[str, ...]:
        """Those that one test reads."""
        if field.op in REFERENCES:
            return tuple(name for path in (field.path, *map(str, field.values)) for name in self._path(path))
        return self._path(field.path)

    def _path(self, path: str) -> tuple[str, ...]:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = tuple(_fields_behind(path))
        return known


def _fields_behind(path: str) -> Iterator[str]:
    if path.startswith("derived.ip."):
        yield "sourceIPAddress"
    elif path.startswith("derived."):
        yield "requestParameters"
    elif path in PLAIN_FIELDS:
        yield path
    elif (root := path.partition(".")[0]) in FREE_FIELDS:
        yield root


def can_hold(predicate: Predicate, untold: Collection[str]) -> bool:
    """Whether any record could satisfy the predicate.

    Args:
        predicate: a rule's condition.
        untold: paths that have no value in any record.
    """
    return _outcome(predicate, untold) is not False


def _outcome(predicate: Predicate, untold: Collection[str]) -> bool | None:
    """What the predicate says of every record; None where that depends on the record."""
    if isinstance(predicate, Field):
        if predicate.path not in untold or predicate.strict:
            return None
        return True if predicate.op is Op.NULL else None if predicate.op in _TELL_ABSENCE else False
    if isinstance(predicate, Const):
        return predicate.value
    if isinstance(predicate, Not):
        inner = _outcome(predicate.item, untold)
        return None if inner is None else not inner
    found = {_outcome(item, untold) for item in predicate.items}
    deciding = isinstance(predicate, Or)
    if deciding in found:
        return deciding
    return None if None in found else not deciding


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
