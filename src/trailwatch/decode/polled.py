"""Records of a delivery with what the seen ids and the archive ask of them."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.event import Event
from trailwatch.model.identity import synthetic_event_id
from trailwatch.ports import Delivery


class Polled(msgspec.Struct, frozen=True):
    """One record that could be read, with what the seen ids and the archive ask of it."""

    at: int
    key: tuple[str, int, str]
    """Account, event time and event id."""
    region: str
    request: str = ""
    """AWS's id of the request; empty where the record has none."""


def polled_of(delivery: Delivery) -> list[Polled]:
    """The records that are events; what is none is left to the engine, which says why."""
    found = []
    for at, raw in enumerate(delivery.records):
        body = bytes(raw)
        try:
            event = Event(to_mapping(body), delivery.origin, delivery.positions[at])
        except DecodeError:
            continue
        key = (event.account, int(event.time.timestamp()), event.event_id or synthetic_event_id(body))
        request = event.record.get("requestID")
        found.append(Polled(at, key, event.region, request if isinstance(request, str) else ""))
    return found


def without(delivery: Delivery, places: Collection[int]) -> Delivery:
    """The delivery without the records at these places."""
    if not places:
        return delivery
    kept = [at for at in range(len(delivery.records)) if at not in places]
    return msgspec.structs.replace(
        delivery,
        records=[delivery.records[at] for at in kept],
        positions=[delivery.positions[at] for at in kept],
    )
