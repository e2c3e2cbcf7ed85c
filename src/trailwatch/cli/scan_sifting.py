"""The signals of a scan that can make a correlation hold, out of the pages on which everything was noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from trailwatch.detect.pages import ACTOR_AT, NO_COLUMN, Briefs, Group, Page, Want
from trailwatch.detect.sieve import Key, Keyed, Sieve
from trailwatch.model.signal import Signal

Pages = Callable[[], Iterable[Page]]
"""All pages, as often as it is asked."""


class Actors(Protocol):
    """Who began what, once all links are known."""

    def actor_at(self, identity: str, time: int) -> str:
        """The key of the actor behind an identity at a time."""

    def actor_always(self, identity: str) -> str | None:
        """The same where the time makes no difference; None where it does."""


class Strand(NamedTuple):
    """The signals of a group that one correlation gets from one rule."""

    want: Want
    rows: Sequence[int]
    """Numbers of their events in the group."""
    keyed: Keyed
    """Their times and the values of the group-by fields."""
    values: list[str] | None


class _Callers:
    """Who began what the callers of a page did."""

    def __init__(self, page: Page, actors: Actors) -> None:
        self._actors = actors
        self._identities = [identity or principal for principal, _, _, identity, _ in page.callers]
        self._always = [actors.actor_always(identity) for identity in self._identities]

    def actors_of(self, group: Group) -> list[str]:
        """The actor of each row of a group."""
        always, identities = self._always, self._identities
        return [
            always[caller] or self._actors.actor_at(identities[caller], time)
            for caller, time in zip(group.callers, group.times, strict=True)
        ]


class _Columns:
    """The columns of one group, with its actors where they are asked for."""

    def __init__(self, group: Group, callers: _Callers, sieve: Sieve) -> None:
        self._group = group
        self._callers = callers
        self._sieve = sieve
        self._acted: list[str] = []
        self._keyed: dict[tuple[int, ...], Keyed] = {}

    def strand(self, want: Want) -> Strand:
        """What a correlation gets of this group."""
        group = self._group
        values = None if want.value == NO_COLUMN else group.keys[want.value]
        if group.whole or not any("" in group.keys[at] for at in {*want.key, want.value} if at >= 0):
            return Strand(want, range(len(group.times)), self._of_all(want.key), values)
        columns = [self._column(at) for at in want.key]
        told = [*columns, *([values] if values is not None else ())]
        rows = [row for row in range(len(group.times)) if all(one[row] for one in told)]
        keys = [tuple([one[row] for one in columns]) for row in rows]
        return Strand(
            want,
            rows,
            self._sieve.keyed(keys, [group.times[row] for row in rows]),
            None if values is None else [values[row] for row in rows],
        )

    def _of_all(self, places: tuple[int, ...]) -> Keyed:
        """The keys of all rows; many correlations ask for the same ones."""
        known = self._keyed.get(places)
        if known is None:
            times, columns = self._group.times, [self._column(at) for at in places]
            keys: list[Key] = list(zip(*columns, strict=True)) if columns else [()] * len(times)
            known = self._keyed[places] = self._sieve.keyed(keys, times)
        return known

    def _column(self, at: int) -> list[str]:
        if at != ACTOR_AT:
            return self._group.keys[at]
        if not self._acted:
            self._acted = self._callers.actors_of(self._group)
        return self._acted


def sifted(pages: Pages, sieve: Sieve, actors: Actors) -> Iterator[list[Signal]]:
    """The signals, under their actors, that can make a correlation hold.

    Args:
        pages: what was noted.
        sieve: one that has counted nothing yet.
        actors: who began what.
    """
    for page in pages():
        callers = _Callers(page, actors)
        for group in page.groups:
            columns = _Columns(group, callers, sieve)
            for want in group.wants:
                if sieve.asks(want.rule_id):
                    one = columns.strand(want)
                    sieve.count(want.rule_id, want.base_id, one.keyed, one.values)
    for page in pages():
        callers = _Callers(page, actors)
        passing = [signal for group in page.groups for signal in _passing(page, group, callers, sieve)]
        if passing:
            yield passing


def _passing(page: Page, group: Group, callers: _Callers, sieve: Sieve) -> list[Signal]:
    """The signals of a group that pass, those of an event one after the other."""
    columns = _Columns(group, callers, sieve)
    found: list[tuple[int, Want, Key, str]] = []
    for want in group.wants:
        if not want.remembers and sieve.may_pass(want.rule_id):
            one = columns.strand(want)
            found += [
                (one.rows[at], want, one.keyed.keys[at], one.values[at] if one.values is not None else "")
                for at in sieve.passing(want.rule_id, one.keyed)
            ]
    if not found:
        return []
    found.sort(key=lambda one: one[0])
    briefs = Briefs(page, group)
    return [
        Signal(want.rule_id, want.base_id, key, group.times[row], briefs.of(row), value)
        for row, want, key, value in found
    ]
