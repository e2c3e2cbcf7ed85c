"""Loops over columns of what was noted, compiled where trailwatch was built with a C compiler.

All that feeds rules over time goes through them; `trailwatch.detect._columns` takes a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from trailwatch.detect.leaf import text_of

try:
    from trailwatch.detect import _columns
except ImportError:
    COMPILED = False
else:
    COMPILED = True


def texts_of(column: tuple[Any, ...]) -> Sequence[str]:
    """Values as texts, an empty one for each that is missing; the column itself where all are texts."""
    return _columns.texts_of(column) if COMPILED else plain_texts_of(column)


def places_of(groups: list[int], times: list[int], span: int) -> list[int]:
    """The places of signals, see `trailwatch.detect.sieve`: numbers of their groups and stretches of time together.

    Args:
        groups: the first place of each group.
        times: as many, in seconds since 1970.
        span: the length of a stretch in seconds.
    """
    return _columns.places_of(groups, times, span) if COMPILED else plain_places_of(groups, times, span)


def note_texts(cells: dict[int, Any], places: list[int], texts: list[str], needed: float) -> None:
    """Adds the texts at places to the different ones there, as far as they are needed.

    Args:
        cells: by place a text or, where there are several, the set of them.
        places: from `places_of`.
        texts: as many.
        needed: so many of a place are enough.
    """
    if COMPILED:
        _columns.note_texts(cells, places, texts, needed)
    else:
        plain_note_texts(cells, places, texts, needed)


def note_text(cells: dict[int, Any], place: int, text: str, needed: float) -> None:
    """Adds one text."""
    kept = cells.setdefault(place, text)
    if type(kept) is set:
        if len(kept) < needed:
            kept.add(text)
    elif kept != text:
        cells[place] = {kept, text}


def plain_texts_of(column: tuple[Any, ...]) -> Sequence[str]:
    """The same as `texts_of`, not compiled."""
    if {str}.issuperset(map(type, column)):
        return column
    return [one if type(one) is str else "" if one is UNSET or one is None else text_of(one) for one in column]


def plain_places_of(groups: list[int], times: list[int], span: int) -> list[int]:
    """The same as `places_of`, not compiled."""
    return [group + time // span for group, time in zip(groups, times, strict=True)]


def plain_note_texts(cells: dict[int, Any], places: list[int], texts: list[str], needed: float) -> None:
    """The same as `note_texts`, not compiled."""
    for place, text in set(zip(places, texts, strict=True)):
        note_text(cells, place, text, needed)
