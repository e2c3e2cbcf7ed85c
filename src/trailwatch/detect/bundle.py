"""What stateful rules want of the events that the same rules said yes to, taken out of them in one go.

Nearly every key is made of plain fields, the actor, and others that have one value. Each of these texts is taken
once, however many stateful rules ask for it. Where a field has several values or a long one, the rules that ask for
it are left to the slow way, which makes every combination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from msgspec import UNSET

from trailwatch.detect.leaf import text_of
from trailwatch.detect.record import Record, getter
from trailwatch.detect.schema import PLAIN_FIELDS, is_member
from trailwatch.model.identity import KEY_KEPT
from trailwatch.model.signal import ACTOR

FOLLOWS_FROM = {
    "derived.network": "sourceIPAddress",
    "derived.country": "sourceIPAddress",
    "derived.agent.family": "userAgent",
}
"""Derived fields that one plain field and the tables tell alone."""
DERIVED_KEPT = 16_384
"""So many values of derived fields are remembered."""

Found = tuple[Any, ...]


class Ask(NamedTuple):
    """What one stateful rule wants of the events of one rule, where it is."""

    rule_id: str
    base_id: str
    key: tuple[str, ...]
    """Paths; `actor` stands for the principal."""
    value: str = ""
    """The path of what is counted; empty for nothing."""
    remembers: bool = False
    """Whether the rule has a memory."""

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.key, self.value) if self.value else self.key


class Taker(NamedTuple):
    """What takes one signal's key and value out of the texts."""

    rule_id: str
    base_id: str
    key: Callable[[Found], tuple[str, ...]]
    value: Callable[[Found], str] | None


class Cut(NamedTuple):
    """What can be taken where certain texts are missing."""

    counted: tuple[Taker, ...]
    """For rules that count every event."""
    remembered: tuple[Taker, ...]
    """For rules with a memory."""
    memory: Callable[[Found], Found] | None
    """All texts that rules with a memory want."""
    unkeyed: int
    """So many stateful rules find no value."""
    odd: tuple[Ask, ...]
    """These find a value that is no plain short text."""


class Texts:
    """The texts at paths outside the plain fields; those that follow from one plain field are remembered by it."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Any, Any]] = {}
        """By path, and then by the value that it follows from."""

    def at(self, path: str) -> Callable[[Any, Record], Any]:
        """What takes the text out of an event and its record: `UNSET` for none, a list where there are several."""
        find = getter(path)
        root, _, name = path.partition(".")

        def take(_event: Any, record: Record) -> Any:
            return _one(find(record))

        def take_member(_event: Any, record: Record) -> Any:
            part = record.get(root)
            value = part.get(name) if type(part) is dict else part
            if type(value) is str and value is not part:
                return value
            if type(value) is int or type(value) is float:
                return text_of(value)
            return UNSET if value is None else _one(find(record))

        if is_member(path):
            return take_member

        return self._by_source(path, take) if path in FOLLOWS_FROM else take

    def known(self, path: str) -> Mapping[Any, Any]:
        """What was found at one of the paths in `FOLLOWS_FROM`, by what it follows from; some of it."""
        return self._known.setdefault(path, {})

    def _by_source(self, path: str, take: Callable[[Any, Record], Any]) -> Callable[[Any, Record], Any]:
        known, source = self._known.setdefault(path, {}), attrgetter(FOLLOWS_FROM[path])

        def remembered(event: Any, record: Record) -> Any:
            place = source(event)
            try:
                return known[place]
            except KeyError:
                if len(known) >= DERIVED_KEPT:
                    known.clear()
                found = known[place] = take(event, record)
                return found

        return remembered


def _one(values: list[Any]) -> Any:
    if not values:
        return UNSET
    return text_of(values[0]) if len(values) == 1 else values


class Bundle:
    """What is wanted of the events to which certain rules said yes.

    Args:
        asks: in the order in which the signals are told.
        texts: finds what is not plain.
    """

    __slots__ = ("_asks", "_cuts", "_further", "_places", "_plain", "whole")

    def __init__(self, asks: Sequence[Ask], texts: Texts) -> None:
        paths = list(dict.fromkeys(path for ask in asks for path in ask.paths if path != ACTOR))
        plain = [path for path in paths if path in PLAIN_FIELDS]
        further = [path for path in paths if path not in PLAIN_FIELDS]
        self._asks = asks
        # two more, so that it comes back with a tuple in any case
        self._plain = attrgetter(*plain, "eventName", "eventID")
        self._further = tuple(texts.at(path) for path in further)
        order = (*plain, "", "", *further, ACTOR)
        self._places = {path: at for at, path in enumerate(order) if path}
        self._cuts: dict[int, Cut] = {}
        self.whole = self._cut(0)
        """Where no text is missing."""

    def texts(self, event: Any, record: Record, actor: str) -> Found:
        """All texts that are wanted, each once, with whatever stands in the place of one that is missing."""
        if not self._further:
            return (*self._plain(event), actor)
        return (*self._plain(event), *[take(event, record) for take in self._further], actor)

    def cut(self, texts: Found) -> Cut:
        """What can be taken out of these texts."""
        gaps = 0
        for at, text in enumerate(texts):
            if type(text) is not str or not text:
                gaps |= (1 if text is UNSET or text is None or text == "" else 2) << 2 * at
            elif len(text) > KEY_KEPT:
                gaps |= 2 << 2 * at
        if not gaps:
            return self.whole
        return self._cuts.get(gaps) or self._cut(gaps)

    def _cut(self, gaps: int) -> Cut:
        places = self._places
        state = [max((gaps >> 2 * places[path] & 3 for path in ask.paths), default=0) for ask in self._asks]
        absent = [any(gaps >> 2 * places[path] & 3 == 1 for path in ask.paths) for ask in self._asks]
        good = [ask for ask, how in zip(self._asks, state, strict=True) if not how]
        remembered = [ask for ask in good if ask.remembers]
        wanted = sorted({places[path] for ask in remembered for path in ask.paths})
        cut = self._cuts[gaps] = Cut(
            counted=tuple(self._taker(ask) for ask in good if not ask.remembers),
            remembered=tuple(self._taker(ask) for ask in remembered),
            memory=several(wanted) if wanted else None,
            unkeyed=sum(absent),
            odd=tuple(ask for ask, how, gone in zip(self._asks, state, absent, strict=True) if how and not gone),
        )
        return cut

    def _taker(self, ask: Ask) -> Taker:
        key = several([self._places[path] for path in ask.key])
        return Taker(ask.rule_id, ask.base_id, key, itemgetter(self._places[ask.value]) if ask.value else None)


def several(places: Iterable[int]) -> Callable[[Found], Found]:
    """What takes these places out of a tuple, as a tuple also where it is one."""
    found = list(places)
    if len(found) > 1:
        return itemgetter(*found)
    return itemgetter(slice(found[0], found[0] + 1) if found else slice(0))
