"""A stretch of event time, and the events of a delivery that lie in it."""

from __future__ import annotations

import msgspec

from trailwatch.errors import DecodeError
from trailwatch.model.event import parse_time
from trailwatch.ports import Delivery


class _Head(msgspec.Struct):
    time: str = msgspec.field(name="eventTime", default="")


_HEAD = msgspec.json.Decoder(_Head)


def within(delivery: Delivery, since: int | None, until: int | None) -> Delivery:
    """The delivery without the events outside the times, which are counted as left out.

    Args:
        delivery: records with no readable time stay, so that they are rejected where everything is judged.
        since: first second wanted, since 1970; None for no bound.
        until: first second not wanted; None for no bound.
    """
    records: list[msgspec.Raw] = []
    positions: list[int] = []
    early = late = 0
    for raw, position in zip(delivery.records, delivery.positions, strict=True):
        time = _time(raw)
        if time is not None and since is not None and time < since:
            early += 1
        elif time is not None and until is not None and time >= until:
            late += 1
        else:
            records.append(raw)
            positions.append(position)
    counts = [(name, count) for name, count in (("before --since", early), ("after --until", late)) if count]
    return msgspec.structs.replace(
        delivery, records=records, positions=positions, left_out=(*delivery.left_out, *counts)
    )


def _time(raw: msgspec.Raw) -> int | None:
    try:
        return int(parse_time(_HEAD.decode(raw).time).timestamp())
    except (msgspec.DecodeError, DecodeError, RecursionError, OverflowError, UnicodeDecodeError):
        return None
