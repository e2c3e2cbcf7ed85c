"""Which events a person asked for, and where they are found: live, in files, or in the archive."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError, SourceError
from trailwatch.model.event import Event
from trailwatch.ports import Clock, Delivery

if TYPE_CHECKING:
    from trailwatch.aws import Access


class Choice(NamedTuple):
    """What the options ask for; an empty text asks for nothing."""

    event_id: str = ""
    key: str = ""
    name: str = ""
    user: str = ""
    resource: str = ""
    regions: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None

    def attribute(self) -> tuple[str, str] | None:
        """The one attribute that AWS looks up by: the one that finds the fewest events."""
        for attribute, value in (
            ("EventId", self.event_id),
            ("AccessKeyId", self.key),
            ("ResourceName", self.resource),
            ("Username", self.user),
            ("EventName", self.name),
        ):
            if value:
                return attribute, value
        return None

    def without(self, attribute: tuple[str, str] | None) -> Choice:
        """What is left to ask here when AWS looked up by the attribute."""
        match attribute:
            case ("EventId", _):
                return self._replace(event_id="")
            case ("AccessKeyId", _):
                return self._replace(key="")
            case ("ResourceName", _):
                return self._replace(resource="")
            case ("Username", _):
                return self._replace(user="")
        return self

    def takes(self, event: Event) -> bool:
        time = event.time.timestamp()
        return (
            (not self.event_id or event.event_id == self.event_id)
            and (not self.key or self.key in _keys(event))
            and (not self.name or event.name.lower() == self.name.lower())
            and (not self.regions or event.region in self.regions)
            and (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
            and (not self.user or self.user.lower() in _users(event))
            and (not self.resource or _names(event, self.resource))
        )


class Newest:
    """Keeps the newest events, each once, and counts the others.

    Args:
        limit: how many to keep; 0 for all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[tuple[float, int, Event]] = []
        self._seen: set[tuple[str, str]] = set()
        self.count = 0

    def add(self, event: Event) -> None:
        identity = (event.account, event.event_id)
        if event.event_id and identity in self._seen:
            return
        self._seen.add(identity)
        self.count += 1
        entry = (event.time.timestamp(), -self.count, event)
        if self._limit and len(self._kept) >= self._limit:
            heapq.heappushpop(self._kept, entry)
        else:
            heapq.heappush(self._kept, entry)

    def oldest_first(self) -> list[Event]:
        return [event for _, _, event in sorted(self._kept, key=lambda entry: (entry[0], -entry[1]))]


def events_of(delivery: Delivery) -> Iterator[Event | str]:
    """The delivery's events, and for everything that could not be read the reason."""
    for reject in delivery.rejects:
        yield reject.reason
    for raw, position in zip(delivery.records, delivery.positions, strict=True):
        try:
            yield Event(to_mapping(raw, f"{delivery.origin}: record {position}"), delivery.origin, position)
        except DecodeError as error:
            yield str(error)


def chosen(deliveries: Iterable[Delivery], choice: Choice, newest: Newest) -> list[str]:
    """Puts what the choice takes into `newest`; the reasons of what could not be read come back."""
    complaints: list[str] = []
    for delivery in deliveries:
        for event in events_of(delivery):
            if isinstance(event, str):
                complaints.append(event)
            elif choice.takes(event):
                newest.add(event)
    return complaints


def look_up_live(
    access: Access,
    regions: Iterable[str],
    choice: Choice,
    newest: Newest,
    *,
    clock: Clock,
    pace: float,
    limit: int,
    progress: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Asks event history in each region, newest first, until `limit` events are found there.

    Args:
        access: the account's clients.
        regions: where to ask; one that fails is a complaint and the others go on.
        choice: one attribute of it goes to AWS, the rest is judged here; `since` and `until` must be set.
        newest: takes what is found.
        clock: paces the calls.
        pace: shortest time between two calls to one region, in seconds.
        limit: events wanted from each region; 0 for all.
        progress: told each region before it is asked.
    """
    from trailwatch.model.coverage import Interval
    from trailwatch.sources.lookup_events import look_up
    from trailwatch.sources.pacing import Pacer

    attribute = choice.attribute()
    rest = choice.without(attribute)._replace(regions=())
    window = Interval(choice.since or 0, choice.until or int(clock.now().timestamp()))
    complaints: list[str] = []
    for region in regions:
        origin = f"{access.account.name}/{region}"
        progress(origin)
        found = 0
        try:
            client = access.client("cloudtrail", region)
            Pacer(clock, pace).attach(client)
            for page in look_up(client, origin, attribute, window):
                wanted = [event for event in _on_page(page.records, origin, complaints) if rest.takes(event)]
                found += len(wanted)
                for event in wanted:
                    newest.add(event)
                if limit and found >= limit:
                    break
        except SourceError as error:
            complaints.append(str(error))
    return complaints


def _on_page(records: Iterable[bytes], origin: str, complaints: list[str]) -> Iterator[Event]:
    for position, record in enumerate(records):
        try:
            yield Event(to_mapping(record, origin), origin, position)
        except DecodeError as error:
            complaints.append(str(error))


def _keys(event: Event) -> set[str]:
    return {
        event.principal.access_key,
        *(str(key) for key in event.paths("responseElements.credentials.accessKeyId")),
    }


def _users(event: Event) -> set[str]:
    who = event.principal
    return {text.lower() for text in (who.name, who.session_name, who.arn, who.key, who.source_identity) if text}


def _names(event: Event, resource: str) -> bool:
    """Whether the event's resources or its parameters hold the name, alone or at the end of an ARN."""
    ends = (f"/{resource}", f":{resource}")
    pending: list[Any] = [event.get("resources"), event.get("requestParameters")]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str) and (value == resource or value.endswith(ends)):
            return True
    return False
