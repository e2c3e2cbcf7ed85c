"""Event history into the archive: the last 90 days of every region, a day at a time, newest first.

AWS answers two requests of 50 events a second in each region, so this takes a while; every day that was read in full
is written down, and the next run goes on with what is missing.
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
from trailwatch.service.reading import AccountAccess
from trailwatch.sources.lookup_events import PAGE_SIZE, look_up
from trailwatch.sources.pacing import Pacer
from trailwatch.sources.slices import attribute_of
from trailwatch.store.store import Store

DAY = 86400
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
    key = LookupKey(account, region, f"history {lookup}")
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
        for place in self._places:
            newest = max((one.end for one in place.missing), default=0)
            if not newest:
                continue
            oldest = min(one.start for one in place.missing)
            client = self._client(place)
            try:
                page = next(look_up(client, _origin(place.key), _attribute(place.key), Interval(oldest, newest)))
            except SourceError:
                continue
            here = len(page.records)
            if page.more and page.oldest is not None:
                here = int(here * place.missing.seconds / max(1, newest - page.oldest))
            events += here
            longest = max(longest, max(1, here / PAGE_SIZE) * self._pace)
        return events, longest

    def pieces(self) -> Iterator[Piece]:
        """Everything that is missing, as it comes."""
        running = 0
        for place in self._places:
            if len(place.missing):
                running += 1
                threading.Thread(target=self._work, args=(place,), daemon=True).start()
        while running:
            piece = self._queue.get()
            if piece is None:
                running -= 1
            else:
                yield piece

    def _work(self, place: Place) -> None:
        try:
            client = self._client(place)
            for window in _days(place.missing):
                if self._stopped():
                    break
                self._read(client, place.key, window)
        except SourceError as error:
            self._queue.put(Piece(place.key, (), error=str(error)))
        except Exception as error:  # noqa: BLE001 carried to the main thread, which tells it
            self._queue.put(Piece(place.key, (), error=f"{_origin(place.key)}: {type(error).__name__}: {error}"))
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


def _days(missing: IntervalSet) -> Iterator[Interval]:
    for stretch in reversed(list(missing)):
        end = stretch.end
        while end > stretch.start:
            start = max(stretch.start, (end - 1) // DAY * DAY)
            yield Interval(start, end)
            end = start


def _origin(key: LookupKey) -> str:
    return f"{key.account}/{key.region}"


def _attribute(key: LookupKey) -> tuple[str, str] | None:
    return attribute_of(key.lookup.removeprefix("history "))
