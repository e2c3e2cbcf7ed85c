"""What is noted of events that only feed stateful rules, where all deliveries are put together in the end.

These rules get rows of `trailwatch.detect.pages` instead of signals. Rules with a memory nearly always heard the same
of the same caller on that day, so an event for these alone is mostly one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from trailwatch.detect.bundle import FOLLOWS_FROM, Ask, Texts, several
from trailwatch.detect.callers import PATHS, Caller, Callers
from trailwatch.detect.glance import Taking
from trailwatch.detect.moments import seconds_of
from trailwatch.detect.pages import ACTOR_AT, BRIEF_FIELDS, NO_COLUMN, Form, Note, Row, Want
from trailwatch.detect.record import Record
from trailwatch.detect.schema import PLAIN_FIELDS, classes_at, is_member, values_at
from trailwatch.model.sighting import DAY
from trailwatch.model.signal import ACTOR, Signal

KEPT_OF_ONE = 50_000
"""So many combinations of values are remembered as heard by the same rules."""
_BEFORE = 2
"""A row begins with the caller and the time; the event id is the first of its values."""
FLAG = "readOnly"
_STRINGS = frozenset({str})

Heard = dict[tuple[Any, ...], tuple[tuple[int, str], int]]
"""By caller, day and values: time and event of what was heard of first, and how many rules found no value in it."""
Rest = Callable[[Record, str, int, list[Signal]], int]
"""Adds the signals of an event for whoever needs more than notes; how many of these found no value."""


class Values:
    """What takes the plain values of a row out of an event, the same for all: one function for all that are asked.

    Args:
        wanted: paths that stateful rules ask for.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        paths = dict.fromkeys((*BRIEF_FIELDS[1:], FLAG, *wanted))
        self.paths = tuple(path for path in paths if path in PLAIN_FIELDS)
        self.of = values_at(self.paths)


class Noter:
    """Notes the events to which the same rules said yes.

    Args:
        asks: what stateful rules want of them, as far as it can be noted.
        values: takes all that is plain of what is asked.
        rest: tells the others; None for nobody.
        callers: who calls.
        texts: finds what is not plain.
        heard: of whoever notes for the same rules.
        active: gets this noter with the first of its rows.
    """

    __slots__ = (
        *("_active", "_asks", "_callers", "_follows", "_follows_in", "_found", "_further", "_heard", "_paths"),
        *("_plain", "_rest", "_rows", "form", "taking"),
    )

    def __init__(
        self,
        asks: Sequence[Ask],
        values: Values,
        rest: Rest | None,
        *,
        callers: Callers,
        texts: Texts,
        heard: Heard,
        active: list[Noter],
    ) -> None:
        self._found = any(ask.remembers for ask in asks)
        wanted = list(dict.fromkeys(path for ask in asks for path in ask.paths if path != ACTOR))
        further = [path for path in wanted if path not in PLAIN_FIELDS]
        self._asks = asks
        self._paths = ["eventID", *values.paths, *further]
        self._plain = values.of
        self._further = tuple(texts.at(path) for path in further)
        self.form = _form(asks, wanted, self._paths)
        self._rest = rest
        self.taking = _taking(further, texts, placed=self._found) if asks and rest is None else None
        """What the rows for `add` hold further; None where every event has to be noted by `note`."""
        self._follows = self._follows_in = None
        following = _following(asks) if asks and rest is None and all(ask.remembers for ask in asks) else None
        if following is not None:
            self._follows = _follows(following, texts)
            self._follows_in = several([_BEFORE + self._paths.index(path) for path in following])
        self._heard = heard
        self._callers = callers
        self._active = active
        self._rows: list[Row] = []

    def note(
        self, event: Any, record: Record, origin: str, position: int, signals: list[Signal]
    ) -> tuple[Caller, int] | None:
        """Notes an event; who called, and how many stateful rules are known to have found no value in it.

        None for an event that has several values where one is noted: nothing was done with it.

        Args:
            event: the struct of `trailwatch.detect.schema`.
            record: the same as a record.
            origin: where the record came from.
            position: its place there.
            signals: gets those for whoever needs more than notes.

        Raises:
            DecodeError: something is wrong with the record; nothing was done with it.
        """
        caller = self._callers.of(event)
        seconds = seconds_of(event.eventTime)
        place = None
        if self._follows is not None:
            place = (caller, seconds // DAY, *self._follows(event, record))
            known = self._heard.get(place)
            if known is not None and known[0] <= (seconds, event.eventID):
                return caller, known[1]
        further = [take(event, record) for take in self._further] if self._further else ()
        if further and list in map(type, further):
            return None
        unkeyed = 0 if self._rest is None else self._rest(record, origin, position, signals)
        if not self._asks:
            return caller, unkeyed
        row = (caller, seconds, event.eventID, *self._plain(event), *further)
        if place is not None:
            self._hear(place, row)
        if not self._rows:
            self._active.append(self)
        self._rows.append((*row, origin, position) if self._found else row)
        return caller, unkeyed

    def add(self, rows: list[Row]) -> int:
        """Notes events that a glance took as rows; how many stateful rules are known to have found no value in them.

        Args:
            rows: with the caller, the time, the id, the plain values, and what `taking` says.
        """
        unkeyed = 0
        if self._follows_in is not None:
            fresh = []
            for row in rows:
                place = (row[0], row[1] // DAY) + self._follows_in(row)  # noqa: RUF005 half the time of a star
                known = self._heard.get(place)
                if known is not None and known[0] <= (row[1], row[2]):
                    unkeyed += known[1]
                else:
                    self._hear(place, row)
                    fresh.append(row)
            rows = fresh
        if rows and not self._rows:
            self._active.append(self)
        self._rows += rows
        return unkeyed

    def _hear(self, place: tuple[Any, ...], row: Row) -> None:
        if len(self._heard) >= KEPT_OF_ONE:
            self._heard.clear()
        self._heard[place] = (row[1], row[2]), self._unkeyed(row)

    def noted(self) -> Note:
        """What was noted since the last time."""
        note = Note(self.form, self._rows)
        self._rows = []
        return note

    def _unkeyed(self, row: Row) -> int:
        """How many rules find no value in a row."""
        told = [row[at] for at in self.form.keys]
        if _STRINGS.issuperset(map(type, told)) and "" not in told:
            return 0
        values = zip(self._paths, row[_BEFORE : _BEFORE + len(self._paths)], strict=True)
        missing = {path for path, value in values if value is UNSET or value is None or value == ""}
        return sum(not missing.isdisjoint(ask.paths) for ask in self._asks)


def _form(asks: Sequence[Ask], wanted: Iterable[str], order: Sequence[str]) -> Form:
    columns = {path: number for number, path in enumerate(wanted)}
    places = {path: _BEFORE + at for at, path in enumerate(order)}
    wants = tuple(
        Want(
            ask.rule_id,
            ask.base_id,
            tuple([ACTOR_AT if path == ACTOR else columns[path] for path in ask.key]),
            columns[ask.value] if ask.value else NO_COLUMN,
            ask.remembers,
        )
        for ask in asks
    )
    end = _BEFORE + len(order)
    found = (places[FLAG], end, end + 1) if any(ask.remembers for ask in asks) else ()
    brief = tuple([places[path] for path in BRIEF_FIELDS])
    return Form(wants, tuple([places[path] for path in columns]), brief, found)


def _following(asks: Sequence[Ask]) -> list[str] | None:
    """Paths of the values from which, with the caller and the day, all follows that these want.

    None where it does not follow from plain values.
    """
    paths = [path for path in dict.fromkeys(path for ask in asks for path in ask.key) if path not in (ACTOR, *PATHS)]
    derived = [path for path in paths if path in FOLLOWS_FROM]
    plain = [path for path in paths if path in PLAIN_FIELDS]
    return [*plain, *derived] if len(derived) + len(plain) == len(paths) else None


def _follows(paths: Sequence[str], texts: Texts) -> Callable[[Any, Record], tuple[Any, ...]]:
    """What takes the values at some plain paths and those that follow from them, in this order."""
    derived = [path for path in paths if path in FOLLOWS_FROM]
    values = values_at([path for path in paths if path not in FOLLOWS_FROM])
    if not derived:
        return lambda event, _record: values(event)
    known = classes_at([FOLLOWS_FROM[path] for path in derived], [texts.known(path) for path in derived])
    takes = [texts.at(path) for path in derived]

    def follows(event: Any, record: Record) -> tuple[Any, ...]:
        try:
            return values(event) + known(event)
        except KeyError:
            return (*values(event), *[take(event, record) for take in takes])

    return follows


def _taking(paths: Sequence[str], texts: Texts, *, placed: bool) -> Taking | None:
    """How a glance finds the values at these paths; None where it cannot."""
    further: list[tuple[str, str | None, Mapping[Any, Any] | None]] = []
    for path in paths:
        root, _, name = path.partition(".")
        if path in FOLLOWS_FROM:
            further.append((FOLLOWS_FROM[path], None, texts.known(path)))
        elif is_member(path):
            further.append((root, name, None))
        else:
            return None
    return Taking(tuple(further), placed)
