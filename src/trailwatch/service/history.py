"""Event history into the archive: the last 90 days of every region, a day or a week at a time, newest first.

AWS answers two requests of 50 events a second in each region, so this takes a while; every window that was read in
full is written down, and the next run goes on with what is missing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec

from trailwatch.archive import Archive
from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError, SourceError
from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.model.event import Event
from trailwatch.ports import Clock, CoverageGain
from trailwatch.service.places import AccountAccess
from trailwatch.sources.lookup_events import PAGE_SIZE, look_up
from trailwatch.sources.pacing import Pacer
from trailwatch.sources.slices import attribute_of
from trailwatch.store.known import HISTORY
from trailwatch.store.store import Store

DAY = 86400
WEEK = 7 * DAY
WAITING = 8
"""So many pieces at most wait to be written."""


class Piece(msgspec.Struct, frozen=True):
    """Some of a window's events; the window is read in full with its last piece."""

    key: LookupKey
    records: tuple[bytes, ...]
    window: Interval | None = None
    """The window, with its last piece."""
    error: str = ""
    """Why a region cannot be read any further."""


class Place(msgspec.Struct, frozen=True):
    """One region of one account, and what is missing of it."""

    key: LookupKey
    access: AccountAccess
    missing: IntervalSet


def place_of(store: Store, access: AccountAccess, account: str, region: str, lookup: str, window: Interval) -> Place:
    """The region with what no run before has read."""
    key = LookupKey(account, region, HISTORY + lookup)
    return Place(key, access, store.coverage.intervals(key).missing(window))


class History:
    """Reads what is missing.

    Args:
        places: the regions.
        clock: the time.
        pace: shortest time between two requests to one region, in seconds.
        stopped: whether somebody wants it to end early.
    """

    def __init__(
        self, places: Sequence[Place], clock: Clock, pace: float, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._places = places
        self._clock = clock
        self._pace = pace
        self._stopped = stopped
        self._queue: queue.Queue[Piece | None] = queue.Queue(WAITING)

    def estimate(self) -> tuple[int, float]:
        """About how many events are missing and how many seconds they take, from the newest page of each region.

        A region that cannot be read is left out here; `pieces` tells why.
        """
        events, longest = 0, 0.0
        for places in self._regions():
            client, seconds = self._client(places[0]), 0.0
            for place in places:
                here = self._count(client, place)
                events += here
                seconds += max(len(list(_windows(place))), here / PAGE_SIZE) * self._pace
            longest = max(longest, seconds)
        return events, longest

    def _count(self, client: object, place: Place) -> int:
        newest = max(one.end for one in place.missing)
        oldest = min(one.start for one in place.missing)
        try:
            page = next(look_up(client, _origin(place.key), _attribute(place.key), Interval(oldest, newest)))
        except SourceError:
            return 0
        here = len(page.records)
        if page.more and page.oldest is not None:
            here = int(here * place.missing.seconds / max(1, newest - page.oldest))
        return here

    def _regions(self) -> list[list[Place]]:
        """What is missing, together where AWS counts requests together."""
        found: dict[tuple[str, str], list[Place]] = {}
        for place in self._places:
            if len(place.missing):
                found.setdefault((place.key.account, place.key.region), []).append(place)
        return list(found.values())

    def pieces(self) -> Iterator[Piece]:
        """Everything that is missing, as it comes."""
        running = 0
        for places in self._regions():
            running += 1
            threading.Thread(target=self._work, args=(places,), daemon=True).start()
        while running:
            piece = self._queue.get()
            if piece is None:
                running -= 1
            else:
                yield piece

    def _work(self, places: Sequence[Place]) -> None:
        key = places[0].key
        try:
            client = self._client(places[0])
            for key, window in _days(places):
                if self._stopped():
                    break
                self._read(client, key, window)
        except SourceError as error:
            self._queue.put(Piece(key, (), error=str(error)))
        except Exception as error:  # noqa: BLE001 carried to the main thread, which tells it
            self._queue.put(Piece(key, (), error=f"{_origin(key)}: {type(error).__name__}: {error}"))
        self._queue.put(None)

    def _read(self, client: object, key: LookupKey, window: Interval) -> None:
        # AWS includes both ends
        asked = Interval(window.start, window.end - 1)
        for page in look_up(client, _origin(key), _attribute(key), asked):
            self._queue.put(Piece(key, page.records, None if page.more else window))

    def _client(self, place: Place) -> object:
        client = place.access.client("cloudtrail", place.key.region)
        Pacer(self._clock, self._pace).attach(client)
        return client


def keep(piece: Piece, store: Store, archive: Archive) -> int:
    """Writes a piece down; how many events are in it."""
    records = [(time, record) for record in piece.records if (time := _time_of(record)) is not None]
    if records:
        archive.append(piece.key.account, piece.key.region, records)
    if piece.window is not None:
        with store.transaction():
            store.coverage.add([CoverageGain(piece.key, piece.window)])
    return len(records)


def _time_of(record: bytes) -> int | None:
    try:
        return int(Event(to_mapping(record)).time.timestamp())
    except DecodeError:
        return None


def _days(places: Sequence[Place]) -> Iterator[tuple[LookupKey, Interval]]:
    """The newest first, of all look-ups side by side, so that what was read until then is of use."""
    found = [(-window.end, at, window) for at, place in enumerate(places) for window in _windows(place)]
    for _, at, window in sorted(found, key=lambda one: one[:2]):
        yield places[at].key, window


def _windows(place: Place) -> Iterator[Interval]:
    # of one name there are few events: a request for each day would be most of the work
    length = WEEK if "EventName=" in place.key.lookup else DAY
    for stretch in place.missing:
        start = stretch.start
        while start < stretch.end:
            end = min(stretch.end, (start // length + 1) * length)
            yield Interval(start, end)
            start = end


def _origin(key: LookupKey) -> str:
    return f"{key.account}/{key.region}"


def _attribute(key: LookupKey) -> tuple[str, str] | None:
    return attribute_of(key.lookup.removeprefix(HISTORY))
