"""A trail's file as a whole: its records decoded in one pass, and the text of one found again when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import msgspec

from trailwatch.decode.unfold import records_of

_OPENING = b'{"eventVersion":'
"""How CloudTrail begins a record."""
_LONGEST = 1 << 20
"""A longer record is only found with all others."""
_REACHES = (1 << 14, 1 << 16, 1 << 18)
"""How far from its expected place a record is looked for."""
_SHARE_ASKED = 32
"""To find one of so many records again costs as much as to split all of them from each other."""


class RecordTexts(Sequence[msgspec.Raw]):
    """The texts of the records of a trail's file.

    Hardly any is ever asked for, so each is looked for where it must be about, by its event id. What is found there
    counts if it decodes to the same event; otherwise all records are split from each other, as they are when many
    are asked for.

    Args:
        text: the file.
        events: its records in order, decoded to structs that have an `eventID`.
        decode: what decodes a record to such a struct.
    """

    def __init__(self, text: bytes, events: Sequence[Any], decode: Callable[[bytes], Any]) -> None:
        self._text = text
        self._events = events
        self._decode = decode
        self._records: list[msgspec.Raw] | None = None
        self._left = len(events) // _SHARE_ASKED
        """How many are still looked for one by one."""
        self._known = (0, 0)
        """Number and place of the one that was found last: the next is looked for from there."""

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, at: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, at: slice) -> list[msgspec.Raw]: ...
    def __getitem__(self, at: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if self._records is None:
            if isinstance(at, int) and self._left > 0:
                self._left -= 1
                found = self._near(at)
                if found is not None:
                    return msgspec.Raw(found)
            self._records = records_of(self._text)
        return self._records[at]

    def _near(self, at: int) -> bytes | None:
        """The text of a record, found by its id; None where it is not certain."""
        text, event = self._text, self._events[at]
        mark = b'"eventID":"%b"' % event.eventID.encode()
        known, start = self._known
        expected = start + len(text) * (at - known) // len(self._events)
        place = -1
        for reach in _REACHES:
            place = text.find(mark, max(0, expected - reach), expected + reach)
            if place >= 0:
                break
        begin = text.rfind(_OPENING, max(0, place - _LONGEST), place)
        end = text.find(b"}," + _OPENING, place, place + _LONGEST)
        if end < 0:
            end = text.rfind(b"}]", max(place, len(text) - _LONGEST))
        if min(place, begin, end) < 0:
            return None
        self._known = (at, place)
        record = text[begin : end + 1]
        try:
            return record if self._decode(record) == event else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class PlacedTexts(Sequence[msgspec.Raw]):
    """The texts of some records of a trail's file, of which it is known where they lie.

    Args:
        text: the file.
        places: begin and end by the numbers of the records.
        count: how many records the file has, these among them.
    """

    def __init__(self, text: bytes, places: Mapping[int, tuple[int, int]], count: int) -> None:
        self._text = text
        self._places = places
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, at: slice) -> list[msgspec.Raw]: ...
    def __getitem__(self, at: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if isinstance(at, slice):
            return [self[number] for number in range(self._count)[at]]
        begin, end = self._places[at]
        return msgspec.Raw(self._text[begin:end])
