"""The links of one delivery, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trailwatch.detect.links import links_of
from trailwatch.detect.record import Record
from trailwatch.model.principal import Principal
from trailwatch.model.signal import Link


class Caller(Protocol):
    """Who called, such as `trailwatch.detect.callers.Caller`."""

    @property
    def principal(self) -> Principal: ...

    @property
    def links(self) -> Sequence[Link]:
        """See `own_links`."""


class LinkMaker:
    """Collects the links of one delivery, each once."""

    def __init__(self) -> None:
        self._links: dict[Link, None] = {}
        self._told: dict[int, Sequence[Link]] = {}
        """By identity: callers come again and again, each with one and the same sequence."""

    def issued(self, record: Record, time: int, event_id: str, caller: Caller | None = None) -> None:
        """Adds what an event states, if its name is one of `ISSUING_NAMES`.

        Args:
            record: the event's record.
            time: event time in seconds since 1970.
            event_id: its id.
            caller: who called, where that is known already.
        """
        if caller is None:
            self._links.update(dict.fromkeys(links_of(record, time, event_id)))
        elif found := links_of(record, time, event_id, caller.principal):
            self._links.update(dict.fromkeys(found))
            self.caller(caller.links)

    def caller(self, links: Sequence[Link]) -> None:
        """Adds what a record knows of its caller, see `own_links`."""
        if id(links) not in self._told:
            self._told[id(links)] = links
            self._links.update(dict.fromkeys(links))

    def links(self) -> list[Link]:
        """Everything that was added, in the order of its first coming."""
        return list(self._links)
