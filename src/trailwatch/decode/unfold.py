"""Containers and envelopes taken apart: a clean body in one pass, a broken one piece by piece."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from trailwatch.decode.mend import mend
from trailwatch.decode.pieces import Piece, pieces
from trailwatch.errors import DecodeError
from trailwatch.model.match import Reject

LIMIT_RECORD_BYTES = 16 << 20
"""A longer record is a reject; AWS cuts events at 256 KiB, or 1 MiB in event data stores."""
REJECT_KEPT_BYTES = 256 << 10
"""How much of a reject's body is kept."""

Raw = msgspec.Raw
_UNSET = msgspec.UNSET
_Any = Raw | msgspec.UnsetType


class Split(msgspec.Struct):
    """What a body holds."""

    records: list[msgspec.Raw] = []
    positions: Sequence[int] = ()
    """The number of each record within the body, from 0."""
    rejects: list[Reject] = []
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    """What is no event, by what it is. Names that end in ` file` count bodies, the others pieces."""
    mended: int = 0
    """Places where text was no valid Unicode or JSON and was replaced."""


class _Document(msgspec.Struct):
    """The names that tell containers apart."""

    records: list[Raw] | msgspec.UnsetType = msgspec.field(name="Records", default=_UNSET)
    found: list[Raw] | msgspec.UnsetType = msgspec.field(name="Events", default=_UNSET)
    filtered: list[Raw] | msgspec.UnsetType = msgspec.field(name="events", default=_UNSET)
    log_events: list[Raw] | msgspec.UnsetType = msgspec.field(name="logEvents", default=_UNSET)
    message_type: _Any = msgspec.field(name="messageType", default=_UNSET)
    detail: _Any = _UNSET
    detail_type: str | msgspec.UnsetType = msgspec.field(name="detail-type", default=_UNSET)
    trail_event: str | msgspec.UnsetType = msgspec.field(name="CloudTrailEvent", default=_UNSET)
    message: _Any = _UNSET
    event_name: _Any = msgspec.field(name="eventName", default=_UNSET)
    digest_object: _Any = msgspec.field(name="digestS3Object", default=_UNSET)
    digest_files: _Any = msgspec.field(name="logFiles", default=_UNSET)


_DOCUMENT = msgspec.json.Decoder(_Document)


def trail_decoder(record: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    """Decodes trail files, which are taken for one exactly where `Taken` does; `records` is unset in what is none.

    Args:
        record: what each record is decoded to.
    """
    records = ("records", list[record] | msgspec.UnsetType, msgspec.field(name="Records", default=_UNSET))  # type: ignore[valid-type]  # known only at run time
    return msgspec.json.Decoder(msgspec.defstruct("Trail", [records], bases=(_Document,)))


def records_of(text: bytes) -> list[Raw]:
    """The records of a trail file that `trail_decoder` decoded."""
    records = _DOCUMENT.decode(text).records
    return records if isinstance(records, list) else []


_LIST = msgspec.json.Decoder(list[Raw])
_RAW = msgspec.json.Decoder(Raw)
_TEXT = msgspec.json.Decoder(str)
_BROKEN = (msgspec.DecodeError, RecursionError)
# where none of these stands in a body, every element of it is a record itself
_ENVELOPES = (b'"CloudTrailEvent"', b'"detail-type"', b'"logEvents"', b'"message"', b'"Records"', b'"Events"')
_LOG_LINE = re.compile(rb"[0-9][0-9T:.,Z+/-]{8,40}\s+(?=\{)")
_BETWEEN = re.compile(rb'(?<=\})\s*(?=\{\s*"Records"\s*:\s*\[)')
_LINE = re.compile(rb"[^\r\n]+")
_LINE_END = re.compile(rb"[\r\n]")
_MANY = 10_000
_LEAST_BYTES = 48
"""Less than the name and the time of an event take."""
_MAX_UNFOLD = 4
_JSON_STARTS = (b"{", b"[")


class Taken:
    """What was taken out of one body so far, in order."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.records: list[Raw] = []
        self.positions: list[int] = []
        self.rejects: list[Reject] = []
        self.left_out: Counter[str] = Counter()
        self.mended = 0
        self.next = 0

    def split(self) -> Split:
        positions = self.positions if self.rejects or self.left_out else range(len(self.records))
        return Split(self.records, positions, self.rejects, self.left_out, self.mended)

    def whole(self, text: bytes) -> bool:
        """Reads a clean body: JSON, trail files on end, or lines. False, with nothing taken, for any other."""
        try:
            if text[:1] != b"{":
                self.items(_LIST.decode(text), text)
            elif isinstance((document := _DOCUMENT.decode(text)).records, list):
                self.add_records(document.records, text)
            elif document.digest_object is not _UNSET and document.digest_files is not _UNSET:
                self.left_out["digest file"] += 1
            else:
                self.unfold(Raw(text))
        except _BROKEN:
            return self._several(text)
        return True

    def _several(self, text: bytes) -> bool:
        try:
            if _BETWEEN.search(text) is None:
                self.items(_RAW.decode_lines(text), text)
            else:  # trail files that were joined; these bytes cannot stand within a JSON string
                documents = [_DOCUMENT.decode(part) for part in _BETWEEN.split(text)]
                lists = [d.records for d in documents if isinstance(d.records, list)]
                if len(lists) < len(documents):
                    return False
                self.add_records([record for records in lists for record in records], text)
        except _BROKEN:
            return False
        return True

    def items(self, items: list[Raw], text: bytes) -> None:
        """Takes elements of an array, or lines, which may be envelopes."""
        if not _are_shreds(len(items), len(text)) and any(name in text for name in _ENVELOPES):
            for item in items:
                self.unfold(item)
        else:
            self.add_records(items, text)

    def add_records(self, records: list[Raw], text: bytes) -> None:
        """Records that need no unfolding; the fast way when none can be too long."""
        total_bytes = len(text)
        if _are_shreds(len(records), total_bytes):
            self.shredded(text)
        elif total_bytes <= LIMIT_RECORD_BYTES and not self.next:
            self.records = records
            self.positions = list(range(len(records))) if self.rejects else []
            self.next = len(records)
        else:
            for record in records:
                self.add_record(record)

    def add_record(self, record: Raw) -> None:
        size = memoryview(record).nbytes
        if size > LIMIT_RECORD_BYTES:
            self.reject(record, f"a record of {size:,} bytes; CloudTrail's have 256 KiB at most")
            return
        self.records.append(record)
        self.positions.append(self.next)
        self.next += 1

    def shredded(self, text: bytes) -> None:
        """Makes the whole body one reject: judging its pieces would cost memory out of all proportion."""
        self.records, self.positions, self.rejects, self.next = [], [], [], 0
        what = "far more pieces than event names or room for them; no log, and too large to judge piece by piece"
        self.rejects.append(Reject(self.origin, -1, f"{self.origin}: {what}", text[:REJECT_KEPT_BYTES]))

    def reject(self, body: bytes | Raw, what: str) -> None:
        kept = bytes(memoryview(body)[:REJECT_KEPT_BYTES])
        self.rejects.append(Reject(self.origin, self.next, f"{self.origin}: record {self.next}: {what}", kept))
        self.next += 1

    def leave_out(self, what: str) -> None:
        self.left_out[what] += 1
        self.next += 1

    def unfold(self, item: Raw, depth: int = 0) -> None:
        """The records in one object, which may be an envelope of them."""
        try:
            document = _DOCUMENT.decode(item)
        except (*_BROKEN, UnicodeDecodeError):
            document = None  # a record with a name of ours used otherwise, or no object: the engine judges it
        if document is None or document.event_name is not _UNSET or depth == _MAX_UNFOLD:
            self.add_record(item)
        elif document.detail_type is not _UNSET and document.detail is not _UNSET:
            self._event_bridge(str(document.detail_type), document.detail)
        elif isinstance(document.trail_event, str):
            self._text(document.trail_event, depth)
        elif document.message_type is not _UNSET and bytes(_raw(document.message_type)) == b'"CONTROL_MESSAGE"':
            self.leave_out("control message")
        elif isinstance(inner := _inner_list(document), list):
            for element in inner:
                self.unfold(element, depth + 1)
        elif document.message is not _UNSET:
            self._message(_raw(document.message), depth)
        else:
            self.add_record(item)

    def _event_bridge(self, kind: str, detail: Raw | msgspec.UnsetType) -> None:
        if kind.endswith(" via CloudTrail") or kind == "GuardDuty Finding":
            self.add_record(_raw(detail))
        else:
            self.leave_out("EventBridge event that is neither from CloudTrail nor from GuardDuty")

    def _message(self, message: Raw, depth: int) -> None:
        try:
            self._text(_TEXT.decode(message), depth)
        except msgspec.ValidationError:
            self.unfold(message, depth + 1)  # tools that unfold the message leave an object there

    def _text(self, text: str, depth: int) -> None:
        inner = text.encode().strip()
        try:
            self.unfold(_RAW.decode(inner), depth + 1)
        except _BROKEN as error:
            self._second_try(inner, error, depth)

    def _second_try(self, inner: bytes, error: Exception, depth: int) -> None:
        text, places = mend(inner)
        try:
            record = _RAW.decode(text)
        except _BROKEN:
            self.reject(inner, _why(error))
        else:
            self.mended += places
            self.unfold(record, depth + 1)

    def torn(self, text: bytes, broken: DecodeError) -> None:
        """A body that breaks off: every complete record of it, and one reject that says where it broke."""
        text, self.mended = mend(text)
        self.apart(text)
        at = self.next
        if self.rejects and self.rejects[-1].position == at - 1 and not _is_json(self.rejects[-1].body):
            at -= 1
            self.rejects.pop()
        self.next = at
        position = at if self.records else -1
        self.rejects.append(Reject(self.origin, position, str(broken), text[:REJECT_KEPT_BYTES]))

    def apart(self, text: bytes) -> None:
        """Reads a body that no strict reader takes, piece by piece."""
        if not text:
            return
        for piece in self._pieces(text):
            self._piece(piece)
            if _are_shreds(self.next, len(text)):
                self.shredded(text)
                return
        if not (self.records or self.rejects or self.left_out):
            self.rejects.append(Reject(self.origin, -1, f"{self.origin}: no record in it", text[:REJECT_KEPT_BYTES]))

    def _pieces(self, text: bytes) -> Iterator[Piece]:
        alone = text[:1] in _JSON_STARTS and _LINE_END.search(text) is None
        if not alone and _mostly_lines(text):
            for line in _LINE.finditer(text):
                if stripped := line.group().strip():
                    prefix = _LOG_LINE.match(stripped)
                    yield Piece(stripped[prefix.end() :] if prefix else stripped, whole=True)
        elif text[:1] not in _JSON_STARTS:
            what = f"neither JSON nor lines of it, it begins with {text[:40]!r}"
            self.rejects.append(Reject(self.origin, -1, f"{self.origin}: {what}", text[:REJECT_KEPT_BYTES]))
        else:
            yield from pieces(text)

    def _piece(self, piece: Piece) -> None:
        try:
            record = _RAW.decode(piece.text)
        except _BROKEN as error:
            self.reject(piece.text, _why(error) if piece.whole else "cut off, the body ends within it")
        else:
            self.unfold(record)


def _inner_list(document: _Document) -> list[Raw] | None:
    for candidate in (document.records, document.found, document.filtered, document.log_events):
        if isinstance(candidate, list):
            return candidate
    return None


def _raw(value: Any) -> Raw:
    return value if isinstance(value, Raw) else Raw(b"null")


def _is_json(body: bytes) -> bool:
    try:
        _RAW.decode(body)
    except _BROKEN:
        return False
    return True


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _are_shreds(count: int, total_bytes: int) -> bool:
    """Whether so many pieces are so short that no records can be among them but a few."""
    return count > _MANY and total_bytes < _LEAST_BYTES * count


def _mostly_lines(text: bytes) -> bool:
    """Whether at least half of the lines look like one object each, bare or behind a time."""
    objects = others = 0
    for line in _LINE.finditer(text):
        stripped = line.group().strip()
        if not stripped:
            continue
        if stripped.endswith(b"}") and len(stripped) > 2 and (stripped[:1] == b"{" or _LOG_LINE.match(stripped)):  # noqa: PLR2004 an empty object tells nothing
            objects += 1
        else:
            others += 1
    return objects > 0 and objects >= others
