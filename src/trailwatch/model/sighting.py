"""On which days a combination of values was seen, in three numbers; what rules with a memory keep."""

from __future__ import annotations

import msgspec

DAY = 86400
EVERYTHING = "*"
"""The look-up that shows all events."""
CHANGES = "ReadOnly=false"
"""The look-up that shows the events that change something."""
DAYS_KEPT = 62
"""So many days back from the last one each day is known; 62 bits fit every number column."""
_ALL = (1 << DAYS_KEPT) - 1


class Sightings(msgspec.Struct, frozen=True):
    """A set of days. Days are whole days since 1970, UTC.

    Joining two is commutative, associative and idempotent, so it is no matter how often and in which order days come.
    """

    first: int
    """The earliest of all."""
    last: int
    days: int = 1
    """Bit n stands for n days before the last; of what is further back than `DAYS_KEPT` only `first` is left."""

    def joined(self, other: Sightings) -> Sightings:
        """The days of both."""
        later, earlier = (self, other) if self.last >= other.last else (other, self)
        back = later.last - earlier.last
        moved = earlier.days << back & _ALL if back < DAYS_KEPT else 0
        return Sightings(min(self.first, other.first), later.last, later.days | moved)

    def count(self, begin: int, end: int) -> int:
        """How many days of `begin` to `end`, both included, as far as they are known."""
        low, high = max(self.last - end, 0), min(self.last - begin, DAYS_KEPT - 1)
        return (self.days >> low & (1 << high - low + 1) - 1).bit_count() if high >= low else 0

    def has(self, day: int) -> bool:
        return self.count(day, day) > 0

    def until(self, day: int) -> Sightings:
        """The same with every later day moved back to this one."""
        if self.last <= day:
            return self
        kept = self.days >> (self.last - day)
        return Sightings(min(self.first, day), day, (kept | 1) & _ALL)


def on(day: int) -> Sightings:
    """One day."""
    return Sightings(day, day)


class Remembered(msgspec.Struct, frozen=True):
    """One combination of values of one rule with the days on which it was seen."""

    rule_id: str
    account: str
    values: tuple[str, ...]
    seen: Sightings
    lasting: bool = False
    """Whether it still matters when it was not seen for long."""
