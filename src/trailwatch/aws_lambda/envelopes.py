"""What a function is handed, taken apart: events of EventBridge, and what queues, topics and buckets wrap them in.

| Shape | From |
|---|---|
| `detail-type` and `detail` | EventBridge: CloudTrail's events, findings of GuardDuty, `Object Created`, a schedule |
| `Records` with `eventSource` `aws:sqs` | a queue, whose bodies hold any of the others |
| `Records` with `EventSource` `aws:sns`, or `Type` `Notification` | a topic, whose messages hold any of the others |
| `Records` with `eventSource` `aws:s3` | a bucket; names are URL-encoded |
| `s3Bucket` and `s3ObjectKey` | CloudTrail's own notification; names are not encoded |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from trailwatch.errors import DecodeError
from trailwatch.model.provenance import Provenance
from trailwatch.sources.stored_logs import StoredLog

_DEEPEST = 5
"""A queue that holds a topic's message that holds an event has three."""
_SHOWN = 120


class Record(msgspec.Struct, frozen=True):
    """One CloudTrail record or one finding of GuardDuty, in the envelope of EventBridge."""

    origin: str
    body: bytes
    provenance: Provenance


class Tick(msgspec.Struct, frozen=True):
    """A schedule went off: whatever waits for its time is looked at."""


class Passed(msgspec.Struct, frozen=True):
    """Something that needs no work."""

    what: str


Piece = Record | StoredLog | Tick | Passed


class Parcel(msgspec.Struct):
    """What comes and is acknowledged together: a message of a queue, or all there is."""

    message_id: str = ""
    """Of the queue's message; empty where it was none."""
    pieces: list[Piece] = []
    error: str = ""
    """Why it cannot be taken apart; empty where it could."""


def parcels_of(event: object) -> list[Parcel]:
    """The parcels of an invocation, each message of a queue on its own. Raises nothing."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if isinstance(records, list) and records and all(_source_of(one) == "aws:sqs" for one in records):
        return [_parcel(one.get("body"), str(one.get("messageId") or "?"), Provenance.QUEUE) for one in records]
    return [_parcel(event, "", Provenance.EVENT_BUS)]


def _parcel(content: object, message_id: str, provenance: Provenance) -> Parcel:
    origin = f"queue message {message_id}" if message_id else "event"
    try:
        return Parcel(message_id, list(_pieces(content, origin, provenance, 0)))
    except DecodeError as error:
        return Parcel(message_id, error=str(error))


def _pieces(content: object, origin: str, provenance: Provenance, depth: int) -> Iterator[Piece]:
    if isinstance(content, str) and depth < _DEEPEST:
        content = _decoded(content, origin)
    if not isinstance(content, Mapping) or depth == _DEEPEST:
        raise DecodeError(origin, f"expected an event or a notification, got {_short(content)}", _REMEDY)
    if "detail-type" in content and isinstance(content.get("detail"), Mapping):
        yield from _of_event_bridge(content, origin, provenance)
    elif isinstance(content.get("Records"), list):
        for one in content["Records"]:
            yield from _of_notification(one, origin, depth)
    elif content.get("Type") == "Notification" and "Message" in content:
        yield from _pieces(content["Message"], origin, Provenance.QUEUE, depth + 1)
    elif isinstance(content.get("s3Bucket"), str) and isinstance(content.get("s3ObjectKey"), list):
        yield from (StoredLog(content["s3Bucket"], str(key)) for key in content["s3ObjectKey"])
    elif content.get("Event") == "s3:TestEvent":
        yield Passed("test event")
    else:
        raise DecodeError(origin, f"expected an event or a notification, got {_short(content)}", _REMEDY)


_REMEDY = "send it events of EventBridge, or notifications of S3, SNS or CloudTrail"


def _of_event_bridge(event: Mapping[str, Any], origin: str, provenance: Provenance) -> Iterator[Piece]:
    kind, source, detail = str(event["detail-type"]), str(event.get("source")), event["detail"]
    where = f"{origin} {event.get('id', '')}".rstrip()
    if not source.startswith("aws."):
        # AWS alone may send as `aws.*`: anybody who may put events can claim the rest
        raise DecodeError(where, f"{kind!r} from source {source!r}, which is not AWS", "look who sends such events")
    if kind == "AWS Insight via CloudTrail":
        yield Passed("insight")
    elif kind.endswith(" via CloudTrail") or kind == "GuardDuty Finding":
        yield Record(where, msgspec.json.encode(event), provenance)
    elif kind == "Object Created":
        yield StoredLog(_name(detail, "bucket", "name", where), _name(detail, "object", "key", where))
    elif kind == "Scheduled Event":
        yield Tick()
    else:
        yield Passed(kind)


def _of_notification(one: object, origin: str, depth: int) -> Iterator[Piece]:
    source = _source_of(one)
    if isinstance(one, Mapping) and source == "aws:s3" and isinstance(one.get("s3"), Mapping):
        if str(one.get("eventName", "")).startswith("ObjectRemoved"):
            yield Passed("removed object")
            return
        found = one["s3"]
        yield StoredLog(_name(found, "bucket", "name", origin), unquote_plus(_name(found, "object", "key", origin)))
    elif isinstance(one, Mapping) and source == "aws:sns" and isinstance(one.get("Sns"), Mapping):
        yield from _pieces(one["Sns"].get("Message"), origin, Provenance.QUEUE, depth + 1)
    else:
        raise DecodeError(origin, f"expected a notification of S3, SNS or SQS, got {_short(one)}", _REMEDY)


def _source_of(one: object) -> str:
    return str(one.get("eventSource") or one.get("EventSource")) if isinstance(one, Mapping) else ""


def _name(found: Mapping[str, Any], part: str, name: str, origin: str) -> str:
    inner = found.get(part)
    value = inner.get(name) if isinstance(inner, Mapping) else None
    if not isinstance(value, str) or not value:
        raise DecodeError(origin, f"expected a text in {part}.{name}, got {_short(value)}", _REMEDY)
    return value


def _decoded(text: str, origin: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise DecodeError(origin, f"expected JSON, got {_short(text)} ({error})", _REMEDY) from error


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        value = f"an object with {', '.join(sorted(map(str, value))) or 'nothing'}"
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
