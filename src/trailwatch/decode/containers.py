"""Bodies of bytes into records, whatever they are packed in.

Read are: `{"Records": [...]}` (a trail's file), an array, one object, JSON lines, EventBridge events, the output of
`lookup-events`, of `filter-log-events` and of `get-log-events`, a CloudWatch Logs subscription, and CloudWatch
Logs exports (`timestamp {json}`); each gzipped or plain, told apart by content. Digest and Insights files are known
by their path or content and left out, counted.

A clean `{"Records": [...]}` body costs one pass in C. Whatever breaks that way is taken apart piece by piece, so
that one bad record is one reject and its neighbours are read.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from trailwatch.decode.inflate import LIMIT_BYTES, inflate_prefix, is_gzip
from trailwatch.decode.mend import is_utf8, mend
from trailwatch.decode.unfold import REJECT_KEPT_BYTES, Split, Taken
from trailwatch.errors import DecodeError
from trailwatch.model.match import Reject

_LEFT_OUT_FOLDERS = (("/CloudTrail-Digest/", "digest file"), ("/CloudTrail-Insight/", "insight file"))
_SHREDDED_BYTES = 1 << 20
_BEGINNING = 1 << 17
_SEPARATORS = (b",", b"\n", b"\r", b"[", b"{", b'"', b"\\")
_SEPARATORS_A_NAME = 256 << 10
"""AWS cuts events at 256 KiB, so no caller can fill a trail's file with more of one character for each event."""


class Unpacked(NamedTuple):
    """A body as text, before anything is taken out of it."""

    origin: str
    text: bytes
    """Inflated, without byte order mark and blanks around it."""
    broken: DecodeError | None = None
    """Why not everything could be inflated."""
    settled: Split | None = None
    """What the body holds, where that is known without its text."""

    @property
    def whole(self) -> bool:
        """Whether it may be a trail's file that was inflated to its end."""
        return self.settled is None and self.broken is None and self.text[:1] == b"{"


def has_room(text: bytes, events: int) -> bool:
    """Whether a body is no longer than so many events can make it; see `is_shredded`."""
    return len(text) <= max(_SHREDDED_BYTES, _SEPARATORS_A_NAME * events)


def unpack(body: bytes, origin: str, limit_bytes: int = LIMIT_BYTES) -> Unpacked:
    """The text of a body. Raises nothing.

    Args:
        body: as delivered, gzipped or not.
        origin: the path or look-up it came from; rejects carry it, and it tells digest and Insights files.
        limit_bytes: most bytes that the body may have, unpacked.
    """
    for folder, what in _LEFT_OUT_FOLDERS:
        if folder in "/" + origin:
            return Unpacked(origin, b"", settled=Split(left_out=Counter({what: 1})))
    broken: DecodeError | None = None
    if is_gzip(body):
        body, broken = inflate_prefix(body, limit_bytes, origin)
    elif len(body) > limit_bytes:
        broken = DecodeError(origin, f"{len(body):,} bytes, the limit is {limit_bytes:,}", "split the file")
        kept = body[:REJECT_KEPT_BYTES]
        return Unpacked(origin, b"", settled=Split(rejects=[Reject(origin, -1, str(broken), kept)]))
    return Unpacked(origin, _utf8(body), broken)


def split(body: bytes, origin: str, limit_bytes: int = LIMIT_BYTES) -> Split:
    """The records of a body, and what in it is none. Raises nothing: what cannot be read is in `rejects`.

    The arguments are those of `unpack`.
    """
    return split_text(unpack(body, origin, limit_bytes))


def split_text(unpacked: Unpacked) -> Split:
    """The same for a body that is unpacked already."""
    origin, text, broken, settled = unpacked
    if settled is not None:
        return settled
    taken = Taken(origin)
    if broken is not None:
        taken.torn(text, broken)
    elif not text:
        taken.left_out["empty file"] += 1
    elif is_shredded(text):
        taken.shredded(text)
    elif not (is_utf8(text) and taken.whole(text)):
        text, taken.mended = mend(text)
        if not (taken.mended and taken.whole(text)):
            taken.apart(text)
    return taken.split()


def is_shredded(text: bytes) -> bool:
    """Whether a long body has so many separators for each event name that it can only be made to fill the memory."""
    if len(text) < _SHREDDED_BYTES:
        return False
    # the beginning of an ordinary file holds names enough for all of it
    for names in (text.count(b"eventName", 0, _BEGINNING), text.count(b"eventName")):
        most = _SEPARATORS_A_NAME * (names + 2)
        if most >= len(text):
            return False
    return any(text.count(mark) > most for mark in _SEPARATORS)


def _utf8(body: bytes) -> bytes:
    """The text without byte order mark and blanks around it; UTF-16, which PowerShell writes, as UTF-8."""
    if body[:3] == b"\xef\xbb\xbf":
        body = body[3:]
    elif body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        body = body.decode("utf-16", "replace").encode()
    elif body[1:2] == b"\0" and body[:1] in b"{[":
        body = body.decode("utf-16-le", "replace").encode()
    elif body[:1] == b"\0" and body[1:2] in {b"{", b"["}:
        body = body.decode("utf-16-be", "replace").encode()
    return body.strip()
