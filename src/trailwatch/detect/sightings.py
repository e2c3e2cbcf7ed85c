"""What was seen when and where, for as long as a process runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from trailwatch.model.sighting import EVERYTHING, Remembered, Sightings
from trailwatch.model.signal import Signal, Stay

Place = tuple[str, str]
"""A rule with a memory, and an account."""
Stretch = tuple[int, int]
"""The first and the last time of what was heard there."""


def widen(heard: dict[Place, Stretch], place: Place, first: int, last: int) -> None:
    """Adds what was heard at a place from a first to a last time."""
    before = heard.get(place, (first, last))
    heard[place] = min(first, before[0]), max(last, before[1])


class Noted(Protocol):
    """What was noted of a whole input, of which signals are made where they are wanted."""

    def heard(self) -> Mapping[Place, Stretch]:
        """Rules with a memory and accounts, with the first and the last time of what is there for them."""

    def heard_signals(self, wanted: Collection[Place]) -> Iterator[Signal]:
        """The signals for these rules and accounts."""


class SightingsInMemory:
    """`trailwatch.ports.SightingState` and `trailwatch.ports.JourneyState` for a scan."""

    def __init__(self) -> None:
        self.rows: dict[int, Remembered] = {}
        self._learned: dict[tuple[str, str], int] = {}
        self._stays: dict[int, dict[tuple[int, float, float], Stay]] = {}

    def sightings(self, numbers: Iterable[int]) -> dict[int, Sightings]:
        rows = self.rows
        return {number: rows[number].seen for number in numbers if number in rows}

    def see(self, changed: Mapping[int, Remembered]) -> None:
        self.rows.update(changed)

    def learn(self, account: str, since: int, lookup: str = EVERYTHING) -> None:
        self._learned[account, lookup] = min(self._learned.get((account, lookup), since), since)

    def learned(self) -> dict[tuple[str, str], int]:
        return dict(self._learned)

    def stay(self, stays: Sequence[Stay]) -> None:
        for one in stays:
            kept = self._stays.setdefault(one.number, {})
            key = (one.time, one.latitude, one.longitude)
            if key not in kept or one.brief.event_id < kept[key].brief.event_id:
                kept[key] = one

    def stays(self, number: int, after: int, before: int) -> list[Stay]:
        kept = self._stays.get(number, {})
        return [kept[key] for key in sorted(kept) if after < key[0] < before]
